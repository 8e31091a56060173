"""Trigonometric and hyperbolic functions with their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.primitive import Elementwise, primitive


@primitive
class Sin(Elementwise):
    """z = sin(x)"""

    def forward(self, x: Any) -> Any:
        return np.sin(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * np.cos(x)


@primitive
class Cos(Elementwise):
    """z = cos(x)"""

    def forward(self, x: Any) -> Any:
        return np.cos(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return -dz * np.sin(x)


@primitive
class Tan(Elementwise):
    """z = tan(x)"""

    def forward(self, x: Any) -> Any:
        return np.tan(x)

    def dx(self, dz: Any, z: Any) -> Any:
        return dz * (1.0 + z * z)


@primitive
class Arcsin(Elementwise):
    """z = arcsin(x)"""

    def forward(self, x: Any) -> Any:
        return np.arcsin(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / np.sqrt((1.0 - x) * (1.0 + x))


@primitive
class Arccos(Elementwise):
    """z = arccos(x)"""

    def forward(self, x: Any) -> Any:
        return np.arccos(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return -dz / np.sqrt((1.0 - x) * (1.0 + x))


@primitive
class Arctan(Elementwise):
    """z = arctan(x)"""

    def forward(self, x: Any) -> Any:
        return np.arctan(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / (1.0 + x * x)


@primitive
class Arctan2(Elementwise):
    """z = the angle of the point (y, x): arctan2(x, y) in NumPy's order of arguments"""

    def forward(self, x: Any, y: Any) -> Any:
        return np.arctan2(x, y)

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * y / (x * x + y * y)

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return -dz * x / (x * x + y * y)


@primitive
class Sinh(Elementwise):
    """z = sinh(x)"""

    def forward(self, x: Any) -> Any:
        return np.sinh(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * np.cosh(x)


@primitive
class Cosh(Elementwise):
    """z = cosh(x)"""

    def forward(self, x: Any) -> Any:
        return np.cosh(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * np.sinh(x)


@primitive
class Tanh(Elementwise):
    """z = tanh(x) = 2 sigmoid(2x) - 1"""

    def forward(self, x: Any) -> Any:
        return np.tanh(x)

    def dx(self, dz: Any, z: Any) -> Any:
        return dz * (1.0 - z * z)


@primitive
class Arcsinh(Elementwise):
    """z = arcsinh(x)"""

    def forward(self, x: Any) -> Any:
        return np.arcsinh(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / np.hypot(x, 1.0)


@primitive
class Arccosh(Elementwise):
    """z = arccosh(x)"""

    def forward(self, x: Any) -> Any:
        return np.arccosh(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / (np.sqrt(x - 1.0) * np.sqrt(x + 1.0))


@primitive
class Arctanh(Elementwise):
    """z = arctanh(x)"""

    def forward(self, x: Any) -> Any:
        return np.arctanh(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / ((1.0 - x) * (1.0 + x))


sin, cos, tan = Sin(), Cos(), Tan()
arcsin, arccos, arctan, arctan2 = Arcsin(), Arccos(), Arctan(), Arctan2()
sinh, cosh, tanh = Sinh(), Cosh(), Tanh()
arcsinh, arccosh, arctanh = Arcsinh(), Arccosh(), Arctanh()

"""Trigonometric and hyperbolic functions with their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.primitive import Elementwise, primitive


@primitive
class Sin(Elementwise):
    """z = sin(x)"""

    ufunc = np.sin

    def forward(self, x: Any) -> Any:
        return np.sin(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * np.cos(x)

    def lower(self, b: Any, x: Any) -> Any:
        return b.sin(x)


@primitive
class Cos(Elementwise):
    """z = cos(x)"""

    ufunc = np.cos

    def forward(self, x: Any) -> Any:
        return np.cos(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return -dz * np.sin(x)

    def lower(self, b: Any, x: Any) -> Any:
        return b.cos(x)


@primitive
class Tan(Elementwise):
    """z = tan(x)"""

    ufunc = np.tan

    def forward(self, x: Any) -> Any:
        return np.tan(x)

    def dx(self, dz: Any, z: Any) -> Any:
        return dz * (1.0 + z * z)

    def lower(self, b: Any, x: Any) -> Any:
        return b.tan(x)


@primitive
class Arcsin(Elementwise):
    """z = arcsin(x)"""

    ufunc = np.arcsin

    def forward(self, x: Any) -> Any:
        return np.arcsin(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / np.sqrt((1.0 - x) * (1.0 + x))

    def lower(self, b: Any, x: Any) -> Any:
        return b.arcsin(x)


@primitive
class Arccos(Elementwise):
    """z = arccos(x)"""

    ufunc = np.arccos

    def forward(self, x: Any) -> Any:
        return np.arccos(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return -dz / np.sqrt((1.0 - x) * (1.0 + x))

    def lower(self, b: Any, x: Any) -> Any:
        return b.arccos(x)


@primitive
class Arctan(Elementwise):
    """z = arctan(x)"""

    ufunc = np.arctan

    def forward(self, x: Any) -> Any:
        return np.arctan(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / (1.0 + x * x)

    def lower(self, b: Any, x: Any) -> Any:
        return b.arctan(x)


@primitive
class Arctan2(Elementwise):
    """z = the angle of the point (y, x): arctan2(x, y) in NumPy's order of arguments"""

    ufunc = np.arctan2

    def forward(self, x: Any, y: Any) -> Any:
        return np.arctan2(x, y)

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * y / (x * x + y * y)

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return -dz * x / (x * x + y * y)

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.arctan2(x, y)


@primitive
class Sinh(Elementwise):
    """z = sinh(x)"""

    ufunc = np.sinh

    def forward(self, x: Any) -> Any:
        return np.sinh(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * np.cosh(x)

    def lower(self, b: Any, x: Any) -> Any:
        return b.sinh(x)


@primitive
class Cosh(Elementwise):
    """z = cosh(x)"""

    ufunc = np.cosh

    def forward(self, x: Any) -> Any:
        return np.cosh(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * np.sinh(x)

    def lower(self, b: Any, x: Any) -> Any:
        return b.cosh(x)


@primitive
class Tanh(Elementwise):
    """z = tanh(x) = 2 sigmoid(2x) - 1"""

    ufunc = np.tanh

    def forward(self, x: Any) -> Any:
        return np.tanh(x)

    def dx(self, dz: Any, z: Any) -> Any:
        return dz * (1.0 - z * z)

    def lower(self, b: Any, x: Any) -> Any:
        return b.tanh(x)


@primitive
class Arcsinh(Elementwise):
    """z = arcsinh(x)"""

    ufunc = np.arcsinh

    def forward(self, x: Any) -> Any:
        return np.arcsinh(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / np.hypot(x, 1.0)

    def lower(self, b: Any, x: Any) -> Any:
        return b.arcsinh(x)


@primitive
class Arccosh(Elementwise):
    """z = arccosh(x)"""

    ufunc = np.arccosh

    def forward(self, x: Any) -> Any:
        return np.arccosh(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / (np.sqrt(x - 1.0) * np.sqrt(x + 1.0))

    def lower(self, b: Any, x: Any) -> Any:
        return b.arccosh(x)


@primitive
class Arctanh(Elementwise):
    """z = arctanh(x)"""

    ufunc = np.arctanh

    def forward(self, x: Any) -> Any:
        return np.arctanh(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / ((1.0 - x) * (1.0 + x))

    def lower(self, b: Any, x: Any) -> Any:
        return b.arctanh(x)


sin, cos, tan = Sin(), Cos(), Tan()
arcsin, arccos, arctan, arctan2 = Arcsin(), Arccos(), Arctan(), Arctan2()
sinh, cosh, tanh = Sinh(), Cosh(), Tanh()
arcsinh, arccosh, arctanh = Arcsinh(), Arccosh(), Arctanh()

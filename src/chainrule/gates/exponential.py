"""Exponentials and logarithms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.primitive import Elementwise, primitive
from chainrule.gates.special import sigmoid

LN2, LN10 = math.log(2.0), math.log(10.0)


@primitive
class Exp(Elementwise):
    """z = e ** x"""

    def forward(self, x: Any) -> Any:
        return np.exp(x)

    def dx(self, dz: Any, z: Any) -> Any:
        return dz * z


@primitive
class Exp2(Elementwise):
    """z = 2 ** x"""

    def forward(self, x: Any) -> Any:
        return np.exp2(x)

    def dx(self, dz: Any, z: Any) -> Any:
        return LN2 * dz * z


@primitive
class Expm1(Elementwise):
    """z = e ** x - 1, accurate near 0"""

    def forward(self, x: Any) -> Any:
        return np.expm1(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * np.exp(x)


@primitive
class Log(Elementwise):
    """z = log(x), the natural logarithm"""

    def forward(self, x: Any) -> Any:
        return np.log(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / x


@primitive
class Log2(Elementwise):
    """z = log(x) / log(2)"""

    def forward(self, x: Any) -> Any:
        return np.log2(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / (LN2 * x)


@primitive
class Log10(Elementwise):
    """z = log(x) / log(10)"""

    def forward(self, x: Any) -> Any:
        return np.log10(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / (LN10 * x)


@primitive
class Log1p(Elementwise):
    """z = log(1 + x), accurate near 0"""

    def forward(self, x: Any) -> Any:
        return np.log1p(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / (1.0 + x)


@primitive
class Share(Elementwise):
    """z = b ** x / (b ** x + b ** y) for b = e ** rate; one half where both are the same infinity"""

    rate: float

    @property
    def notation(self) -> str:  # type: ignore[override]
        return "share({0}, {1})" if self.rate == 1.0 else "share2({0}, {1})"

    def forward(self, x: Any, y: Any) -> Any:
        same = np.isinf(x) & np.equal(x, y)
        return sigmoid(self.rate * (np.where(same, 0.0, x) - np.where(same, 0.0, y)))

    def dx(self, dz: Any, z: Any) -> Any:
        return self.rate * dz * (z * (1.0 - z))

    def dy(self, dz: Any, z: Any) -> Any:
        return -self.rate * dz * (z * (1.0 - z))


@primitive
class Logaddexp(Elementwise):
    """z = log(e ** x + e ** y), without overflow; each local gradient is the input's share"""

    def forward(self, x: Any, y: Any) -> Any:
        return np.logaddexp(x, y)

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * share(x, y)

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * share(y, x)


@primitive
class Logaddexp2(Elementwise):
    """z = log2(2 ** x + 2 ** y), without overflow"""

    def forward(self, x: Any, y: Any) -> Any:
        return np.logaddexp2(x, y)

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * share2(x, y)

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * share2(y, x)


exp, exp2, expm1 = Exp(), Exp2(), Expm1()
log, log2, log10, log1p = Log(), Log2(), Log10(), Log1p()
logaddexp, logaddexp2 = Logaddexp(), Logaddexp2()
share, share2 = Share(1.0), Share(LN2)

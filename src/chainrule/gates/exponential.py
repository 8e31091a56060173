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

    ufunc = np.exp

    def forward(self, x: Any) -> Any:
        return np.exp(x)

    def dx(self, dz: Any, z: Any) -> Any:
        return dz * z

    def lower(self, b: Any, x: Any) -> Any:
        return b.exp(x)


@primitive
class Exp2(Elementwise):
    """z = 2 ** x"""

    ufunc = np.exp2

    def forward(self, x: Any) -> Any:
        return np.exp2(x)

    def dx(self, dz: Any, z: Any) -> Any:
        return LN2 * dz * z

    def lower(self, b: Any, x: Any) -> Any:
        return b.exp2(x)


@primitive
class Expm1(Elementwise):
    """z = e ** x - 1, accurate near 0"""

    ufunc = np.expm1

    def forward(self, x: Any) -> Any:
        return np.expm1(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * np.exp(x)

    def lower(self, b: Any, x: Any) -> Any:
        return b.expm1(x)


@primitive
class Log(Elementwise):
    """z = log(x), the natural logarithm"""

    ufunc = np.log

    def forward(self, x: Any) -> Any:
        return np.log(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / x

    def lower(self, b: Any, x: Any) -> Any:
        return b.log(x)


@primitive
class Log2(Elementwise):
    """z = log(x) / log(2)"""

    ufunc = np.log2

    def forward(self, x: Any) -> Any:
        return np.log2(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / (LN2 * x)

    def lower(self, b: Any, x: Any) -> Any:
        return b.log2(x)


@primitive
class Log10(Elementwise):
    """z = log(x) / log(10)"""

    ufunc = np.log10

    def forward(self, x: Any) -> Any:
        return np.log10(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / (LN10 * x)

    def lower(self, b: Any, x: Any) -> Any:
        return b.log10(x)


@primitive
class Log1p(Elementwise):
    """z = log(1 + x), accurate near 0"""

    ufunc = np.log1p

    def forward(self, x: Any) -> Any:
        return np.log1p(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz / (1.0 + x)

    def lower(self, b: Any, x: Any) -> Any:
        return b.log1p(x)


@primitive
class Share(Elementwise):
    """z = b ** x / (b ** x + b ** y) for b = e ** rate; one half where both are the same infinity"""

    rate: float

    @property
    def notation(self) -> str:  # type: ignore[override]
        return "share({0}, {1})" if self.rate == 1.0 else "share2({0}, {1})"

    def forward(self, x: Any, y: Any) -> Any:
        same = np.isinf(x) & np.equal(x, y)
        with np.errstate(invalid="ignore"):
            apart = x * 1.0 - y * 1.0  # floating, also for integers
        return sigmoid(self.rate * np.where(same, 0.0, apart))

    def dx(self, dz: Any, z: Any) -> Any:
        return self.rate * dz * (z * (1.0 - z))

    def dy(self, dz: Any, z: Any) -> Any:
        return -self.rate * dz * (z * (1.0 - z))

    def computes_in(self, x: Any, y: Any) -> tuple[Any, ...]:
        return (np.result_type(x, y, 0.0),) * 2

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        same = b.and_(b.isinf(x), b.eq(x, y))
        zero = b.like(x, 0.0)
        x, y = b.select(same, zero, x), b.select(same, zero, y)
        return b.sigmoid(b.mul(b.like(x, self.rate), b.sub(x, y)))


@primitive
class Logaddexp(Elementwise):
    """z = log(e ** x + e ** y), without overflow; each local gradient is the input's share"""

    ufunc = np.logaddexp

    def forward(self, x: Any, y: Any) -> Any:
        return np.logaddexp(x, y)

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * share(x, y)

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * share(y, x)

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.logaddexp(x, y)


@primitive
class Logaddexp2(Elementwise):
    """z = log2(2 ** x + 2 ** y), without overflow"""

    ufunc = np.logaddexp2

    def forward(self, x: Any, y: Any) -> Any:
        return np.logaddexp2(x, y)

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * share2(x, y)

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * share2(y, x)

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.logaddexp2(x, y)


exp, exp2, expm1 = Exp(), Exp2(), Expm1()
log, log2, log10, log1p = Log(), Log2(), Log10(), Log1p()
logaddexp, logaddexp2 = Logaddexp(), Logaddexp2()
share, share2 = Share(1.0), Share(LN2)

"""Arithmetic, element by element: the gates of every circuit."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.operands import in_one_precision
from chainrule.gates.primitive import Elementwise, dtypes_of, primitive


def floats(dtypes: tuple[Any, ...]) -> tuple[Any, ...]:
    """The dtypes, or a TypeError: integers are left to NumPy."""
    if any(dtype.kind != "f" for dtype in dtypes):
        raise TypeError(f"not computed natively for {dtypes[0]}")
    return dtypes


@primitive
class Add(Elementwise):
    """z = x + y: distributes its upstream gradient unchanged."""

    notation = "{0} + {1}"
    ufunc = np.add

    def forward(self, x: Any, y: Any) -> Any:
        return x + y

    def dx(self, dz: Any) -> Any:
        return dz

    def dy(self, dz: Any) -> Any:
        return dz

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.add(x, y)


@primitive
class Subtract(Elementwise):
    """z = x - y"""

    notation = "{0} - {1}"
    ufunc = np.subtract

    def forward(self, x: Any, y: Any) -> Any:
        return x - y

    def dx(self, dz: Any) -> Any:
        return dz

    def dy(self, dz: Any) -> Any:
        return -dz

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.sub(x, y)


@primitive
class Multiply(Elementwise):
    """z = x * y: swaps its inputs and scales them by the upstream gradient."""

    notation = "{0} * {1}"
    ufunc = np.multiply

    def forward(self, x: Any, y: Any) -> Any:
        return x * y

    def dx(self, dz: Any, y: Any) -> Any:
        return dz * y

    def dy(self, dz: Any, x: Any) -> Any:
        return dz * x

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.mul(x, y)


@primitive
class Divide(Elementwise):
    """z = x / y"""

    notation = "{0} / {1}"
    ufunc = np.divide

    def forward(self, x: Any, y: Any) -> Any:
        return x / y

    def dx(self, dz: Any, y: Any) -> Any:
        return dz / y

    def dy(self, dz: Any, z: Any, y: Any) -> Any:
        return -dz * z / y

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.div(x, y)


@primitive
class Negative(Elementwise):
    """z = -x"""

    notation = "-{0}"
    ufunc = np.negative

    def forward(self, x: Any) -> Any:
        return -x

    def dx(self, dz: Any) -> Any:
        return -dz

    def lower(self, b: Any, x: Any) -> Any:
        return b.neg(x)


@primitive
class Remainder(Elementwise):
    """z = x - floor(x / y) * y, the sign of y (Python's %)"""

    notation = "{0} % {1}"
    ufunc = np.remainder

    def forward(self, x: Any, y: Any) -> Any:
        return np.remainder(x, y)

    def choice(self, x: Any, y: Any) -> Any:
        return np.floor_divide(x, y)

    def dx(self, dz: Any) -> Any:
        return dz

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return -dz * np.floor_divide(x, y)

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.remainder(x, y)


@primitive
class Fmod(Elementwise):
    """z = x - trunc(x / y) * y, the sign of x (C's fmod)"""

    ufunc = np.fmod

    def forward(self, x: Any, y: Any) -> Any:
        return np.fmod(x, y)

    def choice(self, x: Any, y: Any) -> Any:
        return np.trunc(np.divide(x, y))

    def dx(self, dz: Any) -> Any:
        return dz

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return -dz * np.trunc(x / y)

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.fmod(x, y)


@primitive
class Absolute(Elementwise):
    """z = abs(x); the local gradient at 0 is 0"""

    notation = "|{0}|"
    ufunc = np.absolute

    def forward(self, x: Any) -> Any:
        return np.absolute(x)

    def choice(self, x: Any) -> Any:
        return np.sign(x)

    def tie(self, x: Any) -> Any:
        return np.equal(x, 0)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * np.sign(x)

    def lower(self, b: Any, x: Any) -> Any:
        return b.abs(x)


@primitive
class Reciprocal(Elementwise):
    """z = 1 / x"""

    notation = "1 / {0}"
    ufunc = np.reciprocal

    def forward(self, x: Any) -> Any:
        return np.reciprocal(x)

    def dx(self, dz: Any, z: Any) -> Any:
        return -dz * z * z

    def computes_in(self, *operands: Any) -> tuple[Any, ...]:
        return floats(super().computes_in(*operands))

    def lower(self, b: Any, x: Any) -> Any:
        return b.div(b.like(x, 1.0), x)


@primitive
class Square(Elementwise):
    """z = x ** 2"""

    notation = "{0} ** 2"
    ufunc = np.square

    def forward(self, x: Any) -> Any:
        return np.square(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return 2.0 * dz * x

    def lower(self, b: Any, x: Any) -> Any:
        return b.mul(x, x)


@primitive
class Sqrt(Elementwise):
    """z = sqrt(x)"""

    ufunc = np.sqrt

    def forward(self, x: Any) -> Any:
        return np.sqrt(x)

    def dx(self, dz: Any, z: Any) -> Any:
        return 0.5 * dz / z

    def lower(self, b: Any, x: Any) -> Any:
        return b.sqrt(x)


@primitive
class Cbrt(Elementwise):
    """z = x ** (1/3), for negative x too"""

    ufunc = np.cbrt

    def forward(self, x: Any) -> Any:
        return np.cbrt(x)

    def dx(self, dz: Any, z: Any) -> Any:
        return dz / (3.0 * z * z)

    def lower(self, b: Any, x: Any) -> Any:
        return b.cbrt(x)


@primitive
class Power(Elementwise):
    """z = x ** y

    Where x is 0, d/dy is taken as 0; where y is 0, d/dx is 0, also for x = 0.
    """

    notation = "{0} ** {1}"
    ufunc = np.power

    def forward(self, x: Any, y: Any) -> Any:
        return np.power(x, y)

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        flat = (x == 0) & (y == 0)  # elsewhere the formula holds, whose own derivative for y at y = 0 is 1 / x
        return dz * y * x ** np.where(flat, np.ones_like(y), y - 1)

    def dy(self, dz: Any, z: Any, x: Any) -> Any:
        return dz * z * np.log(np.where(x == 0, np.ones_like(x), x))

    def computes_in(self, *operands: Any) -> tuple[Any, ...]:
        return floats(super().computes_in(*operands))

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.power(x, y) if y.number is None else b.power_of(x, y.number)


@primitive
class PowerOf(Elementwise):
    """z = x ** exponent, for a number that is known beforehand"""

    exponent: float

    @property
    def notation(self) -> str:  # type: ignore[override]
        return "{0} ** " + f"{self.exponent:g}"

    def forward(self, x: Any) -> Any:
        return np.power(x, self.exponent)

    def dx(self, dz: Any, x: Any) -> Any:
        if self.exponent == 0:
            return dz * 0.0
        return self.exponent * dz * x ** (self.exponent - 1)

    def computes_in(self, x: Any) -> tuple[Any, ...]:
        dtypes = dtypes_of(np.power, x, self.exponent)[:1]
        return dtypes if self.exponent >= 0 else floats(dtypes)

    def lower(self, b: Any, x: Any) -> Any:
        return b.power_of(x, self.exponent)


@primitive
class Hypot(Elementwise):
    """z = sqrt(x ** 2 + y ** 2); the local gradients at (0, 0) are 0"""

    ufunc = np.hypot

    def forward(self, x: Any, y: Any) -> Any:
        return np.hypot(x, y)

    def dx(self, dz: Any, z: Any, x: Any) -> Any:
        return dz * x / np.where(z == 0, np.ones_like(z), z)

    def dy(self, dz: Any, z: Any, y: Any) -> Any:
        return dz * y / np.where(z == 0, np.ones_like(z), z)

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.hypot(x, y)


add, subtract, multiply, divide = Add(), Subtract(), Multiply(), Divide()
negative, absolute, reciprocal, square, sqrt, cbrt = (
    Negative(), Absolute(), Reciprocal(), Square(), Sqrt(), Cbrt(),
)  # fmt: skip
remainder, fmod, hypot, general_power = Remainder(), Fmod(), Hypot(), Power()


def power(x: Any, y: Any) -> Any:
    """``x ** y``; a Python number as exponent takes the simpler gate that it deserves."""
    if type(y) is int or type(y) is float:
        if y == 2:
            return square(x)
        if y == 1:
            return x * 1
        return PowerOf.of(y)(x)
    return general_power(*in_one_precision(x, y))

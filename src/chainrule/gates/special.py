"""Functions of one variable: the sigmoid and its relatives, which NumPy lacks, and the special functions that it has.

The public functions take ndarrays and numbers, too, and give the same back.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.primitive import Elementwise, dtypes_of, primitive


@primitive
class Sigmoid(Elementwise):
    """z = 1 / (1 + e ** -x), without overflow on either side"""

    ufunc = np.exp

    def forward(self, x: Any) -> Any:
        small = np.exp(-np.fabs(x))  # never overflows
        positive = np.greater_equal(x, 0).astype(small.dtype)
        return np.maximum(small, positive) / (1.0 + small)  # 1 or e ** x over 1 + e ** -|x|

    def dx(self, dz: Any, z: Any) -> Any:
        return dz * (z * (1.0 - z))

    def lower(self, b: Any, x: Any) -> Any:
        return b.sigmoid(x)


@primitive
class Softplus(Elementwise):
    """z = log(1 + e ** x), without overflow"""

    def forward(self, x: Any) -> Any:
        return np.logaddexp(x, 0.0)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * sigmoid(x)

    def computes_in(self, x: Any) -> tuple[Any, ...]:
        return dtypes_of(np.logaddexp, x, 0.0)[:1]

    def lower(self, b: Any, x: Any) -> Any:
        return b.softplus(x)


@primitive
class LogSigmoid(Elementwise):
    """z = -log(1 + e ** -x), without overflow"""

    def forward(self, x: Any) -> Any:
        return -np.logaddexp(np.multiply(x, -1.0), 0.0)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * sigmoid(-x)

    def computes_in(self, x: Any) -> tuple[Any, ...]:
        return dtypes_of(np.multiply, x, -1.0)[:1]

    def lower(self, b: Any, x: Any) -> Any:
        return b.neg(b.softplus(b.neg(x)))


@primitive
class Sinc(Elementwise):
    """z = the derivative number ``order`` of sin(t) / t, at t = pi x

    f(t) = sin(t) / t is the integral of cos(s t) over s from 0 to 1, so each derivative is bounded, and those of
    t f(t) = sin(t) give t f_n + n f_(n-1) = sin(t + n pi/2). Dividing by t serves where t is large beside n; near 0,
    where it would cancel, the power series does.
    """

    order: int

    @property
    def title(self) -> str:  # type: ignore[override]
        return "sinc" + "'" * self.order

    @property
    def notation(self) -> str:  # type: ignore[override]
        return f"{self.title}({{0}})"

    def forward(self, x: Any) -> Any:
        t = x * math.pi
        far = np.abs(t) > 1.0 + self.order
        divisor = np.where(far, t, 1.0)
        z = np.sinc(x)
        for n in range(1, self.order + 1):
            z = (np.sin(t + n * (math.pi / 2)) - n * z) / divisor
        return np.where(far, z, sinc_series(self.order, np.where(far, 0.0, t))) if self.order else z

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * math.pi * Sinc.of(self.order + 1)(x)

    def computes_in(self, x: Any) -> tuple[Any, ...]:
        return (np.result_type(x, math.pi),)

    def lower(self, b: Any, x: Any) -> Any:
        t, zero, one = b.mul(x, b.like(x, math.pi)), b.like(x, 0.0), b.like(x, 1.0)
        if self.order == 0:
            return b.select(b.eq(t, zero), one, b.div(b.sin(t), t))
        far = b.gt(b.abs(t), b.like(x, 1.0 + self.order))
        divisor = b.select(far, t, one)
        z = b.div(b.sin(divisor), divisor)
        for n in range(1, self.order + 1):
            wave = b.sin(b.add(t, b.like(x, n * (math.pi / 2))))
            z = b.div(b.sub(wave, b.mul(b.like(x, float(n)), z)), divisor)
        return b.select(far, z, self.lowered_series(b, t))

    def lowered_series(self, b: Any, t: Any) -> Any:
        """``series``, whose terms the constants here repeat."""
        n, square = self.order, b.mul(t, t)
        total = b.like(t, 0.0)
        for k in range((n + 1) // 2 + 12 + n, (n + 1) // 2 - 1, -1):
            power = 2 * k - n
            total = b.mul(b.mul(total, square), b.like(t, -1.0 / ((power + 1) * (power + 2))))
            total = b.add(total, b.like(t, 1.0 / (2 * k + 1)))
        return b.mul(total, b.mul(t if n % 2 else b.like(t, 1.0), b.like(t, (-1.0) ** ((n + 1) // 2))))


def sinc_series(n: int, t: Any) -> Any:
    """The sum over k of (-1)^k t^(2k-n) / ((2k-n)! (2k+1))."""
    total = t * 0.0
    for k in range((n + 1) // 2 + 12 + n, (n + 1) // 2 - 1, -1):
        power = 2 * k - n
        total = total * t * t * (-1.0 / ((power + 1) * (power + 2))) + 1.0 / (2 * k + 1)
    return total * (t if n % 2 else 1.0) * (-1.0) ** ((n + 1) // 2)


@primitive
class BesselI0(Elementwise):
    """z = the derivative number ``order`` of I0(x), the modified Bessel function

    I0(x) is the mean of e^(x cos(a)) over all angles a, or of cosh(x cos(a)) over a quarter of the circle. The mean
    over equally spaced angles converges faster than any power of their number.
    """

    order: int

    @property
    def title(self) -> str:  # type: ignore[override]
        return "i0" + "'" * self.order

    @property
    def notation(self) -> str:  # type: ignore[override]
        return f"{self.title}({{0}})"

    def forward(self, x: Any) -> Any:
        if self.order == 0:
            return np.i0(x)
        wave = np.sinh if self.order % 2 else np.cosh
        total = x * 0.0
        for k in range(ANGLES):
            c = math.cos((k + 0.5) * math.pi / (2 * ANGLES))
            total = total + c**self.order * wave(x * c)
        return total * (1.0 / ANGLES)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * BesselI0.of(self.order + 1)(x)


ANGLES = 80
"""In a quarter of the circle; enough for abs(x) up to 700, beyond which e^x overflows."""

_sigmoid, _softplus, _log_sigmoid = Sigmoid(), Softplus(), LogSigmoid()


def sigmoid(x: Any) -> Any:
    """The logistic function 1 / (1 + e^-x), in (0, 1), element by element (lecture: the firing rate of a neuron).

    >>> import chainrule as cr
    >>> x = cr.array(1.0)
    >>> s = cr.sigmoid(x); s.backward()
    >>> f"{s.item():.2f} {x.grad:.2f}"
    '0.73 0.20'
    """
    return _sigmoid(x)


def softplus(x: Any) -> Any:
    """log(1 + e^x), element by element: a smooth ReLU whose derivative is the sigmoid.

    >>> import chainrule as cr
    >>> round(float(cr.softplus(0.0)), 4)
    0.6931
    """
    return _softplus(x)


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)) = -log(1 + e^-x), element by element, accurate where the sigmoid is nearly 0.

    >>> import chainrule as cr
    >>> float(cr.log_sigmoid(-1000.0))
    -1000.0
    """
    return _log_sigmoid(x)

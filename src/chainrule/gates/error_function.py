"""erf and erfc, the integrals of the bell curve, computed with NumPy alone to a few units in the last place.

Two polynomials do it, made by Chebyshev interpolation of 40-digit values (mpmath), truncated where the coefficients
fall below 1e-17 and written out in powers:

- for abs(x) < 1/2, erf(x) / x in powers of x ** 2;
- elsewhere (1 + 2 x) e^(x^2) erfc(x), which varies gently from 1 at 0 to 2 / sqrt(pi) at infinity, in powers of
  t = (x - 2.5) / (x + 2.5). The form is that of M. Shepherd and J. Laframboise, "Chebyshev approximation of
  (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity" (1981).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.primitive import Elementwise, primitive

NEAR_ZERO = (
    1.1283791670955126,
    -0.37612638903183476,
    0.11283791670925457,
    -0.026866170632921085,
    0.005223977373542183,
    -0.0008548297798086192,
    0.00012053337222877719,
    -1.4845900896375835e-05,
    1.4726381680017032e-06,
)
FAR = (
    1.2648381843668615,
    -0.12235676308240419,
    -0.09902453957360054,
    0.15762991902320475,
    -0.10296705603863399,
    0.03276089326912973,
    0.0009318928184352962,
    -0.004382078347539035,
    0.0004918658041021489,
    0.0006321243999471835,
    -8.847920687669829e-05,
    -0.00011352263330159166,
    6.266010784972976e-06,
    2.2700321802206237e-05,
    2.6086713496937893e-06,
    -4.218714353172795e-06,
    -1.5844422539027936e-06,
    5.270042406441144e-07,
    5.323857055177547e-07,
    3.4821591847815385e-08,
    -1.250612981958526e-07,
    -4.304925430265938e-08,
    1.928916211860086e-08,
    1.1903099290545922e-08,
    -1.4759816086462547e-09,
    -1.3684070995217539e-09,
)
VANISHED = 28.0
"""Where erfc is 0 in double precision."""


def polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """Horner's scheme; Python numbers leave float32 alone."""
    total = x * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        total = (total + c) * x
    return total + coefficients[0]


def erfc_from(size: Any) -> Any:
    """erfc of numbers that are not negative."""
    x = np.minimum(size, VANISHED)
    # e^(-x^2) with x = near + rest, near in sixteenths: near^2 is exact, and so the error of x^2 is not magnified.
    near = np.floor(x * 16.0) / 16.0
    bell = np.exp(-near * near) * np.exp(-(x - near) * (x + near))
    return bell * polynomial(FAR, (x - 2.5) / (x + 2.5)) / (1.0 + 2.0 * x)


def split(x: Any) -> tuple[Any, Any, Any]:
    """Whether x is near 0, erf(x) for where it is, and erfc(abs(x)) for where it is not."""
    size = np.abs(np.multiply(x, 1.0))
    near = size < 0.5
    low = np.where(near, x, 0.0)
    return near, low * polynomial(NEAR_ZERO, low * low), erfc_from(size)


@primitive
class Erf(Elementwise):
    """z = 2 / sqrt(pi) times the integral of e ** -t^2 from 0 to x"""

    def forward(self, x: Any) -> Any:
        near, inner, tail = split(x)
        return np.where(near, inner, np.copysign(1.0 - tail, x))

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * (2.0 / math.sqrt(math.pi)) * np.exp(-x * x)

    def computes_in(self, x: Any) -> tuple[Any, ...]:
        return (np.result_type(x, 0.0),)

    def lower(self, b: Any, x: Any) -> Any:
        return b.erf(x)


@primitive
class Erfc(Elementwise):
    """z = 1 - erf(x), accurate for large x, too, where erf is nearly 1"""

    def forward(self, x: Any) -> Any:
        near, inner, tail = split(x)
        return np.where(near, 1.0 - inner, np.where(np.less(x, 0), 2.0 - tail, tail))

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * (-2.0 / math.sqrt(math.pi)) * np.exp(-x * x)

    def computes_in(self, x: Any) -> tuple[Any, ...]:
        return (np.result_type(x, 0.0),)

    def lower(self, b: Any, x: Any) -> Any:
        return b.erfc(x)


_erf, _erfc = Erf(), Erfc()


def erf(x: Any) -> Any:
    """The error function, element by element: 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x, in [-1, 1].

    Accurate to a few units in the last place, in float32 and float64.

    >>> import chainrule as cr
    >>> x = cr.array(0.5)
    >>> z = cr.erf(x); z.backward()
    >>> f"{z.item():.4f} {x.grad:.4f}"
    '0.5205 0.8788'
    """
    return _erf(x)


def erfc(x: Any) -> Any:
    """1 - erf(x), element by element, with full relative accuracy for large x.

    >>> import chainrule as cr
    >>> f"{cr.erfc(10.0):.4e}"
    '2.0885e-45'
    """
    return _erfc(x)

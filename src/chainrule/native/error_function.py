"""The error function and its complement."""

from __future__ import annotations

from chainrule.gates.error_function import FAR, NEAR_ZERO, VANISHED
from chainrule.native.approximation import in_double, polynomial
from chainrule.native.exponential import parts
from chainrule.native.lanes import F32, Lane, Lanes

NEAR_ZERO_SINGLE = (
    0.12837916612625122, -0.37612631916999817, 0.1128368154168129, -0.026859022676944733, 0.00520072178915143,
    -0.0008144158055074513, 8.392268500756472e-05,
)  # fmt: skip
"""erf(x) / x - 1 in powers of x^2, for abs(x) up to 0.9; 0.01 units."""
LOG_ERFC_SINGLE = (
    -0.00013952402514405549, -1.1279106140136719, -0.6367818713188171, -0.10428675264120102, 0.022399771958589554,
    -0.0030869541224092245, 0.00020043044060003012,
)  # fmt: skip
"""log(erfc(x)) for x from 0.88 to 4, where erf rounds to 1; 0.03 units of erf."""


def erf(b: Lanes, x: Lane) -> Lane:
    return _single_erf(b, x) if x.dtype == F32 else _double_erf(b, x)


def _single_erf(b: Lanes, x: Lane) -> Lane:
    """Near 0 a polynomial, elsewhere 1 - e^(another one)."""
    size, square = b.abs(x), b.mul(x, x)
    near = b.fma(x, polynomial(b, square, NEAR_ZERO_SINGLE), x)
    p = parts(b, polynomial(b, b.smaller(b.like(x, 4.0), size), LOG_ERFC_SINGLE))
    far = b.sub(b.like(x, 1.0), b.fma(p.power, p.rest(b), p.power))
    return b.copysign(b.select(b.lt(size, b.like(x, 0.9)), near, far), x)


def _erfc_of_size(b: Lanes, size: Lane) -> Lane:
    """erfc of numbers that are not negative; ``gates.error_function`` has the derivation."""
    x = b.smaller(b.like(size, VANISHED), size)
    sixteenths = b.mul(b.floor(b.mul(x, b.like(x, 16.0))), b.like(x, 1 / 16.0))
    bell = b.mul(
        b.exp(b.neg(b.mul(sixteenths, sixteenths))), b.exp(b.neg(b.mul(b.sub(x, sixteenths), b.add(x, sixteenths))))
    )
    t = b.div(b.sub(x, b.like(x, 2.5)), b.add(x, b.like(x, 2.5)))
    return b.div(b.mul(bell, polynomial(b, t, FAR)), b.fma(b.like(x, 2.0), x, b.like(x, 1.0)))


def _double_erf(b: Lanes, x: Lane) -> Lane:
    near, inner, tail = _near_and_tail(b, x)
    return b.select(near, inner, b.copysign(b.sub(b.like(x, 1.0), tail), x))


@in_double
def erfc(b: Lanes, x: Lane) -> Lane:
    near, inner, tail = _near_and_tail(b, x)
    one, two = b.like(x, 1.0), b.like(x, 2.0)
    far = b.select(b.lt(x, b.like(x, 0.0)), b.sub(two, tail), tail)
    return b.select(near, b.sub(one, inner), far)


def _near_and_tail(b: Lanes, x: Lane) -> tuple[Lane, Lane, Lane]:
    """Whether x is near 0, erf(x) for where it is, and erfc(abs(x)) for where it is not."""
    size = b.abs(x)
    return b.lt(size, b.like(x, 0.5)), b.mul(x, polynomial(b, b.mul(x, x), NEAR_ZERO)), _erfc_of_size(b, size)

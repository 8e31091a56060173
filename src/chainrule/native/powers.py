"""Powers, roots and the error function."""

from __future__ import annotations

import math

from chainrule.gates.error_function import FAR, NEAR_ZERO, VANISHED
from chainrule.native.approximation import in_double, polynomial
from chainrule.native.lanes import F32, F64, Lane, Lanes


def power(b: Lanes, x: Lane, y: Lane) -> Lane:
    """x ** y; in float32 by way of e^(y log(x)) in float64, whose extra bits are more than that loses."""
    if x.dtype == F64:
        return b.each("pow", x, y)
    return b.cast(b.call("power_in_double", _power_in_double, b.cast(x, F64), b.cast(y, F64)), F32)


def _power_in_double(b: Lanes, x: Lane, y: Lane) -> Lane:
    size, zero, one = b.abs(x), b.like(x, 0.0), b.like(x, 1.0)
    z = b.exp(b.mul(y, b.log(size)))
    half = b.mul(y, b.like(y, 0.5))
    whole = b.eq(b.trunc(y), y)
    odd = b.and_(whole, b.ne(b.trunc(half), half))
    z = b.select(b.and_(b.signbit(x), odd), b.neg(z), z)
    no_number = b.and_(b.lt(x, zero), b.and_(b.isfinite(x), b.not_(whole)))
    z = b.select(no_number, b.like(x, math.nan), z)
    certain = b.or_(b.eq(y, zero), b.eq(x, one))  # 1, even of NaN
    certain = b.or_(certain, b.and_(b.eq(size, one), b.isinf(y)))
    return b.select(certain, one, z)


@in_double
def cbrt(b: Lanes, x: Lane) -> Lane:
    """e^(log(x) / 3), then one step of Newton's method, whose residual fused multiply-adds make exact."""
    size, third = b.abs(x), b.like(x, 1 / 3)
    small = b.lt(size, b.like(x, 2.0**-600))
    size = b.select(small, b.mul(size, b.like(x, 2.0**300)), size)
    y = b.exp(b.mul(b.log(size), third))
    square = b.mul(y, y)
    excess = b.fma(b.fma(y, y, b.neg(square)), y, b.fma(square, y, b.neg(size)))
    z = b.sub(y, b.div(b.mul(excess, third), square))
    z = b.select(small, b.mul(z, b.like(x, 2.0**-100)), z)
    ends = b.or_(b.eq(size, b.like(x, 0.0)), b.not_(b.isfinite(size)))
    return b.copysign(b.select(ends, size, z), x)


@in_double
def hypot(b: Lanes, x: Lane, y: Lane) -> Lane:
    """sqrt(x^2 + y^2), scaled by a power of two where squares would overflow or vanish; infinite where either is."""
    x, y = b.abs(x), b.abs(y)
    size = b.larger(x, y)
    large, small = b.gt(size, b.like(x, 2.0**500)), b.lt(size, b.like(x, 2.0**-400))
    down = b.select(large, b.like(x, 2.0**-600), b.select(small, b.like(x, 2.0**600), b.like(x, 1.0)))
    up = b.select(large, b.like(x, 2.0**600), b.select(small, b.like(x, 2.0**-600), b.like(x, 1.0)))
    u, v = b.mul(x, down), b.mul(y, down)
    z = b.mul(b.sqrt(b.fma(u, u, b.mul(v, v))), up)
    infinite = b.like(x, math.inf)
    return b.select(b.or_(b.eq(x, infinite), b.eq(y, infinite)), infinite, z)


def _erfc_of_size(b: Lanes, size: Lane) -> Lane:
    """erfc of numbers that are not negative; ``gates.error_function`` has the derivation."""
    x = b.smaller(b.like(size, VANISHED), size)
    sixteenths = b.mul(b.floor(b.mul(x, b.like(x, 16.0))), b.like(x, 1 / 16.0))
    bell = b.mul(
        b.exp(b.neg(b.mul(sixteenths, sixteenths))), b.exp(b.neg(b.mul(b.sub(x, sixteenths), b.add(x, sixteenths))))
    )
    t = b.div(b.sub(x, b.like(x, 2.5)), b.add(x, b.like(x, 2.5)))
    return b.div(b.mul(bell, polynomial(b, t, FAR)), b.fma(b.like(x, 2.0), x, b.like(x, 1.0)))


@in_double
def erf(b: Lanes, x: Lane) -> Lane:
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

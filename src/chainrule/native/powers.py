"""Powers and roots."""

from __future__ import annotations

import math

from chainrule.native.approximation import between, format_of, polynomial
from chainrule.native.exponential import parts
from chainrule.native.lanes import F32, F64, Lane, Lanes
from chainrule.native.logarithm import normal, split, with_exponent

LN2_HIGH, LN2_LOW = 0.693147180559663, 2.8235290563031577e-13
"""log(2) as the sum of a number whose products with exponents are exact, and the rest."""
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
LOG_REST = (
    0.4000000000000227, 0.28571428570091395, 0.22222222521418844, 0.18181784232962803, 0.15386763665977235,
    0.13256666618928303, 0.131977645106849,
)  # fmt: skip
"""(log((1 + s) / (1 - s)) - 2 s - 2/3 s^3) / s^5 in powers of s^2, for abs(s) up to 3 - sqrt(8); 2^-66 of the whole."""
EXPONENTS_OF_SINGLE = (-120.0, 100.0)
"""Of e, for which a float32 is neither 0 nor infinite, with some to spare."""

Double = tuple[Lane, Lane]
"""A number as the sum of two, the second at most half a unit of the first: twice the digits (T. J. Dekker, 1971)."""


def _product(b: Lanes, x: Double, y: Double) -> Double:
    high = b.mul(x[0], y[0])
    return high, b.fma(x[0], y[1], b.fma(x[1], y[0], b.fma(x[0], y[0], b.neg(high))))


def _sum(b: Lanes, x: Double, y: Double) -> Double:
    """x + y, where x is the larger one."""
    high = b.add(x[0], y[0])
    return high, b.add(b.sub(y[0], b.sub(high, x[0])), b.add(x[1], y[1]))


def _long_log(b: Lanes, x: Lane) -> Double:
    """log(x) to 64 bits, for positive finite x: with an exponent of 10 bits its exponential has 53 that are right."""
    scaled, by = normal(b, x)
    k, m = split(b, scaled)
    k = b.sub(k, by)
    one, two = b.like(x, 1.0), b.like(x, 2.0)
    f = b.sub(m, one)
    divisor = b.add(f, two)
    lost = b.sub(f, b.sub(divisor, two))
    s = b.div(f, divisor)
    s_low = b.div(b.fma(b.neg(s), lost, b.fma(b.neg(s), divisor, f)), divisor)
    square = _product(b, (s, s_low), (s, s_low))
    rest = b.mul(square[0], polynomial(b, square[0], LOG_REST))
    zero = b.like(x, 0.0)
    series = _sum(b, (b.like(x, TWO_THIRDS[0]), b.like(x, TWO_THIRDS[1])), (rest, zero))
    cubed = _product(b, square, (s, s_low))
    logarithm = _sum(b, (b.add(s, s), b.add(s_low, s_low)), _product(b, cubed, series))
    return _sum(b, (b.mul(k, b.like(x, LN2_HIGH)), b.mul(k, b.like(x, LN2_LOW))), logarithm)


def _positive_power(b: Lanes, x: Lane, y: Lane) -> Lane:
    """e^(y log(x)) for x >= 0."""
    zero = b.like(x, 0.0)
    high, low = _long_log(b, x)
    high = b.select(b.eq(x, zero), b.like(x, -math.inf), b.select(b.isfinite(x), high, x))
    product, rest = _product(b, (high, low), (y, zero))
    moderate = b.lt(b.abs(product), b.like(x, 1000.0))  # beyond, the rest may be infinite, and does not matter
    product = between(b, product, format_of(x).log_least, format_of(x).log_most)
    p = parts(b, product)
    p = p._replace(r=b.select(moderate, b.add(p.r, rest), p.r))
    return b.scale(b.add(p.rest(b), b.like(x, 1.0)), p.n)


def _single_power(b: Lanes, x: Lane, y: Lane) -> Lane:
    """The same of float32 in float64, where nothing overflows; casting back does that, and rounds."""
    wide = b.cast(x, F64)
    k, m = split(b, wide)
    log = with_exponent(b, k, b.sub(m, b.like(m, 1.0)))
    log = b.select(b.eq(wide, b.like(m, 0.0)), b.like(m, -math.inf), b.select(b.isfinite(wide), log, wide))
    p = parts(b, between(b, b.mul(b.cast(y, F64), log), *EXPONENTS_OF_SINGLE))
    return b.cast(b.fma(p.power, p.rest(b), p.power), F32)


def power(b: Lanes, x: Lane, y: Lane) -> Lane:
    """x ** y"""
    positive = _single_power if x.dtype == F32 else _positive_power
    return _signed_power(b, x, y, positive(b, b.abs(x), y))


def _signed_power(b: Lanes, x: Lane, y: Lane, z: Lane) -> Lane:
    """x ** y from z = abs(x) ** y: the signs of odd powers, and the cases in which the logarithm says nothing."""
    one, half = b.like(x, 1.0), b.mul(y, b.like(y, 0.5))
    whole = b.eq(b.trunc(y), y)
    odd = b.and_(whole, b.ne(b.trunc(half), half))
    z = b.select(b.and_(b.signbit(x), odd), b.neg(z), z)
    no_number = b.and_(b.lt(x, b.like(x, 0.0)), b.and_(b.isfinite(x), b.not_(whole)))
    z = b.select(no_number, b.like(x, math.nan), z)
    certain = b.or_(b.eq(y, b.like(y, 0.0)), b.eq(x, one))  # 1, even of NaN
    certain = b.or_(certain, b.and_(b.eq(b.abs(x), one), b.isinf(y)))
    return b.select(certain, one, z)


def cbrt(b: Lanes, x: Lane) -> Lane:
    """e^(log(x) / 3), then one step of Newton's method, whose residual fused multiply-adds make exact."""
    size, third = b.abs(x), b.like(x, 1 / 3)
    by = format_of(x).bias // 6
    small = b.lt(size, b.like(x, 2.0 ** (-3 * by)))
    size = b.select(small, b.mul(size, b.like(x, 2.0 ** (3 * by))), size)
    y = b.exp(b.mul(b.log(size), third))
    square = b.mul(y, y)
    excess = b.fma(b.fma(y, y, b.neg(square)), y, b.fma(square, y, b.neg(size)))
    z = b.sub(y, b.div(b.mul(excess, third), square))
    z = b.select(small, b.mul(z, b.like(x, 2.0**-by)), z)
    ends = b.or_(b.eq(size, b.like(x, 0.0)), b.not_(b.isfinite(size)))
    return b.copysign(b.select(ends, size, z), x)


def hypot(b: Lanes, x: Lane, y: Lane) -> Lane:
    """sqrt(x^2 + y^2), infinite where either is: NaN or not."""
    infinite = b.or_(b.isinf(x), b.isinf(y))
    z = _single_hypot(b, x, y) if x.dtype == F32 else _scaled_hypot(b, b.abs(x), b.abs(y))
    return b.select(infinite, b.like(x, math.inf), z)


def _single_hypot(b: Lanes, x: Lane, y: Lane) -> Lane:
    """In float64, where no square overflows or vanishes."""
    x, y = b.cast(x, F64), b.cast(y, F64)
    return b.cast(b.sqrt(b.fma(x, x, b.mul(y, y))), F32)


def _scaled_hypot(b: Lanes, x: Lane, y: Lane) -> Lane:
    """Scaled by a power of two where squares would overflow or vanish."""
    size, one = b.larger(x, y), b.like(x, 1.0)
    large, small = b.gt(size, b.like(x, 2.0**500)), b.lt(size, b.like(x, 2.0**-400))
    down = b.select(large, b.like(x, 2.0**-600), b.select(small, b.like(x, 2.0**600), one))
    up = b.select(large, b.like(x, 2.0**600), b.select(small, b.like(x, 2.0**-600), one))
    u, v = b.mul(x, down), b.mul(y, down)
    return b.mul(b.sqrt(b.fma(u, u, b.mul(v, v))), up)

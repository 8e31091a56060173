"""The logarithm and its relatives: log1p, softplus, logaddexp and the inverse hyperbolic functions."""

from __future__ import annotations

import math

from chainrule.native.approximation import format_of, polynomial
from chainrule.native.exponential import LN2, LOG2E
from chainrule.native.lanes import F32, F64, Lane, Lanes

REST = {
    F32: (0.6666677594184875, 0.3997757136821747, 0.2987135052680969),
    F64: (
        0.6666666666666735, 0.39999999999409924, 0.2857142874347486, 0.22222198457323128, 0.1818357059722161,
        0.15313883439387038, 0.14797689433113484,
    ),
}  # fmt: skip
"""(log((1 + s) / (1 - s)) - 2 s) / s^3 in powers of s^2, for abs(s) up to 3 - sqrt(8); 0.01 units."""
LOG10_2 = {
    F32: (0.3010300099849701, -1.432098883924482e-08),
    F64: (0.3010299956639812, -2.8037281277851704e-18),
}
"""The decimal logarithm of 2 as the sum of two numbers of the format."""


def split(b: Lanes, x: Lane) -> tuple[Lane, Lane]:
    """k and m with x = 2^k m and m from sqrt(1/2) to sqrt(2), for positive normal x: exponent and significand."""
    form = format_of(x)
    root = b.bits(b.like(x, math.sqrt(0.5)))
    moved = b.sub(b.add(b.bits(x), b.bits(b.like(x, 1.0))), root)
    exponent = b.like(x, 1.5 * 2.0**form.digits)
    biased = Lane(b.builder.lshr(moved.value, b.like(moved, form.digits).value), moved.dtype)
    k = b.sub(b.from_bits(b.add(b.bits(exponent), biased), x.dtype), b.like(x, 1.5 * 2.0**form.digits + form.bias))
    significand = b.and_(moved, b.like(moved, 2**form.digits - 1))
    return k, b.from_bits(b.add(significand, root), x.dtype)


def normal(b: Lanes, x: Lane) -> tuple[Lane, Lane]:
    """x as a normal number, scaled up where it is subnormal, and the exponent that this adds."""
    form = format_of(x)
    small = b.lt(x, b.like(x, 2.0 ** (1 - form.bias)))
    by = form.digits + 1
    return (
        b.select(small, b.mul(x, b.like(x, 2.0**by)), x),
        b.select(small, b.like(x, float(by)), b.like(x, 0.0)),
    )


def log_near_one(b: Lanes, f: Lane, more: Lane | None = None) -> Lane:
    """log(1 + f) for 1 + f from sqrt(1/2) to sqrt(2), plus ``more``, small beside it: f - (f^2/2 - s (f^2/2 + R)).

    s = f / (2 + f), and log(1 + f) = log((1 + s) / (1 - s)). The form is that of K. C. Ng in fdlibm (1993): what is
    rounded is small beside f.
    """
    s = b.div(f, b.add(f, b.like(f, 2.0)))
    w = b.mul(s, s)
    rest = b.mul(w, polynomial(b, w, REST[f.dtype]))
    half_square = b.mul(b.mul(f, f), b.like(f, 0.5))
    total = b.add(half_square, rest)
    inner = b.mul(s, total) if more is None else b.fma(s, total, more)
    return b.sub(f, b.sub(half_square, inner))


def with_exponent(b: Lanes, k: Lane, f: Lane) -> Lane:
    """k log(2) + log(1 + f)"""
    high, low = LN2[f.dtype]
    return b.fma(k, b.like(k, high), log_near_one(b, f, b.mul(k, b.like(k, low))))


def at_the_ends(b: Lanes, x: Lane, z: Lane) -> Lane:
    """A logarithm z of x, put right where x is 0, negative, infinite or NaN."""
    zero = b.like(x, 0.0)
    z = b.select(b.lt(x, b.like(x, math.inf)), z, x)
    return b.select(b.gt(x, zero), z, b.select(b.eq(x, zero), b.like(x, -math.inf), b.like(x, math.nan)))


def log(b: Lanes, x: Lane) -> Lane:
    k, f = _parts(b, x)
    return at_the_ends(b, x, with_exponent(b, k, f))


def _parts(b: Lanes, x: Lane) -> tuple[Lane, Lane]:
    x, by = normal(b, x)
    k, m = split(b, x)
    return b.sub(k, by), b.sub(m, b.like(m, 1.0))


def log2(b: Lanes, x: Lane) -> Lane:
    k, f = _parts(b, x)
    return at_the_ends(b, x, b.fma(log_near_one(b, f), b.like(x, LOG2E), k))


def log10(b: Lanes, x: Lane) -> Lane:
    k, f = _parts(b, x)
    high, low = (b.like(x, c) for c in LOG10_2[x.dtype])
    z = b.fma(log_near_one(b, f), b.like(x, 1 / math.log(10.0)), b.mul(k, low))
    return at_the_ends(b, x, b.fma(k, high, z))


def log1p(b: Lanes, x: Lane) -> Lane:
    """log(1 + x), where what 1 + x rounds away is added to the significand; near 0 that is all there is."""
    one = b.like(x, 1.0)
    u = b.add(one, x)
    back = b.sub(u, one)
    lost = b.add(b.sub(one, b.sub(u, back)), b.sub(x, back))
    k, m = split(b, u)
    down = b.power_of_two(b.larger(b.neg(k), b.like(x, 1.0 - format_of(x).bias)))
    f = b.fma(lost, down, b.sub(m, one))
    f = b.select(b.eq(k, b.like(x, 0.0)), x, f)
    z = b.select(b.lt(x, b.like(x, math.inf)), with_exponent(b, k, f), x)
    beyond = b.select(b.eq(x, b.neg(one)), b.like(x, -math.inf), b.like(x, math.nan))
    return b.copysign(b.select(b.gt(x, b.neg(one)), z, beyond), x)


def _log1p_of_share(b: Lanes, x: Lane) -> Lane:
    """log(1 + x) for x from 0 to 1, which NaN passes: 1 + x needs no taking apart, for its exponent is 0 or 1."""
    one, half = b.like(x, 1.0), b.like(x, 0.5)
    u = b.add(one, x)
    lost = b.sub(x, b.sub(u, one))
    large = b.gt(u, b.like(x, math.sqrt(2.0)))
    f = b.select(large, b.fma(lost, half, b.fma(u, half, b.neg(one))), x)
    k = b.select(large, one, b.like(x, 0.0))
    return with_exponent(b, k, f)


def softplus(b: Lanes, x: Lane) -> Lane:
    """log(1 + e^x)"""
    return b.add(b.maximum(x, b.like(x, 0.0)), _log1p_of_share(b, b.exp(b.neg(b.abs(x)))))


def logaddexp(b: Lanes, x: Lane, y: Lane) -> Lane:
    apart = _log1p_of_share(b, b.exp(b.neg(b.abs(b.sub(x, y)))))
    return b.select(b.eq(x, y), b.add(x, b.like(x, math.log(2.0))), b.add(b.maximum(x, y), apart))


def logaddexp2(b: Lanes, x: Lane, y: Lane) -> Lane:
    apart = b.mul(_log1p_of_share(b, b.exp2(b.neg(b.abs(b.sub(x, y))))), b.like(x, LOG2E))
    return b.select(b.eq(x, y), b.add(x, b.like(x, 1.0)), b.add(b.maximum(x, y), apart))


HUGE = 2.0**54
"""Beside its square 1 is nothing."""


def arcsinh(b: Lanes, x: Lane) -> Lane:
    """log(x + sqrt(x^2 + 1)), in terms of log1p near 0; log(2 x) for large x."""
    size, one = b.abs(x), b.like(x, 1.0)
    square = b.mul(size, size)
    near = b.add(size, b.div(square, b.add(one, b.sqrt(b.add(one, square)))))
    return b.copysign(_log1p_or_double(b, size, near), x)


def arccosh(b: Lanes, x: Lane) -> Lane:
    """log(x + sqrt(x^2 - 1)), in terms of log1p near 1; log(2 x) for large x."""
    t = b.sub(x, b.like(x, 1.0))
    near = b.add(t, b.sqrt(b.fma(t, t, b.add(t, t))))
    return b.select(b.lt(x, b.like(x, 1.0)), b.like(x, math.nan), _log1p_or_double(b, x, near))


def _log1p_or_double(b: Lanes, x: Lane, near: Lane) -> Lane:
    """log1p(near), and log(2 x) where x is huge."""
    huge = b.gt(x, b.like(x, HUGE))
    z = b.log1p(b.select(huge, x, near))
    return b.add(z, b.select(huge, b.like(x, math.log(2.0)), b.like(x, 0.0)))


def arctanh(b: Lanes, x: Lane) -> Lane:
    """log((1 + x) / (1 - x)) / 2"""
    size = b.abs(x)
    ratio = b.div(b.add(size, size), b.sub(b.like(x, 1.0), size))
    return b.copysign(b.mul(b.like(x, 0.5), b.log1p(ratio)), x)

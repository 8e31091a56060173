"""Division into whole parts and a rest, of integers and of floats, as NumPy has it."""

from __future__ import annotations

import numpy as np

from chainrule.native.approximation import in_double
from chainrule.native.lanes import Lane, Lanes


def floor_div(b: Lanes, x: Lane, y: Lane) -> Lane:
    """x // y: integers give 0 for y = 0; floats give the whole number next to (x - fmod(x, y)) / y."""
    if not x.floating:
        return _rounded_down(b, x, y)[0]
    zero, one = b.like(x, 0.0), b.like(x, 1.0)
    rest = b.fmod(x, y)
    quotient = b.div(b.sub(x, rest), y)
    below = b.and_(b.ne(rest, zero), b.ne(b.lt(y, zero), b.lt(rest, zero)))
    quotient = b.select(below, b.sub(quotient, one), quotient)
    whole = b.floor(quotient)
    off = b.gt(b.sub(quotient, whole), b.like(x, 0.5))
    whole = b.select(off, b.add(whole, one), whole)
    ratio = b.div(x, y)
    whole = b.select(b.eq(quotient, zero), b.copysign(zero, ratio), whole)
    return b.select(b.eq(y, zero), ratio, whole)


def remainder(b: Lanes, x: Lane, y: Lane) -> Lane:
    """x % y with the sign of y; 0 for integers with y = 0."""
    if not x.floating:
        return _rounded_down(b, x, y)[1]
    zero = b.like(x, 0.0)
    rest = b.fmod(x, y)
    other_side = b.ne(b.lt(y, zero), b.lt(rest, zero))
    moved = b.select(other_side, b.add(rest, y), rest)
    return b.select(b.eq(rest, zero), b.copysign(zero, y), moved)


def fmod(b: Lanes, x: Lane, y: Lane) -> Lane:
    """The rest with the sign of x; 0 for integers with y = 0."""
    if x.floating:
        return _float_fmod(b, x, y)
    return b.select(b.eq(y, b.like(y, 0)), b.like(x, 0), _cut_off(b, x, y)[1])


@in_double
def _float_fmod(b: Lanes, x: Lane, y: Lane) -> Lane:
    """x - trunc(x / y) y, exactly: x / y may be rounded up to the next whole number, hence the rest be negative."""
    size, by = b.abs(x), b.abs(y)
    quotient = b.trunc(b.div(size, by))
    rest = b.fma(b.neg(quotient), by, size)
    rest = b.select(b.lt(rest, b.like(x, 0.0)), b.add(rest, by), rest)
    rest = b.copysign(b.select(b.lt(size, by), size, rest), x)
    return b.where_any(b.ge(quotient, b.like(x, 2.0**53)), lambda: b.each("fmod", x, y), rest)


def _cut_off(b: Lanes, x: Lane, y: Lane) -> tuple[Lane, Lane]:
    """Quotient towards zero and rest of integers. The processor traps at y = 0 and at least / -1: there y is 1."""
    trap = b.eq(y, b.like(y, 0))
    if x.signed:
        least = b.eq(x, b.like(x, int(np.iinfo(x.dtype).min)))
        trap = b.or_(trap, b.and_(least, b.eq(y, b.like(y, -1))))
    safe = b.select(trap, b.like(y, 1), y)
    divide, rest = (b.builder.sdiv, b.builder.srem) if x.signed else (b.builder.udiv, b.builder.urem)
    return Lane(divide(x.value, safe.value), x.dtype), Lane(rest(x.value, safe.value), x.dtype)


def _rounded_down(b: Lanes, x: Lane, y: Lane) -> tuple[Lane, Lane]:
    """Quotient rounded down and rest with the sign of y, of integers; both 0 for y = 0."""
    zero = b.like(x, 0)
    quotient, rest = _cut_off(b, x, y)
    if x.signed:
        other_side = b.and_(b.ne(rest, zero), b.lt(b.xor(rest, y), zero))
        quotient = b.select(other_side, b.sub(quotient, b.like(x, 1)), quotient)
        rest = b.select(other_side, b.add(rest, y), rest)
    by_zero = b.eq(y, zero)
    return b.select(by_zero, zero, quotient), b.select(by_zero, zero, rest)

"""What the elementary functions are approximated with.

The polynomials are minimax approximations by Lawson's algorithm (C. L. Lawson, 1961: least squares, reweighted by the
error until the largest one is least), made with 50 digits; coefficients were rounded one after the other, and the
remaining ones fitted anew each time. Each is noted with its error, in units of the last place of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import NamedTuple

from chainrule.native.lanes import F32, F64, Lane, Lanes


class Format(NamedTuple):
    """What the functions know about a floating format."""

    digits: int
    """Bits of the significand after the leading one."""
    bias: int
    """Of the exponent."""
    log_least: float
    """e ** x is 0 below."""
    log_most: float
    """e ** x is infinite above."""


FORMATS = {F32: Format(23, 127, -104.0, 89.0), F64: Format(52, 1023, -746.0, 710.0)}


def format_of(x: Lane) -> Format:
    return FORMATS[x.dtype]


def between(b: Lanes, x: Lane, least: float, most: float) -> Lane:
    """x brought between two numbers; NaN passes."""
    return b.larger(b.like(x, least), b.smaller(b.like(x, most), x))


def polynomial(b: Lanes, x: Lane, coefficients: Sequence[float]) -> Lane:
    """c[0] + c[1] x + c[2] x^2 + ... by Horner's scheme: the fewest operations."""
    total = b.like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = b.fma(total, x, b.like(x, c))
    return total


def in_double(function: Callable[..., Lane]) -> Callable[..., Lane]:
    """A function written for float64 that serves float32, too: with 29 bits to spare, all but rounded correctly."""

    @wraps(function)
    def either(b: Lanes, *xs: Lane) -> Lane:
        if xs[0].dtype == F64:
            return function(b, *xs)
        return b.cast(b.call(function.__name__, function, *(b.cast(x, F64) for x in xs)), F32)

    return either

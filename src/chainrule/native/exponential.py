"""The exponential function and its relatives: expm1, tanh, the sigmoid, sinh and cosh."""

from __future__ import annotations

import math
from typing import NamedTuple

from chainrule.native.approximation import between, format_of, polynomial
from chainrule.native.lanes import F32, F64, Lane, Lanes

LOG2E = math.log2(math.e)
LN2 = {F32: (0.6931471824645996, -1.9046542121259336e-09), F64: (0.6931471805599453, 2.3190468138462996e-17)}
"""log(2) as the sum of two numbers of the format."""
REST = {
    F32: (0.5, 0.166665181517601, 0.041666433215141296, 0.008368954993784428, 0.0013937829062342644),
    F64: (
        0.5000000000000013, 0.16666666666666688, 0.041666666666511476, 0.008333333333313679, 0.0013888888947912073,
        0.0001984126990427639, 2.480148910593206e-05, 2.7557227426219465e-06, 2.7631555886663097e-07,
        2.511447951808921e-08,
    ),
}  # fmt: skip
"""(e^r - 1 - r) / r^2 for abs(r) up to log(2) / 2; 0.05 units."""


class Parts(NamedTuple):
    """e^x = 2^n e^r, with abs(r) at most log(2) / 2."""

    n: Lane
    power: Lane
    """2^n, where that is a normal number."""
    r: Lane

    def rest(self, b: Lanes) -> Lane:
        """e^r - 1"""
        return _grown(b, self.r)


def _grown(b: Lanes, r: Lane) -> Lane:
    """e^r - 1 for abs(r) up to log(2) / 2."""
    return b.fma(b.mul(r, r), polynomial(b, r, REST[r.dtype]), r)


def parts(b: Lanes, x: Lane, per_unit: float = LOG2E) -> Parts:
    """The parts of e^x, or of 2^x with ``per_unit`` 1.

    A large number is added that leaves no bits for a fraction: in its last bits then stands the nearest integer, with
    the bias of the exponent, ready to be shifted in place.
    """
    form, units = format_of(x), _units(b, x)
    shifted = b.fma(x, b.like(x, per_unit), units)
    n = b.sub(shifted, units)
    power = b.from_bits(b.shift_left(b.bits(shifted), form.digits), x.dtype)
    high, low = LN2[x.dtype]
    if per_unit == 1.0:
        return Parts(n, power, b.mul(b.sub(x, n), b.like(x, high)))
    r = b.fma(n, b.like(x, -high), x)  # exact
    return Parts(n, power, b.fma(n, b.like(x, -low), r))


def _units(b: Lanes, x: Lane) -> Lane:
    """The large number of ``parts``."""
    form = format_of(x)
    return b.like(x, 1.5 * 2.0**form.digits + form.bias)


def exp(b: Lanes, x: Lane) -> Lane:
    form = format_of(x)
    return _scaled(b, parts(b, between(b, x, form.log_least, form.log_most)))


def exp2(b: Lanes, x: Lane) -> Lane:
    form = format_of(x)
    return _scaled(b, parts(b, between(b, x, form.log_least * LOG2E, form.log_most * LOG2E), 1.0))


def _scaled(b: Lanes, p: Parts) -> Lane:
    return b.scale(b.add(p.rest(b), b.like(p.n, 1.0)), p.n)


def expm1(b: Lanes, x: Lane) -> Lane:
    """Half of 2^n (e^r - 1) + (2^n - 1), doubled, since 2^n itself may be too large."""
    p = parts(b, between(b, x, 0.9 * format_of(x).log_least + 10.0, format_of(x).log_most))
    rest, bits = p.rest(b), b.bits(p.power)
    half = b.from_bits(b.sub(bits, b.like(bits, 1 << format_of(x).digits)), x.dtype)
    z = b.fma(half, rest, b.sub(half, b.like(x, 0.5)))
    z = b.select(b.eq(p.n, b.like(x, 0.0)), rest, b.add(z, z))
    return b.copysign(z, x)


def tanh(b: Lanes, x: Lane) -> Lane:
    """h / (h + 1) with h = (e^2x - 1) / 2: an error of the numerator all but cancels where it is large.

    Hence one number for log(2) will do. Everything is halved, which leaves e^2x = 2^n e^2s, abs(s) at most log(2) / 4.
    """
    one, half, units = b.like(x, 1.0), b.like(x, 0.5), _units(b, x)
    size = b.smaller(b.like(x, 10.0 if x.dtype == F32 else 22.0), b.abs(x))
    shifted = b.fma(size, b.like(x, 2 * LOG2E), units)
    power = b.from_bits(b.shift_left(b.bits(shifted), format_of(x).digits), x.dtype)
    s = b.fma(b.sub(shifted, units), b.like(x, -LN2[x.dtype][0] / 2), size)
    rest = [c * 2.0 ** (k + 1) for k, c in enumerate(REST[x.dtype])]
    grown = b.fma(b.mul(s, s), polynomial(b, s, rest), s)  # (e^2s - 1) / 2
    h = b.fma(power, grown, b.fma(power, half, b.neg(half)))
    return b.copysign(b.div(h, b.add(h, one)), x)


def sigmoid(b: Lanes, x: Lane) -> Lane:
    """2^n / (2^n + e^-r) with e^x = 2^n e^r: neither is too large, and where 2^n is too small, so is the result."""
    form, (high, low) = format_of(x), LN2[x.dtype]
    x = between(b, x, form.log_least, 0.9 * form.log_most)
    one, units = b.like(x, 1.0), _units(b, x)
    n = b.sub(b.fma(x, b.like(x, LOG2E), units), units)
    minus_r = b.fma(n, b.like(x, low), b.fma(n, b.like(x, high), b.neg(x)))
    power = b.scale(one, n)
    return b.div(power, b.add(power, b.add(_grown(b, minus_r), one)))


def _half_exp(b: Lanes, x: Lane) -> Lane:
    """e^x / 2 for x >= 0: finite a little longer than e^x."""
    p = parts(b, b.smaller(b.like(x, format_of(x).log_most + 2.0), x))
    return b.scale(b.add(p.rest(b), b.like(x, 1.0)), b.sub(p.n, b.like(x, 1.0)))


def sinh(b: Lanes, x: Lane) -> Lane:
    size = b.abs(x)
    near = b.expm1(size)
    near = b.mul(b.like(x, 0.5), b.add(near, b.div(near, b.add(near, b.like(x, 1.0)))))
    half = _half_exp(b, size)
    far = b.sub(half, b.div(b.like(x, 0.25), half))
    return b.copysign(b.select(b.lt(size, b.like(x, 1.0)), near, far), x)


def cosh(b: Lanes, x: Lane) -> Lane:
    half = _half_exp(b, b.abs(x))
    return b.add(half, b.div(b.like(x, 0.25), half))

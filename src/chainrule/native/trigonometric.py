"""Sine, cosine, tangent and their inverses."""

from __future__ import annotations

import math

from chainrule.native.approximation import between, format_of, in_double, polynomial
from chainrule.native.lanes import F32, F64, Lane, Lanes

PI = {
    F32: (3.1415927410125732, -8.742277657347586e-08, -3.4302490200117637e-15),
    F64: (3.141592653589793, 1.2246467991473532e-16, -2.9947698097183397e-33),
}
"""pi as the sum of three numbers of the format."""
SINE = {
    F32: (-0.16666659712791443, 0.008333069272339344, -0.00019809778314083815, 2.6061020435008686e-06),
    F64: (
        -0.16666666666666666, 0.008333333333333208, -0.0001984126984121336, 2.7557319211741294e-06,
        -2.505210692117317e-08, 1.6058941873485725e-10, -7.643042492923553e-13, 2.721665844554829e-15,
    ),
}  # fmt: skip
"""(sin(r) - r) / r^3 in powers of r^2, for abs(r) up to pi / 2; 0.1 units."""
ARCSINE = {
    F32: (
        0.16666659712791443, 0.07500516623258591, 0.04451499879360199, 0.031821757555007935, 0.014391600154340267,
        0.03757607564330101,
    ),
    F64: (
        0.1666666666666676, 0.07499999999970884, 0.04464285717453537, 0.030381942711325303, 0.022372214890545476,
        0.017351613719632092, 0.013980800480267482, 0.011399073664147311, 0.010779361816357753, 0.0037097263330434812,
        0.021699481716999744, -0.020987929345976084, 0.03262174204931066,
    ),
}  # fmt: skip
"""(arcsin(s) - s) / s^3 in powers of s^2, for s up to 1 / 2; 0.01 units."""
ARCTANGENT = {
    F32: (-0.33333316445350647, 0.1999853104352951, -0.1424446702003479, 0.10599783062934875, -0.0609164759516716),
    F64: (
        -0.333333333333332, 0.19999999999953688, -0.14285714280201475, 0.11111110783588753, -0.09090897760073312,
        0.07692060250751336, -0.06663104496722119, 0.05847893250386593, -0.05039326566706967, 0.03806523464049879,
        -0.01790808610062394,
    ),
}  # fmt: skip
"""(arctan(t) - t) / t^3 in powers of t^2, for abs(t) up to tan(pi / 8); 0.01 units."""
FAR = 1e5
"""Where the reduction to half a period ends, and the C library takes over."""
EIGHTH_TURN = math.tan(math.pi / 8)


def _sine_beside(b: Lanes, x: Lane, multiple: Lane, shifted: Lane) -> Lane:
    """sin(x - multiple pi), with the other sign where the integer in the last bits of ``shifted`` is odd.

    pi in three parts (W. J. Cody and W. Waite, 1980): with fused multiply-adds the first difference is exact, and what
    is left is as accurate as x, however near a zero of the sine it is.
    """
    r = x
    for part in PI[x.dtype]:
        r = b.fma(multiple, b.like(x, -part), r)
    odd = b.shift_left(b.bits(shifted), 8 * x.dtype.itemsize - 1)
    r = b.from_bits(b.xor(b.bits(r), odd), x.dtype)
    square = b.mul(r, r)
    sine = b.fma(b.mul(r, square), polynomial(b, square, SINE[x.dtype]), r)
    return between(b, sine, -1.0, 1.0)


def _far_by_library(b: Lanes, name: str, x: Lane, near: Lane) -> Lane:
    return b.where_any(b.gt(b.abs(x), b.like(x, FAR)), lambda: b.each(name, x), near)


def sin(b: Lanes, x: Lane) -> Lane:
    units = b.like(x, 1.5 * 2.0 ** format_of(x).digits)
    shifted = b.fma(x, b.like(x, 1 / math.pi), units)  # the nearest multiple of pi, in the last bits
    near = _sine_beside(b, x, b.sub(shifted, units), shifted)
    near = b.select(b.eq(x, b.like(x, 0.0)), x, near)  # -0.0 is its own sine
    return _far_by_library(b, "sin", x, near)


def cos(b: Lanes, x: Lane) -> Lane:
    """The sine beside the nearest odd multiple of pi / 2."""
    units, half = b.like(x, 1.5 * 2.0 ** format_of(x).digits + 1), b.like(x, 0.5)
    shifted = b.add(b.fma(b.abs(x), b.like(x, 1 / math.pi), b.neg(half)), units)
    multiple = b.add(b.sub(shifted, units), half)
    return _far_by_library(b, "cos", x, _sine_beside(b, b.abs(x), multiple, shifted))


@in_double
def tan(b: Lanes, x: Lane) -> Lane:
    return b.div(b.sin(x), b.cos(x))


def _turn(b: Lanes, part: float, angle: Lane) -> Lane:
    """part pi - angle, with more digits of pi than one number has."""
    high, low, _ = PI[angle.dtype]
    return b.sub(b.like(angle, part * high), b.sub(angle, b.like(angle, part * low)))


def _arcsine_parts(b: Lanes, x: Lane) -> tuple[Lane, Lane]:
    """Whether abs(x) is small, and the arcsine of it; elsewhere that of sqrt((1 - abs(x)) / 2), of half the angle."""
    size, half = b.abs(x), b.like(x, 0.5)
    small = b.le(size, half)
    square = b.select(small, b.mul(x, x), b.mul(half, b.sub(b.like(x, 1.0), size)))
    s = b.select(small, size, b.sqrt(square))
    return small, b.fma(b.mul(s, square), polynomial(b, square, ARCSINE[x.dtype]), s)


def arcsin(b: Lanes, x: Lane) -> Lane:
    small, angle = _arcsine_parts(b, x)
    return b.copysign(b.select(small, angle, _turn(b, 0.5, b.add(angle, angle))), x)


def arccos(b: Lanes, x: Lane) -> Lane:
    small, angle = _arcsine_parts(b, x)
    double = b.add(angle, angle)
    far = b.select(b.lt(x, b.like(x, 0.0)), _turn(b, 1.0, double), double)
    return b.select(small, _turn(b, 0.5, b.copysign(angle, x)), far)


def _angle(b: Lanes, y: Lane, x: Lane) -> Lane:
    """arctan(y / x) for 0 <= y <= x and x > 0: directly, or as pi / 4 minus the arctangent of (x - y) / (x + y)."""
    steep = b.gt(y, b.mul(b.like(x, EIGHTH_TURN), x))
    t = b.div(b.select(steep, b.sub(x, y), y), b.select(steep, b.add(x, y), x))
    square = b.mul(t, t)
    z = b.fma(b.mul(t, square), polynomial(b, square, ARCTANGENT[x.dtype]), t)
    return b.select(steep, _turn(b, 0.25, z), z)


def arctan(b: Lanes, x: Lane) -> Lane:
    size, one = b.abs(x), b.like(x, 1.0)
    angle = _angle(b, b.smaller(one, size), b.larger(one, size))
    return b.copysign(b.select(b.gt(size, one), _turn(b, 0.5, angle), angle), x)


def arctan2(b: Lanes, y: Lane, x: Lane) -> Lane:
    """The angle of the point (x, y)."""
    across, up = b.abs(x), b.abs(y)
    zero, one = b.like(x, 0.0), b.like(x, 1.0)
    same = b.eq(across, up)  # also where both are 0 or infinite
    shorter = b.select(same, b.select(b.eq(up, zero), zero, one), b.smaller(across, up))
    longer = b.select(same, one, b.larger(across, up))
    bias = format_of(x).bias  # subnormal numbers are coarse, and the sum of huge ones may overflow
    up_scaled, down_scaled = b.like(x, 2.0 ** (bias // 2)), b.like(x, 0.25)
    scale = b.select(b.gt(longer, b.like(x, 2.0 ** (bias - 1))), down_scaled, one)
    scale = b.select(b.lt(longer, b.like(x, 2.0 ** -(bias // 2))), up_scaled, scale)
    angle = _angle(b, b.mul(shorter, scale), b.mul(longer, scale))
    angle = b.select(b.gt(up, across), _turn(b, 0.5, angle), angle)
    angle = b.copysign(b.select(b.signbit(x), _turn(b, 1.0, angle), angle), y)
    return b.select(b.isnan(b.add(across, up)), b.add(x, y), angle)

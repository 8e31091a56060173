"""NumPy's ufuncs: which gate each of them is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates import arithmetic as a
from chainrule.gates import exponential as e
from chainrule.gates import selection as s
from chainrule.gates import trigonometric as t
from chainrule.gates.constant import PiecewiseConstant
from chainrule.gates.operands import in_one_precision, operand
from chainrule.gates.product import matmul
from chainrule.numpy_protocol.dispatch import constant, differentiable, refuse

GATES: dict[Any, Any] = {
    np.add: a.add,
    np.subtract: a.subtract,
    np.multiply: a.multiply,
    np.divide: a.divide,
    np.negative: a.negative,
    np.power: a.power,
    np.remainder: a.remainder,
    np.fmod: a.fmod,
    np.absolute: a.absolute,
    np.reciprocal: a.reciprocal,
    np.square: a.square,
    np.sqrt: a.sqrt,
    np.cbrt: a.cbrt,
    np.hypot: a.hypot,
    np.exp: e.exp,
    np.exp2: e.exp2,
    np.expm1: e.expm1,
    np.log: e.log,
    np.log2: e.log2,
    np.log10: e.log10,
    np.log1p: e.log1p,
    np.logaddexp: e.logaddexp,
    np.logaddexp2: e.logaddexp2,
    np.sin: t.sin,
    np.cos: t.cos,
    np.tan: t.tan,
    np.arcsin: t.arcsin,
    np.arccos: t.arccos,
    np.arctan: t.arctan,
    np.sinh: t.sinh,
    np.cosh: t.cosh,
    np.tanh: t.tanh,
    np.arcsinh: t.arcsinh,
    np.arccosh: t.arccosh,
    np.arctanh: t.arctanh,
    np.maximum: s.maximum,
    np.minimum: s.minimum,
    np.fmax: s.fmax,
    np.fmin: s.fmin,
    np.matmul: matmul,
}
for _ufunc, _gate in GATES.items():
    differentiable(_ufunc)(_gate)


@differentiable(np.positive, np.conjugate)
def positive(x: Any) -> Any:
    """x itself, as a new value (a real number is its own conjugate)."""
    return x * 1


@differentiable(np.fabs)
def fabs(x: Any) -> Any:
    """abs(x), floating even for integers."""
    return np.absolute(np.multiply(x, 1.0))


@differentiable(np.deg2rad, np.radians)
def deg2rad(x: Any) -> Any:
    return x * (math.pi / 180.0)


@differentiable(np.rad2deg, np.degrees)
def rad2deg(x: Any) -> Any:
    return x * (180.0 / math.pi)


@differentiable(np.arctan2)
def arctan2(y: Any, x: Any) -> Any:
    return t.arctan2(*in_one_precision(y, x))


@differentiable(np.float_power)
def float_power(x: Any, y: Any) -> Any:
    """Like power, in float64 at least."""
    return np.power(_double(x), _double(y))


def _double(x: Any) -> Any:
    x = operand(x)
    return x.astype(np.result_type(x.dtype, np.float64))


@differentiable(np.divmod)
def divmod_(x: Any, y: Any) -> tuple[Any, Any]:
    """The floored quotient, a constant, and the remainder."""
    return np.floor_divide(x, y), np.remainder(x, y)


@differentiable(np.modf)
def modf(x: Any) -> tuple[Any, Any]:
    """The fractional part, whose derivative is 1, and the whole part, a constant."""
    x = np.multiply(x, 1.0)
    whole = np.trunc(x)
    return x - whole, whole


@differentiable(np.copysign)
def copysign(x: Any, y: Any) -> Any:
    """abs(x) with the sign of y; no gradient for y."""
    return np.absolute(x) * PiecewiseConstant.of(np.copysign)(np.ones_like(x), y)


@differentiable(np.ldexp)
def ldexp(x: Any, exponent: Any) -> Any:
    """x * 2 ** exponent, the exponent an integer."""
    return x * PiecewiseConstant.of(np.ldexp)(np.ones((), np.result_type(x)), exponent)


@differentiable(np.heaviside)
def heaviside(x: Any, at_zero: Any) -> Any:
    """The step function; the gradient goes to its value at 0, where that is taken."""
    return np.where(x == 0, at_zero, PiecewiseConstant.of(np.heaviside)(x, 0.0))


@differentiable(np.vecdot)
def vecdot(x: Any, y: Any) -> Any:
    return np.sum(x * y, axis=-1)


@differentiable(np.matvec)
def matvec(x: Any, y: Any) -> Any:
    return np.squeeze(matmul(x, np.expand_dims(y, -1)), -1)


@differentiable(np.vecmat)
def vecmat(x: Any, y: Any) -> Any:
    return np.squeeze(matmul(np.expand_dims(x, -2), y), -2)


constant(
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.logical_and, np.logical_or, np.logical_xor, np.logical_not,
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift, np.bitwise_count,
    np.isfinite, np.isinf, np.isnan, np.signbit, np.sign,
    np.floor, np.ceil, np.trunc, np.rint, np.floor_divide,
    np.gcd, np.lcm, np.spacing,
)  # fmt: skip

refuse("use np.log2 and np.floor, or np.ldexp", np.frexp)
refuse("add an offset of your own, or use .value", np.nextafter)
refuse("Arrays hold numbers, not dates", np.isnat)

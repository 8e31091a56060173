"""How functions that only make constants are computed natively: one step with the builder ``b``, as gates have it.

The table has the functions that work element by element; what is not here (``np.gcd``, say) is left to NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Lowering = Callable[..., Any]

COMPARISONS = {
    np.less: "lt", np.less_equal: "le", np.greater: "gt", np.greater_equal: "ge", np.equal: "eq", np.not_equal: "ne",
}  # fmt: skip
MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}


def comparing(how: str) -> Lowering:
    """A comparison; NumPy compares int64 with uint64 as the numbers that they are, without a common dtype."""

    def lower(b: Any, x: Any, y: Any) -> Any:
        if x.dtype == y.dtype:
            return getattr(b, how)(x, y)
        if y.dtype.kind == "i":
            return comparing(MIRRORED[how])(b, y, x)
        unsigned = getattr(b, how)(b.cast(x, y.dtype), y)
        return b.select(b.lt(x, b.like(x, 0)), b.constant(how in ("lt", "le", "ne"), bool), unsigned)

    return lower


def logical(how: str) -> Lowering:
    def lower(b: Any, *xs: Any) -> Any:
        return getattr(b, how)(*(b.cast(x, bool) for x in xs))

    return lower


def operation(name: str) -> Lowering:
    return lambda b, *xs: getattr(b, name)(*xs)


def heaviside(b: Any, x: Any, at_zero: Any) -> Any:
    zero = b.like(x, 0.0)
    step = b.select(b.lt(x, zero), zero, b.select(b.eq(x, zero), at_zero, b.like(x, 1.0)))
    return b.select(b.isnan(x), x, step)


def bitwise_count(b: Any, x: Any) -> Any:
    return b.cast(b.intrinsic("ctpop", b.abs(x)), np.uint8)


def angle(b: Any, x: Any) -> Any:
    """Of real numbers: pi on the negative side of the axis, -0.0 included."""
    x = x if x.dtype.kind == "f" else b.cast(x, np.float64)
    return b.select(b.isnan(x), x, b.select(b.signbit(x), b.like(x, math.pi), b.like(x, 0.0)))


def infinite(sign: int) -> Lowering:
    return lambda b, x: b.eq(x, b.like(x, sign * np.inf)) if x.dtype.kind == "f" else b.constant(False, bool)


LOWERINGS: dict[Any, Lowering] = {
    **{function: comparing(how) for function, how in COMPARISONS.items()},
    np.logical_and: logical("and_"),
    np.logical_or: logical("or_"),
    np.logical_xor: logical("xor"),
    np.logical_not: logical("not_"),
    np.bitwise_and: operation("and_"),
    np.bitwise_or: operation("or_"),
    np.bitwise_xor: operation("xor"),
    np.invert: operation("not_"),
    np.left_shift: operation("shift_left"),
    np.right_shift: operation("shift_right"),
    np.bitwise_count: bitwise_count,
    np.isnan: operation("isnan"),
    np.isfinite: operation("isfinite"),
    np.isinf: operation("isinf"),
    np.isposinf: infinite(1),
    np.isneginf: infinite(-1),
    np.signbit: operation("signbit"),
    np.sign: operation("sign"),
    np.copysign: operation("copysign"),
    np.heaviside: heaviside,
    np.floor: operation("floor"),
    np.ceil: operation("ceil"),
    np.trunc: operation("trunc"),
    np.fix: operation("trunc"),
    np.rint: operation("rint"),
    np.round: operation("rint"),
    np.around: operation("rint"),
    np.floor_divide: operation("floor_div"),
    np.ones_like: lambda b, x: b.like(x, 1),
    np.zeros_like: lambda b, x: b.like(x, 0),
    np.imag: lambda b, x: b.like(x, 0),
    np.isreal: lambda b, x: b.constant(True, bool),
    np.iscomplex: lambda b, x: b.constant(False, bool),
    np.angle: angle,
}

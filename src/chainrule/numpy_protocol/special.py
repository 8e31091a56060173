"""NumPy's special functions, numerical derivatives and phases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.constant import detach
from chainrule.gates.indexing import getitem
from chainrule.gates.operands import floating
from chainrule.gates.reduction import normal_axes
from chainrule.gates.special import BesselI0, Sinc
from chainrule.numpy_protocol.dispatch import constant, differentiable, refuse
from chainrule.numpy_protocol.shapes import along, one_axis

differentiable(np.sinc)(Sinc.of(0))
differentiable(np.i0)(BesselI0.of(0))


@differentiable(np.unwrap)
def unwrap(p: Any, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Any:
    """The phases plus whole periods, which are constants."""
    return p + _whole_periods(detach(p), discont, one_axis(axis, p.ndim), period)


def _whole_periods(p: Any, discont: float | None, axis: int, period: float) -> Any:
    """What brings each step that is larger than ``discont`` between minus and plus half a period."""
    steps = np.diff(p, axis=axis)
    dtype = np.result_type(steps.dtype, period)
    half, odd = divmod(period, 2) if dtype.kind in "iu" else (period / 2, 0)
    within = np.mod(steps + half, period) - half
    if not odd:  # of two steps that do, that one with the sign of the old one
        within = np.where((within == -half) & (steps > 0), half, within)
    small = np.abs(steps) < (period / 2 if discont is None else discont)
    changes = np.astype(np.cumsum(np.where(small, 0, within - steps), axis=axis), dtype)
    first = getitem(p, along(axis, slice(0, 1)))
    return np.concatenate((np.zeros(first.shape, dtype), changes), axis=axis)


@differentiable(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Differences between neighbours: centred inside, one-sided of the first or second order at the ends."""
    if edge_order not in (1, 2):
        raise ValueError(f"edge_order must be 1 or 2, not {edge_order}")
    f = floating(f)
    axes = normal_axes(axis, np.ndim(f)) or tuple(range(np.ndim(f)))
    spacings = varargs if len(varargs) > 1 else (varargs or (1.0,)) * len(axes)
    if len(spacings) != len(axes):
        raise TypeError(f"gradient needs one spacing, or one for each of the {len(axes)} axes, not {len(varargs)}")
    slopes = tuple(_slopes(f, h, i, edge_order) for h, i in zip(spacings, axes, strict=True))
    return slopes[0] if len(slopes) == 1 else slopes


def _slopes(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    n = np.shape(f)[axis]
    if n <= edge_order:
        raise ValueError(f"gradient of edge_order {edge_order} needs at least {edge_order + 1} elements along an axis")
    h = _steps(f, spacing, axis)
    df = getitem(f, along(axis, slice(1, None))) - getitem(f, along(axis, slice(None, -1)))
    slope = df / h  # between neighbours

    def part(x: Any, start: int | None, stop: int | None) -> Any:
        return getitem(x, along(axis, slice(start, stop)))

    # The slope in a point is that of the parabola through it and its neighbours: their slopes, the nearer one weighing
    # more.
    before, after = part(h, None, -1), part(h, 1, None)
    inside = (part(slope, None, -1) * after + part(slope, 1, None) * before) / (before + after)
    first, last = part(slope, None, 1), part(slope, -1, None)
    if edge_order == 2:
        first = first - part(h, None, 1) * (part(slope, 1, 2) - first) / (part(h, None, 1) + part(h, 1, 2))
        last = last + part(h, -1, None) * (last - part(slope, -2, -1)) / (part(h, -2, -1) + part(h, -1, None))
    return np.concatenate((first, inside, last), axis)


def _steps(f: Any, spacing: Any, axis: int) -> Any:
    """The distances between neighbours, from one number or from the coordinates, ready to broadcast against ``f``."""
    n, ndim = np.shape(f)[axis], np.ndim(f)
    shape = tuple(n - 1 if i == axis else 1 for i in range(ndim))
    if np.ndim(spacing) == 0:
        return np.broadcast_to(spacing if hasattr(spacing, "dtype") else f.dtype.type(spacing), shape)
    if np.shape(spacing) != (n,):
        raise ValueError(f"coordinates along axis {axis} must have the shape ({n},), not {np.shape(spacing)}")
    return np.reshape(np.diff(spacing), shape)


constant(np.angle)
for _name in ("sqrt", "log", "log2", "log10", "power", "arccos", "arcsin", "arctanh"):
    refuse(f"its results may be complex; use np.{_name} where they are real", getattr(np.emath, _name))
refuse("its results may be complex; use np.log(x) / np.log(n) where they are real", np.emath.logn)
refuse("Arrays are real: use np.sort", np.sort_complex)

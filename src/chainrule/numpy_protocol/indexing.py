"""NumPy's functions that read by index, order, select and mask, composed of the gates of ``gates.indexing``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from chainrule.gates.constant import PiecewiseConstant
from chainrule.gates.indexing import getitem, scatter_add, setitem
from chainrule.gates.operands import operand
from chainrule.gates.selection import clip as clip_gate
from chainrule.gates.selection import where as where_gate
from chainrule.graph.array import Array, ndim_of, shape_of
from chainrule.numpy_protocol.dispatch import (
    CONSTANT,
    HANDLERS,
    by_shape,
    constant,
    constants,
    differentiable,
    full_name,
    not_recorded,
    refuse,
    several_constants,
    unfixed,
    varying,
)
from chainrule.numpy_protocol.shapes import along, one_axis


@differentiable(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    if x is None and y is None:
        return np.nonzero(condition)
    return where_gate(condition, x, y)


@differentiable(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, out: None = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = a_min if min is None else min, a_max if max is None else max
    if low is None and high is None:
        return a * 1
    if low is None or high is None:
        # One bound only. At the bound the local gradient is 1, like that of a clip with two.
        return clip_gate(a, -math.inf if low is None else low, math.inf if high is None else high)
    return clip_gate(a, low, high)


@differentiable(np.take)
def take(a: Any, indices: Any, axis: int | None = None, out: None = None, mode: str = "raise") -> Any:
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = one_axis(axis, ndim_of(a))
    indices = operand(indices)
    if mode == "wrap":
        indices = indices % shape_of(a)[axis]
    elif mode == "clip":
        indices = np.clip(indices, 0, shape_of(a)[axis] - 1)
    return getitem(a, along(axis, indices))


@differentiable(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis = one_axis(axis, ndim_of(arr))
    indices = operand(indices)
    if ndim_of(indices) != ndim_of(arr):
        raise ValueError(f"take_along_axis needs indices with {ndim_of(arr)} axes, like the array")
    places: list[Any] = list(np.ogrid[tuple(slice(n) for n in shape_of(arr))])  # each other axis at its own place
    places[axis] = indices
    return getitem(arr, tuple(places))


@differentiable(np.sort)
def sort(a: Any, axis: int | None = -1, kind: Any = None, order: None = None, *, stable: bool | None = None) -> Any:
    if axis is None:
        a, axis = np.ravel(a), -1
    if ndim_of(a) == 0:
        raise np.exceptions.AxisError(axis, 0)
    return take_along_axis(a, np.argsort(a, axis, kind="stable"), axis)


@differentiable(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: None = None) -> Any:
    if axis is None:
        a, axis = np.ravel(a), -1
    return take_along_axis(a, np.argpartition(a, kth, axis, kind), axis)


@differentiable(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    if ndim_of(v) == 2:
        return diagonal(v, k)
    if ndim_of(v) != 1:
        raise ValueError("diag needs a vector or a matrix")
    n = shape_of(v)[0]
    i = np.arange(n)
    return scatter_add(v, (i + max(-k, 0), i + max(k, 0)), (n + abs(k), n + abs(k)))


@differentiable(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    return diag(np.ravel(v), k)


@differentiable(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    moved = np.moveaxis(a, (axis1, axis2), (-2, -1))
    rows, columns = shape_of(moved)[-2:]
    n = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    i = np.arange(n)
    return getitem(moved, (..., i + max(-offset, 0), i + max(offset, 0)))


@differentiable(np.linalg.diagonal)
def linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    return diagonal(x, offset, -2, -1)


@differentiable(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None) -> Any:
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@differentiable(np.linalg.trace)
def linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return trace(x, offset, -2, -1, dtype)


@differentiable(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    return where_gate(np.tri(*_matrix_shape(m), k, dtype=bool), m, np.zeros((), m.dtype))


@differentiable(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    return where_gate(np.tri(*_matrix_shape(m), k - 1, dtype=bool), np.zeros((), m.dtype), m)


def _matrix_shape(m: Any) -> tuple[int, int]:
    if ndim_of(m) < 1:
        raise ValueError("tril and triu need at least one axis")
    shape = shape_of(m)
    return (shape[0], shape[0]) if len(shape) == 1 else (shape[-2], shape[-1])


@differentiable(np.choose)
def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    which = operand(a)
    options = [operand(c) for c in choices]
    if mode == "wrap":
        which = which % len(options)
    elif mode == "clip":
        which = np.clip(which, 0, len(options) - 1)
    else:
        which = PiecewiseConstant.of(checked_choice, (("options", len(options)),))(which)
    shape = np.broadcast_shapes(shape_of(which), *(shape_of(c) for c in options))
    stacked = np.stack([np.broadcast_to(c, shape) for c in options])
    return take_along_axis(stacked, np.broadcast_to(which, shape)[None], 0)[0]


def checked_choice(which: Any, options: int) -> Any:
    """``which``, if all of it are numbers of options."""
    if np.any((which < 0) | (which >= options)):
        raise ValueError(f"choose picks from {options} choices; an index lies outside")
    return which


@differentiable(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError("select needs as many conditions as choices")
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = where_gate(condition, choice, result)
    return result


@differentiable(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    conditions = [operand(c) for c in condlist]
    functions = list(funclist)
    if len(functions) == len(conditions) + 1:
        conditions.append(~reduce(np.logical_or, conditions))
    if len(functions) != len(conditions):
        raise ValueError(f"piecewise got {len(conditions)} conditions and {len(functions)} functions")
    result: Any = np.zeros(shape_of(x), x.dtype)
    for condition, function in zip(conditions, functions, strict=True):
        values = function(x[condition], *args, **kw) if callable(function) else function
        result = setitem(result, condition, values)
    return result


@differentiable(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: None = None) -> Any:
    return take(a, np.flatnonzero(operand(condition)), axis)


@differentiable(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    return getitem(np.ravel(arr), np.flatnonzero(operand(condition)))


@differentiable(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    if x.dtype.kind != "f":
        return np.copy(x)
    largest = float(np.finfo(x.dtype).max)
    x = where_gate(np.isnan(x), nan, x)
    x = where_gate(x == math.inf, largest if posinf is None else posinf, x)
    return where_gate(x == -math.inf, -largest if neginf is None else neginf, x)


@differentiable(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: None = None) -> Any:
    """Piecewise linear interpolation, differentiable in x, xp and fp; in double precision, as NumPy has it."""
    if period is not None:
        raise TypeError("np.interp with a period is not supported on Arrays: wrap x with np.mod first")
    x, xp, fp = (a.astype(np.float64) if isinstance(a, Array) else np.asarray(a, np.float64) for a in (x, xp, fp))
    n = shape_of(xp)[0]
    if n < 2:
        raise ValueError("interp needs at least two points")
    i = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, n - 2)
    x0, x1, f0, f1 = (getitem(a, j) for a in (xp, fp) for j in (i, i + 1))
    share = (x - x0) / (x1 - x0)
    inside = f0 + share * (f1 - f0)
    below = np.broadcast_to(fp[0] if left is None else left, shape_of(inside))
    above = np.broadcast_to(fp[-1] if right is None else right, shape_of(inside))
    return where_gate(x < xp[0], below, where_gate(x > xp[-1], above, inside))


@differentiable(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """Counts, a constant; with weights their sums by bin, in double precision."""
    places = operand(x)
    not_recorded("np.bincount", "its length depends on the values; use cr.scatter_add(weights, places, (length,))")
    counts = PiecewiseConstant.of(np.bincount, (("minlength", minlength),))(places)
    if weights is None:
        return counts
    if shape_of(weights) != shape_of(places):
        raise ValueError(f"bincount needs a weight for each of {places.shape} elements, not {shape_of(weights)}")
    return scatter_add(np.astype(weights, np.float64), places, shape_of(counts))


def _unweighted(function: Any, count: Any) -> Any:
    """Histograms count, so they are constants; sums of weights would not be."""

    def handler(*args: Any, weights: Any = None, **kwargs: Any) -> Any:
        if isinstance(args[1] if len(args) > 1 else kwargs.get("bins"), str):
            not_recorded(full_name(function), "how many bins this is depends on the values; say how many")
        if isinstance(weights, Array) and weights.live:
            raise TypeError(f"weights of {full_name(function)} get no gradient here: use np.bincount on bin numbers")
        return count(*args, weights=weights, **kwargs)

    return handler


for _function, _count in {
    np.histogram: several_constants(np.histogram),
    np.histogram2d: several_constants(np.histogram2d),
    np.histogramdd: unfixed(np.histogramdd, "use np.histogram2d, or np.digitize and cr.scatter_add"),
}.items():
    CONSTANT[_function] = HANDLERS[_function] = _unweighted(_function, _count)

constant(
    np.argsort, np.argpartition, np.lexsort, np.searchsorted, np.digitize, np.histogram_bin_edges, np.ravel_multi_index
)
constants(np.unravel_index)
by_shape(np.diag_indices_from, np.tril_indices_from, np.triu_indices_from)
varying("select with np.where(mask, x, other), which keeps the shape", np.nonzero, np.flatnonzero, np.argwhere)
varying("index with the arrays as they are, reshaped to broadcast", np.ix_)
varying("sort with np.sort and compare neighbours", np.unique_counts, np.unique_inverse)
refuse("sort with np.sort and drop neighbours that are equal", np.unique, np.unique_all, np.unique_values, np.union1d,
       np.intersect1d, np.setdiff1d, np.setxor1d)  # fmt: skip
refuse("Arrays are values; write x[index] = v, which rebinds the name", np.fill_diagonal, np.put_along_axis)

"""NumPy's reductions, their nan-forms and what is composed of them: means, variances, differences, running sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.constant import PiecewiseConstant
from chainrule.gates.indexing import getitem
from chainrule.gates.operands import floating, operand
from chainrule.gates.reduction import (
    Axes,
    Cumprod,
    Cumsum,
    Max,
    Mean,
    Min,
    Prod,
    Sum,
    every_axis,
    log_sum_exp,
    normal_axes,
)
from chainrule.graph.array import Array, ndim_of, shape_of
from chainrule.graph.mode import switched
from chainrule.numpy_protocol.dispatch import REDUCTIONS, composed, constant, differentiable, refuse, varying
from chainrule.numpy_protocol.shapes import along, one_axis

_GIVEN: Any = np._NoValue  # NumPy's own mark for 'not given' in these signatures


def given(x: Any) -> bool:
    return x is not _GIVEN and x is not None


def _cast(a: Any, dtype: Any) -> Any:
    return a if dtype is None else a.astype(dtype)


def _start(initial: Any, dtype: Any) -> Any:
    """``initial=``, which takes the array's dtype."""
    if isinstance(initial, (int, float)) and dtype.kind == "f":
        return float(initial)
    return initial.astype(dtype) if isinstance(initial, Array) else np.asarray(initial).astype(dtype)


def masks(where: Any) -> bool:
    """Whether a ``where=`` argument leaves elements out."""
    return given(where) and where is not True


def _masked(a: Any, where: Any, fill: Any) -> Any:
    """``a`` with ``fill`` where the mask of a ``where=`` argument is False."""
    return _chosen(where, a, fill) if masks(where) else a


def _chosen(where: Any, a: Any, fill: Any) -> Any:
    """``np.where(where, a, fill)``. Where ``fill`` is infinite that is on purpose: ``cr.nonfinite()`` goes on."""
    with switched(stop_at_nonfinite=False):
        return np.where(where, a, fill)


def _count(a: Any, axis: Axes, where: Any) -> Any:
    """How many elements go into each result: a number, or an array where a mask decides."""
    shape = shape_of(a)
    if not masks(where):
        return math.prod(shape if axis is None else (shape[i] for i in axis))
    mask = np.broadcast_to(operand(where), shape)
    return np.sum(mask, axis=axis, keepdims=True)


@differentiable(np.sum)
def sum(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False, initial: Any = _GIVEN,
        where: Any = _GIVEN) -> Any:  # fmt: skip
    gate = Sum.of(normal_axes(axis, ndim_of(a)), bool(keepdims))
    if dtype is None and where is _GIVEN and initial is _GIVEN:
        return gate(a)
    total = gate(_masked(_cast(a, dtype), where, 0))
    return total + _start(initial, total.dtype) if given(initial) else total


@differentiable(np.prod)
def prod(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False, initial: Any = _GIVEN,
         where: Any = _GIVEN) -> Any:  # fmt: skip
    flat, kept_shape = _flat_last(_masked(_cast(a, dtype), where, 1), axis)
    total = Prod.of(flat.ndim - 1)(flat)
    if given(keepdims) and keepdims:
        total = np.reshape(total, kept_shape)
    return total * _start(initial, total.dtype) if given(initial) else total


def _flat_last(a: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """``a`` with the reduced axes as one at the end, and the shape that ``keepdims`` gives to a result."""
    shape = shape_of(a)
    axes = every_axis(normal_axes(axis, len(shape)), len(shape))
    rest = tuple(i for i in range(len(shape)) if i not in axes)
    flat = np.reshape(np.transpose(a, rest + axes), (*(shape[i] for i in rest), math.prod(shape[i] for i in axes)))
    return flat, tuple(1 if i in axes else n for i, n in enumerate(shape))


def _extreme(gate: Any, worst: float, pick: Any, a: Any, axis: Any, keepdims: Any, initial: Any, where: Any) -> Any:
    if initial is _GIVEN and where is _GIVEN:
        return gate.of(normal_axes(axis, ndim_of(a)), bool(keepdims))(a)
    if masks(where):
        if not given(initial):
            raise ValueError("where= needs initial=, the result where nothing is selected")
        a = _masked(a, where, worst if a.dtype.kind == "f" else _start(initial, a.dtype))
    if a.size == 0 and given(initial):
        return np.sum(a, axis=axis, keepdims=bool(keepdims)) + _start(initial, a.dtype)
    best = gate.of(normal_axes(axis, ndim_of(a)), bool(keepdims))(a)
    return pick(best, _start(initial, best.dtype)) if given(initial) else best


@differentiable(np.max, np.amax)
def max(a: Any, axis: Any = None, out: None = None, keepdims: Any = False, initial: Any = _GIVEN,
        where: Any = _GIVEN) -> Any:  # fmt: skip
    return _extreme(Max, -math.inf, np.maximum, a, axis, keepdims, initial, where)


@differentiable(np.min, np.amin)
def min(a: Any, axis: Any = None, out: None = None, keepdims: Any = False, initial: Any = _GIVEN,
        where: Any = _GIVEN) -> Any:  # fmt: skip
    return _extreme(Min, math.inf, np.minimum, a, axis, keepdims, initial, where)


@differentiable(np.ptp)
def ptp(a: Any, axis: Any = None, out: None = None, keepdims: Any = False) -> Any:
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


@differentiable(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False,
         where: Any = _GIVEN) -> Any:  # fmt: skip
    if dtype is None and a.dtype == np.float16:  # added up in single precision, as in NumPy: beyond 65504 is infinity
        return mean(a.astype(np.float32), axis, keepdims=keepdims, where=where).astype(np.float16)
    if dtype is None and a.dtype.kind in "iub":
        dtype = np.float64
    a, axes = _cast(a, dtype), normal_axes(axis, ndim_of(a))
    if a.size and not masks(where):
        return Mean.of(axes, bool(keepdims))(a)
    total = sum(a, axes, keepdims=keepdims, where=where)
    n = _count(a, axes, where)  # of nothing: 0 / 0 is NaN with a warning, as in NumPy
    return total / np.reshape(operand(n).astype(a.dtype), () if isinstance(n, int) else shape_of(total))


@differentiable(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False) -> Any:
    if weights is None:
        result: Any = mean(a, axis, keepdims=keepdims)
        total: Any = np.asarray(np.size(a) / np.maximum(np.size(result), 1))
    else:
        if shape_of(weights) != shape_of(a):
            if axis is None or ndim_of(weights) != 1:
                raise TypeError("weights of another shape than the array need an axis and must be 1-d")
            weights = np.reshape(weights, along_shape(ndim_of(a), one_axis(axis, ndim_of(a))))
        total = np.sum(np.broadcast_to(weights, shape_of(a)), axis=axis, keepdims=bool(keepdims))
        result = np.sum(a * weights, axis=axis, keepdims=bool(keepdims)) / total
    return (result, np.broadcast_to(total, shape_of(result)).astype(result.dtype)) if returned else result


def along_shape(ndim: int, axis: int) -> tuple[int, ...]:
    """The shape that lays a vector along one axis: (1, -1, 1)."""
    return tuple(-1 if i == axis else 1 for i in range(ndim))


@differentiable(np.var)
def var(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: Any = False, *,
        where: Any = _GIVEN, mean: Any = _GIVEN, correction: Any = _GIVEN) -> Any:  # fmt: skip
    ddof = correction if given(correction) else ddof
    a = _cast(a, np.float64 if a.dtype.kind in "iub" and dtype is None else dtype)
    axes = normal_axes(axis, ndim_of(a))
    centre = mean if given(mean) else _mean(a, axes, keepdims=True, where=where)
    squares = sum(np.square(a - centre), axes, keepdims=keepdims, where=where)
    n = _count(a, axes, where)
    if isinstance(n, int):
        return squares / (float(n - ddof) if n > ddof else np.zeros((), a.dtype))
    return squares / np.reshape(np.maximum(n - ddof, 0), shape_of(squares)).astype(a.dtype)


_mean = mean


@differentiable(np.std)
def std(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: Any = False, *,
        where: Any = _GIVEN, mean: Any = _GIVEN, correction: Any = _GIVEN) -> Any:  # fmt: skip
    return _deviation(var(a, axis, dtype, ddof=ddof, keepdims=keepdims, where=where, mean=mean, correction=correction))


def _deviation(variance: Any) -> Any:
    """The square root of a variance; where that is 0 its gradient is 0, like that of the 2-norm."""
    flat = variance == 0
    return np.where(flat, 0.0, np.sqrt(np.where(flat, 1.0, variance)))


# ---- running sums, differences, integrals


@differentiable(np.cumsum)
def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    return _running(Cumsum, _cast(a, dtype), axis)


@differentiable(np.cumprod)
def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    return _running(Cumprod, _cast(a, dtype), axis)


def _running(gate: Any, a: Any, axis: int | None) -> Any:
    if axis is None:
        a, axis = np.ravel(a), 0
    return gate.of(one_axis(axis, ndim_of(a)))(a)


@differentiable(np.cumulative_sum)
def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, out: None = None,
                   include_initial: bool = False) -> Any:  # fmt: skip
    return _cumulative(cumsum, 0.0, x, axis, dtype, include_initial)


@differentiable(np.cumulative_prod)
def cumulative_prod(x: Any, /, *, axis: int | None = None, dtype: Any = None, out: None = None,
                    include_initial: bool = False) -> Any:  # fmt: skip
    return _cumulative(cumprod, 1.0, x, axis, dtype, include_initial)


def _cumulative(run: Any, start: float, x: Any, axis: int | None, dtype: Any, include_initial: bool) -> Any:
    if axis is None:
        if ndim_of(x) > 1:
            raise ValueError("for arrays of more than one axis, give the axis")
        axis = 0
    total = run(x, axis, dtype)
    if not include_initial:
        return total
    axis = one_axis(axis, ndim_of(x))
    shape = (*shape_of(total)[:axis], 1, *shape_of(total)[axis + 1 :])
    return np.concatenate((np.full(shape, start, total.dtype), total), axis)


@differentiable(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = _GIVEN, append: Any = _GIVEN) -> Any:
    axis = one_axis(axis, ndim_of(a))
    if given(prepend) or given(append):
        a = np.concatenate([x for x in (_edge(prepend, a, axis), a, _edge(append, a, axis)) if x is not None], axis)
    for _ in range(n):
        a = getitem(a, along(axis, slice(1, None))) - getitem(a, along(axis, slice(None, -1)))
    return a


def _edge(x: Any, a: Any, axis: int) -> Any:
    if x is _GIVEN:
        return None
    shape = shape_of(a)
    return np.broadcast_to(x, (*shape[:axis], 1, *shape[axis + 1 :])) if ndim_of(x) == 0 else x


@differentiable(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    parts = [to_begin, diff(np.ravel(ary)), to_end]
    return np.concatenate([np.ravel(x) for x in parts if x is not None], dtype=ary.dtype)


@differentiable(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    place = one_axis(axis, ndim_of(y))
    if x is None:
        width = dx
    elif ndim_of(x) == 1:
        width = np.reshape(diff(x), along_shape(ndim_of(y), place))
    else:  # x may have more axes than y, so a negative axis is another one there
        width = diff(x, axis=axis)
    pairs = getitem(y, along(place, slice(1, None))) + getitem(y, along(place, slice(None, -1)))
    return np.sum(width * pairs / 2.0, axis=axis)


# ---- reductions that leave NaN out: the mask is a constant, so NaN elements get gradient 0


def _without_nan(a: Any, fill: float) -> Any:
    return _chosen(~np.isnan(a), a, fill) if a.dtype.kind == "f" else a


def _all_nan(a: Any, axis: Any, keepdims: Any) -> Any:
    return np.all(np.isnan(a), axis=axis, keepdims=bool(keepdims))


@differentiable(np.nansum)
def nansum(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False,
           initial: Any = _GIVEN, where: Any = _GIVEN) -> Any:  # fmt: skip
    return sum(_without_nan(a, 0.0), axis, dtype, keepdims=keepdims, initial=initial, where=where)


@differentiable(np.nanprod)
def nanprod(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False,
            initial: Any = _GIVEN, where: Any = _GIVEN) -> Any:  # fmt: skip
    return prod(_without_nan(a, 1.0), axis, dtype, keepdims=keepdims, initial=initial, where=where)


@differentiable(np.nanmax)
def nanmax(a: Any, axis: Any = None, out: None = None, keepdims: Any = False, initial: Any = _GIVEN,
           where: Any = _GIVEN) -> Any:  # fmt: skip
    if a.dtype.kind != "f":
        return max(a, axis, keepdims=keepdims, initial=initial, where=where)
    best = max(_without_nan(a, -math.inf), axis, keepdims=keepdims, initial=initial, where=where)
    return np.where(_all_nan(a, axis, keepdims), math.nan, best)


@differentiable(np.nanmin)
def nanmin(a: Any, axis: Any = None, out: None = None, keepdims: Any = False, initial: Any = _GIVEN,
           where: Any = _GIVEN) -> Any:  # fmt: skip
    if a.dtype.kind != "f":
        return min(a, axis, keepdims=keepdims, initial=initial, where=where)
    best = min(_without_nan(a, math.inf), axis, keepdims=keepdims, initial=initial, where=where)
    return np.where(_all_nan(a, axis, keepdims), math.nan, best)


def _valid(a: Any, where: Any) -> Any:
    valid = ~np.isnan(a)
    return valid & where if masks(where) else valid


@differentiable(np.nanmean)
def nanmean(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False,
            where: Any = _GIVEN) -> Any:  # fmt: skip
    return mean(_without_nan(a, 0.0), axis, dtype, keepdims=keepdims, where=_valid(a, where))


@differentiable(np.nanvar)
def nanvar(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: Any = False, *,
           where: Any = _GIVEN, mean: Any = _GIVEN, correction: Any = _GIVEN) -> Any:  # fmt: skip
    return var(_without_nan(a, 0.0), axis, dtype, None, ddof, keepdims, where=_valid(a, where), mean=mean,
               correction=correction)  # fmt: skip


@differentiable(np.nanstd)
def nanstd(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: Any = False, *,
           where: Any = _GIVEN, mean: Any = _GIVEN, correction: Any = _GIVEN) -> Any:  # fmt: skip
    return _deviation(nanvar(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction))


@differentiable(np.nancumsum)
def nancumsum(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    return cumsum(_without_nan(a, 0.0), axis, dtype)


@differentiable(np.nancumprod)
def nancumprod(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    return cumprod(_without_nan(a, 1.0), axis, dtype)


# ---- order statistics: sort, then read


@differentiable(np.median)
def median(a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False) -> Any:
    return quantile(a, 0.5, axis, keepdims=keepdims)


@differentiable(np.percentile)
def percentile(a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
               method: str = "linear", keepdims: bool = False) -> Any:  # fmt: skip
    share = q / 100.0 if isinstance(q, (int, float)) else operand(q) / 100.0
    return quantile(a, share, axis, method=method, keepdims=keepdims)


@differentiable(np.quantile)
def quantile(a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
             method: str = "linear", keepdims: bool = False) -> Any:  # fmt: skip
    """Linear interpolation between the two neighbours in sorted order, or ``lower``, ``higher``."""
    if method not in ("linear", "lower", "higher"):
        raise TypeError(f"quantile method {method!r} is not differentiable here: use linear, lower or higher")
    # A plain number leaves single precision alone, an array of quantiles promotes, as in NumPy.
    precision = a.dtype if isinstance(q, (int, float)) and a.dtype.kind == "f" else np.result_type(a.dtype, np.float64)
    if isinstance(q, Array) and q.live:
        raise TypeError("np.quantile has no gradient for its quantiles: pass q.detach()")
    q = PiecewiseConstant.of(checked_quantiles)(operand(q))
    flat, kept_shape = _flat_last(a, axis)
    ordered = np.sort(flat, axis=-1)
    place = q * (shape_of(ordered)[-1] - 1)
    low, high = np.floor(place).astype(int), np.ceil(place).astype(int)
    below, above = getitem(ordered, (..., low)), getitem(ordered, (..., high))
    value = below if method == "lower" else above
    if method == "linear":
        value = below + (above - below) * (place - low).astype(precision)
    if a.dtype.kind == "f":
        value = np.where(np.any(np.isnan(flat), -1)[(...,) + (None,) * q.ndim], math.nan, value)
    value = np.moveaxis(value, tuple(range(flat.ndim - 1, flat.ndim - 1 + q.ndim)), tuple(range(q.ndim)))
    return np.reshape(value, (*q.shape, *kept_shape)) if keepdims else value


def checked_quantiles(q: Any) -> Any:
    """``q``, if all of it lie between 0 and 1."""
    if q.size and not ((q >= 0) & (q <= 1)).all():
        raise ValueError("quantiles must be in the range [0, 1]")
    return q


# ---- constants


def _holding(a: Any, where: Any, axis: Any, keepdims: Any, of: Any, outside: bool) -> Any:
    """``of`` the truth of each element; those that a ``where=`` argument leaves out count as ``outside``."""
    return of(_masked(a != 0, where, outside), axis=axis, keepdims=given(keepdims) and keepdims)


@composed(np.any)
def some(a: Any, axis: Any = None, out: None = None, keepdims: Any = _GIVEN, *, where: Any = _GIVEN) -> Any:
    return _holding(a, where, axis, keepdims, max, False)


@composed(np.all)
def every(a: Any, axis: Any = None, out: None = None, keepdims: Any = _GIVEN, *, where: Any = _GIVEN) -> Any:
    return _holding(a, where, axis, keepdims, min, True)


@composed(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _holding(a, _GIVEN, axis, keepdims, sum, False)


@composed(np.argmax)
def argmax(a: Any, axis: int | None = None, out: None = None, *, keepdims: Any = _GIVEN) -> Any:
    return _place(a, axis, keepdims, max)


@composed(np.argmin)
def argmin(a: Any, axis: int | None = None, out: None = None, *, keepdims: Any = _GIVEN) -> Any:
    return _place(a, axis, keepdims, min)


def _place(a: Any, axis: int | None, keepdims: Any, best: Any) -> Any:
    """The first place of the best element (or of NaN) along an axis."""
    shape, wide = shape_of(a), given(keepdims) and keepdims
    if axis is None:
        place = _place(np.ravel(a), 0, _GIVEN, best)
        return np.reshape(place, (1,) * len(shape)) if wide else place
    axis = one_axis(axis, len(shape))
    found = a == best(a, axis, keepdims=True)
    if a.dtype.kind == "f":
        found = found | np.isnan(a)
    n = shape[axis]
    places = np.reshape(np.arange(n), along_shape(len(shape), axis))
    return min(np.where(found, places, n), axis, keepdims=wide)


REDUCTIONS.update(
    {
        (np.add, "reduce"): lambda a, axis=0, **options: sum(a, axis, **options),
        (np.multiply, "reduce"): lambda a, axis=0, **options: prod(a, axis, **options),
        (np.maximum, "reduce"): lambda a, axis=0, **options: max(a, axis, **options),
        (np.minimum, "reduce"): lambda a, axis=0, **options: min(a, axis, **options),
        (np.logaddexp, "reduce"): lambda a, axis=0, **options: log_sum_exp(floating(a), axis, **options),
        (np.add, "accumulate"): lambda a, axis=0: cumsum(a, axis),
        (np.multiply, "accumulate"): lambda a, axis=0: cumprod(a, axis),
    }
)


@composed(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """NumPy's formula: b says how far is near, and is a floating number for that."""
    b = np.astype(b, np.result_type(b.dtype, 1.0)) if hasattr(b, "dtype") else float(b)
    with np.errstate(invalid="ignore"):
        near = ((np.abs(a - b) <= atol + rtol * np.abs(b)) & np.isfinite(b)) | (a == b)
    return near | (np.isnan(a) & np.isnan(b)) if equal_nan else near


constant(np.nanargmax, np.nanargmin, np.isneginf, np.isposinf, np.isin, np.round, np.around, np.fix)
varying("np.all(x == y) and np.all(np.isclose(x, y)) are arrays", np.allclose, np.array_equal, np.array_equiv)
refuse("use np.quantile on the elements that are numbers", np.nanmedian, np.nanquantile, np.nanpercentile)

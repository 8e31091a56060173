"""NumPy's functions that rearrange, join and split arrays, composed of the gates of ``gates.shape``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.gates.indexing import getitem
from chainrule.gates.operands import operand
from chainrule.gates.reduction import normal_axes
from chainrule.gates.shape import BroadcastTo, Cast, Concatenate, Pad, Reshape, Transpose, resolve_shape
from chainrule.graph.array import Array, ndim_of, new_leaf, noted, shape_of
from chainrule.numpy_protocol.dispatch import by_shape, constant, differentiable, not_recorded, refuse, varying


def one_axis(axis: Any, ndim: int) -> int:
    """A single axis, non-negative; raises AxisError like NumPy."""
    return int(np.lib.array_utils.normalize_axis_index(int(axis), ndim))


def along(axis: int, index: Any) -> tuple[Any, ...]:
    """The index that applies ``index`` to one axis and takes the others whole."""
    return (slice(None),) * axis + (index,)


# ---- one array, another shape


@differentiable(np.reshape)
def reshape(a: Any, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    if order == "F":
        target = resolve_shape(np.size(a), shape)
        return transpose(reshape(transpose(a), target[::-1]))
    if order != "C":
        raise TypeError(
            f"order={order!r} follows the layout in memory, which an Array's value has none of: use 'C' or 'F'"
        )
    return Reshape.of(resolve_shape(np.size(a), shape))(a)


@differentiable(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    return reshape(a, (-1,), order)


@differentiable(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Any:
    order = tuple(range(ndim_of(a)))[::-1] if axes is None else normal_axes(tuple(axes), ndim_of(a))
    return Transpose.of(order)(a)


@differentiable(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    return swapaxes(x, -1, -2)


@differentiable(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    order = list(range(ndim_of(a)))
    i, j = one_axis(axis1, len(order)), one_axis(axis2, len(order))
    order[i], order[j] = order[j], order[i]
    return Transpose.of(tuple(order))(a)


@differentiable(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    ndim = ndim_of(a)
    sources, targets = normal_axes(source, ndim) or (), normal_axes(destination, ndim) or ()
    if len(sources) != len(targets):
        raise ValueError(f"moveaxis got {len(sources)} source axes and {len(targets)} destinations")
    order = [i for i in range(ndim) if i not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return Transpose.of(tuple(order))(a)


@differentiable(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    ndim = ndim_of(a)
    axis = one_axis(axis, ndim)
    start = start + ndim if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start)


@differentiable(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    return BroadcastTo.of(resolve_shape(-1, shape))(array)


@differentiable(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    shape = np.broadcast_shapes(*(shape_of(x) for x in args))
    return tuple(broadcast_to(x, shape) for x in args)


@differentiable(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    shape = shape_of(a)
    axes = tuple(i for i, n in enumerate(shape) if n == 1) if axis is None else normal_axes(axis, len(shape)) or ()
    if any(shape[i] != 1 for i in axes):
        raise ValueError(f"cannot squeeze axes {axes} of shape {shape}: each must have length 1")
    return reshape(a, tuple(n for i, n in enumerate(shape) if i not in axes))


@differentiable(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    extra = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = ndim_of(a) + len(extra)
    places = normal_axes(tuple(extra), ndim) or ()
    sizes = iter(shape_of(a))
    return reshape(a, tuple(1 if i in places else next(sizes) for i in range(ndim)))


@differentiable(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    return _each(arys, lambda x: reshape(x, (1,)) if ndim_of(x) == 0 else x)


@differentiable(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    return _each(arys, lambda x: reshape(x, (1, -1)) if ndim_of(x) < 2 else x)


@differentiable(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    def lifted(x: Any) -> Any:
        if ndim_of(x) < 2:
            return reshape(x, (1, -1, 1))
        return expand_dims(x, 2) if ndim_of(x) == 2 else x

    return _each(arys, lifted)


def _each(arrays: tuple[Any, ...], change: Any) -> Any:
    changed = tuple(change(x) for x in arrays)
    return changed[0] if len(changed) == 1 else changed


@differentiable(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    return a * 1 if a.dtype.kind != "b" else a | False


@differentiable(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """A cast; to an integer or boolean dtype it gives a constant."""
    return x if x.dtype == dtype and not copy else Cast.of(np.dtype(dtype))(x)


@differentiable(np.real, np.real_if_close)
def real(val: Any, tol: float = 100) -> Any:
    """The array itself: Arrays are real."""
    return val


@differentiable(np.full_like)
def full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *,
              device: Any = None) -> Any:  # fmt: skip
    """``fill_value`` everywhere; its gradient is the sum of what comes back."""
    fill = fill_value
    if not isinstance(fill, Array):
        fill = noted(new_leaf(Array, np.array(fill_value), False), fill_value)
    wanted = shape_of(a) if shape is None else resolve_shape(-1, shape)
    kind = np.result_type(a) if dtype is None else dtype
    return np.broadcast_to(fill.astype(kind), wanted)


@differentiable(np.linspace)
def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
             axis: int = 0, *, device: Any = None) -> Any:  # fmt: skip
    gap = 1.0 * (stop - start)
    parts = max(num - 1 if endpoint else num, 1)
    share = np.reshape(np.arange(num) / parts, (num,) + (1,) * ndim_of(gap)).astype(gap.dtype)
    line = np.moveaxis(start + share * gap, 0, axis)
    line = line if dtype is None else line.astype(dtype)
    return (line, gap / parts) if retstep else line


@differentiable(np.logspace)
def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None,
             axis: int = 0) -> Any:  # fmt: skip
    if ndim_of(base):
        raise TypeError("np.logspace with an array of bases is not supported on Arrays: use base ** np.linspace(...)")
    powers = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return powers if dtype is None else powers.astype(dtype)


# ---- joining


@differentiable(np.concatenate, np.concat)
def concatenate(
    arrays: Sequence[Any], /, axis: int | None = 0, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    if axis is None:
        arrays, axis = [np.ravel(x) for x in arrays], 0
    if dtype is not None:
        arrays = [operand(x).astype(dtype, casting=casting) for x in arrays]
    parts = tuple(arrays)
    if parts and all(ndim_of(x) for x in parts):
        axis = one_axis(axis, ndim_of(parts[0]))
    return Concatenate.of(axis)(*parts)


@differentiable(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    parts = list(arrays)
    if len({shape_of(x) for x in parts}) > 1:
        raise ValueError(f"stack needs arrays of one shape, not {[shape_of(x) for x in parts]}")
    place = one_axis(axis, ndim_of(parts[0]) + 1)
    return concatenate([np.expand_dims(x, axis) for x in parts], place, dtype=dtype, casting=casting)


@differentiable(np.vstack)
def vstack(tup: Sequence[Any], *, dtype: Any = None, casting: str = "same_kind") -> Any:
    return concatenate([np.atleast_2d(x) for x in tup], 0, dtype=dtype, casting=casting)


@differentiable(np.hstack)
def hstack(tup: Sequence[Any], *, dtype: Any = None, casting: str = "same_kind") -> Any:
    parts = [np.atleast_1d(x) for x in tup]
    return concatenate(parts, 0 if ndim_of(parts[0]) == 1 else 1, dtype=dtype, casting=casting)


@differentiable(np.dstack)
def dstack(tup: Sequence[Any]) -> Any:
    return concatenate([np.atleast_3d(x) for x in tup], 2)


@differentiable(np.column_stack)
def column_stack(tup: Sequence[Any]) -> Any:
    return concatenate([np.reshape(x, (-1, 1)) if ndim_of(x) < 2 else x for x in tup], 1)


@differentiable(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    return concatenate((arr, values), axis)


@differentiable(np.block)
def block(arrays: Any) -> Any:
    depth = _block_depth(arrays)
    ndim = max(depth, _block_ndim(arrays))
    return _block(arrays, depth, ndim)


def _block_depth(tree: Any) -> int:
    return 1 + max(_block_depth(x) for x in tree) if isinstance(tree, list) else 0


def _block_ndim(tree: Any) -> int:
    return max(_block_ndim(x) for x in tree) if isinstance(tree, list) else ndim_of(tree)


def _block(tree: Any, depth: int, ndim: int) -> Any:
    if not isinstance(tree, list):
        return reshape(tree, (1,) * (ndim - ndim_of(tree)) + shape_of(tree))
    return concatenate([_block(x, depth - 1, ndim) for x in tree], ndim - depth)


# ---- splitting


@differentiable(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    if ndim_of(indices_or_sections) == 0 and shape_of(ary)[axis] % int(indices_or_sections):
        raise ValueError(f"{shape_of(ary)[axis]} elements do not split into {indices_or_sections} equal parts")
    return array_split(ary, indices_or_sections, axis)


@differentiable(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    axis = one_axis(axis, ndim_of(ary))
    n = shape_of(ary)[axis]
    if ndim_of(indices_or_sections) == 0:
        parts = int(indices_or_sections)
        small, larger = divmod(n, parts)
        bounds = [0, *np.cumsum([small + 1] * larger + [small] * (parts - larger)).tolist()]
    else:
        bounds = [0, *(int(i) for i in indices_or_sections), n]
    return [getitem(ary, along(axis, slice(a, b))) for a, b in pairwise(bounds)]


@differentiable(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return split(ary, indices_or_sections, 1 if ndim_of(ary) > 1 else 0)


@differentiable(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    if ndim_of(ary) < 2:
        raise ValueError(f"vsplit splits the rows of two or more axes, not shape {shape_of(ary)}")
    return split(ary, indices_or_sections, 0)


@differentiable(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return split(ary, indices_or_sections, 2)


@differentiable(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    axis = one_axis(axis, ndim_of(x))
    return tuple(getitem(x, along(axis, i)) for i in range(shape_of(x)[axis]))


# ---- repeating, turning, padding


@differentiable(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = one_axis(axis, ndim_of(a))
    return getitem(a, along(axis, np.repeat(np.arange(shape_of(a)[axis]), np.asarray(repeats))))


@differentiable(np.tile)
def tile(A: Any, reps: Any) -> Any:
    counts = tuple(int(n) for n in np.atleast_1d(np.asarray(reps)))
    counts = (1,) * (ndim_of(A) - len(counts)) + counts
    shape = (1,) * (len(counts) - ndim_of(A)) + shape_of(A)
    spaced = reshape(A, tuple(k for n in shape for k in (1, n)))
    copies = broadcast_to(spaced, tuple(k for r, n in zip(counts, shape, strict=True) for k in (r, n)))
    return reshape(copies, tuple(r * n for r, n in zip(counts, shape, strict=True)))


@differentiable(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return reshape(roll(np.ravel(a), shift, 0), shape_of(a))
    for by, place in np.broadcast(np.asarray(shift), np.asarray(axis)):
        i = one_axis(place, ndim_of(a))
        n = shape_of(a)[i]
        if n and by % n:
            cut = n - by % n
            a = concatenate((getitem(a, along(i, slice(cut, None))), getitem(a, along(i, slice(None, cut)))), i)
    return a


@differentiable(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    axes = range(ndim_of(m)) if axis is None else normal_axes(axis, ndim_of(m)) or ()
    return getitem(m, tuple(slice(None, None, -1 if i in axes else None) for i in range(ndim_of(m))))


@differentiable(np.fliplr)
def fliplr(m: Any) -> Any:
    return flip(m, 1)


@differentiable(np.flipud)
def flipud(m: Any) -> Any:
    return flip(m, 0)


@differentiable(np.rot90)
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    i, j = (one_axis(axis, ndim_of(m)) for axis in axes)
    if i == j:
        raise ValueError("rot90 turns in the plane of two different axes")
    turns = k % 4
    if turns == 0:
        return m
    if turns == 2:
        return flip(m, (i, j))
    return swapaxes(flip(m, j), i, j) if turns == 1 else flip(swapaxes(m, i, j), j)


@differentiable(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """Constant padding is a gate; the modes that repeat elements (edge, wrap, reflect, symmetric) read them again."""
    shape = shape_of(array)
    widths = _pad_widths(pad_width, len(shape))
    if mode == "constant":
        values = kwargs.pop("constant_values", 0)
        if kwargs:
            raise TypeError(f"np.pad: unexpected options {sorted(kwargs)} for mode 'constant'")
        padded = Pad.of(widths)(array)
        if not isinstance(values, Array) and np.all(np.asarray(values) == 0):
            return padded
        frame = np.pad(np.zeros(shape, array.dtype), widths, constant_values=values)
        return padded + frame
    if mode not in ("edge", "wrap", "reflect", "symmetric") or kwargs.get("reflect_type") == "odd":
        raise TypeError(f"np.pad with mode {mode!r} is not differentiable here: compose it with np.concatenate")
    places = np.pad(np.arange(math.prod(shape)).reshape(shape), widths, mode, **kwargs)
    return getitem(np.ravel(array), places)


def _pad_widths(pad_width: Any, ndim: int) -> tuple[tuple[int, int], ...]:
    if isinstance(pad_width, dict):
        pairs: list[Any] = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            pairs[one_axis(axis, ndim)] = (width, width) if isinstance(width, int) else width
        return tuple((int(a), int(b)) for a, b in pairs)
    return tuple((int(a), int(b)) for a, b in np.broadcast_to(np.asarray(pad_width), (ndim, 2)).tolist())


@differentiable(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    shape = (new_shape,) if isinstance(new_shape, int) else tuple(new_shape)
    return getitem(np.ravel(a), np.resize(np.arange(np.size(a)), shape))


@differentiable(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    return _rearranged(arr, axis, lambda places: np.delete(places, obj))


@differentiable(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis = one_axis(axis, ndim_of(arr))
    n, ndim = shape_of(arr)[axis], ndim_of(arr)
    new = len(np.insert(np.arange(n), obj, 0)) - n
    if new == 1:  # at a single place any number of values can go in
        values = np.reshape(values, (1,) * (ndim - ndim_of(values)) + shape_of(values))
        values = np.moveaxis(values, 0, axis) if ndim_of(obj) == 0 else values
        new = shape_of(values)[axis]
    values = np.broadcast_to(values, (*shape_of(arr)[:axis], new, *shape_of(arr)[axis + 1 :])).astype(arr.dtype)
    places = np.insert(np.arange(n), obj, n + np.arange(new))
    return getitem(concatenate((arr, values), axis), along(axis, places))


def _rearranged(arr: Any, axis: int | None, change: Any) -> Any:
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis = one_axis(axis, ndim_of(arr))
    return getitem(arr, along(axis, change(np.arange(shape_of(arr)[axis]))))


@differentiable(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    if ndim_of(filt) != 1:
        raise TypeError("np.trim_zeros is supported for 1-d Arrays: slice the others yourself")
    not_recorded("np.trim_zeros", "the length of its result depends on the values; multiply by a mask instead")
    kept = np.flatnonzero(np.asarray(filt != 0))
    low = (kept[0] if len(kept) else len(filt)) if "f" in trim.lower() else 0
    high = (kept[-1] + 1 if len(kept) else 0) if "b" in trim.lower() else len(filt)
    return filt[int(low) : int(high)]


@differentiable(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing must be 'xy' or 'ij', not {indexing!r}")
    n = len(xi)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    grids = [np.reshape(x, tuple(-1 if order[j] == i else 1 for j in range(n))) for i, x in enumerate(xi)]
    return tuple(grids) if sparse else broadcast_arrays(*grids)


@differentiable(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """Every window as a read of its own: overlapping windows add their gradients."""
    shape = shape_of(x)
    places = np.arange(math.prod(shape)).reshape(shape)
    return getitem(np.ravel(x), np.lib.stride_tricks.sliding_window_view(places, window_shape, axis))


constant(np.zeros_like, np.ones_like, np.empty_like, np.iscomplex, np.isreal, np.imag)
by_shape(
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.common_type, np.iscomplexobj, np.isrealobj,
    np.shares_memory, np.may_share_memory, np.array_repr, np.array_str, np.array2string,
    np.save, np.savetxt, np.savez, np.savez_compressed,
)  # fmt: skip
varying("its dtype is x.dtype", np.min_scalar_type)
refuse("Arrays are values; use x = np.where(mask, v, x) or x[mask] = v", np.copyto, np.place, np.put, np.putmask)

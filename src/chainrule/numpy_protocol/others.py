"""What belongs to no other family: functions applied along axes, and the parts of NumPy that hold no real numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from chainrule.gates.indexing import getitem
from chainrule.gates.selection import clip
from chainrule.graph.array import ndim_of, shape_of
from chainrule.numpy_protocol.dispatch import CONSTANT, HANDLERS, constant, differentiable, refuse, unseen
from chainrule.numpy_protocol.shapes import one_axis


@differentiable(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """``func1d`` of each vector along an axis, the results stacked."""
    axis = one_axis(axis, ndim_of(arr))
    last = np.moveaxis(arr, axis, -1)
    shape = shape_of(last)[:-1]
    results = [func1d(getitem(last, place), *args, **kwargs) for place in np.ndindex(shape)]
    if not results:
        raise ValueError("cannot apply_along_axis when any of the other axes has length 0")
    each = shape_of(results[0])
    stacked = np.reshape(np.stack(results), shape + each)
    ndim = len(shape)
    return np.moveaxis(stacked, range(ndim, ndim + len(each)), range(axis, axis + len(each)))


@differentiable(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: int | Sequence[int]) -> Any:
    """``func(a, axis)`` for one axis after the other; a result with an axis less gets it back with length 1."""
    ndim = ndim_of(a)
    for axis in axes if isinstance(axes, (tuple, list)) else (axes,):
        place = one_axis(axis, ndim)
        a = func(a, place)
        if ndim_of(a) < ndim:
            a = np.expand_dims(a, place)
    return a


every_ufunc = import_module("numpy._core.umath")  # some ufuncs have no public name
differentiable(every_ufunc.clip)(clip)
constant(np.packbits, np.unpackbits)
CONSTANT[every_ufunc._ones_like] = HANDLERS[every_ufunc._ones_like] = HANDLERS[np.ones_like]

unseen(
    "called with Arrays inside it raises; build Arrays with cr.array or np.stack",
    np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.require, np.fromiter,
)  # fmt: skip
unseen(
    "makes new data; no Array goes in",
    np.arange, np.empty, np.eye, np.frombuffer, np.fromfile, np.fromfunction, np.fromstring, np.genfromtxt,
    np.identity, np.loadtxt, np.ones, np.tri, np.zeros,
)  # fmt: skip
unseen("to fill with an Array use np.full_like or np.broadcast_to", np.full)

refuse("use np.exp(np.linspace(np.log(start), np.log(stop), num))", np.geomspace)
refuse("Arrays hold numbers, not dates: use .value", np.busday_count, np.busday_offset, np.datetime_as_string,
       np.is_busday)  # fmt: skip
refuse(
    "Arrays hold numbers, not text: use .value",
    *(f for f in vars(every_ufunc).values() if isinstance(f, np.ufunc) and not f.types),
)

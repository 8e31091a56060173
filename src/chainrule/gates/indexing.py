"""Reading and writing by index. What was read from one place gets its gradient back there; repeated reads add.

An index has two parts. Its arrays are inputs of the gate, like the array that is read. The rest is known beforehand: a
template, a tuple of integers, None, Ellipsis, ``(start, stop, step)`` for a slice, and ``np.ndarray`` where one of the
arrays belongs. ``x[rows, 1:3]`` is ``GetItem((np.ndarray, (1, 3, None)))(x, rows)``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np

from chainrule.gates.operands import operand
from chainrule.gates.primitive import Primitive, primitive
from chainrule.gates.selection import where
from chainrule.gates.shape import Cast
from chainrule.graph.apply import apply
from chainrule.graph.array import Array, ndim_of, new_leaf, shape_of
from chainrule.graph.errors import GraphError
from chainrule.graph.mode import MODE
from chainrule.graph.sums import unbroadcast

Template = tuple[Any, ...]


def taken_apart(index: Any) -> tuple[Template, list[Any]]:
    """An index as a template and the arrays that belong in it. Live ones raise, since an index has no gradient."""
    if type(index) is int:
        return (index,), []
    template: list[Any] = []
    arrays: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        kind = type(part)
        if kind is slice:
            template.append((_bound(part.start), _bound(part.stop), _bound(part.step)))
        elif kind is int or part is None or part is Ellipsis:
            template.append(part)
        elif kind is np.ndarray or isinstance(part, (Array, np.ndarray, list, tuple, bool, np.bool_)):
            template.append(np.ndarray)
            arrays.append(part)
        else:
            template.append(_integer(part))
    return tuple(template), _kept(arrays) if arrays else arrays


def _bound(end: Any) -> int | None:
    return end if end is None or type(end) is int else operator.index(end)


def _integer(part: Any) -> int:
    try:
        return operator.index(part)
    except TypeError:
        raise IndexError(
            f"an index is made of integers, slices, None, ... and arrays of integers or booleans, not of {part!r}"
        ) from None


def _kept(arrays: list[Any]) -> list[Any]:
    """The arrays of an index as the gate keeps them: copies, since by the backward pass they may hold the next batch.

    While a function is recorded they stay what they are: what is recorded is where values come from.
    """
    copied = MODE.get().recorder is None
    return [(x.copy() if copied else x) if type(x) is np.ndarray else _as_index(x, copied) for x in arrays]


def _as_index(x: Any, copied: bool) -> Any:
    if isinstance(x, Array):
        if x.live:
            raise TypeError(f"{x.label()} is {x.dtype}: an index must be integer or boolean")
        return new_leaf(Array, np.array(x._value), False) if copied and x.gate is None else x
    return np.array(x) if not isinstance(x, (list, tuple)) or len(x) else np.zeros(0, np.intp)


def refuse_masks(arrays: list[Any], how: str) -> None:
    """How many elements a mask selects depends on its values, and shapes in a recording are fixed."""
    if MODE.get().recorder is not None and any(x.dtype == bool for x in arrays):
        raise GraphError(
            f"{how} by a boolean mask gives a shape that depends on the values, which cannot be recorded: use "
            "np.where(mask, x, other) or multiply by the mask; for a mask that never changes use np.nonzero(mask)"
        )


@dataclass(frozen=True, repr=False)
class Indexed(Primitive):
    """What gates with an index have in common."""

    index: Template

    @property
    def basic(self) -> bool:
        """Whether each element is met at most once for certain: there are no arrays in the index."""
        return np.ndarray not in self.index

    @cached_property
    def parts(self) -> Template:
        """The template with slices as slices."""
        return tuple(slice(*part) if type(part) is tuple else part for part in self.index)

    def written(self, first: int) -> str:
        """The index as one writes it, with ``{1}`` in place of the first array if that is operand number ``first``."""
        operands = count(first)
        return ", ".join(_part_text(part, operands) for part in self.index) or "()"

    def place(self, indices: Any) -> Template:
        """The index as NumPy takes it."""
        if not indices:
            return self.parts
        if len(indices) == len(self.index):
            return tuple(indices)
        arrays = iter(indices)
        return tuple(next(arrays) if part is np.ndarray else part for part in self.parts)


def _part_text(part: Any, operands: Iterator[int]) -> str:
    if part is np.ndarray:
        return f"{{{next(operands)}}}"
    if part is Ellipsis:
        return "..."
    if type(part) is tuple:
        start, stop, step = ("" if end is None else str(end) for end in part)
        return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"
    return str(part)


@primitive
class GetItem(Indexed):
    """z = x[index], for every index that NumPy reads"""

    @property
    def notation(self) -> str:  # type: ignore[override]
        return f"{{0}}[{self.written(1)}]"

    @property
    def source(self) -> str:  # type: ignore[override]
        return self.notation

    def forward(self, x: Any, *indices: Any) -> Any:
        return x[self.place(indices)]

    def choice(self, x: Any, *indices: Any) -> Any:
        return np.arange(np.size(x)).reshape(shape_of(x))[self.place(indices)]

    def dx(self, dz: Any, x: Any, indices: Any) -> Any:
        return ScatterAdd.of(self.index, x.shape)(dz, *indices)


@primitive
class ScatterAdd(Indexed):
    """z = zeros of ``shape`` with x added at the index: where a place occurs twice, both add"""

    shape: tuple[int, ...]

    @property
    def notation(self) -> str:  # type: ignore[override]
        return f"scatter_add({{0}}, [{self.written(1)}], shape={self.shape})"

    @property
    def source(self) -> str:  # type: ignore[override]
        how = "placed" if self.basic else "added"
        return f"{how}({{0}}, np.s_[{self.written(1)}], {self.shape})"

    def forward(self, x: Any, *indices: Any) -> Any:
        return (placed if self.basic else added)(x, self.place(indices), self.shape)

    def dx(self, dz: Any, indices: Any) -> Any:
        return GetItem.of(self.index)(dz, *indices)


@primitive
class SetItem(Indexed):
    """z = x with the elements at the index replaced by v"""

    @property
    def notation(self) -> str:  # type: ignore[override]
        return f"set_item({{0}}, [{self.written(2)}], {{1}})"

    @property
    def source(self) -> str:  # type: ignore[override]
        return f"replaced({{0}}, np.s_[{self.written(2)}], {{1}})"

    def forward(self, x: Any, v: Any, *indices: Any) -> Any:
        return replaced(x, self.place(indices), v)

    def dx(self, dz: Any, indices: Any) -> Any:
        return SetItem.of(self.index)(dz, 0.0, *indices)

    def dv(self, dz: Any, v: Any, indices: Any) -> Any:
        # Where a place occurs twice the last write wins; only that one has a gradient.
        shape = shape_of(v)
        read = GetItem.of(self.index)(dz, *indices)
        if not self.basic:
            order = np.arange(math.prod(read.shape)).reshape(read.shape)  # a write leaves its number
            stamps = SetItem.of(self.index)(np.zeros(shape_of(dz), order.dtype), order, *indices)
            read = read * (GetItem.of(self.index)(stamps, *indices) == order)
        dropped = len(shape) - len(read.shape)  # leading axes of length 1 that the assignment dropped
        if dropped > 0:
            read = np.reshape(read, (1,) * dropped + read.shape)
        return unbroadcast(read, shape)


def placed(x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of ``shape`` with x at an index that meets no place twice."""
    z = np.zeros(shape, x.dtype)
    z[index] = x
    return z


def added(x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of ``shape`` with x added at an index."""
    z = np.zeros(shape, x.dtype)
    np.add.at(z, index, x)
    return z


def replaced(x: Any, index: Any, v: Any) -> Any:
    """A copy of x with v at an index."""
    z = np.array(x)
    z[index] = v
    return z


def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` as a gate."""
    template, arrays = taken_apart(index)
    if arrays:
        refuse_masks(arrays, "reading")
    return apply(GetItem.of(template), (x, *arrays))


def scatter_add(x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of ``shape`` with ``x`` added at ``index``; elements of ``x`` that meet add. The reverse of reading.

    >>> import numpy as np, chainrule as cr
    >>> cr.scatter_add(np.array([1.0, 2.0, 3.0]), np.array([0, 2, 2]), (4,))
    array([1., 0., 5., 0.])
    """
    template, arrays = taken_apart(index)
    refuse_masks(arrays, "adding")
    return ScatterAdd.of(template, tuple(shape))(x, *arrays)


def setitem(x: Any, index: Any, v: Any) -> Any:
    """``x`` with ``v`` written at ``index``, as a new value."""
    template, arrays = taken_apart(index)
    if arrays and MODE.get().recorder is not None:
        if template == (np.ndarray,) and arrays[0].dtype == bool and ndim_of(v) == 0:
            return _masked(x, arrays[0], v)
        refuse_masks(arrays, "writing an array")
    return SetItem.of(template)(x, v, *arrays)


def _masked(x: Any, mask: Any, v: Any) -> Any:
    """``x[mask] = v`` for a single number, by a choice between x and v: whatever the mask selects, shapes are fixed."""
    shape = shape_of(mask)
    if x.shape[: len(shape)] != shape:
        raise IndexError(f"a mask of shape {shape} does not fit an array of shape {x.shape}")
    v = v if x.dtype.kind == "f" and isinstance(v, (int, float)) else Cast.of(x.dtype)(operand(v))
    return where(np.reshape(mask, shape + (1,) * (x.ndim - len(shape))), v, x)

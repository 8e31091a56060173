"""Reading and writing by index. What was read from one place gets its gradient back there; repeated reads add."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.primitive import Primitive, primitive
from chainrule.graph.array import Array, raw, shape_of
from chainrule.graph.sums import unbroadcast

_BASIC = (int, slice, type(None), type(Ellipsis), np.integer)


def plain_index(index: Any) -> Any:
    """An index with Arrays replaced by their values; live ones raise, since an index has no gradient.

    Index arrays are copied: the backward pass reads them again, and by then they may hold the next batch.
    """
    if isinstance(index, tuple):
        return tuple(plain_index(i) for i in index)
    if isinstance(index, Array):
        if index.live:
            raise TypeError(f"{index.label()} is {index.dtype}: an index must be integer or boolean")
        return np.array(raw(index))
    if isinstance(index, list):
        return np.array(index) if len(index) else np.zeros(0, np.intp)
    return index.copy() if isinstance(index, np.ndarray) else index


def is_basic(index: Any) -> bool:
    """Whether each element is read at most once for certain: slices, integers, None and Ellipsis."""
    return all(
        isinstance(i, _BASIC) and not isinstance(i, bool) for i in (index if isinstance(index, tuple) else (index,))
    )


@primitive
class GetItem(Primitive):
    """z = x[index], for every index that NumPy reads"""

    index: Any

    notation = "{0}[...]"

    def forward(self, x: Any) -> Any:
        return x[self.index]

    def choice(self, x: Any) -> Any:
        return np.arange(np.size(x)).reshape(shape_of(x))[self.index]

    def dx(self, dz: Any, x: Any) -> Any:
        return ScatterAdd(self.index, x.shape)(dz)


@primitive
class ScatterAdd(Primitive):
    """z = zeros of ``shape`` with x added at ``index``: where an index occurs twice, both add"""

    index: Any
    shape: tuple[int, ...]

    def forward(self, x: Any) -> Any:
        z = np.zeros(self.shape, x.dtype)
        if is_basic(self.index):
            z[self.index] = x
        else:
            np.add.at(z, self.index, x)
        return z

    def dx(self, dz: Any) -> Any:
        return dz[self.index]


@primitive
class SetItem(Primitive):
    """z = x with the elements at ``index`` replaced by v"""

    index: Any

    def forward(self, x: Any, v: Any) -> Any:
        z = np.array(x)
        z[self.index] = v
        return z

    def dx(self, dz: Any) -> Any:
        return SetItem(self.index)(dz, 0.0)

    def dv(self, dz: Any, v: Any) -> Any:
        # Where an index occurs twice the last write wins; only that one has a gradient.
        shape = shape_of(v)
        read = dz[self.index]
        if not is_basic(self.index):
            read = read * last_writes(self.index, shape_of(dz))
        dropped = len(shape) - len(read.shape)  # leading axes of length 1 that the assignment dropped
        if dropped > 0:
            read = np.reshape(read, (1,) * dropped + read.shape)
        return unbroadcast(read, shape)


def last_writes(index: Any, shape: tuple[int, ...]) -> Any:
    """1 where a write through ``index`` stays, 0 where a later write to the same place replaces it."""
    places = np.arange(int(np.prod(shape))).reshape(shape)[index]
    winner = np.zeros(int(np.prod(shape)), dtype=np.intp)
    order = np.arange(places.size).reshape(places.shape)
    winner[places] = order
    return (winner[places] == order).astype(np.int8)


def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` as a gate."""
    return GetItem(plain_index(index))(x)


def scatter_add(x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of ``shape`` with ``x`` added at ``index``; elements of ``x`` that meet add. The reverse of reading.

    >>> import numpy as np, chainrule as cr
    >>> cr.scatter_add(np.array([1.0, 2.0, 3.0]), np.array([0, 2, 2]), (4,))
    array([1., 0., 5., 0.])
    """
    return ScatterAdd(plain_index(index), tuple(shape))(x)


def setitem(x: Any, index: Any, v: Any) -> Any:
    """``x`` with ``v`` written at ``index``, as a new value."""
    return SetItem(plain_index(index))(x, v)

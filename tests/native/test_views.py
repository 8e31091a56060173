"""Views of a buffer against NumPy's views of an array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chainrule.native.views import Buffer, View, element_strides, row_major, stored

DTYPE = np.dtype(np.int64)
shapes = st.lists(st.integers(1, 4), max_size=4).map(tuple)


def view_of(x: Any) -> View:
    return View(Buffer(x.size, x.dtype), 0, x.shape, element_strides(x))


def elements(view: View, memory: Any) -> Any:
    """What a view sees, by NumPy's own strides."""
    return np.lib.stride_tricks.as_strided(
        memory[view.offset :], view.shape, tuple(s * memory.itemsize for s in view.strides)
    )


@given(shapes, st.randoms())
def test_transposed_broadcast_and_stored(shape: tuple[int, ...], random: Any) -> None:
    axes = list(range(len(shape)))
    random.shuffle(axes)
    memory = np.arange(math.prod(shape))
    view = stored(shape, tuple(axes), Buffer(memory.size, DTYPE))
    x = elements(view, memory)
    assert sorted(x.ravel()) == list(memory)
    np.testing.assert_array_equal(elements(view.transposed(tuple(axes)), memory), x.transpose(axes))
    wider = (3, *(5 if n == 1 else n for n in shape))
    np.testing.assert_array_equal(elements(view.broadcast(wider), memory), np.broadcast_to(x, wider))


@given(shapes, shapes, st.randoms())
def test_a_reshape_is_a_view_where_numpy_has_one(shape: Any, other: Any, random: Any) -> None:
    size = math.prod(shape)
    rest = size // math.prod(other) if math.prod(other) and size % math.prod(other) == 0 else None
    target = (*other, rest) if rest is not None else (size,)
    axes = list(range(len(shape)))
    random.shuffle(axes)
    memory = np.arange(size)
    x = memory.reshape(shape).transpose(axes)
    made = view_of(x).reshaped(target)
    expected = x.reshape(target)
    assert (made is not None) == np.shares_memory(expected, memory)
    if made is not None:
        np.testing.assert_array_equal(elements(made, memory), expected)


@given(st.data())
def test_sliced(data: Any) -> None:
    shape = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple))
    index: list[Any] = []
    for n in shape:
        index.append(data.draw(st.one_of(st.integers(-n, n - 1), st.slices(n))))
        if data.draw(st.booleans()):
            index.append(None)
    memory = np.arange(math.prod(shape))
    expected = memory.reshape(shape)[tuple(index)]
    made = View(Buffer(memory.size, DTYPE), 0, shape, row_major(shape)).sliced(tuple(index))
    assert made.shape == expected.shape
    if expected.size:
        np.testing.assert_array_equal(elements(made, memory), expected)

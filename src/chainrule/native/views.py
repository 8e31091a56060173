"""Where the elements of a value lie: a buffer, an offset and one stride an axis.

Transposing, slicing, broadcasting and most reshapes give another view of the same buffer instead of a copy. All
offsets and strides count elements, not bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(eq=False)
class Buffer:
    """Memory that holds the elements of one value.

    ``source`` tells whose memory it is: None for the arena, else the program's Value (an input or a capture) or the
    State that lends it.
    """

    size: int
    dtype: np.dtype[Any]
    source: Any = None
    offset: int = field(default=-1)
    """Where in the arena it lies, in bytes; set by the memory plan."""

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize


@dataclass(frozen=True)
class View:
    """Elements of a buffer as an array of some shape."""

    buffer: Buffer
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie one after the other in C order."""
        return all(n == 1 or s == c for n, s, c in zip(self.shape, self.strides, row_major(self.shape), strict=True))

    def transposed(self, axes: tuple[int, ...]) -> View:
        return View(self.buffer, self.offset, tuple(self.shape[a] for a in axes), tuple(self.strides[a] for a in axes))

    def broadcast(self, shape: tuple[int, ...]) -> View:
        missing = len(shape) - len(self.shape)
        strides = (0,) * missing + tuple(
            0 if n == 1 and m != 1 else s for n, m, s in zip(self.shape, shape[missing:], self.strides, strict=True)
        )
        return View(self.buffer, self.offset, shape, strides)

    def reshaped(self, shape: tuple[int, ...]) -> View | None:
        """The same elements in C order as another shape; None where that needs a copy."""
        if math.prod(shape) == 0:
            return View(self.buffer, self.offset, shape, (0,) * len(shape))
        runs = self._runs()  # each run is a stretch of elements with one distance between neighbours
        strides: list[int] = []
        for n in reversed(shape):
            if n == 1:
                strides.append(0)
                continue
            length, step = runs.pop()
            if length % n:
                return None
            strides.append(step)
            if length > n:
                runs.append((length // n, step * n))
        return View(self.buffer, self.offset, shape, tuple(reversed(strides)))

    def _runs(self) -> list[tuple[int, int]]:
        """The axes as (length, stride), those joined that together are one longer axis."""
        runs: list[tuple[int, int]] = []
        for n, s in zip(self.shape, self.strides, strict=True):
            if n == 1:
                continue
            if runs and runs[-1][1] == s * n:
                runs[-1] = runs[-1][0] * n, s
            else:
                runs.append((n, s))
        return runs

    def sliced(self, index: tuple[Any, ...]) -> View:
        """A basic index: one entry an axis, an integer (which drops it) or a slice, and None for a new axis."""
        offset, shape, strides = self.offset, [], []
        axis = 0
        for i in index:
            if i is None:
                shape.append(1)
                strides.append(0)
                continue
            n, s = self.shape[axis], self.strides[axis]
            axis += 1
            if isinstance(i, slice):
                start, stop, step = i.indices(n)
                shape.append(len(range(start, stop, step)))
                strides.append(s * step)
                offset += s * start if shape[-1] else 0
            else:
                offset += s * (int(i) + n if i < 0 else int(i))
        return View(self.buffer, offset, (*shape, *self.shape[axis:]), (*strides, *self.strides[axis:]))


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of C order."""
    strides = [1] * len(shape)
    for i in range(len(shape) - 2, -1, -1):
        strides[i] = strides[i + 1] * shape[i + 1]
    return tuple(strides)


def stored(shape: tuple[int, ...], order: tuple[int, ...], buffer: Buffer) -> View:
    """A whole buffer as an array whose axes lie in ``order``, outermost first."""
    strides = [0] * len(shape)
    step = 1
    for axis in reversed(order):
        strides[axis] = step
        step *= shape[axis]
    return View(buffer, 0, shape, tuple(strides))


def element_strides(x: Any) -> tuple[int, ...]:
    """The strides of an ndarray, in elements."""
    return tuple(s // x.itemsize for s in x.strides)

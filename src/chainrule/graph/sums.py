"""Summing and spreading along axes, as backward passes need them: what a broadcast copied comes back as a sum."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np


def ones(n: int, dtype: np.dtype[Any]) -> Any:
    """A vector of ones, to sum rows by a product. Short ones are kept: making one costs more than the product."""
    return _short_ones(n, dtype) if n <= 4096 else np.ones(n, dtype)


@lru_cache(maxsize=64)
def _short_ones(n: int, dtype: np.dtype[Any]) -> Any:
    made = np.ones(n, dtype)
    made.setflags(write=False)
    return made


def summed_rows(x: Any) -> Any:
    """The sum of the rows of a matrix, which has the shape of one row."""
    return ones(x.shape[0], x.dtype) @ x if isinstance(x, np.ndarray) else np.sum(x, axis=0)


def summed(x: Any, axes: tuple[int, ...]) -> Any:
    """``np.sum(x, axes, keepdims=True)`` for ndarrays and Arrays.

    A matrix of floats is summed by a product with ones, which is several times faster than a reduction.
    """
    if len(axes) == 1 and isinstance(x, np.ndarray) and x.ndim == 2 and x.dtype.kind == "f":
        if axes[0] == 0:
            return (ones(x.shape[0], x.dtype) @ x)[None]
        return x @ ones(x.shape[1], x.dtype)[:, None]
    return np.sum(x, axis=axes, keepdims=True)


def unbroadcast(dx: Any, shape: tuple[int, ...]) -> Any:
    """Sum ``dx`` over the axes along which an operand of ``shape`` was repeated: the gradients of copies add."""
    full = dx.shape
    if shape == full:
        return dx
    if len(full) == 2 and isinstance(dx, np.ndarray):
        if shape == full[1:]:  # a bias: summed over the rows
            return summed_rows(dx)
        if shape == (full[0], 1):
            return dx @ ones(full[1], dx.dtype)[:, None]
    extra = len(full) - len(shape)
    axes = [*range(extra), *(i for i in range(extra, len(full)) if shape[i - extra] != full[i])]
    dx = summed(dx, tuple(axes))
    return np.reshape(dx, shape) if extra else dx


def spread(x: Any, shape: tuple[int, ...]) -> Any:
    """``np.broadcast_to(x, shape)`` for ndarrays and Arrays; a small ndarray is filled, which is faster than a view."""
    if isinstance(x, (np.ndarray, np.generic)) and math.prod(shape) <= 4096:
        z = np.empty(shape, x.dtype)
        z[...] = x
        return z
    return np.broadcast_to(x, shape)

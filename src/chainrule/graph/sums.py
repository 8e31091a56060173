"""Summing along axes, as backward passes need it: a broadcast copied a value, so its gradients add."""

from __future__ import annotations

from typing import Any

import numpy as np


def summed(x: Any, axes: tuple[int, ...]) -> Any:
    """``np.sum(x, axes, keepdims=True)`` for ndarrays and Arrays.

    A matrix of floats is summed by a product with ones, which is several times faster than a reduction.
    """
    if len(axes) == 1 and isinstance(x, np.ndarray) and x.ndim == 2 and x.dtype.kind == "f":
        if axes[0] == 0:
            return (np.ones(x.shape[0], x.dtype) @ x)[None]
        return (x @ np.ones(x.shape[1], x.dtype))[:, None]
    return np.sum(x, axis=axes, keepdims=True)

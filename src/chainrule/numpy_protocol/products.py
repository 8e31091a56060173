"""NumPy's products of vectors and matrices, composed of the matmul gate and elementwise gates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.product import matmul
from chainrule.gates.reduction import normal_axes
from chainrule.numpy_protocol.dispatch import differentiable


@differentiable(np.dot)
def dot(a: Any, b: Any, out: None = None) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    if np.ndim(b) <= 2 and np.ndim(a) <= 2:
        return matmul(a, b)
    return tensordot(a, b, ((np.ndim(a) - 1,), (max(np.ndim(b) - 2, 0),)))


@differentiable(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    if np.ndim(axes) == 0:
        n = int(axes)
        axes_a, axes_b = tuple(range(np.ndim(a) - n, np.ndim(a))), tuple(range(n))
    else:
        axes_a, axes_b = (normal_axes(x, np.ndim(y)) or () for x, y in zip(axes, (a, b), strict=True))
    if [np.shape(a)[i] for i in axes_a] != [np.shape(b)[i] for i in axes_b]:
        raise ValueError(f"tensordot: axes {axes_a} of shape {np.shape(a)} do not match {axes_b} of {np.shape(b)}")
    free_a = tuple(i for i in range(np.ndim(a)) if i not in axes_a)
    free_b = tuple(i for i in range(np.ndim(b)) if i not in axes_b)
    rows = tuple(np.shape(a)[i] for i in free_a)
    columns = tuple(np.shape(b)[i] for i in free_b)
    inner = math.prod(np.shape(a)[i] for i in axes_a)
    left = np.reshape(np.transpose(a, free_a + axes_a), (math.prod(rows), inner))
    right = np.reshape(np.transpose(b, axes_b + free_b), (inner, math.prod(columns)))
    return np.reshape(matmul(left, right), rows + columns)

"""Products of vectors and matrices. For Y = X W: dX = dY W^T and dW = X^T dY; dimensions alone tell where the
transpose goes."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.primitive import Primitive, primitive


def flipped(x: Any) -> Any:
    """The last two axes swapped: the transpose of each matrix of a stack."""
    return np.swapaxes(x, -1, -2) if len(np.shape(x)) > 2 else np.transpose(x)


@primitive
class Matmul(Primitive):
    """z = x @ y for matrices and stacks of matrices (at least two axes each; the functions lift vectors)"""

    notation = "{0} @ {1}"

    def forward(self, x: Any, y: Any) -> Any:
        return np.matmul(x, y)

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        return sum_stack(dz @ flipped(y), np.shape(x))

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return sum_stack(flipped(x) @ dz, np.shape(y))


def sum_stack(dx: Any, shape: tuple[int, ...]) -> Any:
    """Undo the broadcasting of a stack of matrices."""
    if dx.shape == shape:
        return dx
    extra = len(dx.shape) - len(shape)
    repeated = tuple(i + extra for i, n in enumerate(shape) if n == 1 and dx.shape[i + extra] != 1)
    return np.reshape(np.sum(dx, axis=(*range(extra), *repeated)), shape)


_matmul = Matmul()


def matmul(x: Any, y: Any) -> Any:
    """``x @ y`` as NumPy has it: vectors are rows on the left, columns on the right; stacks broadcast."""
    m, n = np.ndim(x), np.ndim(y)
    if m == 0 or n == 0:
        raise ValueError("matmul needs operands with at least one axis; multiply by a number with *")
    if m > 1 and n > 1:
        return _matmul(x, y)
    z = _matmul(x if m > 1 else np.expand_dims(x, 0), y if n > 1 else np.expand_dims(y, 1))
    shape = z.shape
    if m == 1:
        shape = (*shape[:-2], shape[-1])
    if n == 1:
        shape = shape[:-1]
    return np.reshape(z, shape)

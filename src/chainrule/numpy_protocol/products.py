"""NumPy's products of vectors, matrices and tensors, composed of the gates of ``gates.product``."""

from __future__ import annotations

import math
from collections.abc import Callable
from string import ascii_letters
from typing import Any

import numpy as np

from chainrule.gates.operands import operand
from chainrule.gates.product import einsum as plain_einsum
from chainrule.gates.product import matmul
from chainrule.gates.reduction import normal_axes
from chainrule.numpy_protocol.dispatch import REDUCTIONS, by_shape, differentiable
from chainrule.numpy_protocol.shapes import one_axis

differentiable(np.linalg.matmul)(matmul)

# ---- products of two


@differentiable(np.dot)
def dot(a: Any, b: Any, out: None = None) -> Any:
    a, b = operand(a), operand(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim <= 2 and b.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),)))


@differentiable(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    return matmul(np.ravel(a), np.ravel(b))


@differentiable(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    a, b = operand(a), operand(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return tensordot(a, b, ((a.ndim - 1,), (b.ndim - 1,)))


@differentiable(np.outer)
def outer(a: Any, b: Any, out: None = None) -> Any:
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


@differentiable(np.linalg.outer)
def linalg_outer(x1: Any, x2: Any, /) -> Any:
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError(f"linalg.outer needs two vectors, not shapes {np.shape(x1)} and {np.shape(x2)}")
    return outer(x1, x2)


@differentiable(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = operand(a), operand(b)
    if np.ndim(axes) == 0:
        n = int(axes)
        axes_a, axes_b = tuple(range(a.ndim - n, a.ndim)), tuple(range(n))
    else:
        axes_a, axes_b = (normal_axes(x, y.ndim) or () for x, y in zip(axes, (a, b), strict=True))
    if [a.shape[i] for i in axes_a] != [b.shape[i] for i in axes_b]:
        raise ValueError(f"tensordot: axes {axes_a} of shape {a.shape} do not match {axes_b} of {b.shape}")
    free_a = tuple(i for i in range(a.ndim) if i not in axes_a)
    free_b = tuple(i for i in range(b.ndim) if i not in axes_b)
    rows = tuple(a.shape[i] for i in free_a)
    columns = tuple(b.shape[i] for i in free_b)
    inside = math.prod(a.shape[i] for i in axes_a)
    left = np.reshape(np.transpose(a, free_a + axes_a), (math.prod(rows), inside))
    right = np.reshape(np.transpose(b, axes_b + free_b), (inside, math.prod(columns)))
    return np.reshape(matmul(left, right), rows + columns)


@differentiable(np.kron)
def kron(a: Any, b: Any) -> Any:
    a, b = operand(a), operand(b)
    n = max(a.ndim, b.ndim)
    outside = (1,) * (n - a.ndim) + a.shape
    inside = (1,) * (n - b.ndim) + b.shape
    spread = np.reshape(a, tuple(k for size in outside for k in (size, 1)))
    tiles = np.reshape(b, tuple(k for size in inside for k in (1, size)))
    return np.reshape(spread * tiles, tuple(i * j for i, j in zip(outside, inside, strict=True)))


@differentiable(np.linalg.vecdot)
def linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return np.sum(x1 * x2, axis=axis)


@differentiable(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if np.shape(a)[-1] != 3 or np.shape(b)[-1] != 3:
        raise ValueError("cross needs vectors of three elements; in the plane write a[0] * b[1] - a[1] * b[0]")
    following, last = [1, 2, 0], [2, 0, 1]
    z = a[..., following] * b[..., last] - a[..., last] * b[..., following]
    return np.moveaxis(z, -1, one_axis(axisc, z.ndim))


@differentiable(np.linalg.cross)
def linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return cross(x1, x2, axis=axis)


# ---- products of many


@differentiable(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: None = None) -> Any:
    """The product in the order that takes the fewest multiplications (Cormen et al., matrix-chain multiplication)."""
    factors = [operand(x) for x in arrays]
    if len(factors) < 2:
        raise ValueError("multi_dot needs at least two arrays")
    if any(x.ndim != 2 for x in factors[1:-1]) or any(x.ndim not in (1, 2) for x in (factors[0], factors[-1])):
        raise np.linalg.LinAlgError("multi_dot needs matrices; the first and the last may be vectors")
    left, right = factors[0].ndim == 1, factors[-1].ndim == 1
    if left:
        factors[0] = np.expand_dims(factors[0], 0)
    if right:
        factors[-1] = np.expand_dims(factors[-1], 1)
    z = _chain(factors, _splits([x.shape[0] for x in factors] + [factors[-1].shape[1]]), 0, len(factors) - 1)
    return np.reshape(z, z.shape[left : 2 - right])


def _splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split each part i..j of a chain in two; factor i has shape (sizes[i], sizes[i + 1])."""
    n = len(sizes) - 1
    cost, best = {(i, i): 0 for i in range(n)}, {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            costs = {
                k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)
            }  # fmt: skip
            best[i, j] = min(costs, key=costs.__getitem__)
            cost[i, j] = costs[best[i, j]]
    return best


def _chain(factors: list[Any], splits: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return factors[i]
    k = splits[i, j]
    return matmul(_chain(factors, splits, i, k), _chain(factors, splits, k + 1, j))


@differentiable(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """Repeated squaring; a negative power is that of the inverse."""
    if np.shape(a)[-1:] != np.shape(a)[-2:-1]:
        raise np.linalg.LinAlgError(f"matrix_power needs square matrices, not shape {np.shape(a)}")
    if n < 0:
        a, n = np.linalg.inv(a), -n
    if n == 0:
        return np.zeros_like(a) + np.eye(np.shape(a)[-1], dtype=a.dtype)
    power = None
    while True:
        if n % 2:
            power = a if power is None else power @ a
        n //= 2
        if n == 0:
            return power * 1 if power is a else power
        a = a @ a


@differentiable(np.einsum)
def einsum(*operands: Any, out: None = None, optimize: Any = False, dtype: Any = None) -> Any:
    """Every form of Einstein sum that NumPy knows. ``optimize`` is accepted: the gate plans large products itself."""
    subscripts, arrays = _as_text(operands)
    xs = [operand(x) if dtype is None else operand(x).astype(dtype) for x in arrays]
    inputs, output = _parsed(subscripts, [x.ndim for x in xs])
    return plain_einsum(inputs, output, xs)


def _as_text(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """``einsum(x, [0, 1], y, [1, 2], [0, 2])`` as subscripts and operands, like the other form."""
    if isinstance(operands[0], str):
        return operands[0], list(operands[1:])
    pairs, rest = operands[: len(operands) // 2 * 2], operands[len(operands) // 2 * 2 :]

    def letters(sublist: Any) -> str:
        return "".join("..." if i is Ellipsis else ascii_letters[i] for i in sublist)

    text = ",".join(letters(sublist) for sublist in pairs[1::2])
    return text + "".join(f"->{letters(sublist)}" for sublist in rest), list(pairs[::2])


def _parsed(subscripts: str, ndims: list[int]) -> tuple[list[str], str]:
    """One letter for each axis of each operand and of the output: ellipses spelled out, an implicit output derived."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"einsum: {subscripts!r} is for {len(terms)} operands, not {len(ndims)}")
    spare = "".join(c for c in ascii_letters if c not in subscripts)
    widest = 0
    for i, (term, ndim) in enumerate(zip(terms, ndims, strict=True)):
        named = len(term.replace("...", ""))
        width = ndim - named
        if width < 0 or (width > 0 and "..." not in term):
            raise ValueError(f"einsum: {term!r} has {named} subscripts for an operand with {ndim} axes")
        terms[i] = term.replace("...", spare[len(spare) - width :], 1)
        widest = max(widest, width if "..." in term else 0)
    ellipsis = spare[len(spare) - widest :]
    if arrow:
        output = right.replace("...", ellipsis, 1)
    else:
        seen = left.replace("...", "").replace(",", "")
        output = ellipsis + "".join(sorted(c for c in set(seen) if seen.count(c) == 1))
    unknown = set(output) - set("".join(terms))
    if len(set(output)) != len(output) or unknown or (not "".join([*terms, output]).isalpha() and any(ndims)):
        raise ValueError(f"einsum: cannot read the subscripts {subscripts!r}")
    return terms, output


# ---- ufunc.outer: every pair of elements


def _outer(function: Callable[..., Any]) -> Callable[..., Any]:
    def handler(a: Any, b: Any) -> Any:
        return function(np.reshape(a, np.shape(a) + (1,) * np.ndim(b)), operand(b))

    return handler


REDUCTIONS.update(
    {
        (ufunc, "outer"): _outer(ufunc)
        for ufunc in vars(np).values()
        if isinstance(ufunc, np.ufunc) and ufunc.nin == 2 and ufunc.nout == 1 and ufunc.signature is None
    }
)

by_shape(np.einsum_path)

"""Products of vectors, matrices and tensors. For Y = X W: dX = dY W^T and dW = X^T dY; dimensions alone tell where the
transpose goes. Einstein sums have the same rule in general: the gradient of one factor is the Einstein sum of the
upstream gradient with the other factors.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.operands import operand
from chainrule.gates.primitive import Primitive, primitive
from chainrule.graph.apply import apply
from chainrule.graph.sums import unbroadcast


def _multiplied(x: Any, y: Any) -> Any:
    # np.dot takes 0.4 us less than np.matmul, which counts in small nets.
    return np.dot(x, y) if x.ndim == y.ndim == 2 else np.matmul(x, y)


@primitive
class Matmul(Primitive):
    """z = x @ y for matrices and stacks of matrices (at least two axes each; the functions lift vectors)"""

    notation = "{0} @ {1}"

    def source_for(self, x: Any, y: Any) -> str:
        # The two differ in the last bit for a single row or column, for which BLAS has other routines.
        single = len(x.shape) == len(y.shape) == 2 and 1 in (x.shape[0], y.shape[1])
        return "np.dot({0}, {1})" if single else self.notation

    def forward(self, x: Any, y: Any) -> Any:
        return _multiplied(x, y)

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        return unbroadcast(_multiplied(dz, y.mT), x.shape)

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return unbroadcast(_multiplied(x.mT, dz), y.shape)


_matmul = Matmul()


def matmul(x: Any, y: Any) -> Any:
    """``x @ y`` as NumPy has it: vectors are rows on the left, columns on the right; stacks broadcast."""
    try:
        m, n = len(x.shape), len(y.shape)
    except AttributeError:  # a list, or a number
        return matmul(operand(x), operand(y))
    if m > 1 and n > 1:
        return apply(_matmul, (x, y))
    if m == 0 or n == 0:
        raise ValueError("matmul needs operands with at least one axis; multiply by a number with *")
    z = _matmul(x if m > 1 else np.expand_dims(x, 0), y if n > 1 else np.expand_dims(y, 1))
    shape = z.shape
    if m == 1:
        shape = (*shape[:-2], shape[-1])
    if n == 1:
        shape = shape[:-1]
    return np.reshape(z, shape)


@primitive
class Einsum(Primitive):
    """z = an Einstein sum in its plain form

    In plain form no operand repeats a subscript, and each subscript of an operand is found in another operand or in
    the output; ``einsum`` brings every sum into it. Then the gradient of one factor is an Einstein sum in plain form
    again: that of the upstream gradient and the other factors.
    """

    inputs: tuple[str, ...]
    output: str

    @property
    def notation(self) -> str:  # type: ignore[override]
        operands = ", ".join(f"{{{i}}}" for i in range(len(self.inputs)))
        return f"einsum({','.join(self.inputs)}->{self.output}; {operands})"

    def forward(self, *xs: Any) -> Any:
        # Planning the order of the products takes 20 us and lets BLAS do them.
        worthwhile = len(xs) > 1 and sum(x.size for x in xs) > 500
        return np.einsum(f"{','.join(self.inputs)}->{self.output}", *xs, optimize=worthwhile)

    def dissolved(self, *xs: Any) -> Any:
        factors = list(zip(self.inputs, xs, strict=True))
        for picked in _order(self.inputs, self.output, [x.shape for x in xs]):
            rest = [factor for k, factor in enumerate(factors) if k not in picked]
            product, *others = (factors[k] for k in picked)
            for i, other in enumerate(others):
                wanted = {*self.output}.union(*(letters for letters, _ in (*rest, *others[i + 1 :])))
                product = _contracted(product, other, wanted)
            factors = [*rest, product]
        ((letters, z),) = factors
        return np.transpose(z, [letters.index(c) for c in self.output])

    def dxs(self, dz: Any, i: int, xs: Any) -> Any:
        others = [k for k in range(len(xs)) if k != i]
        inputs = (self.output, *(self.inputs[k] for k in others))
        return Einsum.of(inputs, self.inputs[i])(dz, *(xs[k] for k in others))


def _order(inputs: tuple[str, ...], output: str, shapes: list[tuple[int, ...]]) -> list[Any]:
    """The numbers of the factors to multiply first; they leave the list, and their product comes at its end."""
    if len(inputs) == 1:
        return []
    stand_ins = [np.broadcast_to(0.0, shape) for shape in shapes]
    path = np.einsum_path(f"{','.join(inputs)}->{output}", *stand_ins, optimize="greedy")[0]
    return [sorted(picked) for picked in path[1:]]


def _contracted(first: tuple[str, Any], second: tuple[str, Any], wanted: set[str]) -> tuple[str, Any]:
    """The product of two factors, each with its letters, summed over the letters that nobody wants any more."""
    (a, x), (b, y) = first, second
    both = [c for c in a if c in b and c in wanted]
    summed = [c for c in a if c in b and c not in wanted]
    left, right = [c for c in a if c not in b], [c for c in b if c not in a]
    x = np.transpose(x, [a.index(c) for c in both + left + summed])
    y = np.transpose(y, [b.index(c) for c in both + summed + right])
    sizes = dict(zip(both + left + summed + right, (*x.shape, *y.shape[len(both) + len(summed) :]), strict=True))
    stack, rows, inside, columns = ([sizes[c] for c in part] for part in (both, left, summed, right))
    if summed:
        x = np.reshape(x, (*stack, math.prod(rows), math.prod(inside)))
        y = np.reshape(y, (*stack, math.prod(inside), math.prod(columns)))
        z = np.reshape(matmul(x, y), (*stack, *rows, *columns))
    else:
        z = np.reshape(x, (*stack, *rows, *(1 for _ in right))) * np.reshape(y, (*stack, *(1 for _ in left), *columns))
    return "".join(both + left + right), z


def einsum(inputs: list[str], output: str, operands: list[Any]) -> Any:
    """The Einstein sum of ``operands``: each with one letter for every axis."""
    xs, labels = list(operands), list(inputs)
    sizes: dict[str, int] = {}
    for x, letters in zip(xs, labels, strict=True):
        for letter, n in zip(letters, x.shape, strict=True):
            known = sizes.get(letter, 1)
            if n != known and 1 not in (n, known):
                raise ValueError(f"einsum: subscript {letter!r} has length {known} and {n}")
            sizes[letter] = n if known == 1 else known
    for i in range(len(xs)):
        xs[i], labels[i] = _diagonal(xs[i], labels[i])
        xs[i], labels[i] = _without(xs[i], labels[i], [c for c in labels[i] if sizes[c] != 1], squeeze=True)
    for i in range(len(xs)):
        elsewhere = set(output).union(*(labels[k] for k in range(len(xs)) if k != i))
        xs[i], labels[i] = _without(xs[i], labels[i], [c for c in labels[i] if c not in elsewhere], squeeze=False)
    return Einsum.of(tuple(labels), output)(*xs)


def _diagonal(x: Any, letters: str) -> tuple[Any, str]:
    """The elements of ``x`` where the axes of a repeated letter have the same index."""
    for letter in dict.fromkeys(letters):
        while letters.count(letter) > 1:
            i = letters.index(letter)
            j = letters.index(letter, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ValueError(f"einsum: subscript {letter!r} has length {x.shape[i]} and {x.shape[j]}")
            x = np.diagonal(x, 0, i, j)  # which moves the axis to the end
            letters = letters[:i] + letters[i + 1 : j] + letters[j + 1 :] + letter
    return x, letters


def _without(x: Any, letters: str, unwanted: list[str], *, squeeze: bool) -> tuple[Any, str]:
    """``x`` without some axes: summed over, or (``squeeze``) left out where they stand for a longer one."""
    axes = tuple(i for i, c in enumerate(letters) if c in unwanted and (x.shape[i] == 1 or not squeeze))
    if not axes:
        return x, letters
    x = np.squeeze(x, axes) if squeeze else np.sum(x, axis=axes)
    return x, "".join(c for i, c in enumerate(letters) if i not in axes)

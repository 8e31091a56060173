"""Layers: neurons made into matrix products."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike

from chainrule.gates.composite import affine
from chainrule.graph.array import Array
from chainrule.graph.errors import describe
from chainrule.graph.state import Parameter
from chainrule.nn.module import Module


def as_input(x: Any, dtype: np.dtype[Any]) -> Any:
    """Data in the dtype of the parameters: float64 and integer inputs just work."""
    if not isinstance(x, (Array, np.ndarray)):
        x = np.asarray(x)
    return x if x.dtype == dtype else x.astype(dtype)


class Linear(Module):
    """A fully connected layer: ``x @ weight + bias``.

    Args:
        n_in: how many inputs each neuron sees.
        n_out: how many neurons.
        bias: whether neurons have a bias.
        dtype: of the parameters; inputs are cast to it.
        rng: the generator (or seed) that draws the weights.
        scale: the standard deviation of the initial weights, ``sqrt(2 / n_in)`` by default, which keeps the variance
            of activations through ReLU layers (He et al. 2015). Biases begin at 0.

    Inputs have shape (..., n_in), outputs (..., n_out); ``weight`` is (n_in, n_out).

    >>> import numpy as np, chainrule as cr
    >>> layer = cr.nn.Linear(3, 2, rng=0)
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    """

    _is_linear = True

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        bias: bool = True,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
        scale: float | None = None,
    ) -> None:
        if n_in < 1 or n_out < 1:
            raise ValueError(f"a layer needs at least one input and one neuron, not {n_in} and {n_out}")
        deviation = math.sqrt(2.0 / n_in) if scale is None else scale
        generator = np.random.default_rng(rng)
        self._neurons = n_out
        self.weight = Parameter(deviation * generator.standard_normal((n_in, n_out)), dtype=dtype, name="weight")
        self.bias = Parameter(np.zeros(n_out), dtype=dtype, name="bias") if bias else None

    def forward(self, x: Any) -> Any:
        weight, bias = self.weight, self.bias
        x = as_input(x, weight.dtype)
        shape, (n_in, n_out) = x.shape, weight.shape
        if not shape or shape[-1] != n_in:
            raise ValueError(f"Linear({n_in}, {n_out}) needs inputs of shape (..., {n_in}), not {describe(x)}")
        if bias is None:
            return x @ weight
        if len(shape) == 2:
            return affine(x, weight, bias)
        flat = np.reshape(x, (math.prod(shape[:-1]), n_in))
        return np.reshape(affine(flat, weight, bias), (*shape[:-1], n_out))

    def describe(self) -> str:
        n_in, n_out = self.weight.shape
        return f"{n_in}, {n_out}" + ("" if self.bias is not None else ", bias=False")


class Maxout(Module):
    """The largest of several affine maps: max(x @ W1 + b1, x @ W2 + b2, ...) (Goodfellow et al. 2013).

    It contains ReLU and leaky ReLU as special cases and has ``pieces`` times the parameters of a Linear layer. Where
    pieces tie, they share the gradient equally.

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.Maxout(3, 2, pieces=2, rng=0).parameter_count
    16
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        pieces: int = 2,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        if pieces < 2:
            raise ValueError(f"maxout takes the largest of two or more pieces, not {pieces}")
        self.affine = Linear(n_in, n_out * pieces, dtype=dtype, rng=rng, scale=1.0 / math.sqrt(n_in))
        self.pieces = pieces
        # Its sums are no neurons yet, and what follows them is a max.
        self.affine._is_linear, self.affine._neurons, self._neurons = False, 0, n_out

    def forward(self, x: Any) -> Any:
        z = self.affine(x)
        return np.max(np.reshape(z, (*z.shape[:-1], self.pieces, z.shape[-1] // self.pieces)), axis=-2)

    def describe(self) -> str:
        n_in, n_all = self.affine.weight.shape
        return f"{n_in}, {n_all // self.pieces}, pieces={self.pieces}"


class Sequential(Module):
    """Modules one after the other.

    >>> import chainrule as cr
    >>> net = cr.nn.Sequential(cr.nn.Linear(3, 4), cr.nn.ReLU(), cr.nn.Linear(4, 2))
    >>> net.neuron_count, net.parameter_count
    (6, 26)
    """

    def __init__(self, *layers: Module) -> None:
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(
                    f"Sequential takes modules; number {i} is {type(layer).__name__} (ReLU() has parentheses)"
                )
        self.layers = list(layers)
        for i, layer in enumerate(self.layers):
            layer._label = f"{type(layer).__name__}_{i}"

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    @overload
    def __getitem__(self, i: int) -> Module: ...
    @overload
    def __getitem__(self, i: slice) -> Sequential: ...
    def __getitem__(self, i: int | slice) -> Module:
        """A layer, or for a slice a net of the same layers."""
        if not isinstance(i, slice):
            return self.layers[i]
        part = Sequential()
        part.layers = self.layers[i]
        return part

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def _linear_neighbours(self) -> list[str]:
        return [
            f"layers {i} and {i + 1}, {a!r} and {b!r}, are both linear with no activation between them: "
            "together they equal one linear layer"
            for i, (a, b) in enumerate(zip(self.layers, self.layers[1:], strict=False))
            if _end(a, -1)._is_linear and _end(b, 0)._is_linear
        ]

    def describe(self) -> str:
        return ", ".join(map(repr, self.layers))


def _end(module: Module, which: int) -> Module:
    """The first (0) or last (-1) layer of a module: a Sequential in a Sequential does not hide what it begins with."""
    while isinstance(module, Sequential) and module.layers:
        module = module.layers[which]
    return module

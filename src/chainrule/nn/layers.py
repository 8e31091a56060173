"""Layers: neurons made into matrix products, and what stands between them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.gates.activation import maxout
from chainrule.gates.composite import affine
from chainrule.graph.errors import describe
from chainrule.graph.state import Parameter
from chainrule.nn.initialisers import Initialiser, initial_weights, normal, numpy_generator
from chainrule.nn.inputs import as_input, given
from chainrule.nn.module import Module


class Linear(Module):
    """A fully connected layer: ``x @ weight + bias``.

    Args:
        n_in: how many inputs each neuron sees.
        n_out: how many neurons.
        bias: whether neurons have a bias.
        dtype: of the parameters; inputs are cast to it.
        rng: the generator (or seed) that draws the weights.
        init: how the weights begin: a name of ``INITIALISERS`` or a function (see ``nn.initialisers``); by default
            "he_normal", which keeps the variance of activations through ReLU layers. Biases begin at 0.
        scale: in place of ``init``, the standard deviation of normal weights.

    Inputs have shape (..., n_in), outputs (..., n_out); ``weight`` is (n_in, n_out), as in ``x @ weight`` (PyTorch has
    its transpose). Raises ValueError for inputs of another shape, TypeError for what are no real numbers.

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
        init: str | Initialiser | None = None,
        scale: float | None = None,
    ) -> None:
        if n_in < 1 or n_out < 1:
            raise ValueError(f"a layer needs at least one input and one neuron, not {n_in} and {n_out}")
        if scale is not None:
            if init is not None:
                raise ValueError("the weights begin by init or scale, not both")
            init = normal(scale)
        self._neurons = n_out
        weights = initial_weights(init or "he_normal", (n_in, n_out), rng, dtype)
        self.weight = Parameter(weights, dtype=dtype, name="weight")
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

    def _features_in(self) -> int:
        return int(self.weight.shape[0])

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

    _is_one_layer = True

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        pieces: int = 2,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
        init: str | Initialiser = "lecun_normal",
    ) -> None:
        if pieces < 2:
            raise ValueError(f"maxout takes the largest of two or more pieces, not {pieces}")
        self.affine = Linear(n_in, n_out * pieces, dtype=dtype, rng=rng, init=init)
        self.pieces = pieces
        # Its sums are no neurons yet, and what follows them is a max.
        self.affine._is_linear, self.affine._neurons, self._neurons = False, 0, n_out

    def forward(self, x: Any) -> Any:
        return maxout(self.affine(x), self.pieces)

    def _features_in(self) -> int:
        return self.affine._features_in()

    def describe(self) -> str:
        n_in, n_all = self.affine.weight.shape
        return f"{n_in}, {n_all // self.pieces}, pieces={self.pieces}"


class Embedding(Module):
    """A learned row for each of ``n`` things: ``weight[ids]``.

    Args:
        n: how many things there are, numbered from 0.
        size: how many numbers describe each.
        dtype: of the table.
        rng: the generator (or seed) that draws the table.
        scale: the standard deviation of the table at the beginning.

    Inputs are integers of any shape, outputs have shape (*shape, size); ``weight`` is (n, size). Rows that were not
    read get a gradient of 0, and one that was read twice the sum. Raises TypeError for inputs that are not integers,
    IndexError for one that is not from 0 to n - 1.

    >>> import numpy as np, chainrule as cr
    >>> words = cr.nn.Embedding(1000, 8, rng=0)
    >>> words(np.array([[3, 1, 4], [1, 5, 9]])).shape
    (2, 3, 8)
    """

    def __init__(
        self,
        n: int,
        size: int,
        *,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
        scale: float = 1.0,
    ) -> None:
        if n < 1 or size < 1:
            raise ValueError(f"an embedding has at least one row of at least one number, not {n} of {size}")
        drawn = numpy_generator(rng).standard_normal((n, size))
        self.weight = Parameter(scale * drawn, dtype=dtype, name="weight")

    def forward(self, ids: Any) -> Any:
        ids, n = given(ids), self.weight.shape[0]
        if ids.dtype.kind not in "iu":
            raise TypeError(f"{self!r} is read by integers, not {describe(ids)}")
        ids = ids.astype(np.int64, copy=False)  # a small dtype may not hold n
        # A negative number would read from the end; beyond it, the read raises.
        return self.weight[np.where(ids < 0, n, ids)]

    def describe(self) -> str:
        n, size = self.weight.shape
        return f"{n}, {size}"


class Flatten(Module):
    """Each example as one row: (n, ...) becomes (n, features).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.Flatten()(np.zeros((5, 28, 28))).shape
    (5, 784)

    Raises ValueError for a single number.
    """

    _is_affine_at_most = True

    def forward(self, x: Any) -> Any:
        shape = np.shape(x)
        if not shape:
            raise ValueError(f"Flatten needs examples along the first axis, not {describe(x)}")
        return np.reshape(x, (shape[0], math.prod(shape[1:])))

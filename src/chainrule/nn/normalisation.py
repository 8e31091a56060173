"""Normalisation: activations with mean 0 and variance 1, over the batch or over the features of each example."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.gates.standardised import count, known, standardised
from chainrule.graph.errors import describe
from chainrule.graph.state import Parameter, State
from chainrule.nn.inputs import as_input
from chainrule.nn.module import Module


class _Normalisation(Module):
    """What both kinds have in common: the features, and a scale and a shift for each, which are learned."""

    def __init__(self, features: int, eps: float, dtype: DTypeLike) -> None:
        if operator.index(features) < 1:
            raise ValueError(f"{type(self).__name__} needs at least one feature, not {features}")
        if not eps > 0:
            raise ValueError(f"eps must be above 0, since a variance may be 0, not {eps}")
        self.eps = float(eps)
        self.scale = Parameter(np.ones(features), dtype=dtype, name="scale")
        self.shift = Parameter(np.zeros(features), dtype=dtype, name="shift")

    def _input(self, x: Any) -> Any:
        x = as_input(x, self.scale.dtype)
        if not x.shape or x.shape[-1] != self.scale.size:
            raise ValueError(f"{self!r} needs inputs of shape (..., {self.scale.size}), not {describe(x)}")
        return x

    def _features_in(self) -> int:
        return self.scale.size

    def describe(self) -> str:
        return str(self.scale.size)


class BatchNorm(_Normalisation):
    """Each feature with mean 0 and variance 1 over the batch, then scaled and shifted (Ioffe and Szegedy 2015).

    Args:
        features: the length of the last axis. All other axes are summed over: examples, and pixels where there are any.
        momentum: how much of the running statistics each step keeps, in [0, 1). (In PyTorch ``momentum`` is the rest:
            0.9 here is 0.1 there.)
        eps: added to the variance.
        dtype: of scale, shift and running statistics; inputs are cast to it.

    In training the mean and variance are those of the batch, and the running ones move towards them (the variance times
    n / (n - 1), as an estimate from a sample of n); in evaluation the running ones are used, and nothing changes. So it
    is for a frozen layer: what was learned elsewhere stays as it is.

    Inputs and outputs have shape (n, ..., features). Raises ValueError for another length, and in training for a batch
    with fewer than two values a feature, which has no variance: choose a size of batch that leaves no single row.

    Attributes:
        scale, shift: Parameters (features,), gamma and beta in the paper.
        running_mean, running_variance: States (features,).

    >>> import numpy as np, chainrule as cr
    >>> layer = cr.nn.BatchNorm(2)
    >>> layer(np.array([[1.0, 10.0], [3.0, 30.0]])).value.round(3)
    array([[-1., -1.],
           [ 1.,  1.]], dtype=float32)
    >>> layer.running_mean.value, layer.running_variance.value
    (array([0.2, 2. ], dtype=float32), array([ 1.1, 20.9], dtype=float32))
    """

    _is_affine_at_most = True  # as soon as it is evaluated

    def __init__(
        self, features: int, *, momentum: float = 0.9, eps: float = 1e-5, dtype: DTypeLike = np.float32
    ) -> None:
        super().__init__(features, eps, dtype)
        if not 0 <= momentum < 1:
            raise ValueError(f"the momentum must be at least 0 and below 1, not {momentum}")
        self.momentum = float(momentum)
        self.running_mean = State(np.zeros(features), dtype=dtype, name="running_mean")
        self.running_variance = State(np.ones(features), dtype=dtype, name="running_variance")

    def forward(self, x: Any) -> Any:
        x = self._input(x)
        return self._by_batch(x) if self.training and not self.scale.frozen else self._by_running(x)

    def _by_batch(self, x: Any) -> Any:
        axes = tuple(range(x.ndim - 1))
        n = count(x.shape, axes)
        if n < 2:
            raise ValueError(
                f"{self!r} in training needs two or more values of each feature, not {describe(x)}: take another size "
                "of batch, or call eval() to use what was learned"
            )
        z, mean, variance = standardised(x, axes, self.eps, self.scale, self.shift)
        for running, seen in ((self.running_mean, mean), (self.running_variance, variance * (n / (n - 1)))):
            running.assign(self.momentum * known(running) + (1.0 - self.momentum) * seen.reshape(running.shape))
        return z

    def _by_running(self, x: Any) -> Any:
        scale = self.scale / np.sqrt(known(self.running_variance) + self.eps)
        return (x - known(self.running_mean)) * scale + self.shift


class LayerNorm(_Normalisation):
    """The features of each example with mean 0 and variance 1, then scaled and shifted (Ba, Kiros and Hinton 2016).

    Args:
        features: the length of the last axis, which the mean and variance are taken along.
        eps: added to the variance.
        dtype: of scale and shift; inputs are cast to it.

    Inputs and outputs have shape (..., features); training and evaluation are the same. Raises ValueError for another
    length.

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.LayerNorm(4)(np.array([1.0, 1.0, 3.0, 3.0])).value.round(3)
    array([-1., -1.,  1.,  1.], dtype=float32)
    """

    def __init__(self, features: int, *, eps: float = 1e-5, dtype: DTypeLike = np.float32) -> None:
        super().__init__(features, eps, dtype)

    def forward(self, x: Any) -> Any:
        x = self._input(x)
        return standardised(x, (x.ndim - 1,), self.eps, self.scale, self.shift)[0]

"""Regularisers: what keeps weights small, so that a large net does not fit the noise (course notes, neural networks 2).

They look at weights, parameters of two or more axes; biases are left alone, as the course does.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from chainrule.graph.mode import switched
from chainrule.graph.state import Parameter
from chainrule.nn.module import Module


def weights_of(model: Module | Iterable[Parameter]) -> Iterator[Parameter]:
    """The parameters that weigh inputs, which have two or more axes."""
    parameters = model.parameters() if isinstance(model, Module) else model
    return (p for p in parameters if p.ndim > 1)


@dataclass(frozen=True)
class Penalty(ABC):
    """A number that grows with the weights: call it with a model or its parameters and add it to the loss."""

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))

    def __call__(self, model: Module | Iterable[Parameter]) -> Any:
        return sum((self.of(w) for w in weights_of(model)), start=0.0)

    @abstractmethod
    def of(self, w: Any) -> Any:
        """The penalty of one array of weights."""


@dataclass(frozen=True)
class L1(Penalty):
    """``strength * sum(abs(w))``: many weights become 0, so that few inputs are used (Tibshirani 1996).

    >>> import chainrule as cr
    >>> layer = cr.nn.Linear(2, 3, init=cr.nn.initialisers.constant(-0.5))
    >>> cr.nn.L1(0.1)(layer).item().__round__(6)
    0.3
    """

    strength: float

    def of(self, w: Any) -> Any:
        """The penalty of one array of weights."""
        return self.strength * np.sum(np.abs(w))


@dataclass(frozen=True)
class L2(Penalty):
    """``strength / 2 * sum(w ** 2)``: a peaked weight costs more than several small ones; its gradient is strength * w.

    As a gradient descent it is gradual forgetting: each step takes the share ``lr * strength`` off every weight.

    >>> import chainrule as cr
    >>> layer = cr.nn.Linear(2, 3, init=cr.nn.initialisers.constant(0.5))
    >>> loss = cr.nn.L2(0.1)(layer)
    >>> loss.backward()
    >>> round(loss.item(), 6), layer.weight.grad[0, 0].round(6), layer.bias.grad
    (0.075, np.float32(0.05), None)
    """

    strength: float

    def of(self, w: Any) -> Any:
        """The penalty of one array of weights."""
        return 0.5 * self.strength * np.sum(np.square(w))


@dataclass(frozen=True)
class Elastic(Penalty):
    """The sum of an L1 and an L2 penalty (Zou and Hastie 2005).

    >>> import chainrule as cr
    >>> layer = cr.nn.Linear(2, 3, init=cr.nn.initialisers.constant(0.5))
    >>> round(cr.nn.Elastic(l1=0.1, l2=0.1)(layer).item(), 6)
    0.375
    """

    l1: float
    l2: float

    def of(self, w: Any) -> Any:
        """The penalty of one array of weights."""
        return L1(self.l1).of(w) + L2(self.l2).of(w)


@dataclass(frozen=True)
class MaxNorm:
    """A bound on the length of each neuron's vector of weights: ``apply`` it after each update (Srebro et al. 2005).

    Vectors that have grown longer are scaled back. The course uses bounds of 3 or 4; even with a high learning rate a
    net then cannot explode.

    >>> import numpy as np, chainrule as cr
    >>> layer = cr.nn.Linear(4, 2, init=cr.nn.initialisers.constant(2.0))
    >>> cr.nn.MaxNorm(3.0).apply(layer)
    >>> layer.weight.value[:, 0]
    array([1.5, 1.5, 1.5, 1.5], dtype=float32)
    """

    bound: float

    def __post_init__(self) -> None:
        _check("bound", self.bound)
        if not self.bound:
            raise ValueError("a bound of 0 leaves no weights")

    def apply(self, model: Module | Iterable[Parameter]) -> None:
        """Scale back the neurons of a model, or of some parameters, that weigh more; also in a compiled step."""
        with switched(gradients=False, role="update"):
            for w in weights_of(model):
                smallest = float(np.finfo(w.dtype).tiny)
                length = np.sqrt(np.sum(np.square(w), axis=tuple(range(w.ndim - 1)), keepdims=True))
                w.assign(w * np.minimum(self.bound / np.maximum(length, smallest), 1.0))


def _check(name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} is a finite number that is not negative, not {value}")

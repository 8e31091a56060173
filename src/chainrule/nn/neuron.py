"""One neuron, as the lecture draws it: dendrites with weights, a cell body that sums, a firing rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.special import sigmoid
from chainrule.graph.array import Array
from chainrule.graph.mode import MODE
from chainrule.graph.state import Parameter
from chainrule.nn.inputs import as_input
from chainrule.nn.module import Module


class Neuron(Module):
    """A neuron with a sigmoid: ``firing_rate = sigmoid(weights . inputs + bias)``.

    Args:
        weights: a 1-D array, one weight for each input. Arrays are used as they are; other data become Parameters.
        bias: a number.

    After ``forward`` the sum and the rate can be looked at as ``cell_body_sum`` and ``firing_rate`` (None before). It
    is a linear classifier: with cross-entropy it is logistic regression. Only loosely a model of a biological neuron.

    >>> import chainrule as cr
    >>> neuron = cr.nn.Neuron([2.0, -3.0], -3.0)
    >>> f"{neuron.forward([-1.0, -2.0]):.2f}"
    '0.73'
    >>> f"{neuron.cell_body_sum:.2f}"
    '1.00'
    """

    _neurons = 1

    def __init__(self, weights: Any, bias: Any = 0.0) -> None:
        self.weights = weights if isinstance(weights, Array) else Parameter(weights, name="weights")
        self.bias = bias if isinstance(bias, Array) else Parameter(bias, name="bias")
        if self.weights.ndim != 1 or self.bias.ndim != 0:
            raise ValueError(
                f"a neuron has a 1-D array of weights and one number as bias, not shapes {self.weights.shape} and "
                f"{self.bias.shape}"
            )
        if self.weights.dtype.kind != "f":
            raise TypeError(f"weights are learned by gradients, so they must be floating, not {self.weights.dtype}")
        self.cell_body_sum: Array | None = None
        self.firing_rate: Array | None = None

    def forward(self, inputs: Any) -> Any:
        """The firing rate for ``inputs``, a 1-D array as long as the weights."""
        inputs = as_input(inputs, self.weights.dtype)
        if inputs.shape != self.weights.shape:
            raise ValueError(f"this neuron has {self.weights.shape[0]} inputs, not {inputs.shape}")
        cell_body_sum = np.sum(self.weights * inputs) + self.bias
        firing_rate = sigmoid(cell_body_sum)
        if MODE.get().recorder is None:  # to be looked at; nothing that is computed depends on it
            vars(self).update(cell_body_sum=cell_body_sum, firing_rate=firing_rate)
        return firing_rate

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "cell_body_sum": None, "firing_rate": None}  # a circuit cannot be pickled

    def describe(self) -> str:
        return f"{self.weights.shape[0]} inputs"

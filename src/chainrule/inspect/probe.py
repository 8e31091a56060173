"""Looking at a net while it computes: what goes out of each layer and comes back, which neurons are dead.

``probed`` runs a model on data forward and backward, and keeps activations and gradients of its layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import nn
from chainrule.calculus.derivative import grad
from chainrule.gates.activation import Relu
from chainrule.gates.arithmetic import Multiply
from chainrule.gates.special import Sigmoid
from chainrule.gates.trigonometric import Tanh
from chainrule.graph.array import Array, circuit, raw
from chainrule.graph.edge import edges
from chainrule.training.evaluation import Loss
from chainrule.training.examples import Examples

FLAT = 0.05
"""A neuron is saturated where its slope is below this part of the steepest one, at 0."""
BOUNDED = (nn.Sigmoid, nn.Tanh, nn.Softsign, nn.HardSigmoid, nn.HardTanh)
"""Activation functions that level off on both sides."""


@dataclass(frozen=True)
class Layer:
    """A layer on some data.

    Attributes:
        path: where the model has it, ``layers.0``.
        name: its repr.
        weighs: whether it has weights, parameters of two or more axes.
        activations: what it gave out, (examples, ...).
        gradients: dL/d activations, of the same shape; None where the loss does not depend on them.
    """

    path: str
    name: str
    weighs: bool
    activations: NDArray[Any]
    gradients: NDArray[Any] | None


@dataclass(frozen=True)
class Neurons:
    """What became of the neurons behind one activation function.

    Attributes:
        name: where it is.
        dead: for each neuron, whether its slope is 0 on all examples: no gradient comes through it.
        saturated: for each neuron, the share of the examples on which it is nearly flat; None for functions that do
            not level off on both sides.
    """

    name: str
    dead: NDArray[np.bool_]
    saturated: NDArray[np.float64] | None


@dataclass(frozen=True)
class Probe:
    """What was seen: the loss, the layers in the order in which they were called, the neurons."""

    loss: float
    layers: tuple[Layer, ...]
    neurons: tuple[Neurons, ...]


@dataclass(frozen=True)
class _Call:
    path: str
    layer: nn.Module
    inputs: tuple[Any, ...]
    output: Any


def probed(model: nn.Module, examples: Examples, loss: Loss) -> Probe:
    """Run the model on examples, forward and backward. Gradients on its parameters are left behind."""
    with np.errstate(all="ignore"), _listened(model) as calls:
        total = loss(model(examples.inputs), examples.targets, **examples.options)
        if isinstance(total, Array) and total.live:
            total.backward()
        layers = tuple(map(_layer, calls))
        neurons = (*_of_modules(calls), *_of_gates(total, calls))
    return Probe(float(raw(total)), layers, neurons)


def smallest_parts(model: nn.Module) -> dict[str, nn.Module]:
    """The modules that have no others in them (or count as one layer, like Maxout), by path."""
    found: dict[str, nn.Module] = {}
    for path, part in model.named_modules().items():
        inside = any(path.startswith(f"{outer}.") for outer in found)
        if not inside and (part._is_one_layer or len(part.named_modules()) == 1):
            found[path] = part
    return found


@contextmanager
def _listened(model: nn.Module) -> Iterator[list[_Call]]:
    """Note every call of the smallest parts. Their ``forward`` is covered by another one meanwhile."""
    calls: list[_Call] = []
    parts = smallest_parts(model)
    for path, part in parts.items():
        vars(part)["forward"] = partial(_noted, calls, path, part, part.forward)
    try:
        yield calls
    finally:
        for part in parts.values():
            del vars(part)["forward"]


def _noted(calls: list[_Call], path: str, part: nn.Module, forward: Any, *inputs: Any, **options: Any) -> Any:
    output = forward(*inputs, **options)
    calls.append(_Call(path, part, inputs, output))
    return output


def _layer(call: _Call) -> Layer:
    gradient = call.output.grad if isinstance(call.output, Array) else None
    weighs = any(p.ndim > 1 for p in call.layer.parameters())
    return Layer(call.path, repr(call.layer), weighs, np.asarray(raw(call.output)), gradient)


# ---- dead and saturated neurons


def _of_modules(calls: list[_Call]) -> Iterator[Neurons]:
    """Of the activation functions that are modules. Their slopes are those of the function, element by element."""
    for call in calls:
        if _is_elementwise(call):
            x = np.asarray(raw(call.inputs[0]))
            forward = type(call.layer).forward
            slope = partial(_slopes, lambda x, call=call, forward=forward: forward(call.layer, x))
            bounded = isinstance(call.layer, BOUNDED)
            name = f"{call.path} {call.layer!r}".strip()
            yield _neurons(name, slope(x), slope(np.zeros((1, 1), x.dtype)).item() if bounded else None)


def _of_gates(total: Any, calls: list[_Call]) -> Iterator[Neurons]:
    """Of ReLU, tanh and sigmoid gates that are applied outside of such modules.

    A tanh or sigmoid that is multiplied with something (a gate that opens and closes, a SiLU) is meant to level off.
    """
    nodes = circuit(total) if isinstance(total, Array) else []
    told = {id(call.output) for call in calls if isinstance(call.layer, nn.Activation)}
    factors = {id(x) for node in nodes if isinstance(node.gate, Multiply) for x in node.inputs}
    for node in nodes:
        bounded = isinstance(node.gate, (Sigmoid, Tanh)) and id(node) not in factors
        if id(node) not in told and (bounded or isinstance(node.gate, Relu)) and node.ndim:
            (edge,) = edges(node)
            steepest = 0.25 if isinstance(node.gate, Sigmoid) else 1.0
            yield _neurons(f"{node.gate.title} at {node.site}", edge.local_gradient, steepest if bounded else None)


def _is_elementwise(call: _Call) -> bool:
    if not isinstance(call.layer, nn.Activation) or isinstance(call.layer, (nn.Softmax, nn.LogSoftmax, nn.Identity)):
        return False
    return len(call.inputs) == 1 and np.shape(raw(call.inputs[0])) == np.shape(raw(call.output)) != ()


def _slopes(function: Any, x: NDArray[Any]) -> NDArray[Any]:
    """The derivative of a function that works element by element."""
    return np.asarray(raw(grad(lambda x: np.sum(function(x)))(x)))


def _neurons(name: str, slopes: NDArray[Any], steepest: float | None) -> Neurons:
    by_neuron = np.abs(slopes.reshape(-1, slopes.shape[-1]))
    flat = None if steepest is None else np.mean(by_neuron < FLAT * steepest, axis=0)
    return Neurons(name, by_neuron.max(axis=0) < 1e-6, flat)

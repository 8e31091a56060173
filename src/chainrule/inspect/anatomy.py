"""The anatomy of a net: its layers of neurons, and which of them reads which.

A net is recorded, and every value of the recording is followed to the layers that it comes from. So what is told is
what the code does, for modules of one's own, too: layers in a list, in a branch, past a shortcut.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.gates.primitive import Elementwise
from chainrule.graph.array import raw
from chainrule.nn import Embedding, Linear, Module, Neuron
from chainrule.nn.summary import recorded_on_zeros
from chainrule.program.program import Instruction, Value
from chainrule.program.recording import ModuleCall

MOVES = {"cast", "detach", "broadcast_to"}
"""Titles of gates that do nothing to numbers."""


@dataclass
class Layer:
    """The inputs of a net, or a layer of neurons.

    Attributes:
        module: None for the inputs.
        path: where the model has the module.
        size: how many neurons, or inputs.
        shape: of what it gives for one example.
        sources: the numbers of the layers that it reads.
        after: what follows before the next layer of neurons, in words: ``ReLU()``, ``Dropout(0.5)``.
        last: whether the net's output comes from it.
    """

    module: Module | None
    path: str
    size: int
    shape: tuple[int, ...]
    sources: tuple[int, ...] = ()
    after: list[str] = field(default_factory=list)
    last: bool = False

    @property
    def neurons(self) -> int:
        return 0 if self.module is None else self.module.neuron_count

    @property
    def parameters(self) -> int:
        return 0 if self.module is None else self.module.parameter_count

    @property
    def weights(self) -> NDArray[Any] | None:
        """(inputs, neurons), where each neuron has one weight for each input."""
        if isinstance(self.module, Linear):
            return np.asarray(raw(self.module.weight))
        return np.asarray(raw(self.module.weights))[:, None] if isinstance(self.module, Neuron) else None

    @property
    def biases(self) -> NDArray[Any] | None:
        """(neurons,)."""
        bias = getattr(self.module, "bias", None)
        return None if bias is None else np.atleast_1d(raw(bias))


def layers_of(model: Module, input_shape: int | Sequence[int] | None = None) -> list[Layer]:
    """The inputs and the layers of neurons of a net (an Embedding is shown as one), in the order of the calls.

    Raises ValueError if the shape of an example must be told, or if there is no such layer.
    """
    if isinstance(model, Neuron):  # which takes one example, not a batch
        n = model.weights.size
        return [Layer(None, "", n, (n,)), Layer(model, "", 1, (), (0,), ["sigmoid"], last=True)]
    made = recorded_on_zeros(model, input_shape)
    if made is None:
        raise ValueError(
            f"{type(model).__name__} does not tell what its inputs look like: pass input_shape=..., the shape of one "
            "example"
        )
    shape, recording = made
    layers = [Layer(None, "", math.prod(shape), shape)]
    paths = {id(part): path for path, part in model.named_modules().items()}
    origins: dict[Value, frozenset[int]] = {value: frozenset({0}) for value in recording.program.inputs}
    for call, part in _stretches(recording.calls, recording.program.instructions):
        if call is None:
            for i in part:
                sources = _follow([i], origins)
                if sources and isinstance(i.gate, Elementwise) and len(i.operands) == 1 and i.gate.title not in MOVES:
                    layers[sources[-1]].after.append(i.gate.title)
            continue
        sources = _follow(part, origins)
        if not (call.module.neuron_count or isinstance(call.module, Embedding)):
            layers[sources[-1] if sources else -1].after.append(repr(call.module))
            continue
        given = () if call.output is None else call.output.shape[1:]
        size = call.module.neuron_count or math.prod(given)
        origins.update((i.result, frozenset({len(layers)})) for i in part)
        layers.append(Layer(call.module, paths[id(call.module)], size, given, sources))
    if len(layers) == 1:
        raise ValueError(f"{type(model).__name__} has no layers of neurons to draw")
    for k in origins.get(recording.program.outputs[0], ()) if recording.program.outputs else ():
        layers[k].last = True
    return layers


def depth(layers: Sequence[Layer]) -> int:
    """How many layers of neurons lie one behind the other: what a net is named by."""
    depths: list[int] = []
    for layer in layers:
        depths.append(bool(layer.neurons) + max((depths[k] for k in layer.sources), default=0))
    return max(depths)


def _stretches(
    calls: Sequence[ModuleCall], instructions: Sequence[Instruction]
) -> Iterator[tuple[ModuleCall | None, Sequence[Instruction]]]:
    """The forward pass in pieces: the calls of layers, and what happens outside of them."""
    place = 0
    for call in calls:
        for leaf in _leaves(call):
            yield None, instructions[place : leaf.first]
            yield leaf, instructions[leaf.first : leaf.end]
            place = leaf.end
        yield None, instructions[place : call.end]
        place = call.end


def _leaves(call: ModuleCall) -> Iterator[ModuleCall]:
    if call.module._is_one_layer or not call.inner:
        yield call
    else:
        for inner in call.inner:
            yield from _leaves(inner)


def _follow(part: Sequence[Instruction], origins: dict[Value, frozenset[int]]) -> tuple[int, ...]:
    """Note the origins of what is computed, and give those of all that is read."""
    read: frozenset[int] = frozenset()
    for i in part:
        origins[i.result] = frozenset().union(*(origins.get(x, ()) for x in i.reads()))
        read |= origins[i.result]
    return tuple(sorted(read))

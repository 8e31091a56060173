"""Modules made of modules: one after the other, or around what they get."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, overload

from chainrule.graph.errors import describe
from chainrule.nn.inputs import as_input, given
from chainrule.nn.module import Module


class Sequential(Module):
    """Modules one after the other.

    ``net[i]`` is a layer, ``net[i:j]`` a net of the same layers; ``len`` and ``for`` work as on a list.

    >>> import chainrule as cr
    >>> net = cr.nn.Sequential(cr.nn.Linear(3, 4), cr.nn.ReLU(), cr.nn.Linear(4, 2))
    >>> net.neuron_count, net.parameter_count
    (6, 26)
    >>> net.append(cr.nn.Sigmoid())[-2:]
    Sequential(Linear(4, 2), Sigmoid())
    """

    layers: tuple[Module, ...]
    """The modules in order. A tuple: a compiled function would not see a list change."""

    def __init__(self, *layers: Module) -> None:
        self.layers = ()
        for layer in layers:
            self.append(layer)

    def append(self, layer: Module) -> Sequential:
        """Add a module at the end. Returns the net.

        Raises TypeError for what is no module.
        """
        self.layers = (*self.layers, _placed(layer, len(self.layers)))
        return self

    def __setitem__(self, i: int, layer: Module) -> None:
        """Put another module in the place of one: ``net[-1] = Linear(100, 3)``. An optimiser does not hear of it.

        Raises TypeError for what is no module, IndexError for a place that there is not.
        """
        place = range(len(self.layers))[i]
        self.layers = (*self.layers[:place], _placed(layer, place), *self.layers[place + 1 :])

    def forward(self, x: Any) -> Any:
        for i, layer in enumerate(self.layers):
            try:
                x = layer(x)
            except Exception as error:
                error.add_note(f"in layer {i} of {len(self.layers)} (from 0), {layer!r}")
                raise
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

    def _features_in(self) -> int | None:
        """That of the first layer with parameters: those before it are elementwise, or they flatten."""
        return next((layer._features_in() for layer in self.layers if layer.named_parameters()), None)

    def _linear_neighbours(self) -> list[str]:
        told = [(i, layer, parts) for i, layer in enumerate(self.layers) if (parts := _parts_that_count(layer))]
        return [
            f"layers {i} and {j}, {a!r} and {b!r}, are both linear with no activation between them: "
            "together they equal one linear layer"
            for (i, a, left), (j, b, right) in pairwise(told)
            if left[-1]._is_linear and right[0]._is_linear
        ]

    def describe(self) -> str:
        return ", ".join(map(repr, self.layers))


def _placed(layer: Module, i: int) -> Module:
    """The module with a label for its place; TypeError for what is no module."""
    if not isinstance(layer, Module):
        hint = " (pass the modules of a list as Sequential(*modules))" if isinstance(layer, (list, tuple)) else ""
        if isinstance(layer, type) and issubclass(layer, Module):
            hint = f" ({layer.__name__}() has parentheses)"
        raise TypeError(f"Sequential takes modules; number {i} is {type(layer).__name__}{hint}")
    layer._label = f"{type(layer).__name__}_{i}"
    return layer


def _parts_that_count(module: Module) -> list[Module]:
    """The layers in order that decide whether a net is linear, those of a Sequential in a Sequential included."""
    if isinstance(module, Sequential):
        return [part for layer in module.layers for part in _parts_that_count(layer)]
    return [] if module._is_affine_at_most else [module]


class Residual(Module):
    """x + body(x): the body learns what is to be added to its input (He et al. 2016).

    Gradients reach what lies before it on a way of its own, past the body. The body's output must have the shape of its
    input, else ValueError; inputs are cast to the dtype of the output.

    >>> import numpy as np, chainrule as cr
    >>> block = cr.nn.Residual(cr.nn.Sequential(cr.nn.Linear(3, 8), cr.nn.ReLU(), cr.nn.Linear(8, 3, scale=0.0)))
    >>> block(np.ones((2, 3))).value
    array([[1., 1., 1.],
           [1., 1., 1.]], dtype=float32)
    """

    def __init__(self, body: Module) -> None:
        if not isinstance(body, Module):
            raise TypeError(f"Residual goes around a module, not {type(body).__name__}: make several a Sequential")
        self.body = body

    def forward(self, x: Any) -> Any:
        x = given(x)
        z = self.body(x)
        if x.shape != z.shape:
            raise ValueError(
                f"Residual adds what its body makes of the input to the input, so both need one shape: {self.body!r} "
                f"made {describe(z)} of {describe(x)}"
            )
        return as_input(x, z.dtype) + z

    def _features_in(self) -> int | None:
        return self.body._features_in()

    def describe(self) -> str:
        return repr(self.body)

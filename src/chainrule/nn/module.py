"""Module: what has parameters and computes. Layers, nets and neurons are Modules; users subclass it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self, TypeVar

import numpy as np

from chainrule.graph.array import next_number, raw
from chainrule.graph.mode import MODE, Changes
from chainrule.graph.scope import mark
from chainrule.graph.state import Parameter

T = TypeVar("T")


class Module:
    """A part of a net. Assign Parameters and other Modules to attributes and define ``forward``.

    Parameters are found by looking through the attributes (lists, tuples and dicts of them included), in the order of
    assignment; one that is reached twice is listed once, under its first name.

    >>> import numpy as np, chainrule as cr
    >>> class Scale(cr.nn.Module):
    ...     def __init__(self):
    ...         self.factor = cr.Parameter(2.0)
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> model = Scale()
    >>> model(np.ones(3, np.float32)).value
    array([2., 2., 2.], dtype=float32)
    >>> list(model.named_parameters())
    ['factor']
    """

    # Not public, so that users may call what they like 'linear' and 'neurons'.
    _is_linear = False
    """Whether the module is an affine map of its inputs, so that two of them in a row equal one."""
    _neurons = 0
    """How many neurons the module has besides those of the modules in it."""
    _label: str | None = None
    """What drawings call the module; its container sets it."""
    _changed = 0
    """When an attribute was last written: a compiled function that calls the module is recorded again after that."""

    def __new__(cls, *args: Any, **options: Any) -> Self:
        module = super().__new__(cls)
        recorder = MODE.get().recorder
        if recorder is not None:
            recorder.begins(module)
        return module

    def __setattr__(self, name: str, value: Any) -> None:
        recorder = MODE.get().recorder
        if recorder is not None:
            recorder.changes(self, name)
        super().__setattr__(name, value)
        Changes.last = number = next_number()
        super().__setattr__("_changed", number)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module computes from its inputs. Call the module itself, ``model(x)``: drawings then know it."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, ...)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        start = next_number()
        recorder = MODE.get().recorder
        if recorder is not None:
            recorder.calls(self)
        output = self.forward(*inputs, **options)
        if recorder is not None:
            recorder.returns(self, output)
        mark(output, self._label or type(self).__name__, start)
        return output

    def named_parameters(self) -> dict[str, Parameter]:
        """Every parameter by its path: ``layers.0.weight``."""
        return _named(self, Parameter)

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter once."""
        return iter(self.named_parameters().values())

    def named_modules(self) -> dict[str, Module]:
        """The module itself (under '') and every module in it, by path, each once."""
        return _named(self, Module)

    @property
    def parameter_count(self) -> int:
        """How many learnable numbers there are, weights and biases."""
        return sum(p.size for p in self.parameters())

    @property
    def neuron_count(self) -> int:
        """How many neurons: outputs of all layers with weights, as the course counts (inputs are not neurons)."""
        return sum(part._neurons for part in self.named_modules().values())

    def stacked_linear(self) -> list[str]:
        """Pairs of linear layers with nothing nonlinear between them, in words: together they equal one layer."""
        return [pair for part in self.named_modules().values() for pair in part._linear_neighbours()]

    def _linear_neighbours(self) -> list[str]:
        return []

    def load(self, values: dict[str, Any]) -> None:
        """Assign values to the parameters by name.

        Names and shapes must fit exactly and the values be real numbers; else ValueError and no change.
        """
        named = self.named_parameters()
        if set(values) != set(named):
            raise ValueError(
                f"the names do not fit: missing {sorted(set(named) - set(values))}, "
                f"unexpected {sorted(set(values) - set(named))}"
            )
        loaded = {name: np.asarray(raw(values[name])) for name in named}
        wrong = [
            f"{name} {loaded[name].shape} for {p.shape}" for name, p in named.items() if loaded[name].shape != p.shape
        ]
        if wrong:
            raise ValueError(f"the shapes do not fit: {', '.join(wrong)}")
        unreal = [f"{name} {value.dtype}" for name, value in loaded.items() if value.dtype.kind not in "fiub"]
        if unreal:
            raise ValueError(f"parameters are real numbers, not {', '.join(unreal)}")
        for name, parameter in named.items():
            parameter.assign(loaded[name])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe()})"

    def describe(self) -> str:
        """What stands between the parentheses of the repr."""
        return ", ".join(f"{name}={part!r}" for name, part in vars(self).items() if isinstance(part, Module))


def _named(module: Module, kind: type[T]) -> dict[str, T]:
    """The parts of one kind by path."""
    named: dict[str, T] = {}
    for path, part in _parts(module, "", set()):
        if isinstance(part, kind):
            if path in named:
                raise ValueError(f"two parts of {type(module).__name__} have the same path {path!r}")
            named[path] = part
    return named


def _parts(part: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Modules and parameters below ``part``, depth first, with their paths.

    What is reached twice, perhaps because a part refers back to its parent, is listed once, under its first path.
    """
    children: Any
    if isinstance(part, Module):
        children = vars(part).items()
    elif isinstance(part, dict):
        children = part.items()
    elif isinstance(part, (list, tuple)):
        children = enumerate(part)
    elif isinstance(part, Parameter):
        children = ()
    else:
        return
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, (Module, Parameter)):
        yield path, part
    for name, child in children:
        yield from _parts(child, f"{path}.{name}" if path else str(name), seen)

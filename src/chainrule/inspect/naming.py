"""Readable, unique names for everything in a circuit, and numbers as people write them."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.array import Array, raw
from chainrule.graph.scope import scopes
from chainrule.graph.state import Parameter

FEW = 6
"""Arrays of at most so many elements are written out."""


class Names:
    """A name for each array of a circuit: the user's own where there is one, else the gate's title with a counter."""

    def __init__(self, nodes: list[Array]) -> None:
        self._names: dict[int, str] = {}
        self._kept: list[Any] = []  # what is named by its identity must stay alive
        self._taken: set[str] = set()
        self._counters: dict[str, int] = {}
        self.own: set[Array] = set()
        """The arrays whose names are the user's."""
        inner = inside_compositions(nodes)
        owners = parameters_of_layers(nodes)
        wishes: dict[str, list[Array]] = {}
        for node in nodes:
            name = owners.get(node) or (None if node in inner else node.name)
            if name is not None:
                self.own.add(node)
                wishes.setdefault(name, []).append(node)
        for name, holders in wishes.items():
            self._give(holders[-1], name, name)  # the newest is what the variable holds now
        for name, holders in wishes.items():
            for k, node in enumerate(holders[:-1], 1):
                self._give(node, name, f"{name}_{k}")
        for node in nodes:
            if node not in self.own:
                self._generate(node, "constant" if node.gate is None else node.gate.title)

    def _give(self, x: Any, stem: str, first: str) -> None:
        name = first
        while name in self._taken:
            k = self._counters[stem] = self._counters.get(stem, 0) + 1
            name = f"{stem}_{k}"
        self._taken.add(name)
        self._kept.append(x)
        self._names[id(x)] = name

    def _generate(self, x: Any, stem: str) -> None:
        if not stem.isidentifier() or (isinstance(x, Array) and x.gate is None and x.live):
            stem = "array"
        self._give(x, stem, first=f"{stem}_1")

    def __getitem__(self, x: Any) -> str:
        """The name of an array of the circuit or of an ndarray that flows in; a plain number stands for itself."""
        if id(x) in self._names:
            return self._names[id(x)]
        value = raw(x)
        if np.ndim(value) == 0:
            return f"{value.item() if hasattr(value, 'item') else value:.6g}"
        self._generate(x, "data")
        return self._names[id(x)]

    def unused(self, *wishes: str) -> str:
        """The first of some names that is not taken."""
        return next((wish for wish in wishes if wish not in self._taken), wishes[-1] + "_")


def parameters_of_layers(nodes: list[Array]) -> dict[Array, str]:
    """Parameters named by the layer that uses them: ``Linear_0.weight``."""
    applied_in = scopes(nodes)
    named: dict[Array, str] = {}
    for node in nodes:
        for i, x in enumerate(node.inputs):
            if isinstance(x, Parameter) and applied_in.get(node):
                given = getattr(x, "_name", None) or node.gate.argument(i)
                named.setdefault(x, f"{applied_in[node][-1]}.{given}")
    return named


def inside_compositions(nodes: list[Array]) -> set[Array]:
    """Gates within one call of the user's (the sum in ``m = np.mean(x)``): the variable's name is not theirs."""
    return {
        x
        for node in nodes
        if node.gate is not None
        for x in node.inputs
        if isinstance(x, Array)
        and x.gate is not None
        and getattr(x, "_name", None) is None
        and x._site is not None
        and x._site == node._site
        and x.gate.title != node.gate.title
    }


def number(value: Any, digits: int = 2) -> str:
    """One number with ``digits`` decimals; so written, ``0.00`` is exactly zero and never merely small."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    value = float(value)
    if value == 0:
        return f"{0.0:.{digits}f}"
    if np.isfinite(value) and not 10.0**-digits / 2 <= abs(value) < 1e6:
        return f"{value:.{digits}e}"
    return f"{value:.{digits}f}"


def mean_and_spread(value: Any, digits: int = 2) -> str:
    """Mean ± standard deviation of finite numbers, the mean as exact as the deviation: digits beyond say nothing."""
    mean, deviation = np.mean(value, dtype=np.float64), np.std(value, dtype=np.float64)
    spread = number(deviation, digits)
    if deviation > 0:
        exponent = int(spread.partition("e")[2] or 0)
        mean = np.round(mean, digits - exponent)
    return f"{number(mean, digits)} ± {spread}"


def summary(value: Any, digits: int = 2) -> str:
    """A value in one line: the number, the elements when they are few, else shape, dtype, mean and range."""
    value = np.asarray(value)
    if value.size == 1 or (0 < value.size <= FEW and value.ndim <= 2):
        return elements(value, digits)
    what = f"{value.shape} {value.dtype}"
    if value.size == 0:
        return f"{what}, empty"
    if value.dtype.kind == "b":
        return f"{what}, {int(value.sum())} of {value.size} true"
    finite = value[np.isfinite(value)]
    lost = value.size - finite.size
    broken = f", {lost} not finite" if lost else ""
    if not finite.size:
        return what + broken
    low, mean, high = finite.min(), finite.mean(dtype=np.float64), finite.max()
    return f"{what}, mean {number(mean, digits)}, {number(low, digits)} to {number(high, digits)}{broken}"


def elements(value: Any, digits: int = 2) -> str:
    """Every element, nested like the array."""
    value = np.asarray(value)
    if value.ndim == 0:
        return number(value[()], digits)
    return f"[{', '.join(elements(part, digits) for part in value)}]"

"""What the values of a Program are called: labels for watching and reports, identifiers for the printed source.

A label is the user's own word where there is one: the argument, the variable that a result was bound to, the path of a
parameter, ``dL/dW1`` for a gradient. Everything else is called after its gate, with a counter: ``relu_1``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby, islice
from types import FunctionType, ModuleType
from typing import Any
from unicodedata import normalize

from chainrule.gates.shape import Cast
from chainrule.graph.array import Array
from chainrule.graph.site import Site
from chainrule.graph.state import Parameter, State
from chainrule.program.program import Program, Value

MANY = 10_000
"""How many objects are looked through for the names of States, so that a data set beside the model costs no time."""


def labels_of(program: Program) -> dict[Value, str]:
    """A unique label for every value, in the order of the Program.

    Where two would be called the same, the second gets ``_2``.
    """
    given, taken = dict(_wishes(program)), set[str]()
    counters: Counter[str] = Counter()
    labels: dict[Value, str] = {}
    wished = [(value, given[value]) for value in _values(program) if value in given]
    for value, wish in wished:
        labels[value] = unique(wish, taken, counters)
    for instruction in program.instructions:
        if instruction.result not in labels:
            labels[instruction.result] = unique(instruction.gate.title, taken, counters, counted=True)
    for value in program.sources():
        if value not in labels:
            labels[value] = unique("constant", taken, counters, counted=True)
    return {value: labels[value] for value in _values(program)}


def identifiers_of(program: Program, reserved: Iterable[str]) -> dict[Value, str]:
    """The labels as Python names: ``dL_dW1``, ``layers_0_weight``; none of them ``reserved``."""
    taken, counters = set(reserved), Counter[str]()
    return {value: unique(identifier(label), taken, counters) for value, label in labels_of(program).items()}


def store_names(program: Program, identifiers: dict[Value, str]) -> list[str]:
    """What the States are called that the Program changes: like the argument that brings the State, if there is one."""
    captured = {id(source): identifiers[value] for value, source in program.captures}
    taken, counters = set(captured.values()), Counter[str]()
    wishes = (captured.get(id(state)) or state.name for state, _ in program.stores)
    return [
        captured[id(state)] if id(state) in captured else unique(identifier(wish or "state"), taken, counters)
        for (state, _), wish in zip(program.stores, wishes, strict=True)
    ]


def identifier(label: str) -> str:
    """A label with everything replaced that a Python name cannot have."""
    name = re.sub(r"\W+", "_", normalize("NFKC", label)).strip("_") or "x"  # Python reads names in this form
    return f"x{name}" if name[0].isdigit() else name


def unique(wish: str, taken: set[str], counters: Counter[str], *, counted: bool = False) -> str:
    """``wish``, or with a counter behind it where that is taken or where things are ``counted`` from 1."""
    name = wish
    if counted or name in taken:
        counters[wish] += 1 if counted or counters[wish] else 2
        while (name := f"{wish}_{counters[wish]}") in taken:
            counters[wish] += 1
    taken.add(name)
    return name


def _values(program: Program) -> Iterator[Value]:
    yield from program.sources()
    yield from (i.result for i in program.instructions)


def _wishes(program: Program) -> Iterator[tuple[Value, str]]:
    """The names that the user's code knows; what comes later goes before."""
    captured = {id(source): value for value, source in program.captures}
    for state, value in program.stores:
        name = captured[id(state)].name if id(state) in captured else state.name
        if name is not None:
            yield value, f"{name}_new"
    for i in program.instructions:
        if i.result.weak and isinstance(i.gate, Cast) and isinstance(x := i.operands[0], Value) and x.name is not None:
            yield i.result, f"{x.name}_number"
    yield from program.labels.items()
    for value in _values(program):
        if value.name is not None:
            yield value, value.name


def labelled(program: Program, gradients: Iterable[tuple[Value, Value | str]]) -> dict[Value, str]:
    """The labels of a Program as it was recorded: those that it has, the user's variables, and ``dL/dx`` for gradients.

    Variables go before the paths of modules. ``gradients`` tells for each gradient what it belongs to.
    """
    labels = {**program.labels, **stored_names(program)}
    for gradient, of in gradients:
        name = of if isinstance(of, str) else labels.get(of) or of.name
        if name is not None:
            labels.setdefault(gradient, f"dL/d{name}")
    return labels


def stored_names(program: Program) -> dict[Value, str]:
    """The variables that results of the forward pass were bound to, in a Program as it was recorded.

    One call in the user's code may apply several gates: the variable holds the last one's result. Gates of one kind in
    a row are rather a loop.
    """
    names: dict[Value, str] = {}
    forward = (i for i in program.instructions if i.role == "forward" and i.site is not None)
    for site, gates in groupby(forward, key=lambda i: i.site):
        name, call = Site(*site).stored_as if site else None, list(gates)
        if name is not None:
            loop = len({type(i.gate) for i in call}) == 1
            names.update((i.result, name) for i in (call if loop else call[-1:]))
    return names


# ---- what the user's code calls States and modules


def reachable_from(function: Any, arguments: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What a function's code can name: its arguments, and the variables of its closure and its globals that it uses."""
    return [*arguments.items(), *_variables_of(function)]


def state_names(reachable: Sequence[tuple[str, Any]]) -> dict[int, str]:
    """Names of the Arrays and modules in what a function can reach, by identity.

    A variable's name, or the path within a model or an optimiser (``layers.0.weight``, ``lr``; with the variable before
    it where two would be the same). What an optimiser holds for each parameter is called after it: ``velocity_W1``.
    """
    found: dict[int, tuple[str, str]] = {}
    for name, thing in reachable:
        if isinstance(thing, Array):
            found.setdefault(id(thing), (name, name))
    for name, thing in reachable:
        for path, part in below(thing):
            if path and (isinstance(part, Array) or hasattr(part, "forward")):
                found.setdefault(id(part), (path, f"{name}.{path}"))
    often = Counter(short for short, _ in found.values())
    names = {key: short if often[short] == 1 else full for key, (short, full) in found.items()}
    for _, thing in reachable:
        names.update(_kept_for_each(thing, names))
    return names


def _variables_of(function: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(function, "__func__"):  # a method
        yield "self", function.__self__
        function = function.__func__
    code = getattr(function, "__code__", None)
    if code is None:
        yield type(function).__name__, function
        return
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # a cell that is still empty
            yield name, cell.cell_contents
    for name in code.co_names:
        if name in function.__globals__:
            yield name, function.__globals__[name]


def below(root: Any) -> Iterator[tuple[str, Any]]:
    """An object and what is in its attributes, lists and dictionaries, with their paths; objects but Arrays once."""
    seen: set[int] = set()
    stack = [("", root)]
    while stack and len(seen) < MANY:
        path, thing = stack.pop()
        if isinstance(thing, Array):
            yield path, thing
        elif id(thing) not in seen:
            seen.add(id(thing))
            yield path, thing
            parts = [(f"{path}.{name}" if path else name, part) for name, part in _parts(thing)]
            stack.extend(reversed(parts))


def _parts(thing: Any) -> list[tuple[str, Any]]:
    if isinstance(thing, dict):
        return [(str(name), part) for name, part in islice(thing.items(), MANY)]
    if isinstance(thing, (list, tuple)):
        return [(str(k), part) for k, part in enumerate(thing[:MANY])]
    attributes = getattr(thing, "__dict__", None)
    if isinstance(thing, (ModuleType, FunctionType, type)) or not isinstance(attributes, dict):
        return []
    if "__wrapped__" in attributes:  # a function in a wrapper, maybe the compiled one itself with its Programs
        return []
    return [(name.lstrip("_"), part) for name, part in attributes.items()]


def _kept_for_each(optimiser: Any, names: dict[int, str]) -> Iterator[tuple[int, str]]:
    """Names for the lists of States that stand beside a list of Parameters."""
    lists = {name: part for name, part in _parts(optimiser) if isinstance(part, list) and part}
    parameters = next((part for part in lists.values() if all(isinstance(p, Parameter) for p in part)), [])
    for name, part in lists.items():
        if part is not parameters and len(part) == len(parameters):
            for state, p in zip(part, parameters, strict=True):
                if isinstance(state, State) and id(p) in names:
                    yield id(state), f"{name}_{names[id(p)]}"

"""A Program in words: its instructions, typed, one a line; what the passes did; which line of the user costs what."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from chainrule.gates.indexing import Indexed
from chainrule.graph.site import Site
from chainrule.graph.state import State
from chainrule.program.naming import labels_of
from chainrule.program.passes import PASSES, Pass, optimise
from chainrule.program.program import Instruction, Operand, Program, Value

ROLES = ("forward", "backward", "update")
WIDEST = 60
"""Remarks stand behind this column, or closer where all lines are shorter."""


def listing(program: Program) -> str:
    """The Program as typed instructions, one a line: what ``str(program)`` gives.

    What the user's code has a name for is called by it; other values are numbered, ``%3``.

        f
          x: float64[3]                     # argument
          # forward
          h: float64[3] = multiply(x, x)    # net.py:2
          %1: float64 = sum(h)              # net.py:3
          return %1
    """
    names = _Names(program)
    lines: list[tuple[str, str]] = [(program.name, "")]
    lines += [(f"  {names[value]}: {kind(value)}", "argument") for value in program.inputs]
    for value, source in program.captures:
        lines.append((f"  {names[value]}: {kind(value)}", "state" if isinstance(source, State) else "data"))
    role = None
    for i in program.instructions:
        if i.role != role:
            lines.append((f"  # {i.role}", ""))
            role = i.role
        place = "" if i.site is None else str(Site(*i.site))
        lines.append((f"  {names[i.result]}: {kind(i.result)} = {_application(i, names)}", place))
    captured = {id(source): names[value] for value, source in program.captures}
    for state, value in program.stores:
        lines.append((f"  store {names[value]} in {captured.get(id(state)) or state.label()}", ""))
    lines.append((f"  return {', '.join(names[value] for value in program.outputs)}".rstrip(), ""))
    column = min(max(len(text) for text, _ in lines[1:]), WIDEST)
    return "\n".join(f"{text.ljust(column)}  # {place}" if place else text for text, place in lines)


class _Names:
    """The user's names for values, and numbers for the rest."""

    def __init__(self, program: Program) -> None:
        numbered = {i.result: f"%{k}" for k, i in enumerate(program.instructions)}
        self._names = {
            value: numbered[value] if value in numbered and label.rpartition("_")[0] == title else label
            for (value, label), title in zip(labels_of(program).items(), _titles(program), strict=True)
        }

    def __getitem__(self, x: Operand) -> str:
        return self._names[x] if isinstance(x, Value) else repr(x)


def _titles(program: Program) -> Iterable[str]:
    yield from ("" for _ in program.sources())
    yield from (i.gate.title for i in program.instructions)


def kind(value: Value) -> str:
    """``float32[64, 100]``; ``float`` for a Python number of run time."""
    name = type(value.dtype.type(0).item()).__name__ if value.weak else str(value.dtype)
    return f"{name}{list(value.shape) if value.shape else ''}"


def _application(i: Instruction, names: _Names) -> str:
    """``sum(h, axis=(0,))``: the gate, its operands, and those static parameters that are set."""
    operands = [names[x] for x in i.operands]
    static = {name: getattr(i.gate, name) for name in getattr(type(i.gate), "__dataclass_fields__", ())}
    if isinstance(i.gate, Indexed):
        first = len(i.gate.arguments) - 1
        operands = [*operands[:first], f"[{i.gate.written(first).format(*operands)}]"]
        del static["index"]
    shown = [f"{name}={x}" for name, x in static.items() if not (x is None or x is False or x == () or callable(x))]
    return f"{i.gate.title}({', '.join([*operands, *shown])})"


# ---- what the passes did


def explain(recorded: Program, passes: Sequence[Pass] = PASSES) -> str:
    """What became of a recorded Program: gates after each pass, memory, and how many gates each line of the user costs.

    A table of plain text.
    """
    stages = [("recorded", recorded)]
    for each in passes:
        stages.append((each.__name__, optimise(stages[-1][1], passes=[each])))
    last = stages[-1][1]
    parts = [
        f"{recorded.name}: {len(recorded.instructions)} gates recorded, {len(last.instructions)} to run",
        table(["", *ROLES, "gates", "bytes"], (_counts(name, program) for name, program in stages)),
        _memory(last),
        table(["line", *ROLES, "gates"], _by_line(last)),
    ]
    return "\n\n".join(parts)


def _counts(name: str, program: Program) -> list[str]:
    roles = Counter(i.role for i in program.instructions)
    size = sum(bytes_of(i.result) for i in program.instructions)
    return [name, *(str(roles[role]) for role in ROLES), str(len(program.instructions)), f"{size:,}"]


def _by_line(program: Program) -> Iterable[list[str]]:
    lines: dict[str, Counter[str]] = {}
    for i in program.instructions:
        place = "" if i.site is None else f"{Site(*i.site)}  {Site(*i.site).text}".rstrip()
        lines.setdefault(place, Counter())[i.role] += 1
    for place, roles in lines.items():
        yield [place, *(str(roles[role] or "") for role in ROLES), str(roles.total())]


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Plain text in columns: the first one is left-aligned, the others are right-aligned."""
    lines = [head, *rows]
    widths = [max(len(row[k]) for row in lines) for k in range(len(head))]
    aligned = (
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in lines
    )
    return "\n".join("  ".join(row).rstrip() for row in aligned)


def _memory(program: Program) -> str:
    arguments = sum(bytes_of(value) for value in program.inputs)
    captures = sum(bytes_of(value) for value, _ in program.captures)
    results = sum(bytes_of(i.result) for i in program.instructions)
    return (
        f"bytes: arguments {arguments:,}, states and data {captures:,}, results {results:,}, of which "
        f"{peak(program):,} are needed at the same time"
    )


def bytes_of(value: Value) -> int:
    """How many bytes a value takes if it is written out."""
    return math.prod(value.shape) * value.dtype.itemsize


def peak(program: Program) -> int:
    """The most bytes of results that are needed at the same time, if each is given back after its last use."""
    last = {x: k for k, i in enumerate(program.instructions) for x in i.reads()}
    kept = {*program.results(), *program.sources()}
    now = most = 0
    for k, i in enumerate(program.instructions):
        now += bytes_of(i.result)
        most = max(most, now)
        over = {x for x in (*i.reads(), i.result) if last.get(x, k) == k and x not in kept}
        now -= sum(map(bytes_of, over))
    return most

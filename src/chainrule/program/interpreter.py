"""Running a Program with NumPy alone: from its printed source, or gate by gate."""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from itertools import count
from typing import Any
from weakref import finalize

import numpy as np

from chainrule.graph.array import raw
from chainrule.program.program import Instruction, Program, Value
from chainrule.program.source import function_name, source_of

_next_number = count(1).__next__


class Interpreter:
    """A Program run from its printed source: what you read is what is executed, and where an error points to.

    Attributes:
        source: the text.
        function: what the text defines; takes inputs by position and captures by name.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.source = source_of(program)
        filename = f"<{program.name}, printed by chainrule: {_next_number()}>"
        namespace: dict[str, Any] = {}
        exec(compile(self.source, filename, "exec"), namespace)  # noqa: S102
        self.function = namespace[function_name(program)]
        # Tracebacks and debuggers find the lines there.
        linecache.cache[filename] = (len(self.source), None, self.source.splitlines(keepends=True), filename)
        finalize(self.function, linecache.cache.pop, filename, None)
        code = self.function.__code__
        self._names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]

    def run(self, inputs: Sequence[Any], captures: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """The outputs, and what each State of ``program.stores`` shall hold afterwards.

        Args:
            inputs: ndarrays, and Python floats where an input is weak, as ``program.inputs``.
            captures: ndarrays, in the order of ``program.captures``.

        Results may be views of each other, and of what goes in. There are no warnings of NumPy, as there are none from
        native code: the run that was recorded has warned.
        """
        with np.errstate(all="ignore"):
            returned = self.function(*inputs, **dict(zip(self._names, captures, strict=True)))
        parts = len(self.program.outputs) + bool(self.program.stores)
        results = list(returned) if parts != 1 else [returned]
        stored = list(results.pop().values()) if self.program.stores else []
        return [np.asarray(x) for x in results], [np.asarray(x) for x in stored]


def captured(program: Program) -> list[Any]:
    """What the captures of a Program hold at present."""
    return [raw(source) for _, source in program.captures]


def run(program: Program, inputs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The outputs for these inputs, and what each State of ``program.stores`` shall hold afterwards, gate by gate."""
    known: dict[Value, Any] = dict(zip(program.inputs, inputs, strict=True))
    known.update((value, raw(owner)) for value, owner in program.captures)
    last_use = {x: i for i, instruction in enumerate(program.instructions) for x in instruction.reads()}
    kept = {*program.results(), *program.sources()}
    for i, instruction in enumerate(program.instructions):
        operands = [known[x] if isinstance(x, Value) else x for x in instruction.operands]
        known[instruction.result] = applied(instruction, operands)
        for x in instruction.reads():
            if last_use[x] == i and x not in kept:
                known.pop(x, None)
    return [known[x] for x in program.outputs], [known[x] for _, x in program.stores]


def applied(instruction: Instruction, operands: Sequence[Any]) -> Any:
    """What the gate makes of operands: a Python number where the result is weak, else an ndarray."""
    z = instruction.gate.forward(*operands)
    if isinstance(z, tuple):  # a gate may return what its rule needs along with the value
        z = z[0]
    return np.asarray(z).item() if instruction.result.weak else np.asarray(z)

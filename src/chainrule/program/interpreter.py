"""Running a Program gate by gate, on ndarrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.graph.array import raw
from chainrule.program.program import Program, Value


def run(program: Program, inputs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The outputs for these inputs, and what each State of ``program.stores`` shall hold afterwards."""
    known: dict[Value, Any] = dict(zip(program.inputs, inputs, strict=True))
    known.update((value, raw(owner)) for value, owner in program.captures)
    last_use = {x: i for i, instruction in enumerate(program.instructions) for x in instruction.reads()}
    kept = {*program.results(), *program.sources()}
    for i, instruction in enumerate(program.instructions):
        operands = [known[x] if isinstance(x, Value) else x for x in instruction.operands]
        z = instruction.gate.forward(*operands)
        if isinstance(z, tuple):  # a gate may keep something for its rules
            z = z[0]
        known[instruction.result] = np.asarray(z).item() if instruction.result.weak else np.asarray(z)
        for x in instruction.reads():
            if last_use[x] == i and x not in kept:
                known.pop(x, None)
    return [known[x] for x in program.outputs], [known[x] for _, x in program.stores]

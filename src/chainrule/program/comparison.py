"""Two recordings of one function, compared: what differs depends on something that a Program cannot know.

A clock, ``np.random``, a counter in a Python attribute: eager code reads them afresh in each call, a Program has what
they were while it was recorded. Recording twice finds most of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.calculus.trees import leaves
from chainrule.graph.array import Array
from chainrule.graph.site import Site, at
from chainrule.program.identity import exact, gate_identity
from chainrule.program.program import Instruction, Operand, Program, Value
from chainrule.program.recording import Recording


def difference(one: Recording, other: Recording) -> str | None:
    """What is not the same in two recordings of the same kind of call, in words; None if all is."""
    return _in_results(one.result, other.result) or _in_programs(one.program, other.program)


def _in_results(one: Any, other: Any) -> str | None:
    """What differs in the structure of the results, and in what stands in it besides arrays."""
    mine, others = list(leaves(one)), list(leaves(other))
    if len(mine) != len(others):
        return f"{len(mine)} values were returned, then {len(others)}"
    changed = [(a, b) for a, b in zip(mine, others, strict=True) if not (a is b or exact(a) == exact(b) or a == b)]
    return f"{changed[0][0]!r} was returned, then {changed[0][1]!r}" if changed else None


def _in_programs(first: Program, second: Program) -> str | None:
    same = _Same(first, second)
    for one, other in zip(first.instructions, second.instructions, strict=False):
        found = same.difference(one, other)
        if found is not None:
            return found
    longer = max(first.instructions, second.instructions, key=len)
    if len(first.instructions) != len(second.instructions):
        extra = longer[min(len(first.instructions), len(second.instructions))]
        return f"{extra.gate.title}{_place(extra)} was applied in one call and not in the other"
    results = list(zip(first.results(), second.results(), strict=False))
    stored = [state for state, _ in first.stores], [state for state, _ in second.stores]
    if len(first.outputs) != len(second.outputs) or any(a is not b for a, b in zip(*stored, strict=False)):
        return "what is returned or assigned"
    return next((found for a, b in results if (found := same.operands(a, b)) is not None), None)


class _Same:
    """Which Value of the second Program stands for which of the first."""

    def __init__(self, first: Program, second: Program) -> None:
        self.pairs = dict(zip(first.inputs, second.inputs, strict=True))
        self.captures = dict(first.captures), dict(second.captures)

    def difference(self, one: Instruction, other: Instruction) -> str | None:
        if gate_identity(one.gate) != gate_identity(other.gate):
            return f"{one.gate.title}{_place(one)} became {other.gate.title}{_place(other)}"
        for a, b in zip(one.operands, other.operands, strict=False):
            found = self.operands(a, b)
            if found is not None:
                return f"{found} that {one.gate.title}{_place(one)} is applied to"
        self.pairs[one.result] = other.result
        return None

    def operands(self, a: Operand, b: Operand) -> str | None:
        """What is not the same in two operands, in words; None if nothing."""
        if not isinstance(a, Value) or not isinstance(b, Value):
            return None if exact(a) == exact(b) else f"the number {a}, then {b},"
        if a in self.pairs:
            return None if self.pairs[a] is b else "the value"
        mine, others = self.captures[0].get(a), self.captures[1].get(b)
        if mine is others:
            return None
        if isinstance(mine, Array) or isinstance(others, Array) or not _equal(mine, others):
            return f"the array of shape {a.shape}"
        return None


def _equal(x: Any, y: Any) -> bool:
    """Whether two captured ndarrays, made anew in each call, have the same bits."""
    x, y = np.asarray(x), np.asarray(y)
    return bool(x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes())


def _place(instruction: Instruction) -> str:
    return at(None if instruction.site is None else Site(*instruction.site))

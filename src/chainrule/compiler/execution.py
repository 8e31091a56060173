"""What runs a Program: native code, or its printed source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.native.target import unavailable
from chainrule.program.interpreter import Interpreter, captured
from chainrule.program.minibatches import Minibatches
from chainrule.program.program import Program, Value


class Interpreted:
    """A Program run from its printed source: what there is where nothing is compiled."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._interpreter = Interpreter(program)

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """The outputs for these ndarrays and floats, as fresh ndarrays. States are assigned last."""
        outputs, stored = self._interpreter.run(inputs, captured(self.program))
        fresh = [np.array(x) for x in outputs]
        states = [state for state, _ in self.program.stores]
        # A value may be a view of a State that is about to be written.
        stored = [np.array(x) if any(np.may_share_memory(x, s._value) for s in states) else x for x in stored]
        for state, value in zip(states, stored, strict=True):
            np.copyto(state.writable(), value)
        return fresh

    def attempt(self, args: tuple[Any, ...]) -> None:
        """Nothing here is worth a short cut."""

    def many(self, inputs: Sequence[Any], steps: Minibatches, count: int, last: frozenset[int]) -> Any:
        """As ``native.executor.Executor.many``, but one step at a time."""
        return [x if k in last else x[None] for k, x in enumerate(self.run(inputs))], 1


def executor(program: Program, backend: str | None) -> Any:
    """What runs a Program: ``native`` code, its printed ``source``, or for None the better one that is there.

    Processors have no long doubles worth the name: a Program with any runs with NumPy. Raises ValueError for another
    name, ImportError for native code without llvmlite.
    """
    if backend not in (None, "native", "source"):
        raise ValueError(f"backend is 'native' or 'source', not {backend!r}")
    values = (*program.sources(), *(i.result for i in program.instructions))
    if backend == "source" or (backend is None and unavailable() is not None) or any(_is_long(x) for x in values):
        return Interpreted(program)
    from chainrule.native.executor import Executor  # with llvmlite, which importing chainrule must not wait for

    return Executor(program)


def _is_long(value: Value) -> bool:
    return value.dtype.kind == "f" and value.dtype.itemsize > np.dtype(np.float64).itemsize

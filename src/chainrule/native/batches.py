"""Step after step of a compiled function over rows of arrays, without Python in between.

The step's own table is run by the loop of ``native.repeat``. Before it come rows that gather a minibatch, in the given
order, into memory of the loop; without an order the step reads its rows where they lie. States are those of the step,
in place, so each step finds what the one before has left. Results are written one behind the other.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from chainrule.graph.array import next_number, raw
from chainrule.native import dispatch
from chainrule.native.repeat import DONE, block, loop_code
from chainrule.native.team import team
from chainrule.program.minibatches import Source

LARGE = 100_000
"""Bytes of a minibatch from which a team shares the gathering."""


@dataclass(frozen=True)
class Many:
    """Many steps of an Executor, for minibatches of full length.

    Attributes:
        sources: for each input of the Program the array whose rows it is; None for one that stays the same.
        order: the row of the sources for each row of the minibatches, one after the other, all in range; None for the
            rows as they are.
        batch: rows in a minibatch.
        last: the numbers of the outputs of which only the last step's are wanted.
    """

    executor: Any
    sources: Sequence[Source | None]
    order: Any
    batch: int
    last: frozenset[int]

    def run(self, inputs: Sequence[Any], first: int, count: int) -> tuple[list[Any], int]:
        """The outputs of steps ``first`` and the following ones, stacked, and how many steps are done.

        An ordinary call with ``inputs`` is the first step: it checks and places everything. An error in a later one
        ends the run before the States are written: calling that step by itself raises it.
        """
        opening = self.executor.run(inputs)
        if count == 1 or self.executor._entry is None:
            return [x if k in self.last else x[None] for k, x in enumerate(opening)], 1
        program = self.executor.program
        outputs = [
            x if k in self.last else np.empty((count, *x.shape), value.dtype)
            for k, (x, value) in enumerate(zip(opening, program.outputs, strict=True))
        ]
        for k, x in enumerate(opening):
            if k not in self.last:
                outputs[k][0] = x
        done = 1 + self._steps(inputs, outputs, first, count)
        return [x if k in self.last else x[:done] for k, x in enumerate(outputs)], done

    def _steps(self, inputs: Sequence[Any], outputs: list[Any], first: int, count: int) -> int:
        """Run all steps but the first; how many are done."""
        executor = self.executor
        keep: list[Any] = [raw(owner) for owner in executor._owner.values()]  # until native code is done with them
        rows: list[Any] = []
        moves: list[Any] = []
        for value, x, source in zip(executor.program.inputs, inputs, self.sources, strict=True):
            if value.weak:
                continue  # it is where the first step had it
            held, advance = self._minibatch(executor._fitting(value, x), source, first, rows, moves, keep)
            moves += [(address, held + distance, advance) for address, distance in executor._patches.get(value, ())]
        for k, x in enumerate(outputs):
            size = 0 if k in self.last else x.nbytes // count
            moves += [(address, x.ctypes.data + distance, size) for address, distance in executor._patches.get(k, ())]
        table = np.concatenate([*rows, executor._tables[0]])
        words = self._words(table, moves)
        context = executor._context
        _repeat()(words.ctypes.data, 1, count, 0, 1, context.address)
        done = int(words[DONE]) - 1
        number = next_number()
        for state in executor.stored:
            state.number = number
        return done

    def _minibatch(
        self, x: Any, source: Source | None, first: int, rows: list[Any], moves: list[Any], keep: list[Any]
    ) -> tuple[int, int]:
        """Where an input of the first step begins, and the bytes that it advances."""
        keep.append(x)
        if source is None:
            return x.ctypes.data, 0
        size = source.values.nbytes // max(len(source.values), 1)
        start = source.values.ctypes.data
        if self.order is None:
            return start + first * self.batch * size, self.batch * size
        gathered = np.empty_like(x)
        words = np.array([start, 0, size, gathered.ctypes.data])
        moves.append((words.ctypes.data + 8, self.order.ctypes.data + 8 * first * self.batch, 8 * self.batch))
        keep += [gathered, words]
        row = dispatch.empty_table(1)
        addresses, _ = loop_code()
        row[0, [dispatch.KERNEL, dispatch.ARGS]] = addresses["gather"], words.ctypes.data
        row[0, [dispatch.I1, dispatch.J1]] = self.batch, 1
        if x.nbytes > LARGE:
            row[0, [dispatch.SPLIT, dispatch.GRAIN]] = dispatch.ALONG_I, 1
        rows.append(row)
        return gathered.ctypes.data, 0

    def _words(self, table: Any, moves: list[Any]) -> Any:
        run = dispatch.runtime().addresses["run_team" if self.executor.uses_team else "run_alone"]
        words = block(table, run, team.address if self.executor.uses_team else 0, moves)
        made = dispatch.aligned_words(len(words))
        made[:] = words
        return made


@cache
def _repeat() -> Any:
    """The loop as a function that Python calls, without the interpreter lock."""
    addresses, code = loop_code()
    function: Any = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(addresses["repeat"])
    function.code = code
    return function

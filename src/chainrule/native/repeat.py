"""Native loops: a step table run over and over, while pointers advance.

A scan is planned like this: its step is planned as a Program of its own, whose memory is that of the outer one. The
carry lies in its place in the packed result: with the history row after row, so that a step reads one row and writes
the next one; without it the step writes it in place, as it would a State. Sums are added up in place, too. Elements and
what is given are rows of their arrays. So nothing is copied between steps but pointers.

``repeat.ll`` is the loop, a kernel like all others. Its block of arguments:

    rows, count     the step table of one step
    run, team       what runs it (``run_alone`` or ``run_team``), and the first argument of that
    moves, moving   how many pointers there are, and how many of them, the first, advance
    done            out: how many steps are done
    one word        reserved
    for each pointer: the address of the word that holds it, where it begins, the bytes that it advances at a step
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from chainrule.gates.arithmetic import Add
from chainrule.graph.array import new_leaf
from chainrule.graph.state import State
from chainrule.native.dispatch import read_ir
from chainrule.native.jit import compile_ir
from chainrule.native.nest import Access, Literal, Load, Nest, Store, arranged, whole
from chainrule.native.structure import Pointer
from chainrule.native.views import Buffer, View, row_major
from chainrule.program.loop import Part, Scan
from chainrule.program.passes import prune
from chainrule.program.program import Instruction, Program, Value

ROWS, COUNT, RUN, TEAM, MOVES, MOVING, DONE = range(7)
HEAD = 8
"""The words of a block before its pointers."""


@dataclass(frozen=True)
class Place:
    """Where the elements of an inner buffer begin at the first step, and by how many elements they advance."""

    buffer: Buffer
    offset: int
    advance: int


@dataclass(frozen=True, eq=False)
class Repeat:
    """A step, planned, to be run ``length`` times."""

    plan: Any
    length: int
    places: dict[Any, Place]
    """By what an inner buffer stands for: a Value, or the number of an output."""
    arena: Buffer

    def buffers(self) -> Iterator[Buffer]:
        """The outer buffers that it touches."""
        yield self.arena
        yield from (place.buffer for place in self.places.values())

    def outside(self, word: Pointer) -> tuple[Pointer, int]:
        """Where a pointer of the step points to at the first step, and the bytes that it advances."""
        buffer = word.buffer
        if buffer.source is None:
            return Pointer(self.arena, buffer.offset + word.offset * buffer.dtype.itemsize), 0
        place = self.places[getattr(buffer.source, "number", buffer.source)]
        return Pointer(place.buffer, place.offset + word.offset), place.advance * buffer.dtype.itemsize


@cache
def loop_code() -> tuple[dict[str, int], Any]:
    """The addresses of ``repeat`` and ``gather``, and what keeps them loaded."""
    return compile_ir(read_ir("repeat.ll"), ["repeat", "gather"], effort=0)


def block(rows: Any, run: int, team: int, moves: Sequence[tuple[int, Any, int]]) -> list[Any]:
    """The words of a loop's block: pointers that advance first."""
    moves = sorted(moves, key=lambda move: not move[2])
    head = [rows.ctypes.data, len(rows), run, team, len(moves), sum(1 for *_, way in moves if way), 0, 0]
    return [*head, *(word for move in moves for word in move)]


# ---- planning a scan


def repeat_of(
    instruction: Instruction, operands: Sequence[View | bool | int | float], result: View, plan: Callable[..., Any]
) -> tuple[list[Nest], Repeat] | None:
    """What puts the first carry in its place, and the loop; None where NumPy must take part in a step.

    ``plan`` makes the plan of a Program.
    """
    return _Planner(instruction.gate, operands, result).planned(plan)


class _Planner:
    def __init__(self, gate: Scan, operands: Sequence[View | bool | int | float], result: View) -> None:
        self.gate, self.result = gate, result
        self.program = gate.step.program
        self.places: dict[Any, Place] = {}
        self.before: list[Nest] = []
        self.captures: list[tuple[Value, Any]] = []
        self.outputs: list[Value] = []
        self.stores: list[tuple[Any, Value]] = []
        self.instructions = list(self.program.instructions)
        values = [*self.program.inputs, *(value for value, _ in self.program.captures)]
        self.views = [self._viewed(x, value) for x, value in zip(operands, values, strict=True)]
        self.parts = {(part.kind, part.number): part for part in gate.parts}

    def planned(self, plan: Callable[..., Any]) -> tuple[list[Nest], Repeat] | None:
        self._elements()
        self._captured()
        for k in self._carries():
            self._carry(k)
        for kind, k, value in self.gate.step.values:
            part = self.parts.get((kind, k))
            if kind == "given" and part is not None:
                self._output(value, part, 0)
            elif kind == "sum" and part is not None:
                self._sum(value, part)
        inner = plan(self._inner())
        if any(hasattr(kernel.work, "instruction") for kernel in inner.kernels):  # a gate that NumPy runs
            return None
        arena = Buffer(inner.arena, np.dtype(np.uint8))
        return self.before, Repeat(inner, self.gate.length, self.places, arena)

    def _inner(self) -> Program:
        program = replace(
            self.program,
            inputs=(),
            captures=tuple(self.captures),
            instructions=tuple(self.instructions),
            outputs=tuple(self.outputs),
            stores=tuple(self.stores),
        )
        kept = {id(source) for source, _ in program.stores}
        pruned = prune(program)
        captures = [(value, source) for value, source in program.captures if id(source) in kept]
        return replace(pruned, captures=tuple(dict([*pruned.captures, *captures]).items()))

    # ---- what a step reads

    def _viewed(self, x: Any, value: Value) -> View:
        """An operand as a view; a number is put into memory first."""
        if isinstance(x, View):
            return x
        view = View(Buffer(1, value.dtype), 0, (), ())
        self.before.append(Nest((), (), (Literal(x, value.dtype),), (Store(whole(view), 0),)))
        return view

    def _reads(self, value: Value, view: View, advance: int, source: Any = None) -> None:
        self.captures.append((value, _stand_in(view) if source is None else source))
        self.places[value] = Place(view.buffer, view.offset, advance)

    def _elements(self) -> None:
        first = self.gate.step.carried
        for k in range(first, first + self.gate.step.taken):
            view = self.views[k]
            row = self.gate.length - 1 if self.gate.reverse and self.gate.length else 0
            start = view.offset + row * view.strides[0]
            element = View(view.buffer, start, view.shape[1:], view.strides[1:])
            self._reads(self.program.inputs[k], element, self._way * view.strides[0])

    def _captured(self) -> None:
        taken = len(self.program.inputs)
        for (value, _), view in zip(self.program.captures, self.views[taken:], strict=True):
            self._reads(value, view, 0)

    @property
    def _way(self) -> int:
        return -1 if self.gate.reverse else 1

    # ---- what it carries and gives

    def _carries(self) -> list[int]:
        """The parts of the carry that matter: those of the result, and those that the others are computed from."""
        wanted = {value for kind, k, value in self.gate.step.values if (kind, k) in self.parts}
        while True:
            needed = prune(replace(self.program, outputs=tuple(wanted)))
            read = {x for i in needed.instructions for x in i.reads()} | wanted
            carries = [k for k in range(self.gate.step.carried) if self.program.inputs[k] in read or self._held(k)]
            more = {self.program.outputs[k] for k in carries} - wanted
            if not more:
                return carries
            wanted |= more

    def _held(self, k: int) -> bool:
        return ("carry", k) in self.parts

    def _carry(self, k: int) -> None:
        before, after = self.program.inputs[k], self.program.outputs[k]
        part = self.parts.get(("carry", k))
        size = math.prod(before.shape)
        if part is not None and self.gate.history:
            row = self.gate.length if self.gate.reverse else 0
            slot = self._row(part, row)
            self._reads(before, slot, self._way * size)
            self._output(after, part, self._way)
        else:
            slot = View(Buffer(size, before.dtype), 0, before.shape, row_major(before.shape))
            if part is not None:
                slot = self._row(part, 0)
            self._written(before, after, slot)
        load = Load(whole(self.views[k]), before.dtype)
        self.before.append(_filling(slot, load))

    def _sum(self, term: Value, part: Part) -> None:
        total, more = Value(term.shape, term.dtype), Value(term.shape, term.dtype)
        self.instructions.append(Instruction(Add(), (total, term), more, "forward"))
        slot = self._row(part, 0)
        self._written(total, more, slot)
        self.before.append(_filling(slot, Literal(0, term.dtype)))

    def _written(self, before: Value, after: Value, slot: View) -> None:
        """A value that a step changes in place."""
        state = new_leaf(State, _stand_in(slot), False)
        self._reads(before, slot, 0, state)
        self.stores.append((state, after))

    def _output(self, value: Value, part: Part, ahead: int) -> None:
        """A value that is written to one row after the other, ``ahead`` rows before that of the element."""
        last = part.rows - 1
        row = self._row(part, (last if self.gate.reverse else 0) + ahead)
        self.places[len(self.outputs)] = Place(row.buffer, row.offset, self._way * math.prod(value.shape))
        self.outputs.append(value)

    def _row(self, part: Part, row: int) -> View:
        start = self.result.offset + part.start + row * math.prod(part.shape)
        return View(self.result.buffer, start, part.shape, row_major(part.shape))


def _filling(slot: View, step: Load | Literal) -> Nest:
    """Write a value to a slot."""
    return arranged(Nest(slot.shape, (), (step,), (Store(Access(slot.buffer, slot.offset, slot.strides), 0),)), 16)


def _stand_in(view: View) -> Any:
    """An ndarray of the view's shape and strides, never to be read: it costs no memory."""
    dtype = view.buffer.dtype
    strides = tuple(s * dtype.itemsize for s in view.strides)
    return np.lib.stride_tricks.as_strided(np.empty(1, dtype), view.shape, strides)

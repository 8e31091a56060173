"""Draws, ready for loop nests: the words of a stream become an elementwise gate of their positions.

A recorded draw is one gate, ``taken(key, start, count)``. Here it becomes ``start + arange(count)`` and a gate that
computes each word from its position, which fuses with what is made of the words.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from chainrule.gates.arithmetic import Add
from chainrule.gates.constant import PiecewiseConstant
from chainrule.gates.indexing import GetItem
from chainrule.gates.primitive import Elementwise
from chainrule.gates.selection import Where
from chainrule.program.program import Instruction, Operand, Program, Value
from chainrule.random.philox import words_at
from chainrule.random.samples import taken

KEY_WORDS = 3
U32, U64 = np.dtype(np.uint32), np.dtype(np.uint64)


class RandomWord(Elementwise):
    """z = the word at ``position`` of the stream of a key of three words"""

    title = "random_word"
    differentiable = False

    def forward(self, key0: Any, key1: Any, key2: Any, position: Any) -> Any:
        return words_at(np.array([key0, key1, key2]), position)

    def computes_in(self, *operands: Any) -> tuple[Any, ...]:
        return (U64,) * len(operands)

    def lower(self, b: Any, key0: Any, key1: Any, key2: Any, position: Any) -> Any:
        return b.cast(b.random_word(key0, key1, key2, position, b.like(position, 0)), U32)


def with_random_words(program: Program) -> Program:
    """The Program with every draw of words as said above; the same Program if there are none."""
    instructions: list[Instruction] = []
    positions: dict[int, Value] = {}
    for i in program.instructions:
        count = _words_drawn(i)
        if not count:
            instructions.append(i)
            continue
        numbers = positions.setdefault(count, Value((count,), U64))
        instructions += _words(i, numbers, count)
    if not positions:
        return program
    captures = (*program.captures, *((value, _numbers(count)) for count, value in positions.items()))
    return replace(program, instructions=tuple(instructions), captures=captures)


def _words(i: Instruction, numbers: Value, count: int) -> list[Instruction]:
    """The instructions in place of a draw. At the end of the stream the key is read beyond its end: an error that the
    kernel reports, and that the Program as it was recorded explains.
    """
    made: list[Instruction] = []

    def apply(gate: Any, operands: tuple[Operand, ...], result: Value) -> Value:
        made.append(replace(i, gate=gate, operands=operands, result=result))
        return result

    key, start = i.operands
    enough = apply(PiecewiseConstant.of(np.less), (start, 2**64 - count), Value((), np.dtype(bool)))
    first = apply(Where(), (enough, 0, KEY_WORDS), Value((), np.dtype(np.int64)))
    words = [apply(GetItem.of((np.ndarray,)), (key, first), Value((), U32))]
    words += [apply(GetItem.of((k,)), (key,), Value((), U32)) for k in range(1, KEY_WORDS)]
    places = apply(Add(), (start, numbers), Value((count,), U64))
    apply(RandomWord(), (*words, places), i.result)
    return made


def _words_drawn(i: Instruction) -> int:
    """How many words the instruction draws; 0 for any other one."""
    if not isinstance(i.gate, PiecewiseConstant) or i.gate.function is not taken or len(i.operands) != 2:
        return 0
    return int(dict(i.gate.kwargs)["count"]) if {name for name, _ in i.gate.kwargs} == {"count"} else 0


@cache
def _numbers(count: int) -> Any:
    """0 to count - 1, shared by all Programs."""
    return np.arange(count, dtype=U64)

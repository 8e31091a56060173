"""The passes over a Program, in the order in which they run. Each is a small pure function Program -> Program.

None of them changes a number: what is computed afterwards has the same bits (NaN for NaN), only fewer gates compute it.
Numerical stability is the business of the eager compositions, so that compiled equals eager.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from chainrule.program.fold import Known, simplified
from chainrule.program.identity import identity
from chainrule.program.program import Instruction, Operand, Program, Value
from chainrule.program.verify import Verifier, compare

Pass = Callable[[Program], Program]


def prune(program: Program) -> Program:
    """Leave out what neither an output nor a store needs, such as dL/dX of the data, and captures nobody reads."""
    needed = set(program.results())
    kept = []
    for instruction in reversed(program.instructions):
        if instruction.result in needed:
            needed.update(instruction.reads())
            kept.append(instruction)
    captures = tuple((value, source) for value, source in program.captures if value in needed)
    return replace(program, instructions=tuple(reversed(kept)), captures=captures)


def fold(program: Program) -> Program:
    """Replace gates by simpler ones that give the same bits: see ``program.fold``."""
    uses = Counter(program.results())
    for instruction in program.instructions:
        uses.update(instruction.reads())
    known = Known({}, uses)
    stands_for: dict[Value, Operand] = {}
    results = set(program.results())
    kept: list[Instruction] = []
    for instruction in map(Renaming(stands_for), program.instructions):
        simpler = simplified(instruction, known)
        if isinstance(simpler, Value) or (
            isinstance(simpler, (bool, int, float)) and instruction.result not in results
        ):
            stands_for[instruction.result] = simpler
            continue
        if isinstance(simpler, (bool, int, float)):  # an output: only a gate makes a value of it
            simpler = instruction
        for each in simpler if isinstance(simpler, tuple) else (simpler,):
            known.makers[each.result] = each
            kept.append(each)
    return _renamed(program, kept, stands_for)


def merge(program: Program) -> Program:
    """Compute what is computed twice once: common-subexpression elimination."""
    first: dict[Any, Value] = {}
    stands_for: dict[Value, Operand] = {}
    kept = []
    for instruction in map(Renaming(stands_for), program.instructions):
        value = first.setdefault(identity(instruction), instruction.result)
        if value is instruction.result:
            kept.append(instruction)
        else:
            stands_for[instruction.result] = value
    return _renamed(program, kept, stands_for)


PASSES: tuple[Pass, ...] = (prune, fold, merge, prune)


def optimise(
    program: Program, *, debug: bool = False, inputs: Sequence[Any] | None = None, passes: Sequence[Pass] = PASSES
) -> Program:
    """The Program after all passes, verified after each of them.

    ``debug`` runs the Program before and after each pass, too, on the same ``inputs`` (drawn at random where none are
    given), and compares every bit. Raises ``ProgramError``, which names the pass, where one of these checks fails.
    """
    verifier = Verifier(program)
    for each in passes:
        before, program = program, each(program)
        verifier.check(program, f"the pass {each.__name__}")
        if debug:
            compare(before, program, each.__name__, inputs)
    return program


class Renaming:
    """An instruction with its operands replaced by what stands for them by now."""

    def __init__(self, stands_for: dict[Value, Operand]) -> None:
        self.stands_for = stands_for

    def __call__(self, instruction: Instruction) -> Instruction:
        if not any(x in self.stands_for for x in instruction.reads()):
            return instruction
        operands = [self.stands_for.get(x, x) if isinstance(x, Value) else x for x in instruction.operands]
        return replace(instruction, operands=tuple(operands))


def _renamed(program: Program, instructions: Sequence[Instruction], stands_for: dict[Value, Operand]) -> Program:
    """The Program with new instructions; its results, and their names, are those of the values that remain."""

    def remaining(value: Value) -> Value:
        standing = stands_for.get(value, value)
        return standing if isinstance(standing, Value) else value

    labels: dict[Value, str] = {}
    for value, label in program.labels.items():
        labels.setdefault(remaining(value), label)
    for value, standing in stands_for.items():
        if isinstance(standing, Value) and standing.name is None and value.name is not None:
            labels.setdefault(standing, value.name)
    return replace(
        program,
        instructions=tuple(instructions),
        outputs=tuple(map(remaining, program.outputs)),
        stores=tuple((state, remaining(value)) for state, value in program.stores),
        labels=labels,
    )

"""What every Program must be, before and after each pass; and that a pass changes no bit of its results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.gates.shape import BroadcastTo
from chainrule.graph.array import Array, raw
from chainrule.graph.site import Site, at
from chainrule.program.identity import kind, signature
from chainrule.program.interpreter import applied
from chainrule.program.program import Instruction, Operand, Program, Value


class ProgramError(Exception):
    """A Program is not what it must be: a mistake of chainrule's, not of the user's."""


class Verifier:
    """Checks a recorded Program and what the passes make of it.

    A gate must get operands of the shapes, dtypes and weakness that it got somewhere in the recording, and give what it
    gave then; new combinations are tried out on stand-ins. What has passed once is not looked at again, so verifying
    costs little where a pass changed little.
    """

    def __init__(self, recorded: Program) -> None:
        self._sound: set[Instruction] = set(recorded.instructions)
        self._signatures = {signature(i) for i in recorded.instructions}
        self.check(recorded, "the recording")

    def check(self, program: Program, stage: str) -> None:
        """Raise ``ProgramError``, which names the stage, unless order, uses, kinds and stores are right."""
        try:
            _check_order(program)
            _check_stores(program)
            for instruction in program.instructions:
                if instruction not in self._sound:
                    self._check_kinds(instruction)
        except ProgramError as error:
            raise ProgramError(f"after {stage}, {program.name}: {error}") from None

    def _check_kinds(self, instruction: Instruction) -> None:
        key = signature(instruction)
        if key not in self._signatures:
            found, expected = inferred(instruction), kind(instruction.result)
            if found != expected:
                raise ProgramError(f"{described(instruction)} would give {found}, not {expected}")
            self._signatures.add(key)
        self._sound.add(instruction)


def _check_order(program: Program) -> None:
    """Each value has one origin, before its first use."""
    defined = set(program.sources())
    if len(defined) < len(program.inputs) + len(program.captures):
        raise ProgramError("two inputs or captures are one value")
    if len({id(source) for _, source in program.captures}) < len(program.captures):
        raise ProgramError("something is captured twice")
    for instruction in program.instructions:
        for x in instruction.operands:
            if isinstance(x, Value):
                if x not in defined:
                    raise ProgramError(f"{described(instruction)} reads {x!r} before it is defined")
            elif type(x) not in (bool, int, float):
                raise ProgramError(f"{described(instruction)} has an operand that is no value and no number: {x!r}")
        if instruction.result in defined:
            raise ProgramError(f"{described(instruction)} defines {instruction.result!r} a second time")
        defined.add(instruction.result)
    for value in program.results():
        if value not in defined:
            raise ProgramError(f"the result {value!r} is never computed")


def _check_stores(program: Program) -> None:
    if len({id(state) for state, _ in program.stores}) < len(program.stores):
        raise ProgramError("a State is stored twice")
    for state, value in program.stores:
        if isinstance(state, Array) and (state.shape, state.dtype) != (value.shape, value.dtype):
            raise ProgramError(f"{value!r} does not fit the State {state.label()}, {state.dtype}{list(state.shape)}")


def described(instruction: Instruction) -> str:
    """The gate and the user's line, for messages."""
    return f"{instruction.gate.title}{at(None if instruction.site is None else Site(*instruction.site))}"


# ---- what a gate gives for operands of certain kinds


def inferred(instruction: Instruction) -> Any:
    """The kind of result that a gate gives for such operands, found by trying it out.

    Of an elementwise gate one element tells the dtype and broadcasting the shape; of others stand-ins without memory.
    """
    single = instruction.gate.elementwise and not isinstance(instruction.gate, BroadcastTo)
    with np.errstate(all="ignore"):
        try:
            z = applied(instruction, [stand_in(x, single) for x in instruction.operands])
            shape, dtype, weak = kind_of(z)
            return np.broadcast_shapes(*(x.shape for x in instruction.reads())) if single else shape, dtype, weak
        except Exception as error:
            raise ProgramError(f"{described(instruction)} does not take {instruction.operands}: {error}") from error


def kind_of(z: Any) -> Any:
    """Shape, dtype and weakness of something computed."""
    return np.shape(z), np.asarray(z).dtype, not isinstance(z, np.ndarray)


def stand_in(x: Operand, single: bool) -> Any:
    """Something of the same kind: zeros, for they are good indices, too."""
    if not isinstance(x, Value):
        return x
    zero = np.zeros((), x.dtype)
    return zero.item() if x.weak else np.broadcast_to(zero, () if single else x.shape)


# ---- running before and after


def compare(before: Program, after: Program, stage: str, inputs: Sequence[Any] | None = None) -> None:
    """Run two Programs gate by gate on the same inputs: ``ProgramError`` unless all results have the same bits."""
    given = drawn(before) if inputs is None else list(inputs)
    with np.errstate(all="ignore"):  # the user's own run warns
        expected, found = run(before, given), run(after, given)
    for i, (a, b) in enumerate(zip(expected, found, strict=True)):
        if not same_bits(a, b):
            what = f"output {i}" if i < len(before.outputs) else f"store {i - len(before.outputs)}"
            raise ProgramError(f"the pass {stage} changes {what} of {before.name}: {a!r} became {b!r}")


def drawn(program: Program) -> list[Any]:
    """Inputs at random: normally distributed numbers; integers 0 and 1, which are good indices for most."""
    random = np.random.default_rng(0)

    def draw(value: Value) -> Any:
        if value.dtype.kind == "f":
            x = random.standard_normal(value.shape).astype(value.dtype)
        else:
            x = random.integers(0, 2, value.shape).astype(value.dtype)
        return x.item() if value.weak else x

    return [draw(value) for value in program.inputs]


def run(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """The results, gate by gate through ``forward``; captures are read where they come from.

    Values are laid out in C order: the last bit of a sum in NumPy depends on the layout, which is not what a Program
    says. Raises ``ProgramError`` where a gate gives another kind of value than was recorded.
    """
    known = dict(zip(program.inputs, map(_laid_out, inputs), strict=True))
    for value, source in program.captures:
        known[value] = _laid_out(raw(source).item() if value.weak else raw(source))
    for i in program.instructions:
        z = applied(i, [known[x] if isinstance(x, Value) else x for x in i.operands])
        if kind_of(z) != kind(i.result):
            raise ProgramError(f"{described(i)} gave {kind_of(z)}, not {i.result!r}")
        known[i.result] = _laid_out(z)
    return [known[value] for value in program.results()]


def _laid_out(x: Any) -> Any:
    return np.asarray(x, order="C") if isinstance(x, np.ndarray) else x


def same_bits(a: Any, b: Any) -> bool:
    """Equal to the bit, the sign of zero included; any NaN equals any NaN."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    same = (a == b) & (np.signbit(a) == np.signbit(b)) | (a != a) & (b != b) if a.dtype.kind == "f" else a == b
    return bool(np.all(same))

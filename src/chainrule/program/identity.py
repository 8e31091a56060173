"""When two gates, two numbers or two applications are the same, to the bit."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

from chainrule.gates.primitive import Primitive
from chainrule.program.program import Instruction, Operand, Program, Value


def identity(instruction: Instruction) -> Any:
    """A key that two instructions share only if they compute the same bits from the same values."""
    operands = tuple(id(x) if isinstance(x, Value) else exact(x) for x in instruction.operands)
    return gate_identity(instruction.gate), operands


def gate_identity(gate: Any) -> Any:
    """A built-in gate is its type and its fields; one of the user's is itself, for nobody knows what it does."""
    if not isinstance(gate, Primitive):
        return id(gate)
    return type(gate), *(exact(getattr(gate, name)) for name in type(gate).__dataclass_fields__)  # type: ignore[attr-defined]


def exact(x: Any) -> Any:
    """A key for a static parameter or a number that tells apart what ``==`` does not: True, 1 and 1.0; 0.0 and -0.0.

    What cannot be told (an object, an array) is the same as itself only.
    """
    if isinstance(x, np.generic):
        return type(x), x.tobytes()
    if isinstance(x, float):
        return float, x.hex()
    if isinstance(x, (tuple, list)):
        return type(x), *map(exact, x)
    if isinstance(x, dict):
        return dict, *((key, exact(part)) for key, part in x.items())
    if isinstance(x, slice):
        return slice, exact(x.start), exact(x.stop), exact(x.step)
    if x is None or x is Ellipsis or isinstance(x, (bool, int, str, np.dtype, type)):
        return type(x), x
    if isinstance(x, (FunctionType, BuiltinFunctionType, np.ufunc)):
        return x
    return getattr(x, "_identity", id(x))  # a step of a scan knows what it computes


def program_identity(program: Program) -> Any:
    """A key that two Programs share only if they compute the same bits from the same inputs and captures."""
    place = {value: k for k, value in enumerate(program.sources())}
    key: list[Any] = [(kind(value), k) for value, k in place.items()]
    for i in program.instructions:
        operands = tuple(place[x] if isinstance(x, Value) else exact(x) for x in i.operands)
        key.append((gate_identity(i.gate), operands, kind(i.result)))
        place[i.result] = len(place)
    return tuple(key), tuple(place[value] for value in program.results())


def kind(x: Operand) -> Any:
    """What a gate's result may depend on besides the elements: shape, dtype, weakness; a number is all its own."""
    return (x.shape, x.dtype, x.weak) if isinstance(x, Value) else exact(x)


def signature(instruction: Instruction) -> Any:
    """The gate with the kinds of its operands and of its result: what a recording has seen to be possible."""
    return gate_identity(instruction.gate), *map(kind, instruction.operands), kind(instruction.result)

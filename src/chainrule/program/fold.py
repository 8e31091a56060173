"""Identities that hold to the bit, for NaN, infinities and the sign of zero, too: what a gate can be replaced by.

A rule belongs to a type of gate. It sees one application, whose operands are simplified already, and what made them;
it returns what stands for the result (an operand), a simpler application (or several, the last one's result being the
same), or None.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.gates.arithmetic import Add, Divide, Multiply, Negative, Subtract
from chainrule.gates.constant import Detach
from chainrule.gates.reduction import Max, Mean, Min, Sum
from chainrule.gates.selection import Maximum, Minimum, Where
from chainrule.gates.shape import BroadcastTo, Cast, Reshape, Transpose
from chainrule.program.program import Instruction, Operand, Value

Simpler = Instruction | tuple[Instruction, ...] | Operand


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before an instruction: what made each value, and how often it is read or returned in all."""

    makers: dict[Value, Instruction]
    uses: Counter[Value]


Rule = Callable[[Instruction, Known], Simpler | None]

ARITHMETIC = (Add, Subtract, Multiply, Divide)
EXACT = (*ARITHMETIC, Maximum, Minimum, Where)
"""Gates whose results are the same to the bit however NumPy computes them."""

RULES: dict[type, list[Rule]] = {}
"""For each type of gate its rules, in the order in which they are tried."""


def rule(*gates: type) -> Callable[[Rule], Rule]:
    """List a rule for some types of gates."""

    def listed(function: Rule) -> Rule:
        for gate in gates:
            RULES.setdefault(gate, []).append(function)
        return function

    return listed


def simplified(instruction: Instruction, known: Known) -> Simpler:
    """What stands for the result of an instruction, or the instruction in its simplest form."""
    for each in RULES.get(type(instruction.gate), ()):
        simpler = each(instruction, known)
        if not isinstance(simpler, Instruction):
            if simpler is not None:
                return simpler
        elif type(simpler.gate) is not type(instruction.gate):  # which has other rules
            return simplified(simpler, known)
        else:
            instruction = simpler
    return instruction


def _made_by(x: Operand, gate: type, known: Known) -> Any:
    """The instruction that made ``x``, if its gate is of a type."""
    maker = known.makers.get(x) if isinstance(x, Value) else None
    return maker if maker is not None and type(maker.gate) is gate else None


def _alike(x: Operand, z: Value) -> bool:
    """Whether ``x`` has the shape and dtype of ``z``, so that it can stand for it."""
    return isinstance(x, Value) and (x.shape, x.dtype, x.weak) == (z.shape, z.dtype, z.weak)


def _number(x: Operand, known: Known) -> bool | int | float | None:
    """The number that ``x`` is beforehand, in every element: one written in the code, or such a one in some dtype."""
    if not isinstance(x, Value):
        return x
    spread = _made_by(x, BroadcastTo, known)
    maker = _made_by(x if spread is None else spread.operands[0], Cast, known)
    if maker is None or x.weak or isinstance(maker.operands[0], Value):
        return None
    return np.asarray(maker.operands[0], x.dtype).item()  # type: ignore[no-any-return]


@rule(*ARITHMETIC, Negative, Cast)
def beforehand(i: Instruction, known: Known) -> Simpler | None:
    """Arithmetic on known numbers can be done now: 2.0 * 3.0 is 6.0, and 1 / 64 as float32 is another such number."""
    numbers = [_number(x, known) for x in i.operands]
    typed = any(isinstance(x, Value) for x in i.operands)
    if any(x is None for x in numbers) or typed == i.result.weak:
        return None
    if isinstance(i.gate, Divide) and numbers[1] == 0:
        return None  # warns or raises, where the user's code would
    given = [x.dtype.type(n) if isinstance(x, Value) else n for x, n in zip(i.operands, numbers, strict=True)]
    with np.errstate(all="ignore"):
        z = i.gate.forward(*given)
    if i.result.weak:
        return z  # type: ignore[no-any-return]
    made = replace(i, gate=Cast.of(i.result.dtype), operands=(_shortest(z.item(), i.result.dtype),))
    if i.result.shape == ():
        return made
    one = Value((), i.result.dtype)
    return replace(made, result=one), replace(i, gate=BroadcastTo.of(i.result.shape), operands=(one,))


@rule(*EXACT)
def broadcasts_by_itself(i: Instruction, known: Known) -> Instruction | None:
    """An operand need not be spread out where the others have the full shape.

    Only for gates that NumPy computes exactly: its loops for a power, say, may round one element otherwise than many.
    """
    operands = list(i.operands)
    for k, x in enumerate(operands):
        spread = _made_by(x, BroadcastTo, known)
        if spread is not None:
            operands[k] = spread.operands[0]
            if _broadcast(operands) != i.result.shape:
                operands[k] = x
    return None if operands == list(i.operands) else replace(i, operands=tuple(operands))


def _broadcast(operands: list[Operand]) -> tuple[int, ...]:
    return np.broadcast_shapes(*(x.shape for x in operands if isinstance(x, Value)))


@rule(*EXACT)
def written_out(i: Instruction, known: Known) -> Instruction | None:
    """A known number beside an array of its dtype is that number: Python's numbers take the array's dtype."""
    operands = list(i.operands)
    for k, x in enumerate(operands):
        number = _number(x, known)
        if number is not None and isinstance(x, Value) and _another_says_dtype(i, operands, k, x.dtype):
            operands[k] = _shortest(number, x.dtype)
            if _broadcast(operands) != i.result.shape:
                operands[k] = x
    return None if operands == list(i.operands) else replace(i, operands=tuple(operands))


def _shortest(number: float, dtype: Any) -> float:
    """Of the numbers that are the same in ``dtype`` the one that is written with the fewest digits."""
    return float(str(dtype.type(number))) if dtype.kind == "f" else number


def _another_says_dtype(i: Instruction, operands: list[Operand], k: int, dtype: Any) -> bool:
    first = 1 if isinstance(i.gate, Where) else 0  # the condition has no say
    others = (y for n, y in enumerate(operands) if n >= first and n != k)
    return k >= first and any(isinstance(y, Value) and not y.weak and y.dtype == dtype for y in others)


@rule(Reshape, BroadcastTo)
def last_shape(i: Instruction, known: Known) -> Instruction | Operand | None:
    """Only the last of several shapes counts; the shape that x has is no news."""
    inner = _made_by(i.operands[0], type(i.gate), known)
    if inner is not None:
        i = replace(i, operands=inner.operands)
    return i.operands[0] if _alike(i.operands[0], i.result) else i


@rule(Reshape)
def reduced_axes(i: Instruction, known: Known) -> Instruction | None:
    """A reduction that kept its axes for nobody but a reshape that drops them need not keep them."""
    (x,) = i.operands
    for gate in (Sum, Mean, Max, Min):
        inner = _made_by(x, gate, known)
        if inner is not None and inner.gate.keepdims and known.uses[inner.result] == 1:
            axis, shape = inner.gate.axis, inner.operands[0].shape
            kept = tuple(n for k, n in enumerate(shape) if axis is not None and k not in axis)
            if kept == i.result.shape:
                return replace(i, gate=gate.of(axis, False), operands=inner.operands)
    return None


@rule(Transpose)
def transpose(i: Instruction, known: Known) -> Instruction | Operand | None:
    """Two permutations are one; the identity is none."""
    inner = _made_by(i.operands[0], Transpose, known)
    if inner is not None:
        axes = tuple(_positive(inner.gate.axes)[k] for k in i.gate.axes)
        i = replace(i, gate=Transpose.of(axes), operands=inner.operands)
    return i.operands[0] if _positive(i.gate.axes) == tuple(range(len(i.gate.axes))) else i


def _positive(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(k) % len(axes) for k in axes)


@rule(Cast)
def cast(i: Instruction, known: Known) -> Operand | None:
    """To the dtype that x has; and back from one that holds every number of it."""
    (x,) = i.operands
    if _alike(x, i.result):
        return x
    inner = _made_by(x, Cast, known)
    if inner is not None and _alike(inner.operands[0], i.result) and _holds(x, inner.operands[0]):
        return inner.operands[0]  # type: ignore[no-any-return]
    return None


def _holds(wide: Any, narrow: Any) -> bool:
    return wide.dtype.kind == narrow.dtype.kind == "f" and np.can_cast(narrow.dtype, wide.dtype, "safe")


@rule(Detach)
def detach(i: Instruction, known: Known) -> Operand | None:
    """Gradients are computed by now; the value is the same."""
    return i.operands[0] if _alike(i.operands[0], i.result) else None


@rule(Negative)
def negative(i: Instruction, known: Known) -> Operand | None:
    """--x = x"""
    inner = _made_by(i.operands[0], Negative, known)
    return inner.operands[0] if inner is not None and _alike(inner.operands[0], i.result) else None


@rule(Multiply)
def times_one(i: Instruction, known: Known) -> Operand | None:
    """1 x = x 1 = x, where the dtype stays"""
    x, y = i.operands
    if _is_number(y, 1) and _alike(x, i.result):
        return x
    return y if _is_number(x, 1) and _alike(y, i.result) else None


@rule(Divide)
def over_one(i: Instruction, known: Known) -> Operand | None:
    """x / 1 = x, where the dtype stays"""
    x, y = i.operands
    return x if _is_number(y, 1) and _alike(x, i.result) else None


@rule(Add)
def plus_nothing(i: Instruction, known: Known) -> Operand | None:
    """x + 0 = x of integers; of floating numbers it is x + -0.0, for -0.0 + 0.0 is 0.0"""
    x, y = i.operands
    if _adds_nothing(y, i.result) and _alike(x, i.result):
        return x
    return y if _adds_nothing(x, i.result) and _alike(y, i.result) else None


def _adds_nothing(x: Operand, z: Value) -> bool:
    return _is_number(x, 0) and (z.dtype.kind in "iu" or _is_minus_zero(x))


@rule(Subtract)
def minus_nothing(i: Instruction, known: Known) -> Operand | None:
    """x - 0 = x, for -0.0 - 0.0 is -0.0; but not x - -0.0"""
    x, y = i.operands
    return x if _is_number(y, 0) and not _is_minus_zero(y) and _alike(x, i.result) else None


def _is_number(x: Operand, number: int) -> bool:
    return not isinstance(x, Value) and x == number


def _is_minus_zero(x: Any) -> bool:
    return x == 0 and math.copysign(1.0, x) < 0


@rule(Sum)
def sum_over_nothing(i: Instruction, known: Known) -> Operand | None:
    """A sum over no axes is x; not of floating numbers, for NumPy adds to 0, and 0.0 + -0.0 is 0.0"""
    (x,) = i.operands
    return x if i.gate.axis == () and i.result.dtype.kind in "iu" and _alike(x, i.result) else None

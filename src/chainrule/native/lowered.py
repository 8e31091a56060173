"""What native code computes: which gates, on which dtypes, and which of them cost next to nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.activation import LeakyRelu, Relu
from chainrule.gates.arithmetic import Absolute, Add, Multiply, Negative, Square, Subtract
from chainrule.gates.selection import Maximum, Minimum, Where
from chainrule.gates.shape import BroadcastTo, Cast
from chainrule.program.program import Instruction, Operand, Value

CHEAP = (Add, Subtract, Multiply, Negative, Square, Absolute, Maximum, Minimum, Where, Relu, LeakyRelu, Cast)
"""Gates that take an instruction or two: applying them again costs less than storing what they gave."""
CHEAP_FUNCTIONS = frozenset((
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.logical_and, np.logical_or,
    np.logical_not, np.logical_xor, np.isnan, np.bitwise_and, np.bitwise_or, np.invert,
))  # fmt: skip
"""So do these functions."""
NATIVE = frozenset(np.dtype(code) for code in "?bBhHiIlLqQfd")
"""The dtypes that native code handles."""


def told(x: Operand) -> Any:
    """An operand as promotion of dtypes wants to be told of it: its dtype, or a Python number of its type."""
    if not isinstance(x, Value):
        return x
    return {"f": 0.5, "i": 0, "b": False}[x.dtype.kind] if x.weak else x.dtype


def cheap(gate: Any) -> bool:
    """Whether a gate is rather applied again than stored."""
    return isinstance(gate, CHEAP) or getattr(gate, "function", None) in CHEAP_FUNCTIONS


def lowers(gate: Any) -> bool:
    """Whether the gate says what it is in native code."""
    return getattr(gate, "lower", None) is not None


def pointwise(i: Instruction) -> bool:
    """Whether native code computes the gate element by element."""
    gate = i.gate
    return (
        gate.elementwise
        and not isinstance(gate, BroadcastTo)
        and lowers(gate)
        and in_native_dtypes(i)
        and _computable(i)
    )


def _computable(i: Instruction) -> bool:
    """Whether the gate is native for these operands: the powers of integers are not, say."""
    try:
        return NATIVE.issuperset(i.gate.computes_in(*map(told, i.operands)))
    except TypeError:
        return False


def in_native_dtypes(i: Instruction) -> bool:
    return all(x.dtype in NATIVE for x in (*i.reads(), i.result))

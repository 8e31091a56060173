"""What public functions make of their arguments before a gate sees them: lists, integers, mixed dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.array import Array, raw


def operand(x: Any) -> Any:
    """Arrays of ours and NumPy's as they are; numbers, nested lists and columns of tables as ndarrays."""
    return x if isinstance(x, (Array, np.ndarray, np.generic)) else np.asarray(x)


def floating(x: Any) -> Any:
    """``x`` with a floating dtype: integers become float64."""
    x = operand(x)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def in_one_precision(*operands: Any) -> tuple[Any, ...]:
    """The operands as NumPy casts them before it computes, for gates whose rules combine an operand with itself.

    The square of an int8 overflows, and its logarithm is a float16.
    """
    plain = [x if hasattr(x, "dtype") or isinstance(x, (int, float)) else np.asarray(x) for x in operands]
    dtype = np.result_type(*(raw(x) for x in plain))
    return tuple(x if isinstance(x, (int, float)) or x.dtype == dtype else x.astype(dtype) for x in plain)

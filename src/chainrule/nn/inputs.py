"""What modules and losses make of the data that they are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.operands import operand
from chainrule.graph.array import Array
from chainrule.graph.errors import describe
from chainrule.graph.mode import MODE
from chainrule.numpy_protocol.creation import constant


def given(x: Any) -> Any:
    """``x`` as an array; while a function is recorded a constant, so that what is made of it is recorded, too."""
    x = operand(x)
    return x if MODE.get().recorder is None or isinstance(x, Array) else constant(x)


def in_dtype(x: Any, dtype: np.dtype[Any]) -> Any:
    """``x`` itself if it has the dtype."""
    return x if x.dtype == dtype else x.astype(dtype)


def as_input(x: Any, dtype: np.dtype[Any]) -> Any:
    """Data in the dtype of the parameters: float64 and integer inputs just work. TypeError for what are no numbers."""
    x = given(x)
    if x.dtype.kind not in "fiub":
        raise TypeError(f"inputs are real numbers, not {describe(x)}")
    return in_dtype(x, dtype)

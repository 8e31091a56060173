"""Number: a Python number that a recording does not know yet, the step size of an optimiser, say."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.array import Array, new_leaf
from chainrule.graph.mode import MODE


class Number(Array):
    """A stand-in for a Python float while a function is recorded.

    Its ``_value`` is the float itself, so it leaves float32 alone as Python numbers do. It carries no gradient.
    """

    __slots__ = ()

    shape = property(lambda self: ())
    dtype = property(lambda self: np.dtype(np.float64))
    ndim = property(lambda self: 0)
    size = property(lambda self: 1)
    itemsize = property(lambda self: 8)
    nbytes = property(lambda self: 8)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """NumPy's functions of Python numbers give float64, unlike Python's operators."""
        z = super().__array_ufunc__(ufunc, method, *inputs, **kwargs)  # type: ignore[misc]
        return MODE.get().recorder.as_float64(z) if isinstance(z, Number) else z

    def __len__(self) -> int:
        raise TypeError(f"{self.label()} is a number: it has no length")


def number(value: float, name: str | None = None) -> Number:
    """A Number of this value."""
    return new_leaf(Number, value, False, name)

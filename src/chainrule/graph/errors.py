"""Errors of the engine, and the words with which they describe operands."""

from __future__ import annotations

from typing import Any

import numpy as np


class ChainruleError(Exception):
    """Base class of the errors that only this package raises."""


class GraphError(ChainruleError, RuntimeError):
    """A circuit cannot give the gradient that was asked of it, or would give a wrong one.

    >>> import chainrule as cr
    >>> cr.array([1.0, 2.0]).backward()                                # doctest: +ELLIPSIS
    Traceback (most recent call last):
      ...
    chainrule.graph.errors.GraphError: backward() starts from a scalar, and an array ... has shape (2,): reduce it...
    """


class NonFiniteError(ChainruleError, FloatingPointError):
    """A value or a gradient is NaN or infinite (raised inside ``cr.nonfinite()`` only).

    Attributes:
        layers: what the modules are called in whose forward pass it happened, outermost first.
        node: for a gradient, the Array whose gate handed it on.
    """

    layers: tuple[str, ...] = ()
    node: Any = None


class CompileWarning(UserWarning):
    """A compiled function is recorded again and again, because something in its calls keeps changing."""


def describe(value: Any) -> str:
    """Shape and dtype in a few characters: ``(3, 4) float32``, or the number itself."""
    if isinstance(value, (bool, int, float)):
        return repr(value)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{tuple(value.shape)} {value.dtype}"
    return type(value).__name__


def describe_nonfinite(value: Any) -> str:
    """How many elements are not finite, and the first of them."""
    array = np.asarray(value)
    bad = ~np.isfinite(array)
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    where = f", the first at {first}" if array.ndim else ""
    return f"{int(bad.sum())} of {array.size} elements{where} is {array[first]}"

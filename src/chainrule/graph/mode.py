"""What the engine does besides computing, switched by ``no_grad``, ``nonfinite`` and while a function is recorded.

All of it is per thread and per asyncio task, because a context variable is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from chainrule.graph.errors import GraphError


@dataclass(frozen=True, slots=True)
class Mode:
    """How gates are applied at present."""

    gradients: bool = True
    """Whether results carry gradients."""
    stop_at_nonfinite: bool = False
    """Whether each value and each gradient is checked."""
    recorder: Any = None
    """What writes the gates down while a function is recorded; None otherwise."""
    role: str = "forward"
    """What gates are applied for at present: ``forward``, ``backward`` or ``update``. Recordings note it."""


class Changes:
    """When a module was last changed, or a parameter frozen: both are part of what uses them, and of its recordings."""

    last = 0
    """A creation number; another one than before means that recordings must be looked at again."""


PLAIN = Mode()
MODE: ContextVar[Mode] = ContextVar("chainrule_mode", default=PLAIN)


@contextmanager
def switched(**changes: Any) -> Iterator[None]:
    """Run a block under the current mode with some of its fields changed."""
    token = MODE.set(replace(MODE.get(), **changes))
    try:
        yield
    finally:
        MODE.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without building a circuit: results are constants and no memory is kept for a backward pass.

    >>> import chainrule as cr
    >>> x = cr.array(3.0)
    >>> with cr.no_grad():
    ...     y = x * 2
    >>> y.live
    False
    """
    with switched(gradients=False):
        yield


@contextmanager
def nonfinite() -> Iterator[None]:
    """Stop at the first gate whose value or gradient is not finite (NaN or infinite).

    Raises ``NonFiniteError``, which names the gate, its inputs and the line that applied it.

    >>> import numpy as np, chainrule as cr
    >>> x = cr.array([1.0, 0.0], name="x")
    >>> with cr.nonfinite(), np.errstate(divide="ignore"):
    ...     np.log(x)                                                  # doctest: +ELLIPSIS
    Traceback (most recent call last):
      ...
    chainrule.graph.errors.NonFiniteError: the value of log is not finite: 1 of 2 elements, the first at (1,) is -inf...
    """
    if MODE.get().recorder is not None:
        raise GraphError("values are checked gate by gate in eager code: put cr.nonfinite() around the compiled call")
    with switched(stop_at_nonfinite=True):
        yield

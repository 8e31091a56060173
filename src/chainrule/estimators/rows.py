"""What the net gives for rows of data: with NumPy for many rows, in one native call for one.

A service asks for one row at a time, and then checking the input costs more than the net. So a single row that is an
ndarray of just the right kind takes a shortcut, and is checked in the native call itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.compiler import Compiled
from chainrule.graph.array import raw
from chainrule.graph.mode import no_grad

BLOCK = 4096
"""Rows that go through the net at a time: sparse ones are made dense for that."""
WORTH_IT = 20
"""After how many single rows the function is compiled: that takes as long as some thousand of them."""


class Rows:
    """A function of dense rows, for any number of them.

    Args:
        function: (n, features) -> (n, ...), of NumPy functions and a net.
        features: how many features a row has.
        dtype: of the rows.
    """

    def __init__(self, function: Callable[[Any], Any], features: int, dtype: np.dtype[Any]) -> None:
        self.function, self.shape, self.dtype = function, (1, features), dtype
        self._seen = 0
        self._compiled: Compiled | None = None

    def __call__(self, x: Any) -> NDArray[Any]:
        """Rows that have been checked, dense or sparse."""
        with no_grad():
            parts = [np.asarray(raw(self.function(part))) for part in blocks(x)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def one(self, x: Any) -> NDArray[Any] | None:
        """The result for a single row; None if it is not just as the native code takes it, or not finite."""
        if type(x) is not np.ndarray or x.shape != self.shape or x.dtype is not self.dtype:
            return None
        if self._compiled is None:
            self._seen += 1
            if self._seen <= WORTH_IT:
                return None
            self._compiled = Compiled(self._with_check)
        result, finite = self._compiled(x)
        return result if finite else None

    def _with_check(self, x: Any) -> tuple[Any, Any]:
        return self.function(x), np.all(np.isfinite(x))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_compiled": None, "_seen": 0}


def blocks(x: Any, size: int = BLOCK) -> Iterator[NDArray[Any]]:
    """Rows of an array or sparse matrix, some at a time and dense."""
    for start in range(0, max(1, x.shape[0]), size):
        part = x[start : start + size] if x.shape[0] > size else x
        yield dense(part)


def dense(x: Any) -> NDArray[Any]:
    """A sparse matrix as an array; an array as it is."""
    return x.toarray() if hasattr(x, "toarray") else x  # type: ignore[no-any-return]

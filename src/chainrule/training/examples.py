"""What is learned from: inputs, targets and perhaps weights, row by row."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from chainrule.data import Dataset
from chainrule.graph.array import raw
from chainrule.program.minibatches import laid_out


class Examples(NamedTuple):
    """Inputs (n, ...), targets (n, ...) and, if they do not all count alike, sample weights (n,), 1 on average."""

    inputs: NDArray[Any]
    targets: NDArray[Any]
    weights: NDArray[Any] | None = None

    @classmethod
    def of(cls, data: Any) -> Self:
        """``(x, y)``, ``(x, y, weights)`` or a ``Dataset`` as arrays of one length.

        Arrays that are large, or C-contiguous and in the machine's byte order, are not copied: memory maps stay where
        they are.

        Raises TypeError for what is no numbers, ValueError where lengths differ, nothing is there, or weights are
        negative, not finite or all zero.
        """
        parts = tuple(data) if isinstance(data, (tuple, list, Dataset)) else ()
        if len(parts) not in (2, 3):
            what = f"{len(parts)} things" if parts else f"a {type(data).__name__}"
            raise TypeError(f"data are (x, y), (x, y, weights) or a Dataset, of all examples, not {what}")
        x, y = _rows(parts[0], "inputs"), _rows(parts[1], "targets")
        if len(x) != len(y):
            raise ValueError(f"{len(x)} inputs but {len(y)} targets")
        if not len(x):
            raise ValueError(f"there are no examples: inputs {x.shape}, targets {y.shape}")
        weights = parts[2] if len(parts) == 3 else None
        return cls(x, y, None if weights is None else _checked_weights(weights, len(x)))

    @property
    def rows(self) -> tuple[NDArray[Any], ...]:
        """The arrays that are there, of whose rows minibatches are made."""
        return tuple(x for x in self if x is not None)

    @property
    def size(self) -> int:
        """How many examples there are (``len`` is that of the tuple)."""
        return len(self.inputs)

    def strange(self, rows: NDArray[np.int64] | slice) -> str | None:
        """Which of the examples at ``rows`` has inputs or targets that are not finite; None if none has."""
        numbers = np.arange(self.size)[rows]
        for name, values in (("inputs", self.inputs), ("targets", self.targets)):
            part = values[rows].reshape(len(numbers), -1)
            good = np.isfinite(part)
            if not good.all():
                first = np.flatnonzero(~good.all(1))[0]
                return f"The {name} of example {numbers[first]} (from 0) hold {part[first][~good[first]][0]}"
        return None

    @property
    def options(self) -> dict[str, Any]:
        """What a loss or a metric takes besides outputs and targets."""
        return {} if self.weights is None else {"weights": self.weights}


def _rows(values: Any, what: str) -> NDArray[Any]:
    array = np.asarray(raw(values))
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what} are numbers, not {array.dtype}: turn categories and texts into numbers before")
    if not array.ndim:
        raise ValueError(f"{what} have a row for each example, and this is a single number")
    return laid_out(array)


def _checked_weights(values: Any, count: int) -> NDArray[Any]:
    weights = _rows(values, "weights")
    if weights.shape != (count,):
        raise ValueError(f"there is one weight for each of {count} examples, not {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError("weights are finite and at least 0, and one of them is above")
    weights = weights if weights.dtype.kind == "f" else weights.astype(np.float64)
    scaled: NDArray[Any] = weights / weights.mean(dtype=np.float64).astype(weights.dtype)
    return scaled

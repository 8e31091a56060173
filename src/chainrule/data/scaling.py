"""Bringing numbers to one scale, and labels to rows of zeros and a one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

AT_ONCE = 1 << 20
"""About so many numbers are looked at at once, so that memory maps may be larger than memory."""


@dataclass(frozen=True, eq=False)
class Standardiser:
    """Brings each column to mean 0 and standard deviation 1: (x - mean) / std.

    Fit it on training data, and apply the same to all others: what the test data are like is not known beforehand.
    A constant column has ``std`` 1, so it becomes 0.

    Attributes:
        mean: float64, of the shape of one example.
        std: likewise; over n, not n - 1.

    >>> import numpy as np, chainrule as cr
    >>> x = np.array([[1.0, 5.0], [3.0, 5.0]])
    >>> scale = cr.data.Standardiser.fit(x)
    >>> scale.transform(x)
    array([[-1.,  0.],
           [ 1.,  0.]])
    >>> scale.inverse(scale.transform(x))
    array([[1., 5.],
           [3., 5.]])
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def fit(cls, x: NDArray[Any]) -> Standardiser:
        """Mean and standard deviation over the examples of ``x`` (n, ...), real numbers.

        Computed in float64, some rows at a time, put together by the formula of Chan, Golub and LeVeque (1979): exact
        for a large mean as well, and for memory maps. Raises ValueError without examples, or if a column holds NaN or
        infinite numbers.
        """
        if not len(x):
            raise ValueError("there are no examples to take a mean of")
        count, mean, squares = 0, np.zeros(x.shape[1:]), np.zeros(x.shape[1:])
        for rows in _row_blocks(x):
            block = np.asarray(x[rows], np.float64)
            _check_finite(block, rows.start)
            here, before = block.mean(0), count
            count += len(block)
            away = here - mean
            squares += ((block - here) ** 2).sum(0) + away**2 * (before * len(block) / count)
            mean += away * (len(block) / count)
        std = np.sqrt(squares / count)
        constant = std <= 8 * np.finfo(np.float64).eps * np.abs(mean)
        return cls(mean, np.where(constant, 1.0, std))

    def transform(self, x: NDArray[Any]) -> NDArray[Any]:
        """``x`` (n, ...) standardised: float32 stays float32, everything else becomes float64.

        Raises ValueError for examples of another shape.
        """
        return self._applied(x, lambda block: (block - self.mean) / self.std)

    def inverse(self, x: NDArray[Any]) -> NDArray[Any]:
        """What ``transform`` made ``x`` (n, ...) of."""
        return self._applied(x, lambda block: block * self.std + self.mean)

    def _applied(self, x: NDArray[Any], function: Any) -> NDArray[Any]:
        if x.shape[1:] != self.mean.shape:
            raise ValueError(f"the examples have the shape {x.shape[1:]}, and {self.mean.shape} was fitted")
        made = np.empty(x.shape, np.float32 if x.dtype == np.float32 else np.float64)
        for rows in _row_blocks(x):
            made[rows] = function(x[rows])
        return made


def one_hot(labels: NDArray[Any], classes: int | None = None, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """A row for each label: 1 in the column of its class, 0 elsewhere.

    Args:
        labels: integers from 0, of any shape.
        classes: how many there are; by default as many as the largest label needs.
        dtype: of the result.

    Returns the shape of the labels and one more axis, the classes. Raises TypeError for labels that are no integers,
    ValueError for one that is out of range.

    >>> import numpy as np, chainrule as cr
    >>> cr.data.one_hot(np.array([2, 0]))
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels are integers, not {labels.dtype}")
    many = int(labels.max(initial=-1)) + 1 if classes is None else classes
    if labels.size and not 0 <= labels.min() <= labels.max() < many:
        raise ValueError(f"labels must lie in 0 ... {many - 1}, and they go from {labels.min()} to {labels.max()}")
    made = np.zeros((labels.size, many), dtype)
    made[np.arange(labels.size), labels.reshape(-1)] = 1
    return made.reshape(*labels.shape, many)


def _row_blocks(x: NDArray[Any]) -> Iterator[slice]:
    at_once = max(1, AT_ONCE * len(x) // max(x.size, 1))
    for start in range(0, len(x), at_once):
        yield slice(start, start + at_once)


def _check_finite(block: NDArray[np.float64], first: int) -> None:
    finite = np.isfinite(block)
    if not finite.all():
        row, *column = (int(i) for i in np.argwhere(~finite)[0])
        where = f", column {', '.join(map(str, column))}" if column else ""
        raise ValueError(f"row {first + row}{where} holds {block[(row, *column)]}: fill what is missing first")

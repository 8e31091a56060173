"""Which examples are learned from, and in what order: held-out data and minibatches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Examples = tuple[NDArray[Any], NDArray[Any]]
"""Inputs (n, ...) and labels (n,)."""


def split(
    x: NDArray[Any], y: NDArray[Any], held_out: float = 0.2, seed: int | np.random.Generator = 0
) -> tuple[Examples, Examples]:
    """Training and test data: a random part of each class is held out, so that both have the same mix of classes.

    A class's share is rounded to a whole number of examples; a class of two or more keeps at least one on each side.
    Within both parts the examples stay in their order.

    Args:
        x: inputs (n, ...).
        y: labels (n,), one for each input.
        held_out: the share of test data, between 0 and 1.
        seed: an integer, or a Generator.

    Returns ``(x_train, y_train), (x_test, y_test)``, copies. Raises ValueError if the lengths differ or the share is
    not between 0 and 1.

    >>> import chainrule as cr
    >>> (x, y), (x_test, y_test) = cr.data.split(*cr.data.digits(), held_out=0.2, seed=1)
    >>> len(y), len(y_test)
    (1438, 359)
    """
    _check_lengths(x, y)
    if not 0 < held_out < 1:
        raise ValueError(f"held_out is a share between 0 and 1, not {held_out}")
    generator = np.random.default_rng(seed)
    is_test = np.zeros(len(y), bool)
    for label in np.unique(y):
        members = np.flatnonzero(y == label)
        share = round(held_out * len(members))
        if len(members) > 1:
            share = min(max(share, 1), len(members) - 1)
        is_test[generator.permutation(members)[:share]] = True
    return (x[~is_test], y[~is_test]), (x[is_test], y[is_test])


def batches(x: NDArray[Any], y: NDArray[Any], size: int, rng: np.random.Generator) -> Iterator[Examples]:
    """Minibatches of one epoch: every example once, shuffled; the last batch is the short one.

    Args:
        x: inputs (n, ...).
        y: labels (n, ...), one for each input.
        size: how many examples in a batch.
        rng: shuffles; each epoch draws a new order from it.

    Raises ValueError if the lengths differ or the size is below 1.

    >>> import numpy as np, chainrule as cr
    >>> x, y = cr.data.moons(points=5)
    >>> [len(labels) for inputs, labels in cr.data.batches(x, y, 4, np.random.default_rng(0))]
    [4, 4, 2]
    """
    _check_lengths(x, y)
    if size < 1:
        raise ValueError(f"a batch has at least one example, not {size}")
    return _batches(x, y, size, rng)


def _batches(x: NDArray[Any], y: NDArray[Any], size: int, rng: np.random.Generator) -> Iterator[Examples]:
    order = rng.permutation(len(x))
    for start in range(0, len(x), size):
        chosen = order[start : start + size]
        yield x[chosen], y[chosen]


def _check_lengths(x: NDArray[Any], y: NDArray[Any]) -> None:
    if len(x) != len(y):
        raise ValueError(f"{len(x)} inputs but {len(y)} labels")

"""Which examples are learned from, and in what order: held-out data and minibatches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule import random

Examples = tuple[NDArray[Any], NDArray[Any]]
"""Inputs (n, ...) and targets (n, ...)."""

Drawing: TypeAlias = "np.random.Generator | random.Generator"  # as text: numpy.random takes a while to import
Seed: TypeAlias = "int | Drawing"
"""An integer, or a generator to go on drawing from."""


def split(
    x: NDArray[Any],
    y: NDArray[Any],
    held_out: float = 0.2,
    seed: Seed = 0,
    *,
    validation: float = 0.0,
    stratify: bool | None = None,
) -> tuple[Examples, ...]:
    """Training and test data, and between them validation data if there shall be any.

    Of classes a random part of each is held out, so that all parts have the same mix. A class's share is rounded to a
    whole number of examples; a class of two or more keeps at least one on each side. Of numbers and of several labels
    at once a random part of all is held out. Within each part the examples stay in their order.

    Args:
        x: inputs (n, ...).
        y: targets (n, ...), one for each input.
        held_out: the share of test data, between 0 and 1.
        seed: an integer, or a generator: NumPy's or ``cr.random.Generator``.
        validation: the share of validation data, of all data; 0 for none.
        stratify: whether y (n,) are classes; None for what their dtype says: integers, booleans and texts are.

    Returns ``(x_train, y_train), (x_test, y_test)``, or with validation data these between the two. They are copies in
    memory; of a memory map take slices instead (``x[:n], x[n:]``), which stay on disk. Raises ValueError if the lengths
    differ, or the shares are not between 0 and 1 or leave nothing to learn from.

    >>> import chainrule as cr
    >>> (x, y), (x_test, y_test) = cr.data.split(*cr.data.digits(), held_out=0.2, seed=1)
    >>> len(y), len(y_test)
    (1438, 359)
    """
    x, y = (np.asarray(part) if isinstance(part, list | tuple) else part for part in (x, y))
    _check_lengths(x, y)
    return tuple((x[rows], y[rows]) for rows in held_out_parts(y, held_out, validation, seed, stratify))


def held_out_parts(
    y: NDArray[Any], held_out: float, validation: float, seed: Seed, stratify: bool | None = None
) -> list[NDArray[np.bool_]]:
    """Which rows are training, validation (if any) and test data, as masks (n,): see ``split``."""
    if not 0 < held_out < 1:
        raise ValueError(f"held_out is a share between 0 and 1, not {held_out}")
    if not 0 <= validation < 1 - held_out:
        raise ValueError(f"validation is a share from 0 to below {1 - held_out:g}, what is not held out: {validation}")
    groups = _groups(y, stratify)
    generator = np.random.default_rng(seed) if isinstance(seed, int | np.integer) else seed
    test = _drawn(groups, held_out, generator)
    if not validation:
        return [~test, test]
    rest = [members[~test[members]] for members in groups]
    validating = _drawn(rest, validation / (1 - held_out), generator, len(y))
    return [~test & ~validating, validating, test]


def _groups(y: NDArray[Any], stratify: bool | None) -> list[NDArray[np.intp]]:
    """The rows of each class; all rows where there are none."""
    if y.ndim == 1 and (y.dtype.kind != "f" if stratify is None else stratify):
        return [np.flatnonzero(y == label) for label in np.unique(y)]
    if stratify:
        raise ValueError(f"classes are targets (n,), not {y.shape}")
    return [np.arange(len(y))]


def _drawn(
    groups: list[NDArray[np.intp]], share: float, generator: Drawing, rows: int | None = None
) -> NDArray[np.bool_]:
    """A mask of a share of each group."""
    chosen = np.zeros(sum(map(len, groups)) if rows is None else rows, bool)
    for members in groups:
        many = round(share * len(members))
        if len(members) > 1:
            many = min(max(many, 1), len(members) - 1)
        chosen[members[generator.permutation(len(members))[:many]]] = True
    return chosen


def batches(x: NDArray[Any], y: NDArray[Any], size: int, rng: Seed) -> Iterator[Examples]:
    """Minibatches of one epoch: every example once, shuffled; the last batch is the short one.

    Args:
        x: inputs (n, ...). Of a memory map only the rows of a batch are read.
        y: targets (n, ...), one for each input.
        size: how many examples in a batch.
        rng: shuffles, NumPy's generator or ``cr.random.Generator``; each epoch draws a new order from it. An integer
            gives the order that it stands for, the same in every epoch.

    Raises ValueError if the lengths differ or the size is below 1.

    >>> import numpy as np, chainrule as cr
    >>> x, y = cr.data.moons(points=5)
    >>> [len(labels) for inputs, labels in cr.data.batches(x, y, 4, cr.random.Generator(0))]
    [4, 4, 2]
    """
    _check_lengths(x, y)
    if size < 1:
        raise ValueError(f"a batch has at least one example, not {size}")
    return _batches(x, y, size, random.Generator(rng) if isinstance(rng, int | np.integer) else rng)


def _batches(x: NDArray[Any], y: NDArray[Any], size: int, rng: Drawing) -> Iterator[Examples]:
    order = rng.permutation(len(x))
    for start in range(0, len(x), size):
        chosen = order[start : start + size]
        yield x[chosen], y[chosen]


def _check_lengths(x: NDArray[Any], y: NDArray[Any]) -> None:
    if len(x) != len(y):
        raise ValueError(f"{len(x)} inputs but {len(y)} targets")

"""Where a run stands, and in what order its examples come."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chainrule.training.steps import Results

COLUMNS = ("loss", "penalty")
"""What a step gives: its loss and, if there is one, its penalty."""


@dataclass(frozen=True)
class Position:
    """Where a run stands within an epoch.

    Attributes:
        epoch: the number of the epoch, from 1.
        begun: the optimiser's count of steps when the epoch began.
        results: those of the steps done since.
        seconds: what these took.
    """

    epoch: int
    begun: int
    results: tuple[Results, ...] = ()
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """How many steps of the epoch are done."""
        return sum(len(losses) for losses, *_ in self.results)

    def further(self, results: Results, seconds: float) -> Position:
        """The position after more steps."""
        return replace(self, results=(*self.results, results), seconds=self.seconds + seconds)

    def columns(self) -> Results:
        """The losses of all steps, and their penalties; nothing before the first one."""
        return tuple(np.concatenate(column) for column in zip(*self.results, strict=True))


def epoch_order(seed: int, step: int, count: int) -> NDArray[np.int64]:
    """The order of ``count`` rows in the epoch that begins at this step of the optimiser.

    It is a function of these alone, so it does not matter in how many runs the epochs are done. (The words are those of
    NumPy's Philox4x64, which are the same everywhere: for the short streams of small sets it is ten times as fast as a
    ``cr.random.Generator``, whose draws can be recorded.)

    >>> epoch_order(0, 45, 5)
    array([3, 2, 4, 1, 0])
    """
    digest = hashlib.blake2b(f"order of an epoch, {seed}, {step}".encode(), digest_size=16).digest()
    words = np.random.Philox(key=np.frombuffer(digest, "<u8")).random_raw(count)
    return np.argsort(words)  # of 64 bits: two are equal once in a universe

"""Where a run stands, and in what order its examples come."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chainrule.random import Generator
from chainrule.training.steps import Results

COLUMNS = ("loss", "penalty")
"""What a step gives: its loss and, if there is one, its penalty."""


@dataclass(frozen=True)
class Position:
    """Where a run stands within an epoch.

    Attributes:
        begun: the optimiser's count of steps when the epoch began.
        results: those of the steps done since.
        seconds: what these took.
    """

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

    It is a function of these alone, so it does not matter in how many runs the epochs are done. The number made of
    seed and step is one that nobody chooses as a seed for something else.

    >>> epoch_order(0, 45, 5)
    array([1, 4, 0, 3, 2])
    """
    return Generator((seed << 65) | (1 << 64) | step).permutation(count)

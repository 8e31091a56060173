"""What a run of training went through, epoch by epoch."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path

from chainrule.training.files import written_whole


@dataclass(frozen=True)
class Epoch:
    """Loss and accuracy at the end of an epoch, on the data learned from and on the data held out.

    >>> Epoch(1, 0.5, 0.8, 0.6, 0.75, 0.1).test_loss
    0.6
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float
    """What the updates took, without the evaluation."""


@dataclass
class History:
    """The epochs of a run, in order.

    >>> history = History([Epoch(1, 0.5, 0.8, 0.6, 0.75, 0.1)])
    >>> history.last.test_accuracy
    0.75
    """

    epochs: list[Epoch] = field(default_factory=list)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.epochs)

    def __len__(self) -> int:
        return len(self.epochs)

    @property
    def last(self) -> Epoch:
        """The last epoch; IndexError before there is one."""
        return self.epochs[-1]

    def append(self, epoch: Epoch) -> None:
        """Note one more epoch."""
        self.epochs.append(epoch)

    def write_csv(self, path: str | Path) -> None:
        """One line an epoch under a line of names, numbers in full precision."""
        with written_whole(path) as partial, partial.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(column.name for column in fields(Epoch))
            table.writerows(astuple(epoch) for epoch in self)

"""What a run of training went through, epoch by epoch."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from chainrule.data.files import written_whole

Record = dict[str, float]
"""What is known of an epoch by name: ``epoch``, ``loss``, ``val_loss``, ``val_accuracy``, ..., ``seconds``."""


class History:
    """The records of a run, one for each epoch, in order.

    ``history["loss"]`` is a column: a list with a number for each epoch. Iteration gives the records.

    >>> history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    >>> history["loss"], len(history), history.last["loss"]
    ([0.5, 0.25], 2, 0.25)
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.records: list[Record] = [dict(record) for record in records]

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, name: str) -> list[float]:
        """A column; NaN where an epoch has no such number. KeyError if no epoch has."""
        if name not in self.names:
            raise KeyError(f"{name!r} was not recorded; there are {', '.join(self.names) or 'no epochs'}")
        return [record.get(name, float("nan")) for record in self.records]

    @property
    def names(self) -> list[str]:
        """What was recorded, in the order in which it first came."""
        return list(dict.fromkeys(name for record in self.records for name in record))

    @property
    def last(self) -> Record:
        """The last record; IndexError before there is one."""
        return self.records[-1]

    def append(self, record: Record) -> None:
        """Note one more epoch."""
        self.records.append(record)

    def write_csv(self, path: str | Path) -> None:
        """One line an epoch under a line of names, numbers in full precision."""
        with written_whole(path) as partial, partial.open("w", newline="") as file:
            table = csv.DictWriter(file, self.names)
            table.writeheader()
            table.writerows(self.records)

    @classmethod
    def read_csv(cls, path: str | Path) -> Self:
        """What ``write_csv`` wrote.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     History([{"epoch": 1, "loss": 0.1 + 0.2}]).write_csv(f"{folder}/history.csv")
        ...     History.read_csv(f"{folder}/history.csv").last
        {'epoch': 1, 'loss': 0.30000000000000004}
        """
        with Path(path).open(newline="") as file:
            rows = list(csv.DictReader(file))
        try:
            return cls({name: _number(text) for name, text in row.items() if text} for row in rows)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a history: {error}") from error

    def __repr__(self) -> str:
        return f"History of {len(self)} epochs: {', '.join(self.names)}"


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)

"""Columns of a table, and how each becomes numbers for a net: what is remembered of the training data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.data.scaling import Standardiser

MISSING = "is missing"
TRUTH = {"True": "1", "False": "0", "true": "1", "false": "0"}
"""Booleans as texts, and as numbers."""


@dataclass(frozen=True)
class Number:
    """A column of numbers or booleans: standardised, and what is missing becomes the mean, that is 0.

    If anything was missing in the training data, a second feature is 1 where it is and 0 elsewhere.

    >>> Number("age", mean=40.0, std=10.0, missing=True).encode([30.0, None])
    array([[-1.,  0.],
           [ 0.,  1.]])
    """

    kind: ClassVar[str] = "number"
    name: str
    mean: float
    std: float
    missing: bool

    @classmethod
    def fit(cls, name: str, cells: Sequence[Any]) -> Number:
        values = as_numbers(name, cells)
        known = values[~np.isnan(values)]
        scale = Standardiser.fit(known)
        return cls(name, float(scale.mean), float(scale.std), len(known) < len(values))

    @property
    def features(self) -> list[str]:
        return [self.name, *([f"{self.name} {MISSING}"] if self.missing else [])]

    def encode(self, cells: Sequence[Any]) -> NDArray[np.float64]:
        values = as_numbers(self.name, cells)
        unknown = np.isnan(values)
        scaled = np.where(unknown, 0.0, (values - self.mean) / self.std)
        return np.stack([scaled, unknown][: len(self.features)], axis=1)


@dataclass(frozen=True)
class Category:
    """A column of texts: a feature for each that the training data had, 1 where it is the cell's and 0 elsewhere.

    What is missing has a feature, too, if anything was missing in the training data. A text that they did not have is
    0 everywhere.

    >>> Category("colour", values=("green", "red"), missing=False).encode(["red", "blue", None])
    array([[0., 1.],
           [0., 0.],
           [0., 0.]])
    """

    kind: ClassVar[str] = "category"
    name: str
    values: tuple[str, ...]
    missing: bool

    @classmethod
    def fit(cls, name: str, cells: Sequence[Any]) -> Category:
        texts, _ = different_texts(cells)
        return cls(name, tuple(sorted(text for text in texts if text is not None)), None in texts)

    @property
    def features(self) -> list[str]:
        values = [f"{self.name} = {value}" for value in self.values]
        return [*values, *([f"{self.name} {MISSING}"] if self.missing else [])]

    def encode(self, cells: Sequence[Any]) -> NDArray[np.float64]:
        place: dict[str | None, int] = {value: k for k, value in enumerate(self.values)}
        if self.missing:
            place[None] = len(self.values)
        texts, which = different_texts(cells)
        places = np.array([place.get(text, -1) for text in texts], np.int64)[which]
        made = np.zeros((len(places), len(place)))
        known = np.flatnonzero(places >= 0)
        made[known, places[known]] = 1
        return made


def as_numbers(name: str, cells: Sequence[Any]) -> NDArray[np.float64]:
    """Cells (n,) as float64, NaN for what is missing.

    Raises ValueError, with its row (from 1), for a cell that is no number, or is infinite or too large for float32.
    """
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "fiub":
        values = cells.astype(np.float64)
    else:
        values = np.array([_number(name, row, cell) for row, cell in enumerate(as_texts(cells), start=1)], np.float64)
    beyond = np.flatnonzero(np.abs(values) > np.finfo(np.float32).max)
    if len(beyond):
        what = "infinite" if np.isinf(values[beyond[0]]) else f"{values[beyond[0]]:.3g}, too large for float32,"
        raise ValueError(f"column {name!r} is {what} in row {beyond[0] + 1}")
    return values


def _number(name: str, row: int, text: str | None) -> float:
    try:
        return math.nan if text is None else float(TRUTH.get(text, text))
    except ValueError:
        raise ValueError(f"column {name!r} holds numbers, and {text!r} in row {row} is none") from None


def as_texts(cells: Sequence[Any]) -> list[str | None]:
    """Cells (n,) as texts without blanks around them; None for what is missing: None, NaN, or nothing but blanks.

    >>> as_texts([" red", 2.0, float("nan"), ""])
    ['red', '2', None, None]
    """
    return [_text(cell) for cell in cells]


def different_texts(cells: Sequence[Any]) -> tuple[list[str | None], NDArray[np.int64]]:
    """The different texts among the cells (n,), and which of them each cell is (n,).

    >>> different_texts(["red", None, "red"])
    (['red', None], array([0, 1, 0]))
    """
    if isinstance(cells, np.ndarray):
        values, which = np.unique(cells, return_inverse=True)
        return as_texts(values), which
    texts = as_texts(cells)
    place = {text: k for k, text in enumerate(dict.fromkeys(texts))}
    return list(place), np.array([place[text] for text in texts], np.int64)


def _text(cell: Any) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, float | np.floating):
        number = float(cell)
        return None if math.isnan(number) else str(int(number)) if number.is_integer() else repr(number)
    return str(cell).strip() or None

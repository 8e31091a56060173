"""The target of a table: what is to be predicted, and what a net's outputs say about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.columns import TRUTH, as_numbers, as_texts, different_texts
from chainrule.data.frames import as_frame, cells_of, check_column
from chainrule.data.scaling import Standardiser

FEW_INTEGERS = 20
"""A target of whole numbers, so many different ones at most, is taken for classes."""


@dataclass(frozen=True)
class Target:
    """The column that is to be predicted: classes, or numbers if there are none.

    Attributes:
        name: of the column.
        classes: what each class is called, in the order of the labels.
        mean, std: of the numbers in the training data: a net learns better what is standardised.
    """

    name: str
    classes: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = 1.0

    @classmethod
    def fit(cls, frame: Any, name: str, task: str | None = None) -> Target:
        """Look at a column of training data: see ``TableEncoder.fit``, which has the same errors.

        >>> import polars
        >>> Target.fit(polars.DataFrame({"fruit": ["pear", "apple", "pear"]}), "fruit").classes
        ('apple', 'pear')
        """
        if task not in (None, "classes", "numbers"):
            raise ValueError(f"task is 'classes' or 'numbers', not {task!r}")
        cells = _known_cells(frame, name)
        if task == "numbers" or (task is None and _is_quantity(cells)):
            values = as_numbers(name, cells)
            if (values == values[0]).all():
                raise ValueError(f"column {name!r} is always {values[0]:g}: there is nothing to learn")
            return cls.of_numbers(name, values)
        texts = [str(text) for text in different_texts(cells)[0]]
        classes = tuple(texts if isinstance(cells, np.ndarray) else sorted(texts))  # numbers come in their order
        if len(classes) < 2:
            raise ValueError(f"column {name!r} is always {classes[0]!r}: there is nothing to learn")
        return cls(name, classes)

    @classmethod
    def of_numbers(cls, name: str, values: NDArray[Any]) -> Target:
        """For these numbers (n,)."""
        scale = Standardiser.fit(values)
        return cls(name, (), float(scale.mean), float(scale.std))

    @property
    def task(self) -> str:
        """As that of a Dataset: "classes" or "numbers"."""
        return "classes" if self.classes else "numbers"

    @property
    def is_text(self) -> bool:
        """Whether the column holds texts, even if all of them look like numbers in some other data."""
        return not (set(self.classes) <= TRUTH.keys() or all(map(_looks_like_a_number, self.classes)))

    def read(self, frame: Any) -> NDArray[Any]:
        """The target of each row: int64 (n,) for classes, float32 (n,) for numbers.

        Raises ValueError where it is missing, or a class that the training data do not have.
        """
        cells = _known_cells(frame, self.name)
        if not self.classes:
            return as_numbers(self.name, cells).astype(np.float32)
        place = {value: k for k, value in enumerate(self.classes)}
        found, which = different_texts(cells)
        texts = [str(text) for text in found]
        if strange := sorted(set(texts) - set(place)):
            known = ", ".join(self.classes)
            raise ValueError(f"column {self.name!r} holds {strange[0]!r}, and the classes learned are {known}")
        labels: NDArray[np.int64] = np.array([place[text] for text in texts], np.int64)[which]
        return labels

    def learned(self, targets: NDArray[Any]) -> NDArray[Any]:
        """What a net learns to give: labels (n,) as they are, numbers (n,) standardised, float32 (n, 1).

        >>> Target("price", mean=10.0, std=5.0).learned(np.array([20.0, 10.0]))
        array([[2.],
               [0.]], dtype=float32)
        """
        if self.classes:
            return targets
        standardised: NDArray[np.float32] = ((targets - self.mean) / self.std).astype(np.float32)
        return standardised[:, None]

    def predicted(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """What outputs (n, outputs) of a net that has learned it say: names of classes (n,), or numbers (n,).

        >>> Target("price", mean=10.0, std=5.0).predicted(np.array([[2.0], [0.0]]))
        array([20., 10.])
        >>> Target("fruit", ("apple", "pear")).predicted(np.array([[0.1, 3.0]])).tolist()
        ['pear']
        """
        if self.classes:
            names: NDArray[np.str_] = np.array(self.classes)[outputs.argmax(1)]
            return names
        numbers: NDArray[np.float64] = outputs[:, 0].astype(np.float64) * self.std + self.mean
        return numbers


def _known_cells(frame: Any, name: str) -> Sequence[Any]:
    """The cells of the target, of which none may be missing."""
    table = as_frame(frame)
    check_column(table, name)
    cells = cells_of(table, name)
    missing = np.isnan(cells) if isinstance(cells, np.ndarray) else np.array([text is None for text in as_texts(cells)])
    if missing.any():
        rows = np.flatnonzero(missing) + 1
        raise ValueError(
            f"the target {name!r} is missing in {len(rows)} of {len(cells)} rows, the first is row {rows[0]}: "
            "leave these rows out"
        )
    return cells


def _is_quantity(cells: Sequence[Any]) -> bool:
    """Whether numbers are to be predicted as such, and are not the names of classes."""
    if not isinstance(cells, np.ndarray):
        return False
    different = np.unique(cells)
    return len(different) > FEW_INTEGERS or bool(np.any(different != np.round(different)))


def _looks_like_a_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

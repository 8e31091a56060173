"""Tables: CSV and parquet files and any data frame, as inputs and targets of a net."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.columns import Category, Number, as_numbers, different_texts
from chainrule.data.dataset import Dataset
from chainrule.data.frames import as_frame, cells_of, check_column, is_number, read_frame
from chainrule.data.target import Target

FORMAT = "chainrule table 1"
MOST_CATEGORIES = 100
"""A text column with more different texts is refused: names and numbers of things are nothing to learn from."""


class UnusableColumnsError(ValueError):
    """Columns hold what a net cannot learn from.

    Attributes:
        columns: their names.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(f"{'; '.join(problems.values())}: drop {', '.join(map(repr, problems))}")
        self.columns = tuple(problems)


@dataclass(frozen=True)
class TableEncoder:
    """How a table becomes numbers, as fitted to training data; the same for all data that follow.

    - Numbers and booleans are standardised: mean 0, standard deviation 1 in the training data. A missing one becomes
      the mean; if the training data miss some, a further feature tells which.
    - Texts become one feature for each different one, 1 or 0; so does what is missing. A text that the training data
      do not have is 0 everywhere.
    - The target is a number, or a class; it may not be missing.

    >>> import polars, chainrule as cr
    >>> frame = polars.DataFrame({"size": [1.0, 3.0], "colour": ["red", "green"], "sweet": [True, False]})
    >>> encoder = cr.data.TableEncoder.fit(frame, target="sweet")
    >>> encoder.dataset(frame)
    Dataset(2 examples of 3 features in 2 classes)
    >>> encoder.features
    ('size', 'colour = green', 'colour = red')
    >>> encoder.inputs(polars.DataFrame({"colour": ["red"], "size": [5.0]}))
    array([[3., 0., 1.]], dtype=float32)
    >>> cr.data.TableEncoder.from_json(encoder.to_json()) == encoder
    True
    """

    columns: tuple[Number | Category, ...]
    target: Target | None = None

    @classmethod
    def fit(
        cls,
        frame: Any,
        target: str | None = None,
        *,
        drop: Collection[str] = (),
        task: str | None = None,
        most_categories: int = MOST_CATEGORIES,
    ) -> TableEncoder:
        """Look at training data and remember what encoding them takes.

        Args:
            frame: a data frame that narwhals knows.
            target: the column to be predicted, if any.
            drop: columns to leave out.
            task: "classes" or "numbers", what the target is; None decides by its values: texts, booleans and up to 20
                different whole numbers are classes.
            most_categories: how many different texts a column may hold.

        Raises ValueError for columns that are not there, hold nothing, dates or too many different texts, and where the
        target is missing; the message says which.
        """
        table = as_frame(frame)
        for name in drop:
            check_column(table, name)
            if name == target:
                raise ValueError(f"column {name!r} is to be predicted, and cannot be left out")
        goal = None if target is None else Target.fit(table, target, task)
        names = [name for name in table.columns if name not in drop and name != target]
        problems = {name: problem for name in names if (problem := _problem(table, name, most_categories))}
        if problems:
            raise UnusableColumnsError(problems)
        if not names:
            raise ValueError("no column is left to learn from")
        kinds = {name: Number if is_number(table, name) else Category for name in names}
        return cls(tuple(kind.fit(name, cells_of(table, name)) for name, kind in kinds.items()), goal)

    @property
    def features(self) -> tuple[str, ...]:
        """What each column of the inputs stands for."""
        return tuple(feature for column in self.columns for feature in column.features)

    @property
    def texts(self) -> set[str]:
        """The names of the columns that hold texts, even where all of them look like numbers."""
        texts = {column.name for column in self.columns if isinstance(column, Category)}
        return texts | {self.target.name} if self.target is not None and self.target.is_text else texts

    def inputs(self, frame: Any) -> NDArray[np.float32]:
        """The rows of a data frame as inputs (n, features) float32; columns of other names are not looked at.

        Raises ValueError for a column that is missing, or holds other things than that of the training data.
        """
        table = as_frame(frame)
        for column in self.columns:
            check_column(table, column.name)
        made = np.empty((len(table), len(self.features)), np.float32)
        start = 0
        for column in self.columns:
            end = start + len(column.features)
            made[:, start:end] = column.encode(cells_of(table, column.name))
            start = end
        return made

    def targets(self, frame: Any) -> NDArray[Any]:
        """The target of each row: int64 (n,) for classes, float32 (n,) for numbers.

        Raises ValueError where it is missing, or a class that the training data do not have; and for an encoder that
        was fitted without a target.
        """
        if self.target is None:
            raise ValueError("this encoder was fitted without a target")
        return self.target.read(frame)

    def dataset(self, frame: Any, description: str = "") -> Dataset:
        """Inputs and targets of a data frame with the names of what they stand for."""
        classes = () if self.target is None else self.target.classes
        return Dataset(self.inputs(frame), self.targets(frame), self.features, classes, description)

    def to_json(self) -> str:
        """All that is remembered, as text."""
        columns = [{"kind": column.kind, **asdict(column)} for column in self.columns]
        target = None if self.target is None else asdict(self.target)
        return json.dumps({"format": FORMAT, "target": target, "columns": columns}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> TableEncoder:
        """What ``to_json`` wrote. Raises ValueError for anything else."""
        kinds: dict[str, Any] = {Number.kind: Number, Category.kind: Category}
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise ValueError(f"its format is {content['format']!r}")
            columns = [_tuples(dict(column)) for column in content["columns"]]
            made = tuple(kinds[column.pop("kind")](**column) for column in columns)
            target = content["target"]
            return cls(made, None if target is None else Target(**_tuples(target)))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"this is no encoder of tables: {type(error).__name__}: {error}") from error


def read_table(
    source: Any,
    target: str,
    *,
    drop: Collection[str] = (),
    task: str | None = None,
    encoder: TableEncoder | None = None,
    description: str | None = None,
) -> Dataset:
    r"""A CSV or parquet file, or a data frame, as a Dataset.

    Columns become numbers as ``cr.data.TableEncoder`` tells. Mean, spread and texts are those of all rows; to learn
    them from training data alone, or to use them for other data, fit an encoder: ``read_frame``, then
    ``TableEncoder.fit(frame[:800], target)``, then ``encoder.dataset(frame)``.

    Args:
        source: the path of a file (see ``read_frame``), or a data frame that narwhals knows.
        target: the column that is to be predicted.
        drop: columns to leave out.
        task: "classes" or "numbers", what the target is; None decides by its values.
        encoder: one that was fitted before, instead of a new one.
        description: of the data; by default the name of the file.

    Raises ValueError for a file that cannot be read as a table and for columns that cannot be learned from, OSError for
    a file that is not there, ModuleNotFoundError where narwhals or polars is missing.

    >>> import tempfile, pathlib, chainrule as cr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "fruit.csv"
    ...     _ = file.write_text("size,colour,name\n1,red,cherry\n8,green,apple\n,red,cherry\n")
    ...     cr.data.read_table(file, target="name")
    Dataset(3 examples of 4 features in 2 classes: fruit.csv)
    """
    is_file = isinstance(source, str | Path)
    frame = read_frame(source, () if encoder is None else encoder.texts) if is_file else source
    fitted = TableEncoder.fit(frame, target, drop=drop, task=task) if encoder is None else encoder
    told = Path(source).name if description is None and is_file else description
    return fitted.dataset(frame, told or "")


def _problem(table: Any, name: str, most: int) -> str | None:
    """Why nothing can be learned from a column."""
    if not name:
        return "there is a column without a name, often the number of the row"
    dtype = table[name].dtype
    if dtype.is_temporal():
        return f"column {name!r} holds times, make numbers of them"
    if dtype.is_nested():
        return f"column {name!r} holds several things a cell, not a number or a text"
    cells = cells_of(table, name)
    if is_number(table, name):
        return f"column {name!r} holds nothing" if np.isnan(as_numbers(name, cells)).all() else None
    different = len(set(different_texts(cells)[0]) - {None})
    if not different:
        return f"column {name!r} holds nothing"
    return f"column {name!r} holds {different} different texts" if different > most else None


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where there were tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}

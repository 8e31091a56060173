"""Tables: CSV and parquet files and any data frame, as inputs and targets of a net.

narwhals speaks to all data frames (pandas, polars, PyArrow, ...) in one language; files are read by polars. Both are
imported when a table is met.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.columns import Category, Number, as_numbers, as_texts
from chainrule.data.dataset import Dataset
from chainrule.data.scaling import Standardiser

FORMAT = "chainrule table 1"
MOST_CATEGORIES = 100
"""A text column with more different texts is refused: names and numbers of things are nothing to learn from."""
FEW_INTEGERS = 20
"""A target of whole numbers, so many different ones at most, is taken for classes."""
NOT_AVAILABLE = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "?"]
"""What stands for a missing cell in CSV files."""
SEPARATORS = [",", ";", "\t", "|"]


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
    def of_numbers(cls, name: str, values: NDArray[Any]) -> Target:
        """For these numbers (n,)."""
        scale = Standardiser.fit(values)
        return cls(name, (), float(scale.mean), float(scale.std))

    def learned(self, targets: NDArray[Any]) -> NDArray[Any]:
        """What a net learns to give: labels (n,) as they are, numbers (n,) standardised, float32 (n, 1).

        >>> Target("price", mean=10.0, std=5.0).learned(np.array([20.0, 10.0]))
        array([[2.],
               [0.]], dtype=float32)
        """
        if self.classes:
            return targets
        return ((targets - self.mean) / self.std).astype(np.float32)[:, None]

    def predicted(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """What outputs (n, outputs) of a net that has learned it say: names of classes (n,), or numbers (n,).

        >>> Target("price", mean=10.0, std=5.0).predicted(np.array([[2.0], [0.0]]))
        array([20., 10.])
        >>> Target("fruit", ("apple", "pear")).predicted(np.array([[0.1, 3.0]])).tolist()
        ['pear']
        """
        if self.classes:
            return np.array(self.classes)[outputs.argmax(1)]
        numbers: NDArray[np.float64] = outputs[:, 0].astype(np.float64) * self.std + self.mean
        return numbers


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
        table = _frame(frame)
        for name in [*drop, *([target] if target is not None else [])]:
            _check_column(table, name)
        goal = None if target is None else _target(_cells(table, target), target, task)
        names = [name for name in table.columns if name not in drop and name != target]
        problems = {name: problem for name in names if (problem := _problem(table, name, most_categories))}
        if problems:
            raise ValueError(f"{'; '.join(problems.values())}: drop {', '.join(map(repr, problems))}")
        if not names:
            raise ValueError("no column is left to learn from")
        kinds = {name: Number if _is_number(table, name) else Category for name in names}
        return cls(tuple(kind.fit(name, _cells(table, name)) for name, kind in kinds.items()), goal)

    @property
    def features(self) -> tuple[str, ...]:
        """What each column of the inputs stands for."""
        return tuple(feature for column in self.columns for feature in column.features)

    @property
    def texts(self) -> set[str]:
        """The names of the columns that hold texts, even where all of them look like numbers."""
        texts = {column.name for column in self.columns if isinstance(column, Category)}
        if self.target is not None and not all(map(_looks_like_a_number, self.target.classes)):
            texts.add(self.target.name)
        return texts

    def inputs(self, frame: Any) -> NDArray[np.float32]:
        """The rows of a data frame as inputs (n, features) float32; columns of other names are not looked at.

        Raises ValueError for a column that is missing, or holds other things than that of the training data.
        """
        table = _frame(frame)
        for column in self.columns:
            _check_column(table, column.name)
        made = np.empty((len(table), len(self.features)), np.float32)
        start = 0
        for column in self.columns:
            end = start + len(column.features)
            made[:, start:end] = column.encode(_cells(table, column.name))
            start = end
        return made

    def targets(self, frame: Any) -> NDArray[Any]:
        """The target of each row: int64 (n,) for classes, float32 (n,) for numbers.

        Raises ValueError where it is missing, or a class that the training data do not have; and for an encoder that
        was fitted without a target.
        """
        if self.target is None:
            raise ValueError("this encoder was fitted without a target")
        table, name = _frame(frame), self.target.name
        _check_column(table, name)
        cells = _known(_cells(table, name), name)
        if not self.target.classes:
            return as_numbers(name, cells).astype(np.float32)
        place = {value: k for k, value in enumerate(self.target.classes)}
        texts = as_texts(cells)
        if strange := sorted({str(text) for text in texts if text not in place}):
            known = ", ".join(self.target.classes)
            raise ValueError(f"column {name!r} holds {strange[0]!r}, and the classes learned are {known}")
        return np.array([place[text] for text in texts if text is not None], np.int64)

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
    frame = read_frame(source, encoder) if is_file else source
    fitted = TableEncoder.fit(frame, target, drop=drop, task=task) if encoder is None else encoder
    told = Path(source).name if description is None and is_file else description
    return fitted.dataset(frame, told or "")


def read_frame(path: str | Path, encoder: TableEncoder | None = None) -> Any:
    r"""A CSV or parquet file as a polars data frame.

    In CSV, commas, semicolons, tabs or ``|`` separate, whichever the first line has most of; the first line names the
    columns; nothing, ``?``, ``NA``, ``NaN`` and ``null`` are missing cells. A file may be gzipped.

    Args:
        path: the file; ``.parquet`` in its name tells that format.
        encoder: for data that follow training data: columns that were texts there are read as texts.

    Raises ValueError for a file that cannot be read as a table, OSError for one that is not there.

    >>> import tempfile, pathlib, chainrule as cr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "fruit.csv"
    ...     _ = file.write_text("size; name\n1; cherry\n8; apple\n")
    ...     cr.data.read_frame(file).columns
    ['size', 'name']
    """
    polars = _library("polars")
    path = Path(path)
    with path.open("rb") as file:  # so that a file that is not there is the same error in all formats
        head = file.read(1 << 16)
    try:
        if ".parquet" in path.suffixes:
            return polars.read_parquet(path)
        texts = polars.read_csv(path, separator=_separator(head), infer_schema=False)
        texts = texts.rename({name: name.strip() for name in texts.columns})
    except polars.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} cannot be read as a table: {reason}") from error
    kept = set() if encoder is None else encoder.texts
    return texts.with_columns(_typed(texts[name], name in kept) for name in texts.columns)


def _typed(series: Any, keep: bool) -> Any:
    """A column of texts as whole numbers, numbers or booleans, if all of its cells are."""
    polars = _library("polars")
    stripped = series.str.strip_chars()
    stripped = stripped.set(stripped.is_in(NOT_AVAILABLE), None)
    if keep or stripped.null_count() == len(stripped):
        return stripped
    for dtype in (polars.Int64, polars.Float64):
        numbers = stripped.cast(dtype, strict=False)
        if numbers.null_count() == stripped.null_count():
            return numbers
    lower = stripped.str.to_lowercase()
    return lower == "true" if lower.drop_nulls().is_in(["true", "false"]).all() else stripped


def _looks_like_a_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _separator(head: bytes) -> str:
    line = head.decode("utf-8", "replace").splitlines()[:1] or [""]
    return max(SEPARATORS, key=line[0].count)


# ---- data frames


def _frame(frame: Any) -> Any:
    """Any data frame as one of narwhals; a lazy one is computed."""
    narwhals = _library("narwhals")
    try:
        table = narwhals.from_native(frame)
    except TypeError as error:
        found = type(frame).__name__
        raise TypeError(f"a table is a data frame (pandas, polars, PyArrow, ...), not {found}") from error
    table = table.collect() if isinstance(table, narwhals.LazyFrame) else table
    if not len(table):
        raise ValueError("the table has no rows")
    return table


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"tables are read with {name}, which is not installed: pip install 'chainrule[data]'", name=error.name
        ) from error


def _check_column(table: Any, name: str) -> None:
    if name not in table.columns:
        from difflib import get_close_matches

        near = get_close_matches(name, table.columns, n=3)
        meant = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join(table.columns)}"
        raise ValueError(f"the table has no column {name!r}: {meant}")


def _cells(table: Any, name: str) -> Sequence[Any]:
    """The cells of a column: float64 with NaN for what is missing, or Python objects with None."""
    narwhals = _library("narwhals")
    series = table[name]
    if series.dtype.is_integer() and not series.null_count():
        return series.to_numpy()  # type: ignore[no-any-return]
    if series.dtype.is_numeric():
        return series.cast(narwhals.Float64).fill_null(float("nan")).to_numpy()  # type: ignore[no-any-return]
    missing = series.is_null().to_list()
    return [None if absent else cell for cell, absent in zip(series.to_list(), missing, strict=True)]


def _is_number(table: Any, name: str) -> bool:
    """Whether a column holds numbers or booleans, and not texts; pandas has booleans among None as objects."""
    narwhals, dtype = _library("narwhals"), table[name].dtype
    if dtype == narwhals.Object:
        return all(cell is None or isinstance(cell, bool | int | float) for cell in _cells(table, name))
    return bool(dtype.is_numeric() or dtype == narwhals.Boolean)


def _problem(table: Any, name: str, most: int) -> str | None:
    """Why nothing can be learned from a column."""
    dtype = table[name].dtype
    if dtype.is_temporal():
        return f"column {name!r} holds times, make numbers of them"
    if dtype.is_nested():
        return f"column {name!r} holds several things a cell, not a number or a text"
    different = {text for text in as_texts(_cells(table, name)) if text is not None}
    if not different:
        return f"column {name!r} holds nothing"
    if not _is_number(table, name) and len(different) > most:
        return f"column {name!r} holds {len(different)} different texts"
    return None


# ---- the target


def _target(cells: Sequence[Any], name: str, task: str | None) -> Target:
    if task not in (None, "classes", "numbers"):
        raise ValueError(f"task is 'classes' or 'numbers', not {task!r}")
    values = _known(cells, name)
    if isinstance(values, np.ndarray):
        different = np.unique(values)
        whole = bool(np.all(different == np.round(different)))
        if task != "classes" and (task == "numbers" or not whole or len(different) > FEW_INTEGERS):
            return Target.of_numbers(name, values)
        classes = [str(text) for text in as_texts(list(different))]
    else:
        if task == "numbers":
            return Target.of_numbers(name, as_numbers(name, values))
        classes = sorted({str(text) for text in as_texts(values)})
    if len(classes) < 2:
        raise ValueError(f"column {name!r} is always {classes[0]!r}: there is nothing to learn")
    return Target(name, tuple(classes))


def _known(cells: Sequence[Any], name: str) -> Sequence[Any]:
    """The cells of the target, of which none may be missing."""
    missing = np.isnan(cells) if isinstance(cells, np.ndarray) else np.array([text is None for text in as_texts(cells)])
    if missing.any():
        rows = np.flatnonzero(missing) + 1
        raise ValueError(
            f"the target {name!r} is missing in {len(rows)} of {len(cells)} rows, the first is row {rows[0]}: "
            "leave these rows out"
        )
    return cells


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where there were tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}

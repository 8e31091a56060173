"""Data frames of all kinds, and the files that hold them.

narwhals speaks to pandas, polars, PyArrow and others in one language; files are read by polars. Both are imported when
a table is met.
"""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

NOT_AVAILABLE = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "?"]
"""What stands for a missing cell in CSV files."""
SEPARATORS = [",", ";", "\t", "|"]


def read_frame(path: str | Path, texts: Collection[str] = ()) -> Any:
    r"""A CSV or parquet file as a polars data frame.

    In CSV, commas, semicolons, tabs or ``|`` separate, whichever the first line has most of; the first line names the
    columns; nothing, ``?``, ``NA``, ``NaN`` and ``null`` are missing cells. Where semicolons separate, numbers may have
    decimal commas. The text is UTF-8. Empty lines at the end are no rows, and a
    column that has neither a name nor anything in it is none. A file may be gzipped; then commas separate.

    Args:
        path: the file; ``.parquet`` in its name tells that format.
        texts: columns that are texts even where all of them look like numbers: ``encoder.texts``, for data that follow
            training data.

    Raises ValueError for a file that cannot be read as a table, OSError for one that is not there.

    >>> import tempfile, pathlib, chainrule as cr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "fruit.csv"
    ...     _ = file.write_text("size; name\n1; cherry\n8; apple\n")
    ...     cr.data.read_frame(file).columns
    ['size', 'name']
    """
    polars = library("polars")
    path = Path(path)
    with path.open("rb") as file:  # so that a file that is not there is the same error in all formats
        head = file.read(1 << 16)
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise ValueError(f"{path} cannot be read as a table: it is written in UTF-16; save it in UTF-8")
    separator = _separator(head)
    try:
        if ".parquet" in path.suffixes:
            return polars.read_parquet(path)
        table = polars.read_csv(path, separator=separator, infer_schema=False)
        table = table.rename({name: name.strip() for name in table.columns})
    except polars.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} cannot be read as a table: {reason}") from error
    commas = separator == ";"
    return _trimmed(table.with_columns(_typed(table[name], name in texts, commas) for name in table.columns))


def _trimmed(table: Any) -> Any:
    """Without the empty lines at the end, and without columns that have neither a name nor anything in them."""
    polars = library("polars")
    filled = table.select(polars.any_horizontal(polars.all().is_not_null())).to_series().arg_true()
    rows = table.head(filled.max() + 1 if len(filled) else 0)
    return rows.select(name for name in rows.columns if name or rows[name].null_count() < len(rows))


def _typed(series: Any, keep: bool, decimal_commas: bool) -> Any:
    """A column of texts as whole numbers, numbers or booleans, if all of its cells are."""
    polars = library("polars")
    stripped = series.str.strip_chars()
    stripped = stripped.set(stripped.is_in(NOT_AVAILABLE), None)
    if keep or stripped.null_count() == len(stripped):
        return stripped
    digits = stripped.str.replace(",", ".", literal=True) if decimal_commas else stripped
    for dtype in (polars.Int64, polars.Float64):
        numbers = digits.cast(dtype, strict=False)
        if numbers.null_count() == stripped.null_count():
            return numbers
    lower = stripped.str.to_lowercase()
    return lower == "true" if lower.drop_nulls().is_in(["true", "false"]).all() else stripped


def _separator(head: bytes) -> str:
    line = head.decode("utf-8", "replace").splitlines()[:1] or [""]
    return max(SEPARATORS, key=line[0].count)


def as_frame(frame: Any) -> Any:
    """Any data frame as one of narwhals; a lazy one is computed."""
    narwhals = library("narwhals")
    try:
        table = narwhals.from_native(frame)
    except TypeError as error:
        found = type(frame).__name__
        raise TypeError(f"a table is a data frame (pandas, polars, PyArrow, ...), not {found}") from error
    table = table.collect() if isinstance(table, narwhals.LazyFrame) else table
    if not len(table):
        raise ValueError("the table has no rows")
    if strange := [name for name in table.columns if not isinstance(name, str)]:
        raise ValueError(f"columns are named by texts, not {strange[0]!r}: frame.columns = map(str, frame.columns)")
    return table


def library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"tables are read with {name}, which is not installed: pip install 'chainrule[data]'", name=error.name
        ) from error


def check_column(table: Any, name: str) -> None:
    if name not in table.columns:
        from difflib import get_close_matches

        near = get_close_matches(name, table.columns, n=3)
        meant = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {listed(table.columns)}"
        raise ValueError(f"the table has no column {name!r}: {meant}")


def listed(names: Sequence[str]) -> str:
    """The names of columns, the first twenty if there are more."""
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def cells_of(table: Any, name: str) -> Sequence[Any]:
    """The cells of a column: float64 with NaN for what is missing, or Python objects with None."""
    narwhals = library("narwhals")
    series = table[name]
    if series.dtype.is_integer() and not series.null_count():
        return series.to_numpy()  # type: ignore[no-any-return]
    if series.dtype.is_numeric():
        return series.cast(narwhals.Float64).fill_null(float("nan")).to_numpy()  # type: ignore[no-any-return]
    missing = series.is_null().to_list()
    return [None if absent else cell for cell, absent in zip(series.to_list(), missing, strict=True)]


def is_number(table: Any, name: str) -> bool:
    """Whether a column holds numbers or booleans, and not texts; pandas has booleans among None as objects."""
    narwhals, dtype = library("narwhals"), table[name].dtype
    if dtype == narwhals.Object:
        return all(cell is None or isinstance(cell, bool | int | float) for cell in cells_of(table, name))
    return bool(dtype.is_numeric() or dtype == narwhals.Boolean)

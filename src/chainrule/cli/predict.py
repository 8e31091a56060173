"""``chainrule predict``: what a trained net says about the rows of a file."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TextIO

import numpy as np
import typer

from chainrule import data, softmax
from chainrule.cli.errors import Stop
from chainrule.cli.run_folder import SavedRun
from chainrule.cli.sources import told_in_words
from chainrule.data.files import written_whole
from chainrule.training.evaluation import Forward


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV or parquet with the columns of the training data; the target may be missing.",
            show_default=False,
        ),
    ],
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="A column for the probability of each class.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write, as CSV.", show_default="standard output")
    ] = None,
) -> None:
    """Predict the target of each row of a file, and write it as CSV, a line a row, in the order of the file.

    Texts that the training data did not have count as none of those that it had; a missing number as their mean.

    For example:

      chainrule predict runs/houses new-houses.csv

      chainrule predict runs/flowers more.parquet --probabilities --out predicted.csv

      chainrule predict runs/flowers more.csv | sort | uniq -c
    """
    saved = SavedRun.open(run)
    if out is not None and out.exists() and file.exists() and out.samefile(file):
        raise Stop(f"--out {out} would overwrite the rows that are to be predicted: choose another file")
    with told_in_words():
        inputs = saved.encoder.inputs(data.read_frame(file, saved.encoder.texts))
    outputs = Forward(saved.model, compiled=False)(inputs)
    columns: dict[str, Iterable[str]] = {saved.target.name: map(_written, saved.target.predicted(outputs))}
    if probabilities and saved.target.classes:
        shares = np.asarray(softmax(outputs.astype(np.float64), axis=1))
        columns |= {
            f"probability of {name}": map(_written, shares[:, k]) for k, name in enumerate(saved.target.classes)
        }
    if out is None:
        _write(sys.stdout, columns)
    else:
        with written_whole(out) as partial, partial.open("w", newline="") as stream:
            _write(stream, columns)


def _write(stream: TextIO, columns: Mapping[str, Iterable[str]]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))


def _written(value: Any) -> str:
    """Numbers in as many digits as float32 has."""
    return f"{value:.7g}" if isinstance(value, np.floating) else str(value)

"""``chainrule evaluate``: how good a trained net is, on its held-out data or on a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from chainrule import data, training
from chainrule.cli.errors import Stop
from chainrule.cli.run_folder import SavedRun
from chainrule.cli.scoring import in_words, scores_of
from chainrule.cli.sources import open_source, told_in_words
from chainrule.training.evaluation import Forward

MOST_CLASSES = 12
"""With more classes a confusion matrix does not fit on a screen."""


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="CSV or parquet with the columns of the training data.", show_default="held-out data"
        ),
    ] = None,
) -> None:
    """Tell how good a trained net is: loss, metrics, and which classes are taken for which.

    For example:

      chainrule evaluate runs/digits

      chainrule evaluate runs/houses

      chainrule evaluate runs/houses new-houses.csv
    """
    saved = SavedRun.open(run)
    part = _held_out(saved) if file is None else _read(saved, file)
    typer.echo(f"{len(part)} examples {'held out' if file is None else f'of {file}'}: ", nl=False)
    typer.echo(in_words(scores_of(saved.model, saved.target, part, saved.recipe)))
    classes = saved.target.classes
    if 1 < len(classes) <= MOST_CLASSES:
        outputs = Forward(saved.model, compiled=False)(part.inputs)
        Console().print(_confusion(training.confusion_matrix(outputs, part.targets, len(classes)), classes))


def _held_out(saved: SavedRun) -> data.Dataset:
    source = open_source(saved.asked)
    if source.fingerprint != saved.fingerprint:
        raise Stop(f"{saved.asked.data} is not what it was when the net was trained: name the file to evaluate on")
    return source.test


def _read(saved: SavedRun, file: Path) -> data.Dataset:
    with told_in_words():
        return saved.encoder.dataset(data.read_frame(file, saved.encoder.texts))


def _confusion(counts: Any, classes: tuple[str, ...]) -> Table:
    """Rows are the true classes, columns what they were taken for."""
    table = Table("true", *classes, "found", title="true classes, and what they were taken for", title_justify="left")
    for name, row, own in zip(classes, counts, np.diagonal(counts), strict=True):
        share = f"{own / row.sum():.1%}" if row.sum() else ""
        table.add_row(name, *(str(count) if count else "" for count in row), share)
    return table

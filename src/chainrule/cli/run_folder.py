"""The folder in which a run leaves its results. What stands there already is never overwritten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import typer

from chainrule import nn, training
from chainrule.cli.errors import Stop
from chainrule.data.files import written_whole


@dataclass(frozen=True)
class RunFolder:
    """A folder of this run's own.

    Attributes:
        path: where it is; it is there and was empty.
    """

    path: Path

    @staticmethod
    @contextmanager
    def claim(wanted: Path | None, usual: Path) -> Iterator[RunFolder]:
        """Make the folder ``wanted``, or else ``usual`` or the first of ``usual-2``, ``usual-3``, ... that is free.

        Before training, so that nobody waits for a result that cannot be written. A folder made here goes away again
        if nothing has been written to it when the block ends.
        """
        was_there = wanted is not None and wanted.exists()
        folder = RunFolder(_made(wanted) if wanted is not None else _first_free(usual))
        try:
            yield folder
        finally:
            if not was_there and not any(folder.path.iterdir()):
                folder.path.rmdir()

    def write(self, model: nn.Module, history: training.History, title: str, settings: dict[str, Any]) -> None:
        """Write all of it and tell what is where. Without matplotlib, only the picture is left out."""
        training.save(model, self.path / "model.safetensors")
        history.write_csv(self.path / "history.csv")
        with written_whole(self.path / "run.json") as partial:
            partial.write_text(json.dumps({**settings, **_versions(), "result": _result(history)}, indent=2) + "\n")
        last = history.last
        typer.echo(
            f"\ntest accuracy {last['test_accuracy']:.2%}, loss {last['test_loss']:.4f}; written to {self.path}:"
        )
        typer.echo("  model.safetensors  the weights, by parameter name")
        typer.echo("  history.csv        loss and accuracy of each epoch")
        typer.echo("  run.json           the settings and the result")
        try:
            training.draw_history(history, self.path / "loss.png", title)
        except ModuleNotFoundError as error:
            typer.echo(f"warning: no loss.png: {error}", err=True)
        else:
            typer.echo("  loss.png           the same as a picture")


def _result(history: training.History) -> dict[str, Any]:
    """The last epoch, and what the updates took: in that epoch and in all of them."""
    result: dict[str, float] = dict(history.last)
    result["seconds_of_last_epoch"] = result.pop("seconds")
    return {**result, "seconds_in_all": sum(history["seconds"])}


def _versions() -> dict[str, str]:
    return {package: version(package) for package in ("chainrule", "numpy")}


def _made(path: Path) -> Path:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise Stop(f"{path} is there already: choose another folder, or leave out --out")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _first_free(usual: Path) -> Path:
    usual.parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        path = usual if number == 1 else usual.with_name(f"{usual.name}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError("count() does not end")

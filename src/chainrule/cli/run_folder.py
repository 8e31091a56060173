"""The folder in which a run leaves its results, and from which it is read. What is there is never overwritten."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import typer

from chainrule import data, nn, training
from chainrule.cli import nets
from chainrule.cli.errors import Stop
from chainrule.cli.recipes import Recipe
from chainrule.cli.sources import Asked
from chainrule.data.files import written_whole
from chainrule.data.target import Target
from chainrule.training.history import Record

WEIGHTS, ENCODER, HISTORY, SETTINGS, PICTURE = (
    "model.safetensors",
    "encoder.json",
    "history.csv",
    "run.json",
    "loss.png",
)
CONTENTS = {
    WEIGHTS: "the weights, by parameter name",
    ENCODER: "how a row of a table becomes numbers for the net",
    HISTORY: "loss and metrics of each epoch",
    SETTINGS: "the settings and the result",
    PICTURE: "the same as a picture",
}


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

    def write(
        self,
        model: nn.Module,
        encoder: data.TableEncoder,
        history: training.History,
        settings: Mapping[str, Any],
        result: Record,
    ) -> None:
        """Write all of it but the picture."""
        training.save(model, self.path / WEIGHTS)
        history.write_csv(self.path / HISTORY)
        told = {**settings, **_versions(), "result": {**result, **_seconds(history)}}
        for name, text in {ENCODER: encoder.to_json(), SETTINGS: json.dumps(told, indent=2)}.items():
            with written_whole(self.path / name) as partial:
                partial.write_text(text + "\n")

    def draw(self, history: training.History, title: str) -> None:
        """The picture; without matplotlib only this is left out, with a warning."""
        try:
            training.draw_history(history, self.path / PICTURE, title)
        except ModuleNotFoundError as error:
            typer.echo(f"warning: no {PICTURE}: {error}", err=True)

    def tell(self) -> None:
        """What is where."""
        for name, meaning in CONTENTS.items():
            if (self.path / name).exists():
                typer.echo(f"  {name:<18} {meaning}")


def settings_of(asked: Asked, recipe: Recipe, sizes: tuple[int, ...]) -> dict[str, Any]:
    """What ``run.json`` keeps, so that data and net can be had again."""
    return {**asdict(asked), **asdict(recipe), "sizes": sizes}


@dataclass(frozen=True)
class SavedRun:
    """What a run has left."""

    path: Path
    asked: Asked
    recipe: Recipe
    model: nn.Sequential
    encoder: data.TableEncoder

    @property
    def target(self) -> Target:
        """What the net predicts."""
        if self.encoder.target is None:
            raise Stop(f"{self.path / ENCODER} is damaged: it has no target")
        return self.encoder.target

    @classmethod
    def open(cls, path: Path) -> SavedRun:
        """Read a run folder. Raises Stop for one that is none, or is damaged."""
        settings = read_settings(path)
        try:
            asked, recipe, sizes = _of(Asked, settings), _of(Recipe, settings), tuple(settings["sizes"])
            model = nets.build(sizes, recipe, asked.seed).eval()
            training.load(model, path / WEIGHTS)
            encoder = data.TableEncoder.from_json((path / ENCODER).read_text())
        except (ValueError, KeyError, TypeError) as error:
            raise Stop(f"{path} is damaged, or from another version: {error}") from error
        return cls(path, asked, recipe, model, encoder)


def read_settings(path: Path) -> dict[str, Any]:
    """What ``run.json`` holds. Raises Stop for a folder that has none, or something else."""
    file = path / SETTINGS
    if not file.is_file():
        raise Stop(f"{path} is no folder of a run: it has no {SETTINGS}, which chainrule train leaves")
    try:
        settings = json.loads(file.read_text())
    except ValueError as error:
        raise Stop(f"{file} is damaged: {error}") from error
    if not isinstance(settings, dict):
        raise Stop(f"{file} is damaged: it holds no settings")
    return settings


def _of(kind: Any, settings: Mapping[str, Any]) -> Any:
    """An object of the settings that bear the names of its fields; JSON has lists where there were tuples."""
    values = {field.name: settings[field.name] for field in fields(kind)}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _seconds(history: training.History) -> dict[str, float]:
    """What the updates took: in the last epoch and in all of them."""
    seconds = history["seconds"]
    return {"epochs_done": len(seconds), "seconds_of_last_epoch": seconds[-1], "seconds_in_all": sum(seconds)}


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

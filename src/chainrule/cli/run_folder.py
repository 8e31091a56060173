"""The folder in which a run leaves its results, and from which it is read. What is there is never overwritten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from chainrule import data, nn, training
from chainrule.cli import nets
from chainrule.cli.errors import Stop
from chainrule.cli.recipes import Recipe
from chainrule.cli.sources import Asked
from chainrule.data.files import written_whole
from chainrule.data.target import Target
from chainrule.inspect.report import report
from chainrule.training.history import Record

if TYPE_CHECKING:
    from chainrule.cli.trial import Trial

T = TypeVar("T")

REPORT, WEIGHTS, ENCODER = "report.html", "model.safetensors", "encoder.json"
HISTORY, SETTINGS, CHECKPOINTS = "history.csv", "run.json", "checkpoints"
CONTENTS = {
    REPORT: "how it went and what the net became, to be looked at in a browser",
    WEIGHTS: "the weights, by parameter name",
    ENCODER: "how a row of a table becomes numbers for the net",
    HISTORY: "loss and metrics of each epoch",
    SETTINGS: "the settings and the result",
    CHECKPOINTS: "from which --resume goes on",
}


@dataclass(frozen=True)
class RunFolder:
    """A folder of one run.

    Attributes:
        path: where it is.
    """

    path: Path

    @staticmethod
    @contextmanager
    def claim(wanted: Path | None, usual: Path) -> Iterator[RunFolder]:
        """Make the folder ``wanted``, or else ``usual`` or the first of ``usual-2``, ``usual-3``, ... that is free.

        Before training, so that nobody waits for a result that cannot be written. Where neither weights nor a
        checkpoint are there when the block ends, it becomes what it was.
        """
        was_there = wanted is not None and wanted.exists()
        folder = RunFolder(_made(wanted) if wanted is not None else _first_free(usual))
        try:
            yield folder
        finally:
            if not (folder.path / WEIGHTS).exists() and not folder.saved:
                folder._empty()
                if not was_there:
                    folder.path.rmdir()

    @property
    def checkpoints(self) -> Path:
        """Where a run that is under way is saved."""
        return self.path / CHECKPOINTS

    @property
    def saved(self) -> bool:
        """Whether there is a checkpoint."""
        return any(self.checkpoints.glob("checkpoint-*.json"))

    def begin(self, settings: Mapping[str, Any], encoder: data.TableEncoder) -> None:
        """Write what it takes to go on with the run, should it be interrupted."""
        self._write(SETTINGS, json.dumps({**settings, **_versions()}, indent=2))
        self._write(ENCODER, encoder.to_json())

    def finish(self, trial: Trial, history: training.History, settings: Mapping[str, Any], scores: Record) -> None:
        """Write the results."""
        training.save(trial.model, self.path / WEIGHTS)
        history.write_csv(self.path / HISTORY)
        result = dict(history.last) | {f"test_{name}": value for name, value in scores.items()} | _seconds(history)
        self._write(SETTINGS, json.dumps({**settings, **_versions(), "result": result}, indent=2))
        report(
            trial.model,
            history,
            trial.reported(trial.source.test),
            self.path / REPORT,
            loss=trial.loss,
            optimizer=trial.optimizer,
            title=f"{trial.name}: {trial.architecture}",
        )

    def tell(self) -> None:
        """What is where."""
        for name, meaning in CONTENTS.items():
            typer.echo(f"  {name:<18} {meaning}")

    def _write(self, name: str, text: str) -> None:
        with written_whole(self.path / name) as partial:
            partial.write_text(text + "\n")

    def _empty(self) -> None:
        for name in (SETTINGS, ENCODER):
            (self.path / name).unlink(missing_ok=True)
        if self.checkpoints.exists():
            shutil.rmtree(self.checkpoints)


class Settings(dict[str, Any]):
    """What ``run.json`` holds."""

    def of(self, kind: type[T]) -> T:
        """An object of the settings that bear the names of its fields; JSON has lists where there were tuples."""
        values = {field.name: self[field.name] for field in fields(kind)}  # type: ignore[arg-type]
        return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def read_settings(path: Path) -> Settings:
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
    return Settings(settings)


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """Raises Stop where the settings of a run folder turn out not to be what they must be."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Stop(f"{path} is damaged, or from another version: {error}") from error


@dataclass(frozen=True)
class SavedRun:
    """What a run has left."""

    path: Path
    asked: Asked
    recipe: Recipe
    fingerprint: str
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
        """Read a run folder. Raises Stop for one that is none, is not done, or is damaged."""
        settings = read_settings(path)
        if not (path / WEIGHTS).exists():
            raise Stop(f"the run {path} was interrupted: chainrule train --resume {path} goes on")
        with undamaged(path):
            asked, recipe, sizes = settings.of(Asked), settings.of(Recipe), tuple(settings["sizes"])
            model = nets.build(sizes, recipe, asked.seed).eval()
            training.load(model, path / WEIGHTS)
            encoder = data.TableEncoder.from_json((path / ENCODER).read_text())
            if len(encoder.features) != sizes[0]:
                raise ValueError(f"{ENCODER} makes {len(encoder.features)} inputs, and the net takes {sizes[0]}")
            return cls(path, asked, recipe, settings["fingerprint"], model, encoder)


def _seconds(history: training.History) -> dict[str, float]:
    """What the updates took: in the last epoch and in all of them."""
    seconds = history["seconds"]
    return {"seconds_of_last_epoch": seconds[-1], "seconds_in_all": sum(seconds)}


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

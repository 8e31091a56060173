"""The data that a command is given: known sets by name, tables in files; their parts, and how they became numbers."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from chainrule import data
from chainrule.cli.errors import Stop
from chainrule.cli.recipes import KNOWN
from chainrule.data.columns import Number
from chainrule.data.frames import listed
from chainrule.data.measurements import FILES, table_file
from chainrule.data.sampling import held_out_parts
from chainrule.data.table import UnusableColumnsError
from chainrule.data.target import Target


@dataclass(frozen=True)
class Asked:
    """Which data: what it takes to have the same ones again.

    Attributes:
        data: the name of a known set, or the path of a file.
        target, task, drop: of a table; see ``data.TableEncoder.fit``.
        held_out: the share of test data.
        validation: the share of data by which training is ended early; 0 for none.
        seed: of points that are drawn, and of the parts.
    """

    data: str
    target: str | None = None
    task: str | None = None
    drop: tuple[str, ...] = ()
    held_out: float = 0.2
    validation: float = 0.0
    seed: int = 0

    def settled(self) -> Asked:
        """The same, wherever one stands: with the whole path of a file."""
        return replace(self, data=str(Path(self.data).resolve())) if Path(self.data).is_file() else self

    @property
    def name(self) -> str:
        """How to call them: the file without its folder and ending."""
        return self.data if self.data in (*KNOWN, *FILES) else Path(self.data).name.split(".")[0]


@dataclass(frozen=True)
class Source:
    """Data ready for a net. What the encoder knows, it knows of the training data alone.

    Attributes:
        encoder: how a row of a table becomes the inputs of an example, and what the outputs say.
        parts: training data, perhaps validation data, test data: inputs for the net, targets as they are.
    """

    asked: Asked
    description: str
    encoder: data.TableEncoder
    parts: tuple[data.Dataset, ...]

    @property
    def target(self) -> Target:
        if self.encoder.target is None:
            raise ValueError("a source has a target")
        return self.encoder.target

    @property
    def train(self) -> data.Dataset:
        return self.parts[0]

    @property
    def test(self) -> data.Dataset:
        return self.parts[-1]

    @property
    def watched(self) -> data.Dataset:
        """What is held up to the training data in every epoch: validation data, or the test data if there are none."""
        return self.parts[1]

    @property
    def fingerprint(self) -> str:
        """A digest of all of it, by which other data are told."""
        digest = blake2b(self.encoder.to_json().encode(), digest_size=16)
        for part in self.parts:
            for array in part:
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def learned(self, part: data.Dataset) -> tuple[Any, Any]:
        """Inputs and what a net learns to give for them."""
        return part.inputs, self.target.learned(part.targets)


def open_source(asked: Asked) -> Source:
    """The data that were asked for. Raises Stop, with what to do, where they cannot be had."""
    with told_in_words():
        if asked.data in KNOWN:
            return _known(asked)
        if asked.data in FILES:
            path, target = table_file(asked.data)
            return _table(replace(asked, target=asked.target or target), path)
        return _table(asked, _existing(asked.data))


@contextmanager
def told_in_words() -> Any:
    """Errors of data and files that come with words for the user end the command with just these."""
    try:
        yield
    except UnusableColumnsError as error:
        raise Stop(f"{error}: {' '.join(f'--drop {quote(name)}' for name in error.columns)}") from error
    except (ValueError, TypeError, ModuleNotFoundError) as error:
        raise Stop(error) from error


def _known(asked: Asked) -> Source:
    if asked.target is not None or asked.task is not None or asked.drop:
        raise Stop(f"--target, --task and --drop are for tables in files; {asked.data} is a set that is known")
    known = KNOWN[asked.data]
    loaded = known.load(asked.seed)
    if isinstance(loaded, tuple):
        train, test = loaded
        parts = (*train.split(asked.validation, asked.seed), test) if asked.validation else (train, test)
    else:
        parts = loaded.split(asked.held_out, asked.seed, validation=asked.validation)
    train, shape = parts[0], parts[0].inputs.shape[1:]
    scale = data.Standardiser(np.zeros(shape), np.ones(shape)) if known.scaled else data.Standardiser.fit(train.inputs)
    encoder = data.TableEncoder(
        tuple(
            Number(name, float(mean), float(std), missing=False)
            for name, mean, std in zip(train.features, scale.mean, scale.std, strict=True)
        ),
        Target("class", train.classes) if train.classes else Target.of_numbers("value", train.targets),
    )
    if not known.scaled:
        parts = tuple(replace(part, inputs=scale.transform(part.inputs)) for part in parts)
    return Source(asked, train.description, encoder, parts)


def _existing(name: str) -> Path:
    path = Path(name)
    if path.is_dir():
        raise Stop(f"{name} is a folder, and neither a table nor a run that chainrule train has left")
    if not path.exists():
        names = [*KNOWN, *FILES]
        near = get_close_matches(name, names, n=1)
        meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
        raise Stop(f"there is no file {name} and no data set of this name: {meant}")
    return path


def _table(asked: Asked, path: Path) -> Source:
    frame = data.read_frame(path)
    if asked.target is None:
        raise Stop(f"say by --target which column is to be predicted: {listed(frame.columns)}")
    whole = Target.fit(frame, asked.target, asked.task)
    parts = held_out_parts(whole.read(frame), asked.held_out, asked.validation, asked.seed)
    if not all(rows.any() for rows in parts):
        raise Stop(f"{path.name} has {len(frame)} rows, too few to hold some out")
    frames = [frame.filter(rows) for rows in parts]
    encoder = data.TableEncoder.fit(frames[0], asked.target, drop=asked.drop, task=whole.task)
    return Source(asked, path.name, encoder, tuple(encoder.dataset(part, path.name) for part in frames))

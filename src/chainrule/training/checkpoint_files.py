"""The files of a checkpoint: arrays beside notes, written so that no crash and no damage can pass for a checkpoint.

A checkpoint is two files, ``checkpoint-000007.safetensors`` with the arrays and ``checkpoint-000007.json`` with the
notes, the SHA-256 of the arrays' file and that of the notes themselves. The arrays are on the disk before the notes
appear under their name, at once and whole: without notes there is no checkpoint. Older ones are removed after that, all
but one.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from chainrule.data.files import written_whole
from chainrule.graph.errors import ChainruleError

FORMAT = "chainrule checkpoint, version 1"
KEPT = 2
_NAME = re.compile(r"checkpoint-(\d{6,})\.json")


class CheckpointError(ChainruleError, ValueError):
    """A file is no checkpoint, is damaged, or does not fit the run."""


class CheckpointWarning(UserWarning):
    """The newest checkpoint is damaged, and an older one is used."""


class Saved(NamedTuple):
    """What a checkpoint holds, and where it lies."""

    path: Path
    arrays: dict[str, NDArray[Any]]
    notes: dict[str, Any]


def write(folder: Path, arrays: Mapping[str, NDArray[Any]], notes: Mapping[str, Any]) -> Path:
    """Add a checkpoint to a folder; the path of its notes. The one before is kept, older ones are removed."""
    from safetensors.numpy import save

    numbers = _numbers(folder)
    notes_path = _path(folder, max(numbers, default=0) + 1)
    arrays_path = notes_path.with_suffix(".safetensors")
    content = save(dict(arrays))
    body = {
        "format": FORMAT,
        **notes,
        "arrays": {"file": arrays_path.name, "sha256": hashlib.sha256(content).hexdigest()},
    }
    with written_whole(arrays_path) as partial:
        partial.write_bytes(content)
    with written_whole(notes_path) as partial:
        partial.write_text(json.dumps({**body, "sha256": _digest(body)}, indent=1) + "\n")
    for number in numbers[: 1 - KEPT]:
        remove(_path(folder, number))
    return notes_path


def read(path: Path) -> Saved:
    """A checkpoint by the path of its notes. CheckpointError if anything about it is not as it was written."""
    from safetensors.numpy import load

    try:
        notes = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(notes, dict) or not str(notes.get("format", "")).startswith("chainrule checkpoint"):
        raise CheckpointError(f"{path} is not a checkpoint of chainrule")
    if notes.pop("sha256", None) != _digest(notes):
        raise CheckpointError(f"{path} is damaged: its checksum does not fit")
    if notes["format"] != FORMAT:
        raise CheckpointError(f"{path} is a {notes['format']}, and this chainrule reads {FORMAT}")
    arrays_path = path.with_name(notes["arrays"]["file"])
    try:
        content = arrays_path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{arrays_path} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != notes["arrays"]["sha256"]:
        raise CheckpointError(f"{arrays_path} is damaged: its checksum does not fit ({len(content)} bytes)")
    return Saved(path, load(content), notes)


def newest(folder: Path) -> Saved | None:
    """The newest checkpoint of a folder that is whole; None if it has none at all.

    A damaged one is told by a CheckpointWarning. Raises CheckpointError if all are damaged.
    """
    reasons = []
    for number in reversed(_numbers(folder)):
        try:
            saved = read(_path(folder, number))
        except CheckpointError as error:
            reasons.append(str(error))
            continue
        if reasons:
            told = f"{'; '.join(reasons)}. Going on from the checkpoint before it, {saved.path}"
            warnings.warn(told, CheckpointWarning, stacklevel=2)
        return saved
    if reasons:
        raise CheckpointError(f"{folder} has no checkpoint that is whole: {'; '.join(reasons)}")
    return None


def tidy(folder: Path) -> None:
    """Remove what a killed process has left behind: partial files, and arrays without notes."""
    from shutil import rmtree  # takes a while to import

    for partial in folder.glob(".partial-*"):
        rmtree(partial)
    for arrays in folder.glob("checkpoint-*.safetensors"):
        if not arrays.with_suffix(".json").exists():
            arrays.unlink()


def remove(path: Path) -> None:
    """Remove a checkpoint, its notes first: arrays without notes are none."""
    path.unlink()
    path.with_suffix(".safetensors").unlink(missing_ok=True)


def _numbers(folder: Path) -> list[int]:
    """The numbers of the checkpoints in a folder, oldest first."""
    return sorted(int(match[1]) for path in folder.glob("*.json") if (match := _NAME.fullmatch(path.name)))


def _path(folder: Path, number: int) -> Path:
    return folder / f"checkpoint-{number:06}.json"


def _digest(notes: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(notes, sort_keys=True).encode()).hexdigest()

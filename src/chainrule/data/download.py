"""Files from the network: downloaded once, checked against their known digest, and kept in the user's cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.data.files import written_whole
from chainrule.graph.errors import ChainruleError
from chainrule.native.store import cache_directory

PIECE = 1 << 20
"""Bytes that are read at once."""


class DownloadError(ChainruleError, OSError):
    """A file could not be had from the network, or is not the one that was published."""


@dataclass(frozen=True)
class Remote:
    """A published file.

    Attributes:
        url: where it is.
        sha256: the digest of its content, in hexadecimal.
    """

    url: str
    sha256: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


def fetched(remote: Remote, folder: Path) -> Path:
    """The file in ``folder``, from the network if it is not there already or is damaged.

    It appears whole and checked, or not at all. A bar shows the progress of large files where stderr is a terminal.
    Raises DownloadError, which says where to put the file by hand.
    """
    from http.client import HTTPException  # takes a while to import, as urllib does

    path = folder / remote.name
    if path.exists() and _digest(path) == remote.sha256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    by_hand = f"you can also put the file into {folder} by hand"
    with written_whole(path) as partial:
        try:
            _download(remote, partial)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise DownloadError(f"{remote.url} could not be downloaded ({reason}): {by_hand}") from error
        if (found := _digest(partial)) != remote.sha256:
            raise DownloadError(
                f"{remote.url} is not the file that was published: its SHA-256 is {found} and not {remote.sha256}; "
                f"try again, or {by_hand}"
            )
    return path


def default_folder(name: str) -> Path:
    """Where the files of a data set are kept: ``chainrule/data/NAME`` in the user's directory for caches."""
    return cache_directory() / "data" / name


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(remote: Remote, path: Path) -> None:
    from urllib.request import urlopen

    with urlopen(remote.url, timeout=30) as response, path.open("wb") as file:  # noqa: S310 - the addresses are ours
        size = response.headers.get("Content-Length")
        _copy(response.read, file.write, remote.name, int(size) if size else None)


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], Any], name: str, size: int | None) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(name, total=size)
        done = 0
        while piece := read(PIECE):
            write(piece)
            done += len(piece)
            progress.update(bar, completed=done)
    if size is not None and done != size:
        raise OSError(f"the connection ended after {done} of {size} bytes")

"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A path to write to, which takes its place as ``path`` only when the block has ended well.

    A crash in between leaves what stood there before. The partial file lies in the same folder (``os.replace`` is
    atomic within one file system) and bears the same name (some writers go by its ending).
    """
    from tempfile import TemporaryDirectory  # takes a while to import

    path = Path(path)
    with TemporaryDirectory(prefix=".partial-", dir=path.parent) as folder:
        partial = Path(folder) / path.name
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)

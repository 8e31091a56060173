"""Compiled objects kept on disk, so that a second process need not compile them again.

What lies here is run as machine code. So the directory belongs to the user alone (owner and mode are checked on the
open directory), no symbolic link is followed in it, and each entry carries a digest: one that was cut short or damaged
counts as missing and is made anew. Entries appear by rename, complete or not at all, whoever else is writing.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

DIGEST_BYTES = 32
_MAGIC = b"chainrule object 1\n"
_ABANDONED = 3600.0  # seconds after which a half-written file is nobody's any more
_PLAIN = os.O_NOFOLLOW | os.O_CLOEXEC if hasattr(os, "O_NOFOLLOW") else 0


class KernelStore:
    """A bounded directory of compiled objects; ``cr.kernel_store`` is the one in use.

    Attributes:
        directory: where the objects lie, ``chainrule/kernels`` in the user's cache directory unless set otherwise.
        limit: the most bytes to keep; those not used for longest go first.
        enabled: set it to False to compile afresh in every process.

    >>> import tempfile
    >>> store = KernelStore(Path(tempfile.mkdtemp()) / "kernels")
    >>> store.put("name", b"code")
    >>> store.get("name"), len(store)
    (b'code', 1)
    >>> store.clear()
    >>> print(store.get("name"))
    None
    """

    def __init__(self, directory: Path | None = None, limit: int = 2**28) -> None:
        self.directory = directory or default_directory()
        self.limit = limit
        self.enabled = True
        self._size: int | None = None  # bytes as last counted, and what was written since

    def get(self, name: str) -> bytes | None:
        """What ``put`` kept under ``name``; None if it is not there, damaged, or the directory cannot be trusted."""
        if not self.enabled:
            return None
        with suppress(OSError), self._open(create=False) as folder:
            content = _read(name, folder)
            os.utime(name, dir_fd=folder, follow_symlinks=False)
            return _unseal(name, content)
        return None

    def put(self, name: str, data: bytes) -> None:
        """Keep ``data`` under ``name``. A disk that is full, read-only or not to be trusted keeps nothing."""
        if not self.enabled:
            return
        with suppress(OSError), self._open(create=True) as folder:
            content = _seal(name, data)
            _write(name, content, folder)
            self._bound(folder, len(content))

    def clear(self) -> None:
        """Remove all objects."""
        self._size = None
        with suppress(FileNotFoundError), self._open(create=False) as folder:
            for name, _ in _entries(folder):
                _remove(name, folder)

    @property
    def size(self) -> int:
        """How many bytes the objects take."""
        with suppress(OSError), self._open(create=False) as folder:
            return sum(status.st_size for _, status in _entries(folder))
        return 0

    def __len__(self) -> int:
        with suppress(OSError), self._open(create=False) as folder:
            return sum(1 for _ in _entries(folder))
        return 0

    @property
    def problem(self) -> str | None:
        """Why nothing can be kept, None if all is well."""
        try:
            with self._open(create=True):
                return None
        except OSError as error:
            return f"{error.filename or self.directory}: {error.strerror}"

    def __repr__(self) -> str:
        state = "" if self.enabled else ", switched off"
        return f"KernelStore({str(self.directory)!r}, {len(self)} objects, {self.size / 1e6:.1f} MB{state})"

    @contextmanager
    def _open(self, create: bool) -> Iterator[int]:
        """The directory as a file descriptor. Raises OSError where it is not the user's own and private."""
        if os.open not in os.supports_dir_fd:
            raise OSError(0, "this system cannot open files relative to a directory", str(self.directory))
        if create:
            self.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self.directory.mkdir(mode=0o700)
        folder = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | _PLAIN)
        try:
            status = os.fstat(folder)
            if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
                raise PermissionError(1, "must belong to you, with mode 700", str(self.directory))
            yield folder
        finally:
            os.close(folder)

    def _bound(self, folder: int, written: int) -> None:
        """Remove what has not been used for longest, down to three quarters of the limit, once it is passed."""
        if self._size is not None and self._size + written <= self.limit:
            self._size += written
            return
        entries = sorted(_entries(folder), key=lambda entry: entry[1].st_mtime)
        self._size = sum(status.st_size for _, status in entries)
        most = self.limit * 3 // 4 if self._size > self.limit else self.limit
        for name, status in entries:
            if self._size > most or _abandoned(name, status):
                _remove(name, folder)
                self._size -= status.st_size


def cache_directory() -> Path:
    """``chainrule`` in the platform's directory for caches; XDG_CACHE_HOME is respected."""
    if (chosen := Path(os.environ.get("XDG_CACHE_HOME", ""))).is_absolute():
        return chosen / "chainrule"
    caches = Path("Library/Caches") if sys.platform == "darwin" else Path(".cache")
    return Path("~").expanduser() / caches / "chainrule"


def default_directory() -> Path:
    """Where the kernels lie, beside whatever else is cached."""
    return cache_directory() / "kernels"


def _seal(name: str, data: bytes) -> bytes:
    return _MAGIC + _digest(name, data) + data


def _unseal(name: str, content: bytes) -> bytes | None:
    start = len(_MAGIC) + DIGEST_BYTES
    data = content[start:]
    return data if content[:start] == _MAGIC + _digest(name, data) else None


def _digest(name: str, data: bytes) -> bytes:
    """Covers the name, too: an entry under another's name is not that other."""
    return blake2b(name.encode() + b"\n" + data, digest_size=DIGEST_BYTES).digest()


def _read(name: str, folder: int) -> bytes:
    with os.fdopen(os.open(name, os.O_RDONLY | _PLAIN, dir_fd=folder), "rb") as file:
        return file.read()


def _write(name: str, content: bytes, folder: int) -> None:
    draft = f".{name}.{os.urandom(8).hex()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        _remove(draft, folder)
        raise


def _entries(folder: int) -> Iterator[tuple[str, os.stat_result]]:
    for entry in os.listdir(folder):
        with suppress(FileNotFoundError):  # another process removed it
            yield entry, os.stat(entry, dir_fd=folder, follow_symlinks=False)


def _remove(name: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _abandoned(name: str, status: os.stat_result) -> bool:
    return name.startswith(".") and time.time() - status.st_mtime > _ABANDONED


kernel_store = KernelStore()

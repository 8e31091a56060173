"""Files of images: the IDX format of MNIST, and the binary one of CIFAR-10.

Both are plain bytes after a short header or none; nothing in them is ever run.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

CIFAR_SHAPE = 3, 32, 32
CIFAR_RECORD = 1 + math.prod(CIFAR_SHAPE)


def read_idx(path: str | Path) -> NDArray[Any]:
    """The array in an IDX file, gzipped or not.

    Two zero bytes, a code for the dtype, the number of axes; then each size, four bytes with the most significant one
    first; then the elements, likewise, in C order (LeCun, Cortes and Burges, the MNIST database).

    Returns the array in the machine's byte order. Raises ValueError for a file that is damaged, cut short or of another
    format; OSError if it cannot be read.
    """
    content = _unzipped(Path(path))
    head = content[:4]
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_DTYPES:
        raise ValueError(f"{path} is no IDX file: it begins with {head.hex(' ') or 'nothing'}")
    dtype, axes = np.dtype(IDX_DTYPES[head[2]]), head[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise ValueError(f"{path} is cut short: {len(content)} bytes of a header of {start}")
    shape = struct.unpack_from(f">{axes}I", content, 4)
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise ValueError(f"{path} is damaged: {len(content)} bytes, and {expected} are needed for the shape {shape}")
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _unzipped(path: Path) -> bytes:
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is no whole gzip file: {error}") from error


def read_cifar10(path: str | Path, names: tuple[str, ...]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images and labels of some files of the archive ``cifar-10-binary.tar.gz``.

    Each image is a record of 3,073 bytes: its label, then its red, green and blue pixels, row by row (Krizhevsky,
    Learning multiple layers of features from tiny images, 2009). The archive is read in place; nothing is unpacked.

    Returns images (n, 32, 32, 3), colours last, and labels (n,). Raises ValueError for an archive that is damaged, cut
    short or lacks a file; OSError if it cannot be read.
    """
    records = np.frombuffer(b"".join(_members(Path(path), names)), np.uint8).reshape(-1, CIFAR_RECORD)
    labels = records[:, 0]
    if labels.size and labels.max() > 9:
        raise ValueError(f"{path} is damaged: a label is {labels.max()}, and they go from 0 to 9")
    planes = records[:, 1:].reshape(-1, *CIFAR_SHAPE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels.copy()


def _members(path: Path, names: tuple[str, ...]) -> list[bytes]:
    """The contents of files in the archive, wherever in it they lie."""
    import tarfile

    try:
        with tarfile.open(path, "r:gz") as archive:
            found = {Path(member.name).name: member for member in archive.getmembers() if member.isfile()}
            if missing := [name for name in names if name not in found]:
                raise ValueError(f"{path} holds no {missing[0]}")
            contents = [archive.extractfile(found[name]).read() for name in names]  # type: ignore[union-attr]
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is no whole archive: {error}") from error
    for name, content in zip(names, contents, strict=True):
        if len(content) % CIFAR_RECORD:
            raise ValueError(f"{path} is damaged: {name} has {len(content)} bytes, no multiple of {CIFAR_RECORD}")
    return contents

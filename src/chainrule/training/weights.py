"""The States of a net in a file, its parameters and running statistics: safetensors, by name.

safetensors is imported when a file is written or read: the rest of the package runs with NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chainrule.data.files import written_whole
from chainrule.nn import Module


def save(model: Module, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write every State of the model under its name (``layers.0.weight``), in its own shape and dtype.

    The file appears whole or not at all; one that stands there is replaced. ``metadata`` are notes to keep with it.

    >>> import tempfile, chainrule as cr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(cr.nn.Linear(2, 3), f"{folder}/net.safetensors", {"epochs": "30"})
    """
    from safetensors.numpy import save as to_bytes

    with written_whole(path) as partial:
        partial.write_bytes(to_bytes(model.state_dict(), dict(metadata or {})))


def load(model: Module, path: str | Path) -> None:
    """Read what ``save`` wrote into a net of the same architecture.

    Raises ValueError, and leaves the net as it is, if the file is not a safetensors file or if names or shapes do not
    fit; OSError if it cannot be read.

    >>> import tempfile, chainrule as cr
    >>> from chainrule.training import load, save
    >>> net, other = cr.nn.Linear(2, 3), cr.nn.Linear(2, 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(net, f"{folder}/net.safetensors")
    ...     load(other, f"{folder}/net.safetensors")
    >>> bool((net.weight.value == other.weight.value).all())
    True
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        values = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file: {error}") from error
    try:
        model.load_state_dict(values)
    except ValueError as error:
        raise ValueError(f"{path} holds another net: {error}") from error

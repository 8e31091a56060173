"""Data that lie inside installed packages: no download, and none of those packages' code but scikit-learn's."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any


def from_scikit_learn(name: str, **options: Any) -> Any:
    """What ``sklearn.datasets.load_NAME`` gives; ModuleNotFoundError where scikit-learn is missing."""
    try:
        datasets = import_module("sklearn.datasets")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the data set {name} comes with scikit-learn, which is not installed: pip install 'chainrule[data]'",
            name=error.name,
        ) from error
    return getattr(datasets, f"load_{name}")(**options)


def file_of(package: str, path: str, install: str) -> Path:
    """A file of an installed package, found without importing it.

    Raises ModuleNotFoundError, with the command that helps, where the package or the file is missing.
    """
    from importlib.metadata import PackageNotFoundError, distribution  # takes a while to import

    try:
        found = Path(str(distribution(package).locate_file(path)))
    except PackageNotFoundError:
        found = None
    if found is None or not found.exists():
        raise ModuleNotFoundError(f"{path} comes with the package {package}, which is not installed: {install}")
    return found

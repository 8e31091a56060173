"""Dataset: inputs and labels that belong together, with the names of what they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples with a class each. Nothing about it can be changed: its arrays are read-only.

    Attributes:
        inputs: (n, features), floating: one row an example.
        labels: (n,), integers 0 ... classes - 1: the class of each example.
        features: what each column of the inputs stands for.
        classes: what each label stands for.
        description: one line about where the data come from.

    It unpacks into inputs and labels. Raises ValueError where the parts do not fit together.

    >>> import chainrule as cr
    >>> x, y = cr.data.spiral()
    >>> x.shape, y.shape
    ((300, 2), (300,))
    """

    inputs: NDArray[Any]
    labels: NDArray[Any]
    features: tuple[str, ...]
    classes: tuple[str, ...]
    description: str

    def __post_init__(self) -> None:
        examples = len(self.labels)
        if self.inputs.shape != (examples, len(self.features)) or self.labels.shape != (examples,):
            raise ValueError(
                f"inputs {self.inputs.shape} and labels {self.labels.shape} do not fit together "
                f"with {len(self.features)} features"
            )
        if self.labels.dtype.kind not in "iu":
            raise ValueError(f"labels are integers, not {self.labels.dtype}")
        if examples and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise ValueError(f"labels must lie in 0 ... {len(self.classes) - 1}")
        object.__setattr__(self, "inputs", _read_only(self.inputs))
        object.__setattr__(self, "labels", _read_only(self.labels))

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter((self.inputs, self.labels))

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        shape = f"{len(self)} examples of {len(self.features)} features in {len(self.classes)} classes"
        return f"Dataset({shape}: {self.description})"


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    own = np.array(array)
    own.setflags(write=False)
    return own

"""Dataset: inputs and targets that belong together, with the names of what they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.sampling import Seed, held_out_parts


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples and what is to be learned of each. Nothing about it can be changed: its arrays are read-only.

    What the targets are decides the ``task``:

    - ``"classes"``: integers 0 ... classes - 1, (n,): the class of each example;
    - ``"multilabel"``: booleans, or integers 0 and 1, (n, classes): which of the classes an example belongs to;
    - ``"numbers"``: floating, (n,) or (n, outputs): quantities to be predicted.

    Args:
        inputs: (n, ...), numbers, one row an example; (n, features) for a table.
        targets: one for each example, see above.
        features: what each column of a table stands for; nothing for inputs that are no table.
        classes: what each class stands for; "0", "1", ... if left out.
        description: one line about where the data come from.
        image: rows, columns and perhaps colours, where each row of inputs is an image.

    Arrays are copied, but for memory maps, which stay where they are, and for read-only ones that own their memory.

    It unpacks into inputs and targets. Raises ValueError where the parts do not fit together, TypeError for arrays that
    hold no numbers.

    >>> import chainrule as cr
    >>> x, y = cr.data.spiral()
    >>> x.shape, y.shape
    ((300, 2), (300,))
    >>> cr.data.Dataset(np.eye(3), np.array([0.5, 1.5, 2.5])).task
    'numbers'
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    features: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    description: str = ""
    image: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        inputs, targets = _read_only(self.inputs, "inputs"), _read_only(self.targets, "targets")
        classes = tuple(self.classes)
        if not classes and targets.dtype.kind in "iub" and targets.size:
            classes = tuple(map(str, range(targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1)))
        values = {"inputs": inputs, "targets": targets, "features": tuple(self.features), "classes": classes}
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        table = self.inputs.ndim == 2
        features_fit = len(self.features) == self.inputs.shape[1] if table and self.features else not self.features
        if self.targets.ndim not in (1, 2) or self.inputs.shape[:1] != self.targets.shape[:1] or not features_fit:
            raise ValueError(
                f"inputs {self.inputs.shape} and targets {self.targets.shape} do not fit together "
                f"with {len(self.features)} features"
            )
        if self.task == "numbers":
            if self.classes:
                raise ValueError(f"targets of classes are integers, not {self.targets.dtype}")
        elif self.task == "multilabel":
            if self.targets.shape[1] != len(self.classes) or not np.isin(self.targets, (0, 1)).all():
                raise ValueError(
                    f"targets {self.targets.shape} of {len(self.classes)} classes, several at once, are 0 or 1"
                )
        elif len(self) and not 0 <= self.targets.min() <= self.targets.max() < len(self.classes):
            raise ValueError(f"labels must lie in 0 ... {len(self.classes) - 1}")

    @property
    def labels(self) -> NDArray[Any]:
        """The targets, under the name that they have where they are classes."""
        return self.targets

    @property
    def task(self) -> str:
        """What the targets are: "classes", "multilabel" or "numbers"."""
        if self.targets.dtype.kind == "f":
            return "numbers"
        return "classes" if self.targets.ndim == 1 else "multilabel"

    @property
    def outputs(self) -> int:
        """How many numbers a net must give for an example: one for each class, or for each number."""
        return self.targets.shape[1] if self.targets.ndim == 2 else max(1, len(self.classes))

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter((self.inputs, self.targets))

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: Any) -> Dataset:
        """The examples at ``rows``: row numbers, a mask (n,), or a slice, which leaves a memory map on disk.

        >>> import chainrule as cr
        >>> cr.data.moons().take(slice(0, 10))
        Dataset(10 examples of 2 features in 2 classes: two half circles that interlock, 100 points each)
        """
        return replace(self, inputs=self.inputs[rows], targets=self.targets[rows])

    def split(self, held_out: float = 0.2, seed: Seed = 0, *, validation: float = 0.0) -> tuple[Dataset, ...]:
        """Training and test data, and between them validation data if there shall be any: see ``cr.data.split``.

        >>> import chainrule as cr
        >>> [len(part) for part in cr.data.digits().split(0.2, validation=0.1)]
        [1259, 179, 359]
        """
        return tuple(self.take(rows) for rows in held_out_parts(self.targets, held_out, validation, seed))

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.inputs.shape[1:]))
        words = [f"{len(self)} examples of {shape or 1} {'features' if self.inputs.ndim <= 2 else 'numbers'}"]
        words += [f" in {len(self.classes)} classes" if self.classes else ""]
        words += [", several at once" if self.task == "multilabel" else ""]
        words += [f" and {_counted(self.outputs, 'number')} to predict" if self.task == "numbers" else ""]
        return f"Dataset({''.join(words)}{': ' if self.description else ''}{self.description})"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _read_only(array: Any, name: str) -> NDArray[Any]:
    values: NDArray[Any] = array if isinstance(array, np.ndarray) else np.asarray(array)
    if values.dtype.kind not in "fiub":
        raise TypeError(f"{name} are numbers, not {values.dtype}")
    if not values.ndim:
        raise ValueError(f"{name} are rows, one an example, not a single number")
    mapped = isinstance(values, np.memmap)
    if not mapped and (values.flags.writeable or not values.flags.owndata):
        values = np.array(values)
    elif mapped:
        values = values.view()
    values.setflags(write=False)
    return values

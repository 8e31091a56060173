"""ReduceOnPlateau: smaller steps once learning has stalled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.optim.optimizer import Optimizer


class ReduceOnPlateau:
    """Multiplies the step size by ``factor`` when a value has not improved for ``patience`` epochs.

    It is no function of the step: whoever trains tells it a value after each epoch, by ``observe``. The step sizes that
    groups of parameters have of their own are reduced along.

    Args:
        optimizer: whose ``lr`` it sets.
        factor: what the step size is multiplied by, in (0, 1).
        patience: so many epochs in a row without improvement are borne.
        threshold: the least improvement that counts, relative to the best value so far.
        cooldown: epochs after a reduction in which nothing is counted.
        floor: the step size is not made smaller than that.
        mode: whether a smaller value is better ("min", a loss) or a larger one ("max", an accuracy).

    >>> import chainrule as cr
    >>> optimizer = cr.optim.SGD([cr.Parameter(0.0)], lr=1.0)
    >>> plateau = cr.optim.ReduceOnPlateau(optimizer, factor=0.5, patience=1)
    >>> [plateau.observe(loss) for loss in (3.0, 2.0, 2.0, 2.0, 1.0)], optimizer.lr
    ([False, False, False, True, False], 0.5)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        cooldown: int = 0,
        floor: float = 0.0,
        mode: Literal["min", "max"] = "min",
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"a plateau reduces the step size of an optimiser that has one, not of {optimizer!r}")
        if not 0 < factor < 1:
            raise ValueError(f"factor must be in (0, 1), not {factor}")
        if not all(0 <= x < math.inf for x in (patience, threshold, cooldown, floor)):
            raise ValueError(
                "patience, threshold, cooldown and floor are at least 0, "
                f"not {patience}, {threshold}, {cooldown} and {floor}"
            )
        if mode not in ("min", "max"):
            raise ValueError(f"mode is 'min' or 'max', not {mode!r}")
        self.optimizer, self.factor, self.patience, self.threshold = optimizer, factor, patience, threshold
        self.cooldown, self.floor, self.mode = cooldown, floor, mode
        self.best = math.inf if mode == "min" else -math.inf
        self.waited = 0
        """Epochs since the last improvement."""
        self.resting = 0
        """Epochs until they are counted again."""

    def observe(self, value: float) -> bool:
        """Note the value after an epoch; whether the step size was reduced. NaN is no improvement."""
        value = float(value)
        if self._improves(value):
            self.best, self.waited = value, 0
        elif not self.resting:
            self.waited += 1
        self.resting = max(0, self.resting - 1)
        if self.waited <= self.patience:
            return False
        self.waited, self.resting = 0, self.cooldown
        return self._reduce()

    def _improves(self, value: float) -> bool:
        if math.isinf(self.best):
            return value < self.best if self.mode == "min" else value > self.best
        least = self.threshold * abs(self.best)
        return value < self.best - least if self.mode == "min" else value > self.best + least

    def _reduce(self) -> bool:
        before = [self.optimizer.lr, *(group["lr"] for group in self.optimizer.groups)]
        self.optimizer.lr = self._reduced(self.optimizer.lr)
        for group in self.optimizer.groups:
            if "lr" in group.own:
                group["lr"] = self._reduced(group["lr"])
        return before != [self.optimizer.lr, *(group["lr"] for group in self.optimizer.groups)]

    def _reduced(self, lr: float) -> float:
        return min(lr, max(lr * self.factor, self.floor))

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """What it has seen, by name."""
        return {name: np.array(getattr(self, name)) for name in ("best", "waited", "resting")}

    def load_state_dict(self, values: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` has given; ValueError, and no change, if that is something else."""
        if values.keys() != self.state_dict().keys():
            raise ValueError(f"a plateau's state is best, waited and resting, not {', '.join(values)}")
        best, waited, resting = float(values["best"]), int(values["waited"]), int(values["resting"])
        self.best, self.waited, self.resting = best, waited, resting

"""How large updates are beside the weights that they change: about 1/1000 is good (course notes, neural networks 3)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule import nn, optim
from chainrule.training.evaluation import Loss
from chainrule.training.examples import Examples

RATIO = 1e-3
"""What an update is beside its weights when the learning rate is right, roughly."""


class Updates(NamedTuple):
    """What became of a copy of a model in a few updates.

    Attributes:
        model: the copy.
        ratios: by the path of a weight, the median length of an update beside that of what it changed.
        diverged: after how many updates the loss was not finite; None if it stayed so.
    """

    model: nn.Module
    ratios: dict[str, float]
    diverged: int | None


def updates_of(
    model: nn.Module, examples: Examples, order: NDArray[Any], loss: Loss, optimizer: Any, batch: int, count: int = 20
) -> Updates:
    """Some updates of a copy by a copy of the optimiser, on minibatches in order.

    Without one, or for one that takes all data at a time, they are those of Adam with lr 0.001.
    """
    learner, mover = deepcopy((model, optimizer))  # together: the optimiser's parameters are those of the copy
    learner.train()
    if not by_minibatches(mover):
        mover = optim.Adam(learner.parameters(), lr=1e-3)
    weights = {path: p for path, p in learner.named_parameters().items() if p.ndim > 1 and not p.frozen}
    seen: dict[str, list[float]] = {path: [] for path in weights}
    for step in range(count):
        rows = some_rows(examples, np.take(order, range(step * batch, (step + 1) * batch), mode="wrap"))
        before = {path: np.array(p.value) for path, p in weights.items()}
        with np.errstate(all="ignore"):
            value = loss(learner(rows.inputs), rows.targets, **rows.options)
            if not np.isfinite(value.item()):
                return Updates(learner, {}, step)
            value.backward(keep=False)
            mover.step()
        for path, p in weights.items():
            if length := float(np.linalg.norm(before[path])):
                seen[path].append(float(np.linalg.norm(p.value - before[path])) / length)
    return Updates(learner, {path: float(np.median(ratios)) for path, ratios in seen.items() if ratios}, None)


def by_minibatches(optimizer: Any) -> bool:
    """Whether there is an optimiser, and it makes its updates on minibatches."""
    return optimizer is not None and not getattr(optimizer, "whole_batch", False)


def some_rows(examples: Examples, which: NDArray[Any]) -> Examples:
    """The examples of these numbers."""
    weights = None if examples.weights is None else examples.weights[which]
    return Examples(examples.inputs[which], examples.targets[which], weights)

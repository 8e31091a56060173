"""The loss that an estimator minimises, for rows that count differently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Weighted:
    """``sum(weights * losses) / rows`` of a minibatch, from a loss that divides by the sum of the weights.

    With weights that are 1 on average over all data, the mean over minibatches is then the weighted mean over the data.
    Divided by the weights of its own minibatch, a light row would count as much as a heavy one wherever it is among
    its like.
    """

    def __init__(self, loss: Callable[..., Any]) -> None:
        self.loss = loss

    def __call__(self, outputs: Any, targets: Any, *, weights: Any) -> Any:
        return self.loss(outputs, targets, weights=weights) * np.mean(weights).astype(outputs.dtype)

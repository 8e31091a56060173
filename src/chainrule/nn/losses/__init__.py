"""Losses: one number that says how wrong the net is.

Each is called with the outputs of the net and the targets. The result is a scalar in the dtype of the outputs: the mean
over examples and outputs, or with ``weights`` of the examples, shape (examples,), the weighted mean
``sum(weights * losses) / sum(weights)``. The gradient is the derivative of just this number, for any number of outputs.

Targets and weights that make no sense raise. A compiled function sees those of the calls that are recorded, the first
two of each kind; in later ones only labels are checked.
"""

from collections.abc import Callable
from typing import Any

from chainrule.nn.losses.classes import binary_cross_entropy, cross_entropy, hinge, kl_divergence
from chainrule.nn.losses.numbers import huber, mae, mse, poisson

LOSSES: dict[str, Callable[..., Any]] = {
    loss.__name__: loss
    for loss in (cross_entropy, hinge, binary_cross_entropy, kl_divergence, mse, mae, huber, poisson)
}
"""Every loss by its name."""

__all__ = [
    "LOSSES",
    "binary_cross_entropy",
    "cross_entropy",
    "hinge",
    "huber",
    "kl_divergence",
    "mae",
    "mse",
    "poisson",
]

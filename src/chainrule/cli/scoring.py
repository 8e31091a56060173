"""How good a net is, in numbers and in words. Errors are told in the unit of the target."""

from __future__ import annotations

from typing import Any

from chainrule import data, nn, training
from chainrule.cli import nets
from chainrule.cli.recipes import Recipe
from chainrule.data.target import Target
from chainrule.training.history import Record
from chainrule.training.metrics import Metric

SHOWN = {"accuracy": "{:>9.2%}", "rmse": "{:>9.4g}", "r2": "{:>9.3f}", "loss": "{:>9.4f}"}
"""How numbers are written."""


def metrics_of(target: Target) -> dict[str, Metric]:
    """What is told besides the loss, the most important one first."""
    if target.classes:
        return {"accuracy": training.accuracy}

    def rmse(outputs: Any, targets: Any, weights: Any = None) -> float:
        return target.std * training.METRICS["rmse"](outputs, targets, weights)  # what is learned has no unit

    return {"rmse": rmse, "r2": training.METRICS["r2"]}


def scores_of(model: nn.Module, target: Target, part: data.Dataset, recipe: Recipe) -> Record:
    """The loss and the metrics of a net on data."""
    loss = nets.loss_of(recipe, target.task)
    learned = part.inputs, target.learned(part.targets)
    return training.evaluate(model, learned, loss, metrics_of(target).values())


def in_words(scores: Record) -> str:
    """Metrics and the loss in one line.

    >>> in_words({"loss": 0.25, "accuracy": 0.9})
    'accuracy 90.00%, loss 0.2500'
    """
    names = [*(name for name in scores if name != "loss"), "loss"]
    return ", ".join(f"{name} {SHOWN[name].format(scores[name]).strip()}" for name in names)

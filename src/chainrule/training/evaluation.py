"""What a net says of examples, and how good that is: without learning from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import nn
from chainrule.compiler import Compiled
from chainrule.graph.array import raw
from chainrule.graph.mode import no_grad
from chainrule.nn import Module
from chainrule.training.examples import Examples
from chainrule.training.metrics import Metric, named_metrics

Loss = Callable[..., Any]
"""(outputs, targets) -> a scalar to be made small; with sample weights it takes ``weights=``, too."""

BLOCK = 1024
"""Rows that a net sees at once when it is only used: enough to be fast, few enough for any net's activations."""


def loss_named(loss: str | Loss) -> Loss:
    """A loss function by its name in ``nn.LOSSES``, or the function itself. ValueError for another name."""
    if callable(loss):
        return loss
    if not isinstance(loss, str):
        raise TypeError(f"a loss is a function (outputs, targets) -> scalar, or its name, not {loss!r}")
    if loss not in nn.LOSSES:
        raise ValueError(f"there is no loss {loss!r}; there are {', '.join(nn.LOSSES)}, and functions of your own")
    return nn.LOSSES[loss]


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """The model is used, not trained: Dropout drops nothing. One that is in training is so again afterwards."""
    if not model.training:
        yield
        return
    model.eval()
    try:
        yield
    finally:
        model.train()


class Forward:
    """A model's outputs for any number of rows, a block of them at a time."""

    def __init__(self, model: Module, compiled: bool = True) -> None:
        self.model = model
        self._function: Callable[..., Any] = Compiled(self._outputs) if compiled else self._eagerly

    def __call__(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """(n, ...) -> (n, ...); the model in evaluation meanwhile."""
        with evaluating(self.model):
            blocks = [self._function(inputs[k : k + BLOCK]) for k in range(0, len(inputs), BLOCK)]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _outputs(self, inputs: Any) -> Any:
        return self.model(inputs)

    def _eagerly(self, inputs: Any) -> Any:
        with no_grad():
            return raw(self.model(inputs))


def scores(
    outputs: NDArray[Any], examples: Examples, loss: Loss, metrics: dict[str, Metric], prefix: str = ""
) -> dict[str, float]:
    """The loss and the metrics of outputs, by name."""
    with no_grad(), np.errstate(all="ignore"):
        values = {"loss": float(loss(outputs, examples.targets, **examples.options))}
        for name, metric in metrics.items():
            values[name] = float(metric(outputs, examples.targets, **examples.options))
    return {prefix + name: value for name, value in values.items()}


def evaluate(
    model: Module,
    data: Any,
    loss: str | Loss = "cross_entropy",
    metrics: Iterable[str | Metric] = ("accuracy",),
    *,
    compiled: bool = False,
) -> dict[str, float]:
    """The loss and the metrics of ``model`` on ``data``, by name; nothing is learned and no circuit is recorded.

    Args:
        model: used in evaluation, and then as it was.
        data: ``(x, y)``, ``(x, y, weights)`` or a ``Dataset``.
        loss: a name of ``nn.LOSSES``, or a function of outputs and targets.
        metrics: names of ``training.METRICS``, or functions ``(outputs, targets, weights=None) -> float``.
        compiled: compute the outputs natively; worth it where there are many.

    >>> import numpy as np, chainrule as cr
    >>> net = cr.nn.Linear(2, 2, scale=0.0)
    >>> evaluate(net, (np.ones((4, 2)), np.array([0, 0, 0, 1])))["accuracy"]
    0.75
    """
    examples = Examples.of(data)
    outputs = Forward(model, compiled)(examples.inputs)
    return scores(outputs, examples, loss_named(loss), named_metrics(metrics))

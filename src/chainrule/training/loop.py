"""The training loop: epochs of minibatches, one step of gradient descent each."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from chainrule.compiler import Compiled
from chainrule.data import batches
from chainrule.data.sampling import Examples
from chainrule.graph.array import Array
from chainrule.graph.errors import ChainruleError
from chainrule.nn import Module, cross_entropy
from chainrule.training.history import Epoch, History
from chainrule.training.metrics import Loss, evaluate


class Optimizer(Protocol):
    """What the loop asks of an optimiser."""

    def step(self) -> None: ...


class DivergedError(ChainruleError, ArithmeticError):
    """The loss became NaN or infinite."""


def train(
    model: Module,
    optimizer: Optimizer,
    train_data: Examples,
    test_data: Examples,
    *,
    epochs: int,
    batch: int,
    rng: np.random.Generator,
    loss: Loss = cross_entropy,
    compiled: bool = False,
    after_step: Callable[[float], Any] = lambda loss: None,
    after_epoch: Callable[[Epoch], Any] = lambda epoch: None,
) -> History:
    """Train ``model`` in place, and return how it went.

    Args:
        model: what turns inputs into scores.
        optimizer: updates the model's parameters.
        train_data, test_data: inputs (n, ...) and labels (n,). Only the first are learned from.
        epochs: how many times each training example is seen.
        batch: examples in a step.
        rng: shuffles the training data anew in each epoch.
        loss: of scores and labels.
        compiled: run each step as one native call; worth it from some thousand steps on, as compiling takes a while.
        after_step: called with the loss of each step.
        after_epoch: called with each Epoch, on the same weights for both sets of data.

    Raises DivergedError, naming epoch and step, as soon as a loss is not finite, before the parameters are updated
    with it (in a compiled step they are by then); ValueError for sizes below 1.

    >>> import numpy as np, chainrule as cr
    >>> from chainrule.training import train
    >>> rng = np.random.default_rng(0)
    >>> net = cr.nn.Sequential(cr.nn.Linear(2, 20, rng=rng), cr.nn.ReLU(), cr.nn.Linear(20, 2, rng=rng))
    >>> optimizer = cr.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    >>> here, there = cr.data.split(*cr.data.circle())
    >>> history = train(net, optimizer, here, there, epochs=20, batch=20, rng=rng)
    >>> history.last.test_accuracy > 0.9
    True
    """
    if epochs < 1:
        raise ValueError(f"training takes at least one epoch, not {epochs}")

    def update(result: Array) -> None:
        result.backward(keep=False)
        optimizer.step()

    def whole_step(x: Any, y: Any) -> Any:
        result = loss(model(x), y)
        update(result)
        return result

    run = Compiled(whole_step)
    history = History()
    for number in range(1, epochs + 1):
        begin = perf_counter()
        for step, (x, y) in enumerate(batches(*train_data, batch, rng), start=1):
            result = run(x, y) if compiled else loss(model(x), y)
            value = result.item()
            _check(value, number, step)
            if not compiled:
                update(result)
            after_step(value)
        seconds = perf_counter() - begin
        epoch = Epoch(number, *evaluate(model, *train_data, loss), *evaluate(model, *test_data, loss), seconds)
        _check(epoch.train_loss, number, step)
        history.append(epoch)
        after_epoch(epoch)
    return history


def _check(loss: float, epoch: int, step: int) -> None:
    if not math.isfinite(loss):
        raise DivergedError(
            f"the loss became {loss} in epoch {epoch}, step {step}: a smaller learning rate usually helps; "
            "cr.nonfinite() tells where it began"
        )

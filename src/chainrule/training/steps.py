"""The step that is trained by, compiled or not, and what it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.compiler import Compiled
from chainrule.graph.array import ancestors, raw
from chainrule.graph.errors import NonFiniteError
from chainrule.graph.mode import nonfinite
from chainrule.graph.scope import scopes
from chainrule.nn import Module
from chainrule.program.minibatches import A_WHILE, Minibatches
from chainrule.training.evaluation import Loss, loss_named
from chainrule.training.examples import Examples

Results = tuple[NDArray[Any], ...]
"""Of several steps: their losses and, if there is one, their penalties."""


class Steps:
    """Steps of gradient descent on minibatches.

    A step computes the loss of a minibatch, adds the penalty, walks back and lets the optimiser update. Compiled,
    steps follow each other in native code; otherwise each gate is applied from Python.
    """

    def __init__(
        self,
        model: Module,
        loss: str | Loss,
        optimizer: Any,
        *,
        penalty: Callable[[Module], Any] | None = None,
        constraint: Any = None,
        compiled: bool = True,
    ) -> None:
        self.model, self.loss, self.optimizer = model, loss_named(loss), optimizer
        self.penalty, self.constraint, self.compiled = penalty, constraint, compiled
        self._native = Compiled(self.step)

    def objective(self, inputs: Any, targets: Any, weights: Any = None) -> tuple[Any, ...]:
        """What is to be made small on a minibatch: the loss and, if there is one, the penalty, to be added."""
        options = {} if weights is None else {"weights": weights}
        loss = self.loss(self.model(inputs), targets, **options)
        return (loss,) if self.penalty is None else (loss, self.penalty(self.model))

    def step(self, *rows: Any) -> tuple[Any, ...]:
        """One step: its loss and, if there is one, its penalty."""
        loss, *penalty = parts = self.objective(*rows)
        sum(penalty, start=loss).backward(keep=False)
        self.optimizer.step()
        if self.constraint is not None:
            self.constraint.apply(self.model)
        return parts

    def pieces(self, examples: Examples, batch: int, order: NDArray[np.int64] | None) -> Iterator[Results]:
        """The results of the next steps, as many as take a while, until all minibatches are done."""
        if self.compiled:
            return self._native.pieces(*examples.rows, batch=batch, order=order)
        return self._eager_pieces(Minibatches(examples.rows, (), batch, order, None))

    def _eager_pieces(self, steps: Minibatches) -> Iterator[Results]:
        while steps.done < steps.total:
            results: list[Any] = []
            end = perf_counter() + A_WHILE
            while steps.done < steps.total and (not results or perf_counter() < end):
                results.append([raw(x) for x in self.step(*steps.arguments(steps.done))])
                steps.add(1)
            yield tuple(np.stack(column) for column in zip(*results, strict=True))

    def first_not_finite(self, *rows: Any) -> tuple[NonFiniteError, tuple[str, ...]] | None:
        """The gate of a step's forward and backward pass at which something is not finite, and the layers it is in.

        The step is run gate by gate, without its update. What else it changes, the caller puts back.
        """
        with nonfinite(), np.errstate(all="ignore"):
            try:
                loss, *penalty = self.objective(*rows)
                total = sum(penalty, start=loss)
            except NonFiniteError as error:
                return error, error.layers
            try:
                total.backward()
            except NonFiniteError as error:
                return error, scopes(ancestors(total)).get(error.node, ())
        return None


class Snapshot:
    """What a step changes, as it was: the model's States and the optimiser's."""

    def __init__(self, model: Module, optimizer: Any) -> None:
        self._model, self._optimizer = model, optimizer
        self.model, self.optimizer = model.state_dict(), optimizer.state_dict()

    def put_back(self) -> None:
        """Let everything be as it was."""
        self._model.load_state_dict(self.model)
        self._optimizer.load_state_dict(self.optimizer)

    def spoiled(self) -> str | None:
        """The name of a State that is not finite by now, and was then; None if there is none."""
        now = Snapshot(self._model, self._optimizer)
        for owner, old, new in (("", self.model, now.model), ("the optimiser's ", self.optimizer, now.optimizer)):
            for name, value in new.items():
                if value.dtype.kind == "f" and not np.isfinite(value).all() and np.isfinite(old[name]).all():
                    return owner + name
        return None

"""The step that is trained by, compiled or not, and what it changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.compiler import Compiled
from chainrule.graph.array import Array, ancestors, raw
from chainrule.graph.errors import NonFiniteError
from chainrule.graph.mode import Changes, nonfinite
from chainrule.graph.scope import scopes
from chainrule.graph.state import State
from chainrule.nn import LOSSES, Module, cross_entropy, hinge
from chainrule.program.minibatches import A_WHILE, Minibatches
from chainrule.training.evaluation import Loss, loss_named
from chainrule.training.examples import Examples

Results = tuple[NDArray[Any], ...]
"""Of several steps: their losses and, if there is one, their penalties."""

ROWS = 100_000
"""Of how many examples targets are looked at at a time: memory maps stay where they are."""
PROGRAMS = 32
"""How many lengths of a last minibatch a Trainer that fits one set after the other may meet."""


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
        self._native = Compiled(self.step, limit=PROGRAMS)
        self._native_gradients = Compiled(self._gradients, keep_grads=True)
        self._snapshot: Snapshot | None = None
        self._snapshot_of: tuple[int, int, int] | None = None

    def look_at(self, examples: Examples) -> None:
        """Show all targets to a loss of the house: compiled, it looks at them only in the calls that are recorded.

        Raises ValueError for targets that it refuses.
        """
        targets = examples.targets
        if self.loss in (cross_entropy, hinge):
            if targets.dtype.kind == "i" and (targets < 0).any():
                first = np.flatnonzero(targets < 0)[0]
                raise ValueError(f"labels are class numbers from 0, and that of example {first} is {targets[first]}")
        elif self.loss in LOSSES.values():
            for start in range(0, len(targets), ROWS):
                part = targets[start : start + ROWS]
                self.loss(np.zeros(part.shape), part)

    def objective(self, inputs: Any, targets: Any, weights: Any = None) -> tuple[Any, ...]:
        """What is to be made small on a minibatch: the loss and, if there is one, the penalty, to be added."""
        outputs = self.model(inputs)
        if weights is None:
            loss = self.loss(outputs, targets)
        else:  # it divides by the minibatch's weights: there a light row would count much, if it is among its like
            loss = self.loss(outputs, targets, weights=weights)
            loss = loss * np.mean(weights).astype(loss.dtype)
        return (loss,) if self.penalty is None else (loss, self.penalty(self.model))

    def step(self, *rows: Any) -> tuple[Any, ...]:
        """One step: its loss and, if there is one, its penalty."""
        parts = self.objective(*rows)
        _total(parts).backward(keep=False)
        self.optimizer.step()
        if self.constraint is not None:
            self.constraint.apply(self.model)
        return parts

    def gradients(self, examples: Examples) -> Any:
        """The loss of all examples, penalty included, with the gradients of the parameters written."""
        return (self._native_gradients if self.compiled else self._gradients)(*examples.rows)

    def _gradients(self, *rows: Any) -> Any:
        total = _total(self.objective(*rows))
        total.backward(keep=False)
        return total

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

    def states(self) -> dict[str, State]:
        """What a step changes, by name: the model's States and the optimiser's."""
        own = {f"the optimiser's {name}": state for name, state in self.optimizer.named_states().items()}
        named: dict[str, State] = self.model.named_states()
        return named | own

    def foreign(self) -> dict[str, State]:
        """Other States that a compiled step writes, a generator of the loss perhaps: no state dict has them."""
        known = {id(state) for state in self.states().values()}
        written = {id(state): state for program in self._native.programs for state, _ in program.stores}
        others = [state for key, state in written.items() if key not in known]
        return {f"{state.label()} (number {i} of the loss)": state for i, state in enumerate(others, start=1)}

    def snapshot(self) -> Snapshot:
        """All that a step changes, to be taken and put back; the one made before, if there is nothing new."""
        known = (Changes.last, len(self._native.programs), len(self.optimizer.named_states()))
        if self._snapshot is None or self._snapshot_of != known:
            self._snapshot, self._snapshot_of = Snapshot(self.states() | self.foreign()), known
        return self._snapshot

    def first_not_finite(self, *rows: Any) -> tuple[NonFiniteError, tuple[str, ...]] | None:
        """The gate of a step's forward and backward pass at which something is not finite, and the layers it is in.

        The step is run gate by gate, without its update. What else it changes, the caller puts back.
        """
        with nonfinite(), np.errstate(all="ignore"):
            try:
                total = _total(self.objective(*rows))
            except NonFiniteError as error:
                return error, error.layers
            try:
                total.backward()
            except NonFiniteError as error:
                return error, scopes(ancestors(total)).get(error.node, ())
        return None


def _total(parts: tuple[Any, ...]) -> Array:
    """What is walked back from. TypeError if the loss was not computed with the gates of the model's outputs."""
    total = sum(parts[1:], start=parts[0])
    if not isinstance(total, Array):
        raise TypeError(
            "a loss is computed from the outputs by functions of NumPy or chainrule, and this is a "
            f"{type(total).__name__}: nothing tells how it depends on the parameters"
        )
    return total


class Snapshot:
    """The values of States as they were when it was taken."""

    def __init__(self, states: Mapping[str, State]) -> None:
        self._states = states
        self._values = {name: np.array(state._value) for name, state in states.items()}

    def take(self) -> None:
        """Take it anew."""
        for name, state in self._states.items():
            np.copyto(self._values[name], state._value)

    def put_back(self) -> None:
        """Let everything be as it was."""
        for name, state in self._states.items():
            state.assign(self._values[name])

    def spoiled(self) -> str | None:
        """The name of a State that is not finite by now, and was then; None if there is none."""
        for name, state in self._states.items():
            if not _is_finite(state._value) and _is_finite(self._values[name]):
                return name
        return None


def _is_finite(value: NDArray[Any]) -> bool:
    """Whether all elements are; found out by the sum of their squares, which is quick, unless that overflows."""
    return value.dtype.kind != "f" or math.isfinite(np.vdot(value, value)) or bool(np.isfinite(value).all())

"""Stochastic gradient descent, with momentum and L2 regularisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import numpy as np

from chainrule.graph.array import Array
from chainrule.graph.errors import GraphError
from chainrule.graph.mode import MODE, switched
from chainrule.graph.state import Parameter, State


class SGD:
    """v <- momentum * v - lr * (gradient + l2 * w);  w <- w + v   (course notes, neural-networks-3)

    Args:
        parameters: the Parameters to update, each once.
        lr: the step size, a number above 0.
        momentum: how much of the last update is kept, in [0, 1).
        l2: strength of the regularisation 1/2 * l2 * sum(w ** 2). It pulls weights (parameters of two or more axes)
            towards 0 and leaves biases alone, as the course advises.

    ``step`` uses only gradients that were written since its last call: a parameter that the loss no longer reaches
    stays where it is. ``lr``, ``momentum`` and ``l2`` can be read and set at any time.

    >>> import numpy as np, chainrule as cr
    >>> w = cr.Parameter([1.0, 2.0])
    >>> optimizer = cr.optim.SGD([w], lr=0.1)
    >>> np.sum(w * w).backward()
    >>> optimizer.step()
    >>> w.value
    array([0.8, 1.6], dtype=float32)
    """

    def __init__(
        self, parameters: Iterable[Parameter], lr: float = 0.1, momentum: float = 0.0, l2: float = 0.0
    ) -> None:
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError("there are no parameters to optimise")
        for p in self.parameters:
            if not isinstance(p, Parameter):
                raise TypeError(f"an optimiser updates Parameters, not {type(p).__name__}")
        if len({id(p) for p in self.parameters}) < len(self.parameters):
            raise ValueError("a parameter is listed twice: it would be updated twice a step")
        if not 0 < lr < math.inf or not 0 <= momentum < 1 or not 0 <= l2 < math.inf:
            raise ValueError(f"SGD needs lr > 0, 0 <= momentum < 1 and l2 >= 0, not {lr}, {momentum} and {l2}")
        self._lr = State(float(lr), name="lr")
        self._momentum, self._l2 = State(float(momentum), name="momentum"), State(float(l2), name="l2")
        self.velocity: list[State | None] = [None] * len(self.parameters)
        self.momentum = momentum
        self.steps = State(0, name="steps")
        self._last_write = 0

    def _named(self) -> dict[str, State]:
        named = {"steps": self.steps, "lr": self._lr, "momentum": self._momentum, "l2": self._l2}
        return named | {f"velocity.{i}": v for i, v in enumerate(self.velocity) if v is not None}

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Copies of all it knows, by name."""
        return {name: np.array(state._value) for name, state in self._named().items()}

    def load_state_dict(self, values: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` has given."""
        if set(values) != set(self._named()):
            raise ValueError(f"the names do not fit: {sorted(set(values) ^ set(self._named()))}")
        for name, state in self._named().items():
            state.assign(values[name])

    @property
    def lr(self) -> float:
        """The step size."""
        return self._lr.as_number()  # type: ignore[no-any-return]

    @lr.setter
    def lr(self, lr: float) -> None:
        unknown = MODE.get().recorder is not None and isinstance(lr, Array)
        if not unknown and not 0 < lr < math.inf:
            raise ValueError(f"the step size must be above 0 and finite, not {lr}")
        self._lr.assign(lr)

    @property
    def momentum(self) -> float:
        """How much of the last update is kept."""
        return self._momentum.item()  # type: ignore[no-any-return]

    @momentum.setter
    def momentum(self, momentum: float) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"the momentum must be at least 0 and below 1, not {momentum}")
        self._momentum.assign(momentum)
        if momentum and self.velocity[0] is None:
            self.velocity = [State(np.zeros(p.shape, p.dtype), name="velocity") for p in self.parameters]

    @property
    def l2(self) -> float:
        """Strength of the regularisation."""
        return self._l2.item()  # type: ignore[no-any-return]

    @l2.setter
    def l2(self, l2: float) -> None:
        if not 0 <= l2 < math.inf:
            raise ValueError(f"l2 must be at least 0 and finite, not {l2}")
        self._l2.assign(l2)

    def step(self) -> None:
        """One update of every parameter whose gradient was written since the last step.

        Raises GraphError if there is none.
        """
        recorder = MODE.get().recorder
        self.steps.assign(self.steps + 1)
        if recorder is None:
            self._step(State._buffer, _GRADIENT)
        else:
            recorder.remember(self, "_last_write")
            with switched(gradients=False, role="update"):
                self._step(_itself, recorder.gradient)

    def _step(self, written: Callable[[State], Any], gradient_of: Callable[[Parameter], Any]) -> None:
        """``written`` gives what the update of a State is written into: its buffer, or while recording the State."""
        since, lr, momentum, l2 = self._last_write, self.lr, self.momentum, self.l2
        latest = since
        for p, v in zip(self.parameters, self.velocity, strict=True):
            if p._write <= since or p._grad is None:  # a gradient may be taken away to hold a parameter still
                continue
            latest = p._write if p._write > latest else latest
            self.update(written(p), gradient_of(p), None if v is None else written(v), lr, momentum, l2)
        if latest == since:
            raise GraphError("there is no new gradient since the last step: call backward() on the loss first")
        self._last_write = latest

    def update(self, w: Any, gradient: Any, v: Any, lr: Any, momentum: Any, l2: Any) -> None:
        """Write the new velocity into ``v`` and the new weights into ``w``."""
        if l2 and len(w.shape) > 1:
            gradient = gradient + l2 * w
        if v is None:
            np.subtract(w, lr * gradient, w)
            return
        np.multiply(v, momentum, v)  # the last operand of a ufunc is where its result goes
        np.subtract(v, lr * gradient, v)
        np.add(w, v, w)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # Writes are numbered within one process: the number of another says nothing here.
        self._last_write = max(p.written for p in self.parameters)


_GRADIENT = attrgetter("_grad")


def _itself(state: State) -> State:
    return state

"""What is done while a net is trained: the base of callbacks, and those that watch a number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.optim import ReduceOnPlateau as PlateauOf
from chainrule.training.history import Record
from chainrule.training.metrics import LARGER_IS_BETTER

if TYPE_CHECKING:
    from chainrule.training.run import Run


class Callback:
    """What is called while a net is trained. Override what you need; ``run`` is the fit under way.

    Steps come in pieces of about 50 ms. Where an epoch is shorter, there are a few pieces in it. What a callback raises
    ends the run, with model, optimiser and history as they were at that moment.

    >>> import numpy as np, chainrule as cr
    >>> class Tell(cr.training.Callback):
    ...     def on_epoch(self, run, record):
    ...         print(f"epoch {run.epoch}: loss {record['loss']:.2f}")
    ...         if record["loss"] < 0.2:
    ...             run.stop()
    >>> net = cr.nn.Linear(1, 1, scale=0.0)
    >>> x = np.array([[1.0], [2.0]])
    >>> optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    >>> history = cr.training.fit(net, "mse", optimizer, (x, 3 * x), epochs=9, compiled=False, callbacks=[Tell()])
    epoch 1: loss 22.50
    epoch 2: loss 2.38
    epoch 3: loss 0.39
    epoch 4: loss 0.19
    """

    def on_start(self, run: Run) -> None:
        """The run begins."""

    def on_steps(self, run: Run, losses: NDArray[Any]) -> None:
        """Some more steps of the epoch are done; ``losses`` are theirs."""

    def on_epoch(self, run: Run, record: Record) -> None:
        """An epoch is complete; ``record`` is the last one of the history."""

    def on_end(self, run: Run) -> None:
        """The run is over, perhaps because of ``run.error``."""

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint must hold for a run to go on as if it had not been interrupted; arrays by name."""
        return {}

    def load_state_dict(self, values: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what ``state_dict`` has given."""


class Monitor:
    """A number of each epoch's record, and whether it has become better.

    Args:
        name: of the number: ``loss``, ``val_loss``, ``val_accuracy``, ...
        larger: whether larger is better; by default for metrics such as accuracy and r2 only.
        min_delta: by how much it must be better to count.
    """

    def __init__(self, name: str, larger: bool | None = None, min_delta: float = 0.0) -> None:
        if min_delta < 0:
            raise ValueError(f"min_delta is at least 0, not {min_delta}")
        metric = name if name in LARGER_IS_BETTER else name.partition("_")[2]
        self.name, self.min_delta = name, min_delta
        self.larger = metric in LARGER_IS_BETTER if larger is None else larger

    @property
    def worst(self) -> float:
        """What everything is better than."""
        return -math.inf if self.larger else math.inf

    def of(self, record: Record) -> float:
        """The number of this record. ValueError if there is none."""
        if self.name not in record:
            raise ValueError(f"{self.name!r} is watched and not recorded: there are {', '.join(record)}")
        return record[self.name]

    def is_better(self, value: float, best: float) -> bool:
        """Whether ``value`` is better than ``best``; NaN is not."""
        return value > best + self.min_delta if self.larger else value < best - self.min_delta


class EarlyStopping(Callback):
    """Stop when a number has not become better for ``patience`` epochs, and take the best parameters.

    Args:
        patience: how many epochs may go by.
        monitor: the number's name in the records.
        restore_best: whether the model gets its parameters (and running statistics) of the best epoch when the run is
            over, also when it has reached its last epoch.
        min_delta: by how much it must be better to count.
        larger: whether larger is better; by default for metrics such as accuracy and r2 only.

    Attributes:
        best, best_epoch: the best number so far, and when it was reached.

    >>> import chainrule as cr
    >>> net = cr.nn.Sequential(cr.nn.Linear(2, 50, rng=0), cr.nn.ReLU(), cr.nn.Linear(50, 2, rng=1))
    >>> here, there = cr.data.split(*cr.data.moons(points=40, noise=0.4))
    >>> stopping = cr.training.EarlyStopping(patience=3)
    >>> optimizer = cr.optim.SGD(net.parameters(), lr=0.5)
    >>> history = cr.training.fit(
    ...     net, "cross_entropy", optimizer, here, epochs=200, batch=8, validation=there, callbacks=[stopping]
    ... )
    >>> len(history) == stopping.best_epoch + 3 < 200
    True
    """

    def __init__(
        self,
        patience: int = 10,
        monitor: str = "val_loss",
        *,
        restore_best: bool = True,
        min_delta: float = 0.0,
        larger: bool | None = None,
    ) -> None:
        if patience < 1:
            raise ValueError(f"patience is a number of epochs, at least 1, not {patience}")
        self.patience, self.restore_best = patience, restore_best
        self.monitor = Monitor(monitor, larger, min_delta)
        self._begin()

    def _begin(self) -> None:
        self.best, self.best_epoch, self._since = self.monitor.worst, 0, 0
        self._best_state: dict[str, NDArray[Any]] = {}

    def on_start(self, run: Run) -> None:
        """Forget an earlier run."""
        self._begin()

    def on_epoch(self, run: Run, record: Record) -> None:
        """Look at the number."""
        value = self.monitor.of(record)
        self._since += 1
        if self.monitor.is_better(value, self.best):
            self.best, self.best_epoch, self._since = value, run.epoch, 0
            if self.restore_best:
                self._best_state = run.model.state_dict()
        elif self._since >= self.patience:
            run.stop()

    def on_end(self, run: Run) -> None:
        """Take the best parameters, unless an error has ended the run."""
        if self._best_state and run.error is None:
            run.model.load_state_dict(self._best_state)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """The best so far, and how long ago it was."""
        numbers = {"best": self.best, "best_epoch": self.best_epoch, "since": self._since}
        state = {f"state.{name}": value for name, value in self._best_state.items()}
        return {name: np.asarray(value) for name, value in numbers.items()} | state

    def load_state_dict(self, values: Mapping[str, NDArray[Any]]) -> None:
        """Go on waiting."""
        self.best, self.best_epoch, self._since = (values[name].item() for name in ("best", "best_epoch", "since"))
        self._best_state = {
            name.removeprefix("state."): value for name, value in values.items() if name.startswith("state.")
        }


class ReduceOnPlateau(Callback):
    """Reduce the step size when a number has stopped becoming better: tells an ``optim.ReduceOnPlateau`` each epoch's.

    Args:
        monitor: the number's name in the records.
        larger: whether larger is better; by default for metrics such as accuracy and r2 only.
        options: ``factor``, ``patience``, ``threshold``, ``cooldown`` and ``floor`` of ``optim.ReduceOnPlateau``.

    It remembers from one fit to the next, as long as the optimiser is the same.

    >>> import numpy as np, chainrule as cr
    >>> net, x = cr.nn.Linear(1, 1, rng=0), np.array([[1.0], [-1.0]])
    >>> optimizer = cr.optim.SGD(net.parameters(), lr=1.5)
    >>> plateau = cr.training.ReduceOnPlateau("loss", factor=0.5, patience=2)
    >>> _ = cr.training.fit(net, "mse", optimizer, (x, x), epochs=20, callbacks=[plateau])
    >>> optimizer.lr < 1.5
    True
    """

    def __init__(self, monitor: str = "val_loss", *, larger: bool | None = None, **options: Any) -> None:
        self.monitor, self.options = Monitor(monitor, larger), options
        self._plateau: Any = None

    def on_start(self, run: Run) -> None:
        """Take the run's optimiser."""
        if self._plateau is None or self._plateau.optimizer is not run.optimizer:
            self._plateau = PlateauOf(run.optimizer, mode="max" if self.monitor.larger else "min", **self.options)

    def on_epoch(self, run: Run, record: Record) -> None:
        """Look at the number."""
        self._plateau.observe(self.monitor.of(record))

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """What it has seen. (The step size is the optimiser's.)"""
        state: dict[str, NDArray[Any]] = self._plateau.state_dict()
        return state

    def load_state_dict(self, values: Mapping[str, NDArray[Any]]) -> None:
        """Go on watching."""
        self._plateau.load_state_dict(values)

"""A run of training: its epochs, where it stands, and what happens when something goes wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph.errors import ChainruleError, NonFiniteError
from chainrule.graph.state import State
from chainrule.nn import Module
from chainrule.training.evaluation import Forward, scores
from chainrule.training.examples import Examples
from chainrule.training.history import History, Record
from chainrule.training.metrics import Metric
from chainrule.training.position import COLUMNS, Position, epoch_order
from chainrule.training.steps import Results, Snapshot, Steps

if TYPE_CHECKING:
    from chainrule.training.callbacks import Callback


class DivergedError(ChainruleError, ArithmeticError):
    """The loss, or something that a step changes, became NaN or infinite.

    Attributes:
        epoch, step: where, counted from 1; the step within its epoch.
    """

    def __init__(self, message: str, epoch: int = 0, step: int = 0) -> None:
        super().__init__(message)
        self.epoch, self.step = epoch, step


class Run:
    """A fit under way, as callbacks see it.

    Attributes:
        model, optimizer: what is trained, and by what.
        history: the epochs that are complete.
        epoch: the number of the epoch under way, from 1; in ``on_epoch`` that of the one just done.
        before: how many epochs the history had when the run began.
        batch, steps_per_epoch: rows of a minibatch, and how many minibatches are an epoch.
        error: what ended the run, if it was not its end; None before.
        settled: whether all callbacks have heard of all epochs of the history.

    >>> import numpy as np, chainrule as cr
    >>> class Tell(cr.training.Callback):
    ...     def on_epoch(self, run, record):
    ...         print(f"{len(run.history)} of {run.epochs}, lr {run.optimizer.lr}")
    >>> net, x = cr.nn.Linear(1, 1), np.ones((4, 1))
    >>> history = cr.training.fit(
    ...     net, "mse", cr.optim.SGD(net.parameters(), lr=0.1), (x, x), epochs=2, compiled=False, callbacks=[Tell()]
    ... )
    1 of 2, lr 0.1
    2 of 2, lr 0.1
    """

    def __init__(
        self,
        steps: Steps,
        forward: Forward,
        examples: Examples,
        *,
        epochs: int,
        batch: int | None,
        validation: Mapping[str, Examples],
        metrics: dict[str, Metric],
        callbacks: Sequence[Callback],
        seed: int,
        shuffle: bool,
        history: History,
    ) -> None:
        self.model: Module = steps.model
        self.optimizer: Any = steps.optimizer
        self._on_all_data = bool(getattr(self.optimizer, "whole_batch", False))
        self.batch = examples.size if batch is None or self._on_all_data else batch
        self.steps_per_epoch = -(-examples.size // self.batch)
        self.history, self.seed, self.shuffle = history, seed, shuffle
        self.epoch = len(history)
        self.before, self._further = len(history), epochs
        self.callbacks = callbacks
        self.error: BaseException | None = None
        self.stopped, self.settled = False, True
        self._position = Position(len(history) + 1, int(self.optimizer.steps))
        self._steps, self._forward, self._examples = steps, forward, examples
        self._validation, self._metrics = validation, metrics
        self._rows = np.diff(np.arange(0, examples.size, self.batch), append=examples.size)  # of each minibatch

    @property
    def epochs(self) -> int:
        """How many epochs there are when the run is over."""
        return self.before + self._further

    @property
    def settings(self) -> dict[str, int]:
        """What must be alike for a run to go on from another one's checkpoint."""
        return {
            "examples": self._examples.size, "batch": self.batch, "seed": self.seed, "shuffle": self.shuffle
        }  # fmt: skip

    @property
    def foreign(self) -> dict[str, State]:
        """States that the steps change and that belong to neither model nor optimiser, as far as that is known."""
        return self._steps.foreign()

    @property
    def position(self) -> Position:
        """Where it stands. The history decides whether an epoch is over: a record ends it, at one stroke."""
        if self._position.epoch <= len(self.history):
            self._position = Position(len(self.history) + 1, int(self.optimizer.steps))
        return self._position

    @property
    def step(self) -> int:
        """How many steps of the epoch under way are done."""
        return self.position.done

    def stop(self) -> None:
        """End the run when the epoch under way is complete."""
        self.stopped = True

    def put(self, records: list[Record], *, before: int, position: Position, stopped: bool) -> None:
        """Go on from where another run has been; model and optimiser are there already."""
        self.history.records[:] = records
        self.before, self._position, self.stopped = before, position, stopped

    # ---- the epochs

    def go(self, resume: Any = None) -> None:
        """Train until all epochs are done, or somebody stops the run. ``resume`` is called when callbacks are ready."""
        with ExitStack() as ends:
            ends.callback(self.model.eval)
            try:
                for callback in self.callbacks:
                    callback.on_start(self)
                    ends.callback(callback.on_end, self)
                if resume is not None:
                    resume(self)
                self.model.train()
                self._minimise() if self._on_all_data else self._descend()
            except BaseException as error:
                self.error = error
                raise

    def _descend(self) -> None:
        """Epochs of steps on minibatches."""
        while len(self.history) < self.epochs and not self.stopped:
            self.epoch = len(self.history) + 1
            order = self._order()
            for losses in self._advances(order):
                self._hear(losses)
            self._complete()

    def _minimise(self) -> None:
        """Iterations of an optimiser that looks at all data at once; each is an epoch of one step."""
        begin = perf_counter()

        def after_iteration(count: int, loss: float) -> bool:
            nonlocal begin
            self.epoch = len(self.history) + 1
            self._position = self.position.further((np.array([loss]),), perf_counter() - begin)
            self._hear(self.position.results[-1][0])
            self._complete()
            begin = perf_counter()
            return self.stopped

        left = self.epochs - len(self.history)
        if not left or self.stopped:
            return
        try:
            self.optimizer.minimise(lambda: self._steps.gradients(self._examples), left, after_iteration)
        except NonFiniteError as error:
            self.epoch = len(self.history) + 1
            gate, strange = self._steps.first_not_finite(*self._examples.rows), self._examples.strange(slice(None))
            raise self._diverged("loss is not finite", gate, strange) from error

    def _hear(self, losses: NDArray[Any]) -> None:
        for callback in self.callbacks:
            callback.on_steps(self, losses)

    def _complete(self) -> None:
        record = self._record()
        self.settled = False
        self.history.append(record)
        for callback in self.callbacks:
            callback.on_epoch(self, record)
        self.settled = True

    def _order(self) -> NDArray[np.int64] | None:
        """The rows of the epoch's minibatches, one after the other; None for the rows as they are."""
        if self.shuffle:
            return epoch_order(self.seed, self.position.begun, self._examples.size)
        return np.arange(self._examples.size) if self.step else None

    def _advances(self, order: NDArray[np.int64] | None) -> Iterator[NDArray[Any]]:
        """Do what is left of the epoch, piece by piece, and hand out the losses."""
        if self.step == self.steps_per_epoch:
            return
        rest = order if order is None else order[self.step * self.batch :]
        pieces = self._steps.pieces(self._examples, self.batch, rest)
        before = self._steps.snapshot()
        while self.step < self.steps_per_epoch:
            before.take()
            yield self._advance(pieces, order, before)

    def _advance(self, pieces: Iterator[Results], order: NDArray[np.int64] | None, before: Snapshot) -> NDArray[Any]:
        """The next steps: all of them, or as if nothing had been. Their losses."""
        position, begin = self.position, perf_counter()
        try:
            with np.errstate(all="ignore"):
                results = next(pieces)
                found = _not_finite(results, before)
            if found is None:
                self._position = position.further(results, perf_counter() - begin)
                return results[0]
        except BaseException:
            if self._position is position:
                before.put_back()
            raise
        before.put_back()
        raise self._culprit(len(results[0]), order)

    def _record(self) -> Record:
        record: Record = {"epoch": self.epoch}
        for name, column in zip(COLUMNS, self.position.columns(), strict=False):
            record[name] = float(np.average(column, weights=self._rows))
        for prefix, examples in self._validation.items():
            outputs = self._forward(examples.inputs)
            record |= scores(outputs, examples, self._steps.loss, self._metrics, f"{prefix}_")
        return record | {"seconds": self.position.seconds}

    # ---- something that is not finite

    def _culprit(self, count: int, order: NDArray[np.int64] | None) -> DivergedError:
        """Which of the next ``count`` steps goes wrong, and where in it; those before it are done by then."""
        order = np.arange(self._examples.size) if order is None else order
        before = self._steps.snapshot()
        for _ in range(count):
            before.take()
            position, rows = self.position, order[self.step * self.batch :][: self.batch]
            with np.errstate(all="ignore"):
                results = next(self._steps.pieces(self._examples, self.batch, rows))
                found = _not_finite(results, before)
            if found is None:
                self._position = position.further(results, 0.0)
                continue
            before.put_back()
            gate = self._steps.first_not_finite(*(x[rows] for x in self._examples.rows))
            before.put_back()
            return self._diverged(found, gate, self._examples.strange(rows))
        raise AssertionError("steps that gave something not finite do not do so again")

    def _diverged(
        self, found: str, gate: tuple[NonFiniteError, tuple[str, ...]] | None, strange: str | None
    ) -> DivergedError:
        where = f"the {found} in epoch {self.epoch}, step {self.step + 1}"
        if gate is not None:
            error, layers = gate
            where += ": " + (f"in {'.'.join(layers)}, " if layers else "") + str(error)
        usually = "A smaller learning rate or clipped gradients usually help"
        message = f"{where}. {strange or usually}; the model is as it was before"
        return DivergedError(message, self.epoch, self.step + 1)


def _not_finite(results: Results, before: Snapshot) -> str | None:
    """What is NaN or infinite after some steps: the loss, the penalty, or something that the steps change."""
    for name, column in zip(COLUMNS, results, strict=False):
        if not np.isfinite(column).all():
            return f"{name} became {column[~np.isfinite(column)][0]}"
    state = before.spoiled()
    return None if state is None else f"update made {state} infinite or NaN"

"""What goes along with training, epoch by epoch: when to end, lines to read, scikit-learn's callbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chainrule.training import Callback, EarlyStopping, Run
from chainrule.training.history import Record


class Patience(EarlyStopping):
    """Early stopping that measures progress by the loss of the very first epoch: its unit does not matter.

    Args:
        tol: what part of that loss is progress.
        patience: how many epochs without progress end the run.
        held_out: whether to go by the loss of the data held out, and take the best weights at the end.
    """

    def __init__(self, tol: float, patience: float, held_out: bool) -> None:
        super().__init__(patience, "val_loss" if held_out else "loss", restore_best=held_out)  # type: ignore[arg-type]
        self.tol = tol

    @property
    def ended(self) -> bool:
        """Whether there was no progress for that long."""
        return self._since >= self.patience

    def on_epoch(self, run: Run, record: Record) -> None:
        first = next(iter(run.history))
        self.monitor.min_delta = self.tol * abs(self.monitor.of(first))
        super().on_epoch(run, record)


class Report(Callback):
    """Prints a line for each epoch."""

    def on_epoch(self, run: Run, record: Record) -> None:
        numbers = ", ".join(f"{name} {record[name]:.6g}" for name in record if name not in ("epoch", "seconds"))
        print(f"epoch {run.epoch}: {numbers}")  # noqa: T201


class Epochs(Callback):
    """Makes each epoch a task of scikit-learn's callbacks, which may end the run.

    Args:
        context: that of the fit.
        told: what callbacks are told of the task: estimator, X, y, metadata.
        fitted: gives the attributes with which a copy of the estimator predicts as by now.
    """

    def __init__(self, context: Any, told: Mapping[str, Any], fitted: Callable[[], dict[str, Any]]) -> None:
        self.context, self.told, self.fitted = context, told, fitted
        self.done = 0
        self._epoch: Any = None

    def on_start(self, run: Run) -> None:
        self._begin()

    def on_epoch(self, run: Run, record: Record) -> None:
        self.done += 1
        if self._end():
            run.stop()
        if not run.stopped and run.epoch < run.epochs:
            self._begin()

    def on_end(self, run: Run) -> None:
        if self._epoch is not None and run.error is None:  # L-BFGS has found that nothing is left to do
            self._end()

    def _begin(self) -> None:
        self._epoch = self.context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self.told)

    def _end(self) -> bool:
        epoch, self._epoch = self._epoch, None
        return bool(epoch.call_on_fit_task_end(**self.told, reconstruction_attributes=self.fitted))

"""Checkpoints of a run: what it needs to go on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.training.callbacks import Callback
from chainrule.training.checkpoint_files import CheckpointError, newest, tidy, write
from chainrule.training.history import Record
from chainrule.training.position import COLUMNS, Position

if TYPE_CHECKING:
    from chainrule.training.run import Run


class Checkpoint(Callback):
    """Save a run to a folder now and then, so that one that is killed can go on where it was.

    A checkpoint holds the model's and the optimiser's States (with generators and counts of steps), what callbacks
    remember, the place in the epoch with the losses so far, and the history. It is written beside the one before, which
    is kept: a crash while it is written, or a damaged file, costs the time between two checkpoints at most. A resumed
    run ends with the same bits as one that was not interrupted. (L-BFGS goes on from the same weights, but looks for
    the curvature anew.)

    Args:
        folder: made if it is not there. A new run takes only one that has no checkpoints.
        every: seconds from one checkpoint to the next. One more is written at the end, and when the run is interrupted.

    >>> import tempfile, numpy as np, chainrule as cr
    >>> x = np.ones((4, 1))
    >>> def train(folder, epochs):
    ...     net = cr.nn.Linear(1, 1, scale=0.0)
    ...     optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    ...     return cr.training.fit(
    ...         net, "mse", optimizer, (x, x), epochs=epochs, checkpoint=cr.training.Checkpoint(folder), resume=True
    ...     )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for epochs in 2, 4:
    ...         print([f"{loss:.4f}" for loss in train(folder, epochs)["loss"]])
    ['1.0000', '0.3600']
    ['1.0000', '0.3600', '0.1296', '0.0467']
    """

    def __init__(self, folder: str | Path, every: float = 30.0) -> None:
        if every < 0:
            raise ValueError(f"every is a number of seconds, at least 0, not {every}")
        self.folder, self.every = Path(folder), every
        self._when = perf_counter()
        self._saved: tuple[int, int, bool] | None = None

    def open(self, resume: bool) -> None:
        """Make the folder ready. FileExistsError if it has checkpoints and the run shall not go on from them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not resume and any(self.folder.glob("checkpoint-*.json")):
            raise FileExistsError(
                f"{self.folder} has the checkpoints of another run: resume=True goes on from them; for a new run take "
                "another folder"
            )
        tidy(self.folder)
        self._when, self._saved = perf_counter(), None

    def on_steps(self, run: Run, losses: NDArray[Any]) -> None:
        """Save if it is time."""
        self._save_in_time(run)

    def on_epoch(self, run: Run, record: Record) -> None:
        """Save if it is time."""
        self._save_in_time(run)

    def on_end(self, run: Run) -> None:
        """Save the end; and an interrupted run where it is. One that went wrong stays as it was saved before."""
        if run.error is None or (isinstance(run.error, KeyboardInterrupt) and run.settled):
            self.save(run)

    def _save_in_time(self, run: Run) -> None:
        if perf_counter() - self._when >= self.every:
            self.save(run)

    def save(self, run: Run) -> None:
        """Save the run as it is now.

        Raises CheckpointError if a compiled step changes a State that the model does not know.
        """
        if self._saved == _place(run):
            return
        if run.foreign:
            told = ", ".join(state.label() for state in run.foreign.values())
            raise CheckpointError(
                f"the steps change {told}, a State that neither the model nor the optimiser knows: a checkpoint would "
                "not hold it. Make it, or its generator, an attribute of the model"
            )
        arrays = {f"model.{name}": value for name, value in run.model.state_dict().items()}
        arrays |= {f"optimizer.{name}": value for name, value in run.optimizer.state_dict().items()}
        arrays |= {f"epoch.{name}": column for name, column in zip(COLUMNS, run.position.columns(), strict=False)}
        for key, callback in _by_key(run.callbacks).items():
            arrays |= {f"{key}.{name}": value for name, value in callback.state_dict().items()}
        notes = {
            "settings": run.settings,
            "position": {"begun": run.position.begun, "done": run.step, "seconds": run.position.seconds},
            "callbacks": list(_by_key(run.callbacks)),
            "stopped": run.stopped,
            "before": run.before,
            "history": list(run.history),
        }
        write(self.folder, {name: np.array(value, order="C") for name, value in arrays.items()}, notes)
        self._when, self._saved = perf_counter(), _place(run)

    def resume(self, run: Run) -> None:
        """Put the run where its newest checkpoint is; nothing happens if there is none.

        Raises CheckpointError if it does not fit the run: then nothing has changed.
        """
        saved = newest(self.folder)
        if saved is None:
            return
        settings, callbacks = saved.notes["settings"], _by_key(run.callbacks)
        different = [
            f"{name} {settings[name]} and not {value}"
            for name, value in run.settings.items()
            if settings[name] != value
        ]
        if different:
            raise CheckpointError(f"{saved.path} is of a run with {', '.join(different)}")
        if saved.notes["callbacks"] != list(callbacks):
            told = f"the callbacks {saved.notes['callbacks']} and not {list(callbacks)}"
            raise CheckpointError(f"{saved.path} is of a run with {told}")
        before = run.model.state_dict()
        try:
            run.model.load_state_dict(_part(saved.arrays, "model"))
            run.optimizer.load_state_dict(_part(saved.arrays, "optimizer"))
        except ValueError as error:
            run.model.load_state_dict(before)
            raise CheckpointError(f"{saved.path} is of another model or optimiser: {error}") from error
        for key, callback in callbacks.items():
            callback.load_state_dict(_part(saved.arrays, key))
        columns, place = _part(saved.arrays, "epoch"), saved.notes["position"]
        results = tuple(columns[name] for name in COLUMNS if name in columns)
        position = Position(
            len(saved.notes["history"]) + 1, place["begun"], (results,) if results else (), place["seconds"]
        )
        notes = saved.notes
        run.put(notes["history"], before=notes["before"], position=position, stopped=notes["stopped"])
        self._saved = _place(run)


def _place(run: Run) -> tuple[int, int, bool]:
    """What is another one when there is something to save."""
    return len(run.history), run.step, run.stopped


def _by_key(callbacks: Any) -> dict[str, Callback]:
    """Callbacks by their place and kind, which a checkpoint knows them by."""
    return {f"callback {i}, {type(callback).__name__}": callback for i, callback in enumerate(callbacks)}


def _part(arrays: Mapping[str, NDArray[Any]], owner: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(f"{owner}."): value for name, value in arrays.items() if name.startswith(f"{owner}.")}

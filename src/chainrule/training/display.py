"""Callbacks that show how a run goes: a progress bar, TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from chainrule.training.callbacks import Callback
from chainrule.training.history import Record

if TYPE_CHECKING:
    from chainrule.training.run import Run


class Progress(Callback):
    """A line for each epoch above a bar that tells how long it will take. On a terminal; elsewhere the lines alone.

    Args:
        every: print every so many epochs, and the last one.
        console: a rich Console; by default one on standard output.

    >>> import numpy as np, chainrule as cr
    >>> net, x = cr.nn.Linear(1, 1, scale=0.0), np.ones((4, 1))
    >>> optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    >>> show = cr.training.Progress()
    >>> _ = cr.training.fit(net, "mse", optimizer, (x, x), epochs=2, compiled=False, callbacks=[show])
    epoch 1/2   loss 1.0000
    epoch 2/2   loss 0.3600
    """

    def __init__(self, every: int = 1, console: Any = None) -> None:
        self.every, self.console = every, console
        self._progress: Any = None

    def on_start(self, run: Run) -> None:
        """Show the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        console = self.console or Console(soft_wrap=True)
        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeRemainingColumn(),
        )
        self._progress = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("training", total=run.epochs * run.steps_per_epoch)
        self._progress.start()

    def on_steps(self, run: Run, losses: NDArray[Any]) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=(run.epoch - 1) * run.steps_per_epoch + run.step)

    def on_epoch(self, run: Run, record: Record) -> None:
        """Print the record."""
        if run.epoch % self.every and run.epoch != run.epochs:
            return
        numbers = [f"{name} {value:.4f}" for name, value in record.items() if name not in ("epoch", "seconds")]
        place = f"{run.epoch:>{len(str(run.epochs))}}/{run.epochs}"
        self._progress.console.print(f"epoch {place}   {'   '.join(numbers)}", highlight=False)

    def on_end(self, run: Run) -> None:
        """Take the bar away."""
        self._progress.stop()


class TensorBoard(Callback):
    """Write every number of every epoch for TensorBoard, by tensorboardX (``pip install 'chainrule[tensorboard]'``).

    Args:
        folder: where the event files go; ``tensorboard --logdir`` shows them. A run that is resumed adds to them.

    Raises ModuleNotFoundError without tensorboardX when it is made.

    >>> import tempfile, numpy as np, chainrule as cr
    >>> net, x = cr.nn.Linear(1, 1), np.ones((4, 1))
    >>> optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     board = cr.training.TensorBoard(folder)
    ...     _ = cr.training.fit(net, "mse", optimizer, (x, x), epochs=2, compiled=False, callbacks=[board])
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "TensorBoard files are written with tensorboardX, which is not installed: "
                "pip install 'chainrule[tensorboard]'",
                name=error.name,
            ) from error
        self.folder = Path(folder)
        self._make: Any = SummaryWriter
        self._writer: Any = None

    def on_start(self, run: Run) -> None:
        """Open the file."""
        self._writer = self._make(str(self.folder))

    def on_epoch(self, run: Run, record: Record) -> None:
        """Write the record."""
        for name, value in record.items():
            if name != "epoch":
                self._writer.add_scalar(name, value, run.epoch)

    def on_end(self, run: Run) -> None:
        """Close the file."""
        self._writer.close()

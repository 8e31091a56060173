"""How training goes, on the terminal: a line for each epoch, and a bar below."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chainrule import training
from chainrule.cli.scoring import SHOWN
from chainrule.training.history import Record

MOST_LINES = 50
"""Beyond about so many epochs only every second one, every third one, ... is printed; history.csv has them all."""


class Table(training.Callback):
    """Prints a line for each epoch: loss and a metric, on the training data and on what is held up to them."""

    def __init__(self, progress: Progress, watched: str, metric: str) -> None:
        self.progress, self.interrupted = progress, False
        self.columns = [f"{part}_{number}" for part in ("train", watched) for number in ("loss", metric)]
        self.head = (
            f"\n{'':>9} {'training data':^19}   {f'{watched} data':^19}"
            f"\n{'epoch':>9} {'loss':>9} {metric:>9}   {'loss':>9} {metric:>9}"
        )

    def interrupt(self, *_: Any) -> None:
        """End the run after the next steps, where all of it can be saved; at the second time at once."""
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    def on_start(self, run: training.Run) -> None:
        self.progress.console.print(self.head, highlight=False)
        self.bar = self.progress.add_task("training", total=run.epochs * run.steps_per_epoch)

    def on_steps(self, run: training.Run, losses: Any) -> None:
        done = (run.epoch - 1) * run.steps_per_epoch + run.step
        self.progress.update(self.bar, completed=done, total=run.epochs * run.steps_per_epoch)
        if self.interrupted:
            raise KeyboardInterrupt

    def on_epoch(self, run: training.Run, record: Record) -> None:
        number = len(run.history)
        if number % max(1, run.epochs // MOST_LINES) and number != run.epochs and not run.stopped:
            return
        cells = [SHOWN[name.split("_")[1]].format(record[name]) for name in self.columns]
        line = f"{number:>5}/{run.epochs:<3} {' '.join(cells[:2])}   {' '.join(cells[2:])}"
        self.progress.console.print(line, highlight=False)


@contextmanager
def shown(watched: str, metric: str) -> Iterator[Table]:
    """The table, with a bar below it while the block runs."""
    console = Console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        table = Table(progress, watched, metric)
        with _interrupting(table):
            yield table


@contextmanager
def _interrupting(table: Table) -> Iterator[None]:
    """Ctrl-C is told to the table; only the main thread hears signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, table.interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

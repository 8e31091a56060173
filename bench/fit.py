"""An epoch of ``fit`` beside scikit-learn's MLPClassifier and a plain PyTorch loop: real digits, all cores for all.

All begin from the same weights, take the same examples in the same order, and must go through the same losses. Every
contestant is a process of its own that sleeps while another runs; they take turns in a new random order each round.

Usage: python bench/fit.py [--only mnist] [--rounds 10]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import chainrule as cr
from chainrule.training.position import epoch_order
from intel_mkl import ENVIRONMENTS, disguise
from lineup import BENCH, Way, environment
from machine import description, heading, save

TURN = 0.3
"""Seconds of a turn, about."""
EPOCHS = 60
"""The most epochs of a turn."""
CHECKED = 3
"""Epochs whose losses must agree."""
ROWS = 2000
"""Predictions of one row that are timed."""
AIMS = {("scikit-learn", 32): 10, ("scikit-learn", 200): 3, ("PyTorch loop", 32): 5}

console = Console(width=150)


@dataclass(frozen=True)
class Workload:
    """A net, data and how it learns."""

    data: str
    hidden: tuple[int, ...]
    batch: int
    optimizer: str

    @property
    def name(self) -> str:
        return f"{self.data} {'-'.join(map(str, self.hidden))} b{self.batch} {self.optimizer}"


WORKLOADS = [
    Workload(data, hidden, batch, optimizer)
    for data in ("digits", "mnist")
    for hidden in ((100,), (256, 128))
    for batch in (32, 200)
    for optimizer in ("adam", "sgd")
]


@dataclass
class Worker:
    """A contestant's process; ``who`` is its function in ``fit_worker.py``."""

    name: str
    who: str
    way: Way
    times: list[float] = field(default_factory=list)
    predictions: list[float] = field(default_factory=list)
    curve: list[float] = field(default_factory=list)
    first: float = 0.0
    """Seconds of the first epoch, all that is made for it included."""
    _process: subprocess.Popen[str] | None = None

    def start(self, workload: Workload, data: Path) -> None:
        python = ENVIRONMENTS / "torch" / "bin" / "python" if self.who == "pytorch" else Path(sys.executable)
        told = {
            "who": self.who, "data": str(data), "batch": workload.batch, "optimizer": workload.optimizer,
            "threads": self.way.threads,
        }  # fmt: skip
        self._process = subprocess.Popen(  # noqa: S603
            [str(python), str(BENCH / "fit_worker.py"), json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(self.way, ENVIRONMENTS / "caches"),
        )

    def ask(self, **request: int) -> dict[str, Any]:
        assert self._process and self._process.stdin and self._process.stdout  # noqa: S101, PT018
        print(json.dumps(request), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ({self.way}) ended without a word")
        return json.loads(line)  # type: ignore[no-any-return]

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


def contestants() -> list[Worker]:
    """chainrule first; PyTorch with one thread and two, and with MKL as on Intel where that can be."""
    found = [Worker("chainrule", "chainrule", Way(0)), Worker("scikit-learn", "scikit_learn", Way(0))]
    if (ENVIRONMENTS / "torch" / "bin" / "python").exists():
        kinds = (False, True) if disguise() else (False,)
        found += [Worker("PyTorch loop", "pytorch", Way(n, (), kind)) for kind in kinds for n in (1, 2)]
    else:
        console.print("[yellow]PyTorch is left out:[/] it is not installed (python bench/peers.py)")
    return found


def made_data(workload: Workload, folder: Path) -> Path:
    """The examples, initial weights (standard deviation sqrt(2 / in), biases 0) and orders of all epochs, in a file."""
    dataset = cr.data.digits() if workload.data == "digits" else cr.data.mnist_5k()
    x, y = dataset.inputs.astype(np.float32), dataset.labels.astype(np.int64)
    keep = epoch_order(1, 0, len(x))[: len(x) * 4 // 5]  # a fifth would be held out
    x, y = np.ascontiguousarray(x[keep]), y[keep]
    rng = np.random.default_rng(0)
    sizes = (x.shape[1], *workload.hidden, 10)
    weights = {
        f"weight{i}": (rng.standard_normal(pair) * np.sqrt(2 / pair[0])).astype(np.float32)
        for i, pair in enumerate(pairwise(sizes))
    }
    steps = -(-len(x) // workload.batch)
    orders = np.stack([epoch_order(0, steps * epoch, len(x)) for epoch in range(EPOCHS)])
    path = folder / "data.npz"
    np.savez(path, x=x, y=y, orders=orders, **weights)
    return path


def measured(workload: Workload, rounds: int, folder: Path) -> list[Worker]:
    """All contestants, measured; those with several ways to run are there in the best of them."""
    data = made_data(workload, folder)
    workers = contestants()
    try:
        epochs = {}
        for worker in workers:
            worker.start(workload, data)
            worker.first = worker.ask(epochs=1)["seconds"]
            worker.curve = worker.ask(epochs=CHECKED)["losses"]
            answer = worker.ask(epochs=CHECKED)
            epochs[id(worker)] = int(np.clip(TURN / answer["seconds"] * CHECKED, 1, EPOCHS))
            # Another order of additions, and the curves part: a little in the first epoch, more in each that follows.
            if np.any(np.abs(np.divide(worker.curve, workers[0].curve) - 1) > 2e-3 * 4.0 ** np.arange(CHECKED)):
                raise SystemExit(f"{worker.name} computes something else: {worker.curve}, not {workers[0].curve}")
        rng = np.random.default_rng(0)
        for _ in range(rounds):
            for i in rng.permutation(len(workers)):
                count = epochs[id(workers[i])]
                workers[i].times.append(workers[i].ask(epochs=count)["seconds"] / count)
                workers[i].predictions.append(workers[i].ask(predict=ROWS)["seconds"] / ROWS)
    finally:
        for worker in workers:
            worker.close()
    best: dict[str, Worker] = {}
    for worker in sorted(workers, key=lambda worker: median(worker.times)):
        best.setdefault(worker.name, worker)
    return [best[name] for name in dict.fromkeys(worker.name for worker in workers)]


def in_table(results: dict[Workload, list[Worker]], machine: dict[str, Any]) -> Table:
    """Milliseconds an epoch, and how many times faster chainrule is."""
    table = Table("ms an epoch: median (best)", title=heading(machine))
    names = list(dict.fromkeys(worker.name for workers in results.values() for worker in workers))
    for name in names:
        table.add_column(name, justify="right")
    for name in names[1:]:
        table.add_column(f"times faster than {name}", justify="right")
    table.add_column("loss after 1, 2, 3 epochs")
    table.add_column("one row, us")
    for workload, workers in results.items():
        us = workers[0]
        cells = [f"{median(w.times) * 1e3:.2f} ({min(w.times) * 1e3:.2f})" for w in workers]
        for w in workers[1:]:
            aim = AIMS.get((w.name, workload.batch))
            ratio = f"{median(w.times) / median(us.times):.1f} ({min(w.times) / min(us.times):.1f})"
            cells.append(ratio + (f" aim {aim}" if aim else ""))
        curve = " ".join(f"{loss:.4f}" for loss in us.curve)
        rows = " / ".join(f"{median(w.predictions) * 1e6:.1f}" for w in workers)
        table.add_row(workload.name, *cells, curve, rows)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="workloads whose name contains this")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    machine = description()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for workload in WORKLOADS:
            if options.only in workload.name:
                console.print(f"{workload.name} ...")
                results[workload] = measured(workload, options.rounds, Path(folder))
    console.print(in_table(results, machine))
    rows = [
        {
            "workload": workload.name, "peer": worker.name, "way": str(worker.way), "seconds": worker.times,
            "predictions": worker.predictions, "losses": worker.curve, "first": worker.first,
        }
        for workload, workers in results.items()
        for worker in workers
    ]  # fmt: skip
    console.print(f"written to {save('fit', machine, rows=rows)}")


if __name__ == "__main__":
    main()

"""Training steps beside the peers, in one run: microseconds a step, ratios to the best peer, and what is aimed at.

Every contestant is a process of its own that sleeps while another runs; they take turns in a new random order each
round. A peer may be run in several ways (threads, optimisers, modes): heats find its two best, the final its best.

Usage: python bench/steps.py [--only 2-6-2-2] [--peers jax torch] [--rounds 30] [--activations]
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import geometric_mean, median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from contestants import by_hand
from lineup import LeftOutError, Peer, Way, Worker, lineup
from machine import description, heading, save
from problem import AIM_OF_ALL, CHECKED_STEPS, WORKLOADS, Problem, Workload

TURN = 0.05
"""Seconds that a turn is timed."""
PAUSE = 0.03
"""Seconds between turns: threads of a library that wait actively for more work have given up by then."""
HEATS = 5
FINALISTS = 2
ACTIVATION_AIM = 1.25

console = Console(width=150)


@dataclass
class Entry:
    """A worker and the microseconds a step of its turns."""

    worker: Worker
    steps: int
    times: list[float]

    @property
    def median(self) -> float:
        return median(self.times)

    @property
    def best(self) -> float:
        return min(self.times)

    def turn(self) -> None:
        time.sleep(PAUSE)
        answer = self.worker.ask(steps=self.steps)
        if not np.isfinite(answer["loss"]):
            raise SystemExit(f"{self.worker.peer.name} ({self.worker.way}): the loss is {answer['loss']}")
        self.times.append(answer["seconds"] / self.steps * 1e6)


def true_losses(workload: Workload) -> list[float]:
    """What everybody's losses must be: by hand, in float64."""
    step = by_hand.make(problem := Problem(workload), 1, "float64").step
    losses = [float(step(problem.images.astype(float), problem.labels)) for _ in range(max(CHECKED_STEPS))]
    return [losses[n - 1] for n in CHECKED_STEPS]


def enter(worker: Worker, expected: list[float]) -> Entry:
    """An entry of a worker that computes the right thing, with as many steps as fit into a turn."""
    losses = worker.report["losses"]
    if not np.allclose(losses, expected, rtol=1e-3):
        raise SystemExit(f"{worker.peer.name} ({worker.way}) computes something else: losses {losses}, not {expected}")
    steps = 3
    for _ in range(2):  # three steps alone would take longer each
        seconds = worker.ask(steps=steps)["seconds"]
        steps = max(3, int(TURN / seconds * steps))
    return Entry(worker, steps, [])


def take_turns(entries: Sequence[Entry], rounds: int) -> None:
    """Everybody once a round, in a new order each time, so that nobody always follows the same neighbour."""
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for i in rng.permutation(len(entries)):
            entries[i].turn()


def made_ready(peer: Peer, workload: Workload) -> list[Worker]:
    """A worker for each way to run a peer, as many at a time as there are cores; says who failed and why."""

    def make(way: Way) -> Worker | None:
        try:
            return Worker(peer, way, workload).ready()
        except LeftOutError as e:
            console.print(f"[yellow]{peer.name} ({way}) is left out:[/] {e}", soft_wrap=True)
            return None

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return [worker for worker in pool.map(make, peer.ways) if worker]


def heats(peer: Peer, workload: Workload, expected: list[float]) -> list[Entry]:
    """The best ways to run a peer, still running; the others are sent home. Says why if there is none."""
    if not peer.python.exists():
        console.print(f"[yellow]{peer.name} is left out:[/] it is not installed")
        return []
    entries = [enter(worker, expected) for worker in made_ready(peer, workload)]
    if len(entries) > FINALISTS:
        take_turns(entries, HEATS)
        entries.sort(key=lambda entry: entry.median)
    for entry in entries[FINALISTS:]:
        entry.worker.close()
    return entries[:FINALISTS]


def final(peers: Iterable[Peer], workload: Workload, rounds: int) -> dict[str, list[Entry]]:
    """Everybody's entries on one workload, measured, by peer."""
    expected = true_losses(workload)
    entries: dict[str, list[Entry]] = {}
    try:
        for peer in peers:
            entries[peer.name] = heats(peer, workload, expected)
        everybody = [entry for group in entries.values() for entry in group]
        for entry in everybody:
            entry.times.clear()
        take_turns(everybody, rounds)
    finally:
        for group in entries.values():
            for entry in group:
                entry.worker.close()
    return {name: sorted(group, key=lambda entry: entry.median) for name, group in entries.items() if group}


@dataclass
class Ratio:
    """How many times faster than the best peer, by medians and by best turns."""

    peer: str
    medians: float
    bests: float

    def __str__(self) -> str:
        return f"{self.medians:.2f} ({self.bests:.2f})"


def ratio(entries: dict[str, list[Entry]], peers: Iterable[Peer]) -> Ratio | None:
    """The first contestant of ours against the best peer; None if either is missing."""
    us = next((entries[p.name][0] for p in peers if p.ours and p.name in entries), None)
    rivals = [entries[p.name][0] for p in peers if not p.ours and p.name in entries]
    if us is None or not rivals:
        return None
    best = min(rivals, key=lambda entry: entry.median)
    return Ratio(best.worker.peer.name, best.median / us.median, min(e.best for e in rivals) / us.best)


def peer_table(results: dict[Workload, dict[str, list[Entry]]], peers: Sequence[Peer], title: str) -> Table:
    """Microseconds of everybody, then the ratios and what is aimed at."""
    table = Table("us a step: median (best)", *(w.name for w in results), title=title)
    for peer in peers:
        cells = []
        for entries in results.values():
            entry = entries.get(peer.name, [None])[0]
            cells.append(f"{entry.median:,.1f} ({entry.best:,.1f})\n[dim]{entry.worker.way}[/]" if entry else "")
        table.add_row(peer.name, *cells, end_section=peer is peers[-1])
    ratios = [ratio(entries, peers) for entries in results.values()]
    table.add_row("times faster than the best peer", *(f"{r}\n[dim]{r.peer}[/]" if r else "" for r in ratios))
    table.add_row("aim", *(f"{w.aim}" for w in results))
    known = [r for r in ratios if r]
    if known:
        means = (geometric_mean(r.medians for r in known), geometric_mean(r.bests for r in known))
        table.caption = f"geometric mean {means[0]:.2f} ({means[1]:.2f}), aim {AIM_OF_ALL} for all five"
    return table


def against_peers(options: argparse.Namespace, workloads: Sequence[Workload]) -> None:
    peers = [p for p in lineup() if not options.peers or p.environment in ("", *options.peers)]
    machine = description()
    results = {}
    for workload in workloads:
        console.print(f"{workload.name} ...")
        results[workload] = final(peers, workload, options.rounds)
    console.print(peer_table(results, peers, heading(machine)))
    rows = [
        {"workload": w.name, "steps": e.steps, "us": e.times, "median": e.median, "best": e.best, **e.worker.describe()}
        for w, entries in results.items()
        for group in entries.values()
        for e in group
    ]
    ratios = {w.name: vars(r) for w, entries in results.items() if (r := ratio(entries, peers))}
    console.print(f"written to {save('steps', machine, ratios=ratios, rows=rows)}")


def between_activations(options: argparse.Namespace, workloads: Sequence[Workload]) -> None:
    """Our own steps with tanh and sigmoid beside those with ReLU."""
    us, machine = lineup()[0], description()
    table = Table("us a step: median, ratio to ReLU", "relu", "tanh", "sigmoid", title=heading(machine))
    table.caption = f"aim: at most {ACTIVATION_AIM}"
    rows: list[dict[str, Any]] = []
    for workload in workloads:
        kinds = [workload.with_activation(name) for name in ("relu", "tanh", "sigmoid")]
        entries = [enter(Worker(us, us.ways[0], kind).ready(), true_losses(kind)) for kind in kinds]
        take_turns(entries, options.rounds)
        base = entries[0]
        cells = [f"{e.median:,.1f}  {e.median / base.median:.2f} ({e.best / base.best:.2f})" for e in entries]
        table.add_row(f"{workload.net} b{workload.batch}", *cells)
        rows += [{"workload": k.name, "us": e.times} for k, e in zip(kinds, entries, strict=True)]
        for entry in entries:
            entry.worker.close()
    console.print(table)
    console.print(f"written to {save('activations', machine, rows=rows)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=[w.net for w in WORKLOADS], help="the nets to run")
    parser.add_argument("--peers", nargs="*", choices=["torch", "jax", "pytensor"], help="only these beside ours")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--activations", action="store_true", help="our steps with tanh and sigmoid beside ReLU's")
    options = parser.parse_args()
    workloads = [w for w in WORKLOADS if not options.only or w.net in options.only]
    (between_activations if options.activations else against_peers)(options, workloads)


if __name__ == "__main__":
    main()

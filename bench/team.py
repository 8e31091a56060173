"""What two threads could save at best: each row of a step whole, and its longest chunk, timed alone in one thread.

The sum of the longest chunks is the *critical path* (Graham 1969): no team is faster. What the step takes beyond it
with two threads is waiting for each other, and fetching what the other core has written. Chunks are timed alone, so the
critical path can be measured on a machine that has other things to do; the step with two threads cannot.

Usage: python bench/team.py [--only 784-256-256-10] [--rounds 40]
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import chainrule as cr
from chainrule.native.dispatch import ALONG_I, GRAIN, I0, I1, J0, J1, SPLIT, run_alone
from chainrule.native.profile import describe
from contestants import ours
from machine import description, heading, save
from problem import WORKLOADS, Problem, Workload

THREADS = 2
MICRO = 1e6
LEAST = 20e-6
"""Seconds: what takes less is run several times at once."""

console = Console(width=150)


def least(run: Callable[[], Any], rounds: int) -> float:
    """Seconds that it takes at least."""
    best = float("inf")
    for _ in range(rounds):
        begin = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begin)
    return best


def row_seconds(row: Any, context: Any, rounds: int) -> float:
    """Seconds of a row beyond those of the call."""
    call = least(lambda: run_alone(row[:0], context), rounds)
    repeats = max(1, int(LEAST / least(lambda: run_alone(row, context), 3)))
    rows = np.ascontiguousarray(np.repeat(row, repeats, axis=0))
    return max(least(lambda: run_alone(rows, context), rounds) - call, 0.0) / repeats


def chunks(row: Any) -> list[Any]:
    """The row's chunks if each thread has one, as rows; the row itself if it is not shared."""
    if not row[0, SPLIT]:
        return [row]
    low, high = (I0, I1) if row[0, SPLIT] == ALONG_I else (J0, J1)
    first, last, grain = row[0, low], row[0, high], max(row[0, GRAIN], 1)
    units = -(-(last - first) // grain)
    made = []
    for c in range(min(THREADS, units)):
        chunk = row.copy()
        chunk[0, low] = first - (-units * c // THREADS) * grain
        chunk[0, high] = min(first - (-units * (c + 1) // THREADS) * grain, last)
        made.append(chunk)
    return made


def critical_path(workload: Workload, rounds: int) -> list[dict[str, Any]]:
    """For each row what it does, and its seconds whole and of its longest chunk."""
    cr.set_threads(THREADS)
    contestant = ours.make(Problem(workload), THREADS)
    images, labels = contestant.images, contestant.labels
    step: Any = contestant.step
    step(images, labels)
    executor = step._native(step._call((images, labels), {}))
    rows = []
    for kernel, row, _ in executor.singly((images, labels)):
        contestant.reset()
        whole = row_seconds(row, executor._context, rounds)
        longest = max(row_seconds(chunk, executor._context, rounds) for chunk in chunks(row))
        rows.append({"what": describe(kernel.work), "whole": whole, "longest": longest, "shared": bool(row[0, SPLIT])})
    return rows


def together(workload: Workload, threads: int, rounds: int) -> float:
    """Seconds of a step with so many threads, at least."""
    contestant = ours.make(Problem(workload), threads)
    for _ in range(20):
        contestant.step(contestant.images, contestant.labels)
    return least(lambda: contestant.step(contestant.images, contestant.labels), 20 * rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=[w.net for w in WORKLOADS], default=[w.net for w in WORKLOADS[3:]])
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    machine, results = description(), {}
    for workload in (w for w in WORKLOADS if w.net in options.only):
        rows = critical_path(workload, options.rounds)
        table = Table("us", "longest chunk", "share", "row", title=f"{workload.name}\n{heading(machine)}")
        for row in rows:
            share = f"{row['longest'] / row['whole']:.2f}" if row["shared"] else ""
            table.add_row(f"{row['whole'] * MICRO:,.1f}", f"{row['longest'] * MICRO:,.1f}", share, row["what"])
        whole, path = (sum(row[key] for row in rows) for key in ("whole", "longest"))
        one, two = (together(workload, threads, options.rounds) for threads in (1, THREADS))
        table.caption = (
            f"rows {whole * MICRO:,.0f}, critical path {path * MICRO:,.0f} ({path / whole:.3f}); "
            f"steps {one * MICRO:,.0f} with one thread, {two * MICRO:,.0f} with two ({two / one:.3f})"
        )
        console.print(table)
        results[workload.name] = {"rows": rows, "one": one, "two": two}
    console.print(f"written to {save('team', machine, results=results)}")


if __name__ == "__main__":
    main()

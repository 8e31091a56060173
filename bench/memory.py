"""Memory of the training process: the peak for the widest net, and the growth over many steps of the smallest.

Every contestant trains in a fresh process. What the worker itself holds (one batch and the initial weights, about
10 MB for the widest net) is in everybody's figure.

Usage: python bench/memory.py [--steps 100000] [--peers]
"""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from lineup import LeftOutError, Peer, Way, Worker, lineup, one_way_each
from machine import description, heading, save
from problem import WORKLOADS, Workload

WIDEST_STEPS = 50
MB = 1e6

console = Console(width=120)


def train(peer: Peer, way: Way, workload: Workload, steps: int) -> dict[str, Any] | None:
    """Resident bytes before and after the steps and their peak, in a fresh process."""
    try:
        worker = Worker(peer, way, workload).ready()
    except LeftOutError as e:
        console.print(f"[yellow]{peer.name}:[/] {e}", soft_wrap=True)
        return None
    answer = worker.ask(growth=steps)
    worker.close()
    return {"peer": peer.name, "workload": workload.name, "steps": steps, **answer}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100_000, help="of the smallest net")
    parser.add_argument("--peers", action="store_true", help="the peers' growth, too")
    options = parser.parse_args()
    machine, us = description(), lineup()[0]
    peaks = [row for peer, way in one_way_each() if (row := train(peer, way, WORKLOADS[-1], WIDEST_STEPS))]
    growing = one_way_each() if options.peers else [(us, us.ways[0])]
    growths = [row for peer, way in growing if (row := train(peer, way, WORKLOADS[0], options.steps))]

    table = Table("peak, MB", WORKLOADS[-1].name, "ours / theirs", title=heading(machine))
    own = next((row["peak"] for row in peaks if row["peer"] == us.name), None)
    for row in peaks:
        share = f"{own / row['peak']:.2f}" if own else ""
        table.add_row(row["peer"], f"{row['peak'] / MB:.0f}", share)
    table.caption = "aim: at most 0.5 of PyTorch's and JAX's"
    console.print(table)
    table = Table("resident, MB", "before", f"after {options.steps:,} steps", "bytes a step", title=WORKLOADS[0].name)
    for row in growths:
        more = (row["after"] - row["before"]) / row["steps"]
        table.add_row(row["peer"], f"{row['before'] / MB:.2f}", f"{row['after'] / MB:.2f}", f"{more:.2f}")
    table.caption = "aim: none"
    console.print(table)
    console.print(f"written to {save('memory', machine, peaks=peaks, growths=growths)}")


if __name__ == "__main__":
    main()

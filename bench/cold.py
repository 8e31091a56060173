"""The first call in a cold process, recording and compiling included; import times; long programs.

Every figure comes from fresh processes. The first round finds empty stores (of kernels and compiled graphs, ours and
the peers' alike), the rounds after it find what the first has left. A first call here is making the model and taking
one step, imports excluded.

Usage: python bench/cold.py [--rounds 3] [--peers] [--part first imports deep]
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from lineup import CACHES, LeftOutError, Peer, Way, Worker, environment, lineup, one_way_each
from machine import description, heading, save
from problem import WORKLOADS, Workload

EMPTY_AIM, WARM_AIM, IMPORT_AIM, DEEP_AIM = 0.6, 0.3, 0.15, 3.0
DEPTHS = (6, 12, 25, 50, 100, 125)
IMPORTS = {"": "chainrule", "torch": "torch", "jax": "jax", "pytensor": "pytensor"}
IMPORT_ROUNDS = 9

console = Console(width=150)


def first_calls(peer: Peer, way: Way, workload: Workload, rounds: int) -> dict[str, Any]:
    """Seconds of the first call with an empty store, then with a warm one (median of the rounds), and gates."""
    with tempfile.TemporaryDirectory() as folder:
        reports = []
        for _ in range(1 + rounds):
            worker = Worker(peer, way, workload, Path(folder)).ready()
            worker.close()
            reports.append(worker.report)
    seconds = [r["seconds"]["make"] + r["seconds"]["first call"] for r in reports]
    return {
        "peer": peer.name,
        "workload": workload.name,
        "empty": seconds[0],
        "warm": median(seconds[1:]),
        "gates": reports[0]["gates"],
        "reports": reports,
    }


def first(contestants: list[tuple[Peer, Way]], rounds: int) -> tuple[Table, list[dict[str, Any]]]:
    table = Table("s: empty store / warm store", *(w.name for w in WORKLOADS))
    table.caption = f"aim: {EMPTY_AIM} / {WARM_AIM}"
    rows = []
    for peer, way in contestants:
        cells = []
        for workload in WORKLOADS:
            try:
                rows.append(first_calls(peer, way, workload, rounds))
                cells.append(f"{rows[-1]['empty']:.2f} / {rows[-1]['warm']:.2f}")
            except LeftOutError as e:
                console.print(f"[yellow]{peer.name}, {workload.name}:[/] {e}", soft_wrap=True)
                cells.append("")
        table.add_row(peer.name, *cells)
    return table, rows


def imports(contestants: list[tuple[Peer, Way]], _: int) -> tuple[Table, list[dict[str, Any]]]:
    """Seconds above NumPy's own import. The processes take turns."""
    pythons = {peer.environment: str(peer.python) for peer, _ in contestants}
    times: dict[str, list[float]] = {name: [] for name in pythons}
    code = "import time, numpy; begin = time.perf_counter(); import {}; print(time.perf_counter() - begin)"
    variables = environment(Way(0), CACHES)
    for _ in range(IMPORT_ROUNDS):
        for name, python in pythons.items():
            run = [python, "-c", code.format(IMPORTS[name])]
            done = subprocess.run(run, capture_output=True, text=True, check=True, env=variables)  # noqa: S603
            times[name].append(float(done.stdout))
    table = Table("import, s above NumPy's own", "median", "best", caption=f"aim: {IMPORT_AIM}")
    for name, values in times.items():
        table.add_row(IMPORTS[name], f"{median(values):.3f}", f"{min(values):.3f}")
    return table, [{"import": IMPORTS[name], "seconds": values} for name, values in times.items()]


def deep(contestants: list[tuple[Peer, Way]], rounds: int) -> tuple[Table, list[dict[str, Any]]]:
    """Nets of many small layers: compile time should grow in proportion to the gates."""
    table = Table("layers of 32, tanh, batch 32", "gates", "s: empty / warm store", "ms a gate: empty / warm")
    rows = []
    for peer, way in contestants:
        for depth in DEPTHS:
            try:
                row = first_calls(peer, way, Workload((32,) * depth + (10,), "tanh", 32), rounds)
            except LeftOutError as e:
                console.print(f"[yellow]{peer.name}, {depth} layers:[/] {e}", soft_wrap=True)
                continue
            gates = row["gates"]
            each = f"{row['empty'] / gates * 1e3:.2f} / {row['warm'] / gates * 1e3:.2f}" if gates else ""
            cells = (f"{row['empty']:.2f} / {row['warm']:.2f}", each)
            table.add_row(f"{peer.name}, {depth} layers", str(gates or ""), *cells)
            rows.append({**row, "layers": depth})
    own = [(r["gates"], r["empty"]) for r in rows if r["gates"]]
    if len(own) > 2:
        power = np.polyfit(*np.log(own).T, 1)[0]
        table.caption = f"time grows with gates to the power {power:.2f}; aim: at most 1; 100 layers in {DEEP_AIM} s"
    return table, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="with a warm store")
    parser.add_argument("--peers", action="store_true", help="the peers, too: takes minutes")
    parts = {"first": first, "imports": imports, "deep": deep}
    parser.add_argument("--part", nargs="*", choices=parts, default=list(parts))
    options = parser.parse_args()
    us = lineup()[0]
    contestants = one_way_each() if options.peers else [(us, us.ways[0])]
    machine, results = description(), {}
    for name in options.part:
        everybody = name != "deep"  # a hundred layers take some peers minutes
        table, results[name] = parts[name](contestants if everybody else contestants[:1], options.rounds)
        table.title = heading(machine)
        console.print(table)
    console.print(f"written to {save('cold', machine, **results)}")


if __name__ == "__main__":
    main()

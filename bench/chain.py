"""A chain of scalar gates: time and memory to build it, to run backward through it, and to drop it.

Usage: python bench/chain.py [LENGTH ...]
"""

from __future__ import annotations

import gc
import resource
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

import chainrule as cr


def resident_bytes() -> int:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def measure(length: int) -> list[str]:
    """One row of the table."""
    gc.collect()
    before, clock = resident_bytes(), time.perf_counter
    x = cr.array(1.0)
    begin = clock()
    z = x
    for _ in range(length):
        z = z * 1.0
    built = clock()
    size = resident_bytes() - before
    z.backward()
    passed = clock()
    if x.grad is None or x.grad.item() != 1.0:
        raise SystemExit("the gradient of the chain is wrong")
    total = resident_bytes() - before
    final = clock()
    del z
    dropped = clock()
    per_gate = [f"{t / length * 1e9:.0f}" for t in (built - begin, passed - built, dropped - final)]
    return [f"{length:,}", *per_gate, f"{size / length:.0f}", f"{total / length:.0f}"]


def main() -> None:
    lengths = [int(n) for n in sys.argv[1:]] or [1_000, 10_000, 100_000, 1_000_000]
    table = Table("gates", "build", "backward", "drop", "bytes", "bytes with gradients", title="ns and bytes a gate")
    gc.disable()  # reference counting alone must do it
    for length in lengths:
        table.add_row(*measure(length))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()

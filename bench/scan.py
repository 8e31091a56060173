"""A recurrent cell over 10,000 steps: forward, and value and gradient, with cr.scan beside jax.lax.scan.

h <- tanh(h W + x), float32, the loss is the mean of h ** 2 over all steps; gradients with respect to W, the first h and
the inputs. Each contestant runs in a process of its own; they take turns. Then what a step of cr.scan costs at several
lengths, and how long compiling takes, which must not depend on the length.

Usage: python bench/scan.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

STEPS = 10_000
UNITS = (4, 16, 64)
JAX = Path(__file__).parent / ".peers" / "jax" / "bin" / "python"
TURN = 0.1


def given(units: int, steps: int) -> tuple[Any, Any, Any]:
    """W, the first h and the inputs."""
    random = np.random.default_rng(0)
    w = random.standard_normal((units, units)) / units**0.5
    return tuple(a.astype(np.float32) for a in (w, np.zeros(units), random.standard_normal((steps, units))))  # type: ignore[return-value]


def ours(units: int, steps: int) -> dict[str, Callable[[], Any]]:
    import chainrule as cr

    def loss(w: Any, h: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = np.tanh(h @ w + x)
            return h, h

        return np.mean(cr.scan(step, h, xs)[1] ** 2)

    data = given(units, steps)
    forward, both = cr.compile(loss), cr.compile(cr.value_and_grad(loss, (0, 1, 2)))
    return {"forward": lambda: forward(*data), "value and gradient": lambda: both(*data)}


def jax(units: int, steps: int) -> dict[str, Callable[[], Any]]:
    import jax
    from jax import numpy as jnp

    def loss(w: Any, h: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = jnp.tanh(h @ w + x)
            return h, h

        return jnp.mean(jax.lax.scan(step, h, xs)[1] ** 2)

    data = tuple(map(jnp.asarray, given(units, steps)))
    forward, both = jax.jit(loss), jax.jit(jax.value_and_grad(loss, (0, 1, 2)))
    return {
        "forward": lambda: jax.block_until_ready(forward(*data)),
        "value and gradient": lambda: jax.block_until_ready(both(*data)),
    }


def serve(contestant: str) -> None:
    """Answer each line [units, steps, what] with the seconds of a first call and of later ones."""
    made: dict[Any, Any] = {}
    for line in sys.stdin:
        units, steps, what = json.loads(line)
        if (units, steps) not in made:
            made[units, steps] = {"ours": ours, "jax": jax}[contestant](units, steps)
        call = made[units, steps][what]
        start = time.perf_counter()
        value = call()
        first = time.perf_counter() - start
        call()
        calls = max(1, int(TURN / max(once(call), 1e-9)))
        took = min(once(call) for _ in range(calls))
        loss = value[0] if isinstance(value, tuple) else value
        print(json.dumps({"first": first, "seconds": took, "loss": float(loss)}), flush=True)


def once(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class Contestant:
    """A process that takes turns."""

    def __init__(self, name: str, python: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            [python, __file__, "--serve", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def turn(self, units: int, steps: int, what: str) -> dict[str, float]:
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(json.dumps([units, steps, what]) + "\n")
        self._process.stdin.flush()
        answer: dict[str, float] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--serve")
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    from rich.console import Console
    from rich.table import Table

    from machine import description, heading, save

    contestants = {"ours": Contestant("ours", sys.executable)}
    if JAX.exists():
        contestants["jax"] = Contestant("jax", str(JAX))
    machine, times, firsts = description(), {}, {}
    for units in UNITS:
        for what in ("forward", "value and gradient"):
            turns: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
            for _ in range(options.rounds):
                for name, contestant in contestants.items():
                    turns[name].append(contestant.turn(units, STEPS, what))
            times[f"{units} units, {what}"] = {k: [t["seconds"] for t in v] for k, v in turns.items()}
            firsts[f"{units} units, {what}"] = {k: v[0]["first"] for k, v in turns.items()}
            losses = [v[-1]["loss"] for v in turns.values()]
            if max(losses) - min(losses) > 1e-4 * abs(losses[0]):
                raise SystemExit(f"the contestants do not agree: {losses}")
    lengths = {n: contestants["ours"].turn(12, n, "value and gradient") for n in (100, 1_000, 10_000, 100_000)}
    for contestant in contestants.values():
        contestant.close()
    console = Console(width=110)
    console.print(heading(machine))
    columns = ["", *(f"{name}, ms" for name in contestants), "jax / ours", "first calls, s"]
    table = Table(*columns, title=f"{STEPS} steps")
    for row, by_name in times.items():
        medians = {name: median(seconds) for name, seconds in by_name.items()}
        ratio = f"{medians['jax'] / medians['ours']:.2f}" if "jax" in medians else ""
        first = ", ".join(f"{name} {seconds:.2f}" for name, seconds in firsts[row].items())
        table.add_row(row, *(f"{1e3 * t:.2f}" for t in medians.values()), ratio, first)
    console.print(table)
    table = Table("steps", "first call, s", "us a step", title="12 units, value and gradient, ours")
    for n, turn in lengths.items():
        table.add_row(str(n), f"{turn['first']:.3f}", f"{1e6 * turn['seconds'] / n:.3f}")
    console.print(table)
    save("scan", machine, times=times, firsts=firsts, lengths={str(n): t for n, t in lengths.items()})


if __name__ == "__main__":
    main()

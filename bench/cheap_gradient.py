"""The cheap-gradient principle: what value and gradient cost over what the value alone costs, both compiled.

Reverse mode promises a small constant, whatever the number of inputs (Baur and Strassen 1983; Griewank and Walther,
Evaluating Derivatives, 2008). Three scalar functions of 10 to 100,000 inputs, float64. Both compiled functions take
turns in one process; medians and bests of short turns.

Usage: python bench/cheap_gradient.py [--rounds 15] [--largest 100000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import chainrule as cr
from machine import description, heading, save

AIM = 4.0
TURN = 0.05
POINTS = 100
Function = Callable[[Any], Any]

# Shapes that make up exactly the number of inputs. A mixture of k Gaussians in d dimensions has k (2 d + 1) parameters,
# a net of d inputs, h hidden neurons and one output has h (d + 2) + 1.
MIXTURES = {10: (2, 2), 100: (4, 12), 1_000: (8, 62), 10_000: (16, 312), 100_000: (32, 1562)}
NETS = {10: (1, 3), 100: (9, 9), 1_000: (35, 27), 10_000: (99, 99), 100_000: (367, 271)}


def rosenbrock(n: int) -> Function:
    """A sum of Rosenbrock's terms over neighbours (1960)."""

    def value(x: Any) -> Any:
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return value


def mixture(n: int) -> Function:
    """Minus the log-likelihood of 100 points under a mixture of Gaussians with diagonal covariances."""
    k, d = MIXTURES[n]
    points = np.random.default_rng(1).standard_normal((POINTS, 1, d))

    def value(x: Any) -> Any:
        means, log_widths = x[: k * d].reshape(k, d), x[k * d : 2 * k * d].reshape(k, d)
        log_weights = cr.log_softmax(x[2 * k * d :])
        z = (points - means) * np.exp(-log_widths)
        each = log_weights - 0.5 * np.sum(z * z, axis=2) - np.sum(log_widths, axis=1) - 0.5 * d * np.log(2 * np.pi)
        return -np.sum(cr.logsumexp(each, axis=1))

    return value


def net(n: int) -> Function:
    """The mean squared error of a net with one hidden layer (tanh) on 100 points."""
    d, h = NETS[n]
    rng = np.random.default_rng(1)
    points, targets = rng.standard_normal((POINTS, d)), rng.standard_normal(POINTS)

    def value(x: Any) -> Any:
        weight, bias = x[: d * h].reshape(d, h), x[d * h : d * h + h]
        hidden = np.tanh(points @ weight + bias)
        return np.mean((hidden @ x[d * h + h : -1] + x[-1] - targets) ** 2)

    return value


FUNCTIONS = {"Rosenbrock's sum": rosenbrock, "Gaussian mixture": mixture, "small net": net}
SIZES = tuple(MIXTURES)


def turn(function: Function, x: Any) -> float:
    """Seconds a call, over a short turn."""
    function(x)
    calls, begin = 0, time.perf_counter()
    while (seconds := time.perf_counter() - begin) < TURN:
        for _ in range(10 if calls else 1):
            function(x)
        calls += 10 if calls else 1
    return seconds / calls


def compare(make: Callable[[int], Function], n: int, rounds: int) -> dict[str, Any]:
    """Seconds of the value, and of value and gradient; the gradient is checked along a random direction first."""
    function = make(n)
    rng = np.random.default_rng(0)
    x, direction = 0.3 * rng.standard_normal(n), rng.standard_normal(n)
    value, both = cr.compile(function), cr.compile(cr.value_and_grad(function))
    step = 1e-6
    slope = (float(value(x + step * direction)) - float(value(x - step * direction))) / (2 * step)
    if not np.isclose(np.dot(both(x)[1], direction), slope, rtol=1e-4):
        raise SystemExit(f"the gradient of {make.__name__} at {n} inputs is wrong")
    times = [(turn(value, x), turn(both, x)) for _ in range(rounds)]
    return {"function": make.__name__, "inputs": n, "value": [a for a, _ in times], "both": [b for _, b in times]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    options = parser.parse_args()
    sizes = [n for n in SIZES if n <= options.largest]
    machine, rows = description(), []
    table = Table("value, us; value and gradient / value", *(f"{n:,} inputs" for n in sizes), title=heading(machine))
    for name, make in FUNCTIONS.items():
        results = [compare(make, n, options.rounds) for n in sizes]
        rows += results
        cells = []
        for r in results:
            ratios = (f(r["both"]) / f(r["value"]) for f in (median, min))
            cells.append(f"{median(r['value']) * 1e6:,.1f}  {next(ratios):.2f} ({next(ratios):.2f})")
        table.add_row(name, *cells)
    table.caption = f"ratio of medians (of bests); aim: at most {AIM}"
    console = Console(width=150)
    console.print(table)
    console.print(f"written to {save('cheap_gradient', machine, rows=rows)}")


if __name__ == "__main__":
    main()

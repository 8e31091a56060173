"""Elementary functions: our native ones against NumPy's, nanoseconds an element, one thread, and the largest errors.

Each runs over 1,000 and 100,000 elements, both into memory that is there already; the two take turns, and the fastest
of many turns counts. Errors are those on the numbers timed, in units of the last place, against a wider format;
``tests/native/test_elementary.py`` has the whole range. Functions that NumPy lacks run as it composes them.

Usage: python bench/elementary.py [--only tanh,exp] [--turns 60]
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import chainrule as cr
from chainrule.native.evaluate import Evaluated
from chainrule.native.target import current

SIZES = (1_000, 100_000)
LEAST_TIME = 20e-6
"""Seconds that one turn takes at least: it repeats the call accordingly."""
EVERYDAY, POSITIVE, INSIDE, ABOVE_ONE = (-8.0, 8.0), (1e-3, 50.0), (-1.0, 1.0), (1.0, 50.0)
FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[float, float]]] = {
    "exp": (np.exp, EVERYDAY), "exp2": (np.exp2, EVERYDAY), "expm1": (np.expm1, EVERYDAY),
    "log": (np.log, POSITIVE), "log2": (np.log2, POSITIVE),
    "log10": (np.log10, POSITIVE), "log1p": (np.log1p, POSITIVE),
    "tanh": (np.tanh, EVERYDAY), "sigmoid": (cr.sigmoid, EVERYDAY), "softplus": (cr.softplus, EVERYDAY),
    "sin": (np.sin, EVERYDAY), "cos": (np.cos, EVERYDAY), "tan": (np.tan, EVERYDAY),
    "sinh": (np.sinh, EVERYDAY), "cosh": (np.cosh, EVERYDAY),
    "arcsin": (np.arcsin, INSIDE), "arccos": (np.arccos, INSIDE), "arctan": (np.arctan, EVERYDAY),
    "arcsinh": (np.arcsinh, EVERYDAY), "arccosh": (np.arccosh, ABOVE_ONE), "arctanh": (np.arctanh, INSIDE),
    "cbrt": (np.cbrt, EVERYDAY), "erf": (cr.erf, EVERYDAY), "erfc": (cr.erfc, EVERYDAY),
    "power": (np.power, (0.1, 8.0)), "hypot": (np.hypot, EVERYDAY), "arctan2": (np.arctan2, EVERYDAY),
    "fmod": (np.fmod, EVERYDAY), "remainder": (np.remainder, EVERYDAY),
}  # fmt: skip
"""What computes the function with NumPy, and where."""
WIDER = {np.dtype("f4"): np.dtype("f8"), np.dtype("f8"): np.dtype(np.longdouble)}


def fastest(calls: list[Callable[[], Any]], turns: int) -> list[float]:
    """Seconds of one call of each, taking turns."""
    repeats, best = [], [float("inf")] * len(calls)
    for call in calls:
        start = time.perf_counter()
        call()
        repeats.append(max(1, int(LEAST_TIME / (time.perf_counter() - start))))
    for _ in range(turns):
        for k, (call, n) in enumerate(zip(calls, repeats, strict=True)):
            start = time.perf_counter()
            for _ in range(n):
                call()
            best[k] = min(best[k], (time.perf_counter() - start) / n)
    return best


def worst(found: Any, exact: Any) -> float:
    """The largest error in units of the last place."""
    unit = np.spacing(np.abs(exact.astype(found.dtype))).astype(exact.dtype)
    return float(np.nanmax(np.abs(found.astype(exact.dtype) - exact) / unit))


def aligned(n: int, dtype: Any) -> Any:
    """Memory at the beginning of a cache line, as the compiler's arena has it."""
    bytes_ = np.zeros(n * dtype.itemsize + 64, np.uint8)
    start = -bytes_.ctypes.data % 64
    return bytes_[start : start + n * dtype.itemsize].view(dtype)


def measure(name: str, dtype: Any, size: int, turns: int) -> tuple[float, float, float, float]:
    """Nanoseconds an element, ours and NumPy's; errors, ours and NumPy's."""
    function, (low, high) = FUNCTIONS[name]
    n_args = function.nin if isinstance(function, np.ufunc) else 1
    width = current().lanes(dtype.itemsize)
    size = size // width * width
    rng = np.random.default_rng(0)
    xs = [aligned(size, dtype) for _ in range(n_args)]
    for x in xs:
        x[:] = rng.uniform(low, high, size)
    z = aligned(size, dtype)
    compiled = Evaluated(lambda b, *lanes: getattr(b, name)(*lanes), [dtype] * n_args, width=width)
    addresses = [z.ctypes.data, *(x.ctypes.data for x in xs)]
    out = {"out": z} if isinstance(function, np.ufunc) else {}
    calls = [
        lambda: compiled.run(size, *addresses),
        lambda: function(*xs, **out),
        lambda: compiled.run(0, *addresses),
    ]
    ours, numpy, empty = fastest(calls, turns)
    exact = function(*(x.astype(WIDER[dtype]) for x in xs))
    errors = worst(compiled(*xs), exact), worst(function(*xs), exact)
    return (ours - empty) / size * 1e9, numpy / size * 1e9, *errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(FUNCTIONS), help="names, separated by commas")
    parser.add_argument("--turns", type=int, default=60)
    options = parser.parse_args()
    table = Table(title=f"{current().extension}, ns an element (error in units of the last place)")
    table.add_column("function")
    for dtype in WIDER:
        for size in SIZES:
            table.add_column(f"{dtype} x {size:,}", justify="right")
        table.add_column("NumPy / ours", justify="right")
    gains = []
    for name in options.only.split(","):
        row = [name]
        for dtype in WIDER:
            ratios = []
            for size in SIZES:
                ours, numpy, error, numpys = measure(name, dtype, size, options.turns)
                row.append(f"{ours:.2f} ({error:.1f})  NumPy {numpy:.2f} ({numpys:.1f})")
                ratios.append(numpy / ours)
            row.append(" ".join(f"{r:.1f}" for r in ratios))
            gains.extend(ratios)
        table.add_row(*row)
    console = Console(width=170)
    console.print(table)
    console.print(f"geometric mean of NumPy / ours: {np.exp(np.mean(np.log(gains))):.2f}")


if __name__ == "__main__":
    main()

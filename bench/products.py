"""Matrix products on one thread, side by side: ours, NumPy's OpenBLAS, and MKL where it is found.

Forty shapes of at least 1e5 floating-point operations, from the layers of small nets to 2048 x 2048 x 2048, plain and
transposed, odd sizes among them. All libraries take turns in one process on the same arrays, called from a native loop,
so that neither NumPy nor ctypes is measured. The clock is the processor time of the thread, which others hardly
disturb; each round gives a ratio, and their medians are printed. Two threads are timed on the wall, too.

Usage: python bench/products.py [--dtype float32] [--rounds 9] [--mkl /path/to/libmkl_rt.so.2] [--threads]
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from statistics import geometric_mean, median
from threading import Barrier, Thread
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import intel_mkl
from chainrule.native.jit import compile_ir
from chainrule.native.products import Bound, choose_split

SHAPES = """
    nn 64 100 784    tn 784 100 64    nn 64 10 100     tn 100 10 64     nt 64 100 10
    nn 128 256 784   tn 784 256 128   nn 128 256 256   tn 256 256 128   nt 128 256 256
    nn 128 10 256    tn 256 10 128    nt 128 256 10    nn 300 100 2     tn 2 100 300
    nn 256 1024 1024 tn 1024 1024 256 nt 256 1024 1024 nn 256 10 1024   tn 1024 10 256
    nn 48 48 48      tn 64 64 64      nt 96 96 96      tt 128 128 128   nn 192 192 192
    nn 256 256 256   tn 384 384 384   nn 512 512 512   nt 512 512 512   nn 1024 1024 1024
    tt 1024 1024 1024 nn 2048 2048 2048 tn 2048 2048 2048 nn 101 103 107 tn 255 257 259
    nt 513 511 509   tt 1023 1025 1021 nn 777 333 555   nn 17 2000 300   nn 2000 33 100
"""
"""Which of A and B are transposed in memory; rows, columns and depth of the product."""

Run = Callable[[int], None]
"""Runs a product so many times."""

AGAIN = """
define void @again_kernel(ptr %f, ptr %args, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context, i64 %times) {
    br label %again
again:
    %n = phi i64 [%times, %0], [%left, %again]
    call void %f(ptr %args, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context)
    %left = sub i64 %n, 1
    %more = icmp ne i64 %left, 0
    br i1 %more, label %again, label %done
done:
    ret void
}
define void @again_gemm(ptr %f, ptr %a, ptr %b, ptr %m, ptr %n, ptr %k, ptr %one, ptr %x, ptr %ldx, ptr %y, ptr %ldy,
                        ptr %zero, ptr %z, ptr %ldz, i64 %times) {
    br label %again
again:
    %i = phi i64 [%times, %0], [%left, %again]
    call void %f(ptr %a, ptr %b, ptr %m, ptr %n, ptr %k, ptr %one, ptr %x, ptr %ldx, ptr %y, ptr %ldy, ptr %zero,
                 ptr %z, ptr %ldz)
    %left = sub i64 %i, 1
    %more = icmp ne i64 %left, 0
    br i1 %more, label %again, label %done
done:
    ret void
}
"""
ADDRESSES, _CODE = compile_ir(AGAIN, ["again_kernel", "again_gemm"])
_NUMBER, _POINTER = ctypes.c_int64, ctypes.c_void_p
again_kernel = ctypes.CFUNCTYPE(None, _POINTER, _POINTER, *[_NUMBER] * 4, _POINTER, _NUMBER)(ADDRESSES["again_kernel"])
again_gemm = ctypes.CFUNCTYPE(None, *[_POINTER] * 14, _NUMBER)(ADDRESSES["again_gemm"])


def ours(a: Any, b: Any, c: Any) -> Run:
    bound = Bound(a, b, c)
    return part(bound, (0, bound.rows, 0, bound.columns))


def part(bound: Bound, ranges: tuple[int, int, int, int]) -> Run:
    args, context = bound.pointers
    return lambda times, _=bound: again_kernel(bound.address, args, *ranges, context, times)


class Blas:
    """The Fortran interface of a BLAS library: columns first, so C.T = B.T @ A.T is what it is asked for."""

    def __init__(self, path: Path, names: str, integer: Any) -> None:
        self.library, self.names, self.integer = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL), names, integer

    def __call__(self, a: Any, b: Any, c: Any) -> Run:
        letter, real = ("s", ctypes.c_float) if c.dtype == np.float32 else ("d", ctypes.c_double)
        function = ctypes.cast(getattr(self.library, self.names.format(letter)), _POINTER).value
        (m, k), n = a.shape, b.shape[1]

        def order(x: Any) -> tuple[Any, Any]:
            plain = x.strides[1] == x.itemsize
            return ctypes.c_char(b"N" if plain else b"T"), self.integer(max(x.strides) // x.itemsize)

        (flag_a, lda), (flag_b, ldb) = order(a), order(b)
        m, n, k, ldc = (self.integer(x) for x in (m, n, k, n))
        one, zero = real(1), real(0)
        by_reference = [flag_b, flag_a, n, m, k, one, None, ldb, None, lda, zero, None, ldc]
        arrays = iter((b, a, c))
        pointers = [ctypes.addressof(x) if x is not None else next(arrays).ctypes.data for x in by_reference]
        return lambda times, _=(by_reference, a, b, c): again_gemm(function, *pointers, times)


def rivals(mkl: str | None) -> dict[str, Blas]:
    found = {}
    for path in Path(np.__file__).parents[1].glob("numpy.libs/libscipy_openblas64_*"):
        found["OpenBLAS"] = Blas(path, "scipy_{}gemm_64_", ctypes.c_int64)
    place = Path(mkl) if mkl else intel_mkl.library()
    if place:
        if disguise := intel_mkl.disguise():
            ctypes.CDLL(str(disguise), mode=ctypes.RTLD_GLOBAL)
        found["MKL"] = Blas(place, "{}gemm_", ctypes.c_int32)
        found["MKL"].library.MKL_Set_Num_Threads(1)
    return found


def matrix(rng: np.random.Generator, rows: int, columns: int, transposed: bool, dtype: str) -> Any:
    shape = (columns, rows) if transposed else (rows, columns)
    x = rng.standard_normal(shape).astype(dtype)
    return x.T if transposed else x


def seconds(run: Run, times: int, clock: Callable[[], float] = time.thread_time) -> float:
    start = clock()
    run(times)
    return (clock() - start) / times


def shapes(only: str | None) -> list[tuple[str, int, int, int]]:
    words = SHAPES.split()
    rows = [(words[i], *map(int, words[i + 1 : i + 4])) for i in range(0, len(words), 4)]
    return [r for r in rows if only is None or only in " ".join(map(str, r))]


def compare(dtype: str, rounds: int, only: str | None, others: dict[str, Blas], console: Console) -> None:
    table = Table("product", "ours GF/s", title=f"{dtype}, one thread")
    for name in others:
        table.add_column(name, justify="right")
        table.add_column("ratio", justify="right")
    ratios: dict[str, list[float]] = {name: [] for name in others}
    rng = np.random.default_rng(0)
    for kind, m, n, k in shapes(only):
        a, b = matrix(rng, m, k, kind[0] == "t", dtype), matrix(rng, k, n, kind[1] == "t", dtype)
        results = [np.empty((m, n), dtype) for _ in range(1 + len(others))]
        runs = [f(a, b, c) for f, c in zip((ours, *others.values()), results, strict=True)]
        for run in runs:
            run(2)
        for c in results[1:]:
            np.testing.assert_allclose(results[0], c, rtol=0, atol=(1e-5 if dtype == "float32" else 1e-13) * (k + 10))
        times = max(1, int(4e8 / (2 * m * n * k)))
        taken = [[seconds(run, times) for run in runs] for _ in range(rounds)]
        rate = [2e-9 * m * n * k / min(column) for column in zip(*taken, strict=True)]
        row = [f"{kind} {m} x {n} x {k}", f"{rate[0]:.1f}"]
        for number, name in enumerate(others, 1):
            ratios[name].append(median(t[number] / t[0] for t in taken))
            row += [f"{rate[number]:.1f}", f"{ratios[name][-1]:.2f}"]
        table.add_row(*row)
    if others:
        means = [s for name in others for s in ("", f"{geometric_mean(ratios[name]):.3f}")]
        worst = [s for name in others for s in ("", f"{min(ratios[name]):.2f}")]
        table.add_section()
        table.add_row("geometric mean", "", *means)
        table.add_row("worst", "", *worst)
    console.print(table)


def two_threads(dtype: str, rounds: int, console: Console) -> None:
    """How much faster two threads are, which the cost model gives each its part."""
    table = Table("product", "split", "on the wall", "by processor time", title=f"{dtype}, two threads: times faster")
    rng = np.random.default_rng(0)
    for size in (128, 256, 512, 1024, 2048):
        a, b, c = (rng.standard_normal((size, size)).astype(dtype) for _ in range(3))
        split = choose_split(size, size, size, 2, a.dtype)
        middle = -(-size // (2 * split.grain)) * split.grain
        halves = [(0, middle), (middle, size)]
        ranges = [(0, size, *half) if split.axis == 2 else (*half, 0, size) for half in halves]
        alone, times = ours(a, b, c), max(1, int(1e9 / size**3))
        parts = [part(Bound(a, b, c), r) for r in ranges]
        rows = []
        for _ in range(rounds):
            wall, busy = together(parts, times)
            rows.append((seconds(alone, times, time.perf_counter) / wall, seconds(alone, times) / busy))
        axis = ("none", "rows", "columns")[split.axis]
        table.add_row(f"{size}", axis, *(f"{median(column):.2f}" for column in zip(*rows, strict=True)))
    console.print(table)


def together(parts: list[Run], times: int) -> tuple[float, float]:
    """Seconds a run of two threads on the wall, and of the busier one's processor; the interpreter lock is free."""
    barrier, busy = Barrier(len(parts) + 1), []

    def work(run: Run) -> None:
        barrier.wait()
        busy.append(seconds(run, times))
        barrier.wait()

    threads = [Thread(target=work, args=(run,)) for run in parts]
    for thread in threads:
        thread.start()
    barrier.wait()
    start = time.perf_counter()
    barrier.wait()
    taken = (time.perf_counter() - start) / times
    for thread in threads:
        thread.join()
    return taken, max(busy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", choices=("float32", "float64"))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", help="shapes with this in their text, such as 'tn 784'")
    parser.add_argument("--mkl", help="the path of libmkl_rt")
    parser.add_argument("--threads", action="store_true", help="measure two threads instead")
    chosen = parser.parse_args()
    console, others = Console(), rivals(chosen.mkl)
    for dtype in (chosen.dtype,) if chosen.dtype else ("float32", "float64"):
        if chosen.threads:
            two_threads(dtype, chosen.rounds, console)
        else:
            compare(dtype, chosen.rounds, chosen.only, others, console)


if __name__ == "__main__":
    main()

"""Where the time of a compiled step goes: each kernel timed alone, against what the machine can do at best.

The *roofline* (Williams, Waterman and Patterson 2009): a kernel takes at least the time of its arithmetic at the peak
rate, and at least that of moving its data at the bandwidth of the memory they fit in. Both are measured here: the peak
by a matrix product, the bandwidth by a copy of as many bytes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.graph.site import Site
from chainrule.native.nest import Apply, Load, Nest, Reduce, Running, late_steps
from chainrule.native.products import multiply
from chainrule.native.team import team
from chainrule.native.views import View
from chainrule.native.work import Kernel, Library, Product, Work

if TYPE_CHECKING:
    from chainrule.native.executor import Executor

ROUNDS = 15
AT_LEAST, MOST_REPEATS = 20e-6, 1024
"""Seconds: shorter kernels are run several times in one measurement."""


@dataclass(frozen=True)
class KernelProfile:
    """One kernel of a step: seconds, floating-point operations, bytes read and written, and the best possible time."""

    what: str
    role: str
    line: str
    seconds: float
    flops: int
    bytes: int
    bound: float

    @property
    def roofline(self) -> float:
        """The share of the roofline that is reached, 1 at best; NaN for what NumPy runs."""
        return self.bound / self.seconds if self.bound else math.nan


@dataclass(frozen=True)
class Profile:
    """The kernels of a step in order; prints as a table."""

    kernels: tuple[KernelProfile, ...]

    @property
    def seconds(self) -> float:
        """The sum of all kernels; a call adds about a microsecond."""
        return sum(k.seconds for k in self.kernels)

    def __str__(self) -> str:
        head = f"{'us':>9} {'share':>6} {'GFLOP/s':>8} {'GB/s':>7} {'roofline':>8}  {'role':9} kernel"
        lines = [head]
        for k in self.kernels:
            rate = f"{k.flops / k.seconds / 1e9:8.1f} {k.bytes / k.seconds / 1e9:7.1f}"
            roof = "    NumPy" if math.isnan(k.roofline) else f"{min(k.roofline, 1):9.0%}"
            share = k.seconds / self.seconds
            lines.append(f"{k.seconds * 1e6:9.2f} {share:6.1%} {rate}{roof}  {k.role:9} {k.what}  # {k.line}")
        lines.append(f"{self.seconds * 1e6:9.2f} us in {len(self.kernels)} kernels")
        return "\n".join(lines)


def profile(executor: Executor, inputs: Sequence[Any]) -> Profile:
    """Time every kernel on these inputs. States are what they were, afterwards."""
    before = [np.array(state._value) for state in executor.stored]
    try:
        made = tuple(_measured(executor, *each) for each in executor.singly(inputs))
    finally:
        for state, value in zip(executor.stored, before, strict=True):
            state.assign(value)
    return Profile(made)


def _measured(executor: Executor, kernel: Kernel, row: Any, run: Callable[[], Any]) -> KernelProfile:
    seconds = min(_timed(run) for _ in range(3)) if row is None else _row_time(executor, row)
    flops, moved = operations(kernel.work), traffic(kernel.work)
    bound = 0.0
    if row is not None:
        threads = max(team.size, 1) if executor.uses_team else 1
        bound = max(flops / (peak(_widest(kernel.work)) * threads), moved / bandwidth(moved))
    instructions = kernel.group.instructions
    sites = [i.site for i in instructions if i.site is not None]
    return KernelProfile(
        what=describe(kernel.work),
        role=instructions[-1].role if instructions else "copy",
        line=str(Site(*sites[-1])) if sites else "",
        seconds=seconds,
        flops=flops,
        bytes=moved,
        bound=bound,
    )


def _row_time(executor: Executor, row: Any) -> float:
    """The least time of one row: what so many more of it take in one call than one alone, which is mostly the call."""
    once, repeats = _least(executor, row), 1
    while True:
        seconds = _least(executor, np.ascontiguousarray(np.repeat(row, 1 + repeats, axis=0))) - once
        if seconds > AT_LEAST or repeats >= MOST_REPEATS:
            return max(seconds, 1e-9) / repeats
        repeats *= 4


def _least(executor: Executor, rows: Any) -> float:
    return min(_timed(lambda: executor.run_rows(rows)) for _ in range(ROUNDS))


def _timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


# ---- what a kernel does


def describe(work: Work) -> str:
    """A kernel in a few words: its gates and its shape."""
    if isinstance(work, Product):
        (m, k), n = work.a.shape, work.b.shape[1]
        after = "" if work.epilogue is None else " + " + (_gates(work.epilogue) or "copy")
        many = f"{work.count} times " if work.count > 1 else ""
        return f"{many}matmul {m}x{k} @ {k}x{n}{after}"
    if isinstance(work, Nest):
        over = "x".join(map(str, work.kept)) or "1"
        along = f" over {'x'.join(map(str, work.reduced))}" if work.reduced else ""
        return f"{_gates(work) or 'copy'} [{over}{along}]"
    if isinstance(work, Library):
        return f"{work.instruction.gate.title} (NumPy)"
    return f"loop of {work.length} rounds, {len(work.plan.kernels)} kernels each"


def _gates(nest: Nest) -> str:
    names = [
        s.gate.title if isinstance(s, Apply) else f"running {s.kind}" if isinstance(s, Running) else s.kind
        for s in nest.steps
        if isinstance(s, (Reduce, Running)) or (isinstance(s, Apply) and s.gate is not None)
    ]
    return " ".join(names)


def operations(work: Work) -> int:
    """Floating-point operations: one for each gate on each element, two for each multiplication of a product."""
    if isinstance(work, Product):
        own = 2 * work.count * work.a.shape[0] * work.a.shape[1] * work.b.shape[1]
        return own + (operations(work.epilogue) if work.epilogue is not None else 0)
    if isinstance(work, Nest):
        late = late_steps(work)
        gates = [
            r for r, s in enumerate(work.steps) if isinstance(s, (Reduce, Running)) or (isinstance(s, Apply) and s.gate)
        ]
        everywhere = sum(1 for r in gates if r not in late or isinstance(work.steps[r], Reduce))
        return everywhere * math.prod(work.extents) + (len(gates) - everywhere) * math.prod(work.kept)
    if isinstance(work, Library):
        return 0
    return work.length * sum(operations(kernel.work) for kernel in work.plan.kernels)


def traffic(work: Work) -> int:
    """Bytes read and written, each element of each operand once."""
    if isinstance(work, Product):
        own = sum(
            (work.count if step else 1) * math.prod(v.shape) * v.buffer.dtype.itemsize
            for v, step in zip((work.a, work.b, work.c), work.steps, strict=True)
        )
        return own + (traffic(work.epilogue) if work.epilogue is not None else 0)
    if isinstance(work, Nest):
        return sum(
            math.prod(n for n, s in zip(work.extents, a.strides, strict=True) if s) * a.dtype.itemsize
            for a in work.accesses()
        )
    if isinstance(work, Library):
        views = [v for v in (*work.operands, work.result) if isinstance(v, View)]
        return sum(math.prod(v.shape) * v.buffer.dtype.itemsize for v in views)
    return work.length * sum(traffic(kernel.work) for kernel in work.plan.kernels)


def _widest(work: Work) -> np.dtype[Any]:
    """The dtype in which a kernel computes."""
    if isinstance(work, Product):
        return work.c.buffer.dtype
    if isinstance(work, Nest) and any(s.dtype == np.float64 for s in work.steps if isinstance(s, (Load, Apply))):
        return np.dtype(np.float64)
    return np.dtype(np.float32)


# ---- what the machine can do


@cache
def peak(dtype: np.dtype[Any]) -> float:
    """Floating-point operations a second that one core reaches in a matrix product that fits into its cache."""
    n = 192
    a, b = np.ones((n, n), dtype), np.ones((n, n), dtype)
    multiply(a, b)
    return 2 * n**3 / min(_timed(lambda: multiply(a, b)) for _ in range(50))


def bandwidth(nbytes: int) -> float:
    """Bytes a second that a copy moves, read and written, where so many bytes are in use."""
    return _copied(min(max(nbytes, 1 << 12), 1 << 26).bit_length())


@cache
def _copied(bits: int) -> float:
    source = np.zeros(1 << (bits - 1), np.uint8)
    target = np.zeros_like(source)
    repeats = max(1, (1 << 20) >> bits)

    def run() -> None:
        for _ in range(repeats):
            np.copyto(target, source)

    run()
    return 2 * source.nbytes * repeats / min(_timed(run) for _ in range(20))

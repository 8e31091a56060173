"""The step table: what a step does, row by row, and the native loop that runs it.

A table is a C-contiguous int64 array of shape (rows, ROW_WORDS). Its rows run in order; each calls one kernel, a native
function ``void kernel(i64* args, i64 i0, i64 i1, i64 j0, i64 j1, i64* context)`` that works on the index rectangle
[i0, i1) x [j0, j1). The columns:

    KERNEL, ARGS    addresses of the function and of its block of arguments
    I0, I1, J0, J1  the rectangle
    SPLIT           how a team divides it: WHOLE (the thread that calls does it all), ALONG_I or ALONG_J
    GRAIN           it is cut at multiples of it, counted from the rectangle's edge
    FLAGS           CHECK: after this row, stop the table if a kernel has stored an error code
    THREADS         the most threads that share the row, with a chunk each; 0 for all, with two chunks each
    two columns     reserved, zero

A row is complete before the next one begins. A kernel must give the same bits for any cut at multiples of the grain: of
n grains, chunk c of C are those from n c / C to n (c + 1) / C, both rounded up, and any thread may run it.

Every thread has a context, a block of CONTEXT_WORDS words: ERROR (0 is fine; codes are positive, the smallest wins),
address and bytes of its SCRATCH memory, its number THREAD, and BUSY, which is 1 while an entry uses the context.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from chainrule.native.jit import compile_ir

KERNEL, ARGS, I0, I1, J0, J1, SPLIT, GRAIN, FLAGS, THREADS = range(10)
ROW_WORDS: Final = 12
WHOLE, ALONG_I, ALONG_J = 0, 1, 2
CHECK: Final = 1

ERROR, SCRATCH, SCRATCH_BYTES, THREAD, BUSY = range(5)
CONTEXT_WORDS: Final = 8
LINE: Final = 64  # bytes of a cache line, and of the widest vector

Words = NDArray[np.int64]

_PAUSE = (
    "declare void @llvm.x86.sse2.pause()\ndefine internal void @pause() { call void @llvm.x86.sse2.pause() ret void }"
)


def empty_table(rows: int) -> Words:
    """A table of so many rows, all zeros: fill in every row before it is run."""
    return np.zeros((rows, ROW_WORDS), np.int64)


class Context:
    """What a kernel gets besides its arguments: a place for its error code, and scratch memory of its thread.

    The scratch is asked of the system at once but costs no memory before it is written. It begins at a page.
    """

    def __init__(self, scratch_bytes: int = 0, thread: int = 0) -> None:
        self.words = aligned_words(CONTEXT_WORDS)
        self.words[THREAD] = thread
        if scratch_bytes:
            self._scratch = np.frombuffer(mmap.mmap(-1, scratch_bytes), np.uint8)
            self.words[SCRATCH] = self._scratch.ctypes.data
            self.words[SCRATCH_BYTES] = scratch_bytes

    @property
    def address(self) -> int:
        """Where the block lies."""
        return self.words.ctypes.data


def aligned_words(count: int) -> Words:
    """So many zeros, beginning at a cache line."""
    block = np.zeros(count + LINE // 8, np.int64)
    start = -block.ctypes.data % LINE // 8
    return block[start : start + count]


def run_alone(table: Words, context: Context, first: int = 0, last: int | None = None) -> int:
    """Run the rows from ``first`` to before ``last`` in this thread, without the interpreter lock; the error code.

    All addresses in the rows must be right: nothing can be checked here. The context must not be in use elsewhere.
    """
    first, last, _ = slice(first, last).indices(check_table(table))
    return int(runtime().run_alone(0, table.ctypes.data, first, last, context.address))


def check_table(table: Words) -> int:
    """The number of rows. Raises ValueError for anything that is not a table."""
    if table.dtype != np.int64 or table.ndim != 2 or table.shape[1] != ROW_WORDS or not table.flags.c_contiguous:
        raise ValueError(f"a step table is a C-contiguous int64 array of shape (rows, {ROW_WORDS})")
    return len(table)


@dataclass(frozen=True)
class Runtime:
    """The functions of ``dispatch.ll`` and ``team.ll``; the interpreter lock is released in each call."""

    run_alone: Callable[[int, int, int, int, int], int]
    run_team: Callable[[int, int, int, int, int], int]
    team_init: Callable[[int], None]
    team_start: Callable[[int, int, int, int, int, int], int]
    team_stop: Callable[[int, int], int]
    team_release: Callable[[int, int], None]
    addresses: dict[str, int]
    code: Any
    """Keeps them loaded."""


@cache
def runtime() -> Runtime:
    """The native runtime, compiled or taken from the store. Raises RuntimeError where there is no native code."""
    counts = {"run_alone": 5, "run_team": 5, "team_init": 1, "team_start": 6, "team_stop": 2, "team_release": 2}
    text = read_ir("dispatch.ll") + read_ir("team.ll") + _PAUSE
    addresses, code = compile_ir(text, list(counts), effort=0)
    functions: dict[str, Any] = {
        name: ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * count)(addresses[name])
        for name, count in counts.items()
    }
    return Runtime(**functions, addresses=addresses, code=code)


def read_ir(name: str) -> str:
    """The IR in a file of this package."""
    return (Path(__file__).parent / name).read_text()

"""``chainrule info``: what the machine offers, and what is used of it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.table import Table

from chainrule import __version__
from chainrule.native import cores
from chainrule.native.store import kernel_store

Fact = tuple[str, str]


def info() -> None:
    """Tell what the machine offers and what is used: versions, processor, threads, native code, kernel store.

    For example:

      chainrule info
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts():
        table.add_row(name, value)
    Console(markup=False, highlight=False).print(table)


def facts() -> Iterator[Fact]:
    """What there is to tell, line by line."""
    yield "chainrule", __version__
    yield "Python", f"{platform.python_version()}, {platform.python_implementation()}, {sys.platform}"
    yield "NumPy", np.__version__
    yield from _native()
    yield "cores", _cores()
    yield "threads", _threads()
    yield "kernel store", str(kernel_store.directory)
    yield "", _store()


def _native() -> Iterator[Fact]:
    from chainrule.native import target

    if reason := target.unavailable():
        yield "native code", f"none: {reason}. Compiled functions run with NumPy instead"
        return
    import llvmlite
    import llvmlite.binding as llvm

    from chainrule.native.entry import unsupported

    host = target.host()
    yield "llvmlite", f"{llvmlite.__version__}, LLVM {'.'.join(map(str, llvm.llvm_version_info))}"
    yield "native code", f"for {host.cpu} with {host.extension}, vectors of {host.vector_bytes} bytes"
    yield "calls", f"checked in Python: {unsupported()}" if unsupported() else "checked natively"


def _cores() -> str:
    threads = cores.hardware_threads()
    allowed = cores.quota()
    quota = "no quota" if allowed is None else f"a quota of {allowed:g} processors"
    return f"{cores.physical_cores(threads)} ({len(threads)} hardware threads) for this process; {quota}"


def _threads() -> str:
    default = 1 if cores.is_worker_process() else cores.available_cores()
    return f"{cores.get_threads()} used" + ("" if cores.get_threads() == default else f", {default} by default")


def _store() -> str:
    if problem := kernel_store.problem:
        return f"not used: {problem}"
    return f"{len(kernel_store):,} objects, {kernel_store.size / 1e6:.1f} MB of at most {kernel_store.limit / 1e6:.0f}"

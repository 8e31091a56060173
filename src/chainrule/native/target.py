"""Which processor native code is made for: the one it runs on, or less of it in tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

WIDE = {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
LEAST = {"avx2", "fma"}


@dataclass(frozen=True)
class Target:
    """A processor as LLVM names it, and the size of its vectors in bytes."""

    cpu: str
    features: str
    vector_bytes: int

    @property
    def extension(self) -> str:
        """The vector extension by its common name."""
        return {64: "AVX-512", 32: "AVX2"}[self.vector_bytes]

    def lanes(self, itemsize: int) -> int:
        """How many elements of ``itemsize`` bytes a vector holds."""
        return self.vector_bytes // itemsize

    def machine(self, effort: int = 2) -> Any:
        """A new LLVM target machine that makes position-independent code, at optimisation level ``effort``."""
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        target = llvm.Target.from_default_triple()
        return target.create_target_machine(
            self.cpu, self.features, opt=effort, reloc="pic", codemodel="small", jit=True
        )


AVX2 = Target("haswell", "", 32)

_chosen: ContextVar[Target | None] = ContextVar("target", default=None)


def current() -> Target:
    """The processor to make code for. Raises RuntimeError where there is no native code (``unavailable`` says why)."""
    return _chosen.get() or host()


@contextmanager
def use(target: Target) -> Iterator[None]:
    """Within the block, and in this thread, code is made for ``target``, ``AVX2`` for example."""
    token = _chosen.set(target)
    try:
        yield
    finally:
        _chosen.reset(token)


@cache
def host() -> Target:
    """The processor of this machine. Raises RuntimeError where there is no native code."""
    if reason := unavailable():
        raise RuntimeError(f"no native code here: {reason}")
    import llvmlite.binding as llvm

    names = _host_features()
    # Full width: LLVM would otherwise halve our vectors on processors that once slowed down for wide ones.
    features = llvm.get_host_cpu_features().flatten() + ",-prefer-256-bit"
    return Target(llvm.get_host_cpu_name(), features, 64 if names >= WIDE else 32)


@cache
def unavailable() -> str | None:
    """Why there is no native code on this machine, None if there is."""
    if sys.maxsize < 2**32 or sys.byteorder != "little":
        return "it is made for 64-bit little-endian machines"
    if sys.platform not in ("linux", "darwin"):
        return f"it is made for Linux and macOS, not {sys.platform}"
    try:
        import llvmlite.binding as llvm
    except (ImportError, OSError) as error:
        return f"llvmlite cannot be imported ({error})"
    triple = llvm.get_process_triple()
    if not triple.startswith("x86_64"):
        return f"it is made for x86-64 processors, and this is {triple}"
    if missing := LEAST - _host_features():
        return f"the processor lacks {' and '.join(sorted(missing))}"
    try:
        llvm.check_jit_execution()
    except OSError as error:
        return str(error)
    return None


def _host_features() -> set[str]:
    import llvmlite.binding as llvm

    return {name for name, present in llvm.get_host_cpu_features().items() if present}

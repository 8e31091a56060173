"""Who takes part: the peers, the ways in which each is tried, and the processes they run in."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any

from intel_mkl import ENVIRONMENTS, disguise
from problem import Workload

BENCH = Path(__file__).parent
CACHES = ENVIRONMENTS / "caches"
PATIENCE = 400.0
"""Seconds until a worker that does not answer is given up."""


@dataclass(frozen=True)
class Way:
    """One way to run a peer: its threads (0: the library decides), its options, and how MKL sees the processor."""

    threads: int
    options: tuple[tuple[str, str], ...] = ()
    as_intel: bool = False

    def __str__(self) -> str:
        count = {0: "", 1: "1 thread"}.get(self.threads, f"{self.threads} threads")
        words = [*(value for _, value in self.options), count, "MKL as on Intel" if self.as_intel else ""]
        return ", ".join(filter(None, words))


@dataclass(frozen=True)
class Peer:
    """A row of the table.

    Attributes:
        environment: the directory of its virtual environment under ``.peers``; empty for chainrule's own.
        module: its file in ``contestants``.
        ways: all are tried, the best counts.
        ours: whether it is chainrule.
    """

    name: str
    environment: str
    module: str
    ways: tuple[Way, ...]
    ours: bool = False

    @property
    def python(self) -> Path:
        return ENVIRONMENTS / self.environment / "bin" / "python" if self.environment else Path(sys.executable)


def ways(*options: dict[str, str], intel: bool = False) -> tuple[Way, ...]:
    """Each of the options with one and two threads, and again with MKL as on Intel where that is possible."""
    kinds = (False, True) if intel and disguise() else (False,)
    return tuple(Way(n, tuple(o.items()), kind) for o in options for kind in kinds for n in (1, 2))


def ours(name: str, mode: str, threads: int = 0) -> Peer:
    return Peer(name, "", "ours", (Way(threads, (("mode", mode),)),), ours=True)


@functools.cache
def lineup() -> tuple[Peer, ...]:
    """Chainrule first. The first row is the one that is compared with the best peer."""
    pytensor = ways({"backend": "numba"}) + ways({"backend": "c"}, intel=True)
    return (
        ours("chainrule", "compiled"),
        ours("chainrule, 1 thread", "compiled", 1),
        ours("chainrule, not compiled", "eager"),
        Peer("NumPy by hand", "", "by_hand", ways({})),
        Peer("PyTorch eager", "torch", "pytorch", ways({"optimizer": "fused"}, {"optimizer": "foreach"}, intel=True)),
        Peer(
            "torch.compile, whole step",
            "torch",
            "pytorch",
            ways({"mode": "default"}, {"mode": "max-autotune-no-cudagraphs"}, intel=True),
        ),
        Peer("JAX jit, donated", "jax", "jax_jit", ways({})),
        Peer("PyTensor", "pytensor", "pytensor_function", pytensor),
    )


def one_way_each() -> list[tuple[Peer, Way]]:
    """The peers that are installed, each in one usual way: for what takes long, and for what hardly depends on it."""
    usual = {"pytorch": 1, "jax_jit": 1, "pytensor_function": 0}
    return [(p, p.ways[usual.get(p.module, 0)]) for p in lineup() if p.python.exists()]


def environment(way: Way, caches: Path) -> dict[str, str]:
    """Environment variables of a worker: its threads, and all that it may keep on disk under ``caches``."""
    result = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    if way.threads:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        result |= dict.fromkeys(names, str(way.threads))
    if way.as_intel:
        result["LD_PRELOAD"] = str(disguise())
    return result | {
        "XDG_CACHE_HOME": str(caches / "xdg"),
        "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor"),
        "JAX_COMPILATION_CACHE_DIR": str(caches / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PYTENSOR_FLAGS": f"floatX=float32,base_compiledir={caches / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(caches / "numba"),
    }


class LeftOutError(Exception):
    """A contestant that is not installed, cannot run here or failed; the text says why."""


@dataclass
class Worker:
    """A contestant's process. ``ready`` waits for it; ``report`` is what it told then (``worker.prepare``)."""

    peer: Peer
    way: Way
    workload: Workload
    caches: Path = CACHES
    report: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        w = self.workload
        order = {
            "module": self.peer.module,
            "workload": [w.sizes, w.activation, w.batch],
            "threads": self.way.threads,
            "options": dict(self.way.options),
        }
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (open as long as the process)
        self._process = subprocess.Popen(  # noqa: S603
            [str(self.peer.python), str(BENCH / "worker.py"), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment(self.way, self.caches),
        )

    def ready(self) -> Worker:
        """Wait until it has made its steps; raise LeftOutError if it cannot."""
        self.report = self._answer()
        if "absent" in self.report:
            self.close()
            raise LeftOutError(self.report["absent"])
        return self

    def ask(self, **request: int) -> dict[str, Any]:
        """Send a request, wait for the answer."""
        assert self._process.stdin  # noqa: S101
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout  # noqa: S101
        alarm = Timer(PATIENCE, self._process.kill)
        alarm.start()
        line = self._process.stdout.readline()
        alarm.cancel()
        if not line:
            self.close()
            self._log.seek(0)
            last = [text for text in self._log.read().splitlines() if text.strip()][-3:]
            raise LeftOutError(" ".join(last) or "the process ended without a word")
        return json.loads(line)  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def describe(self) -> dict[str, Any]:
        return {"peer": self.peer.name, "way": asdict(self.way), **self.report}

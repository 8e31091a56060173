"""PyTensor: one function with updates of shared variables, through Numba or through C."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from contestants.contestant import Contestant, NotHereError
from problem import LR, MOMENTUM, Problem


def make(problem: Problem, threads: int, backend: str = "numba") -> Contestant:
    """``backend`` is ``numba`` or ``c``, which takes its matrix products from MKL if that is there."""
    if backend == "c":
        _name_the_blas()
    import pytensor
    import pytensor.tensor as pt
    from pytensor.compile.mode import Mode

    functions = {"tanh": pt.tanh, "relu": lambda z: pt.maximum(z, np.float32(0)), "sigmoid": pt.sigmoid}
    params = [pytensor.shared(a, shape=a.shape) for a in problem.initial]
    velocity = [pytensor.shared(np.zeros_like(a), shape=a.shape) for a in problem.initial]
    images = pt.tensor("images", dtype="float32", shape=problem.images.shape)
    labels = pt.tensor("labels", dtype="int64", shape=problem.labels.shape)
    h: Any = images
    for i in range(0, len(params), 2):
        h = h @ params[i] + params[i + 1]
        h = functions[problem.workload.activation](h) if i < len(params) - 2 else h
    log_p = pt.special.log_softmax(h, axis=1)
    loss = -pt.mean(log_p[pt.arange(problem.workload.batch), labels])
    updates = {}
    for p, v, g in zip(params, velocity, pytensor.grad(loss, params), strict=True):
        updates[v] = np.float32(MOMENTUM) * v - np.float32(LR) * g
        updates[p] = p + updates[v]
    step = pytensor.function(
        [pytensor.In(images, borrow=True), pytensor.In(labels, borrow=True)],
        pytensor.Out(loss, borrow=True),
        updates=updates,
        mode="NUMBA" if backend == "numba" else Mode(linker="cvm", optimizer="fast_run"),
    )
    step.trust_input = True

    def reset() -> None:
        for p, v, start in zip(params, velocity, problem.initial, strict=True):
            p.set_value(start)
            v.set_value(np.zeros_like(start))

    versions = {"pytensor": pytensor.__version__, "numpy": np.__version__}
    if backend == "numba":
        import numba

        versions["numba"] = numba.__version__
    return Contestant(step, problem.images, problem.labels, reset, versions)


def _name_the_blas() -> None:
    """PyTensor's C code is linked with the BLAS that its flags name, when it is imported."""
    if not shutil.which("g++"):
        raise NotHereError("PyTensor's C backend needs a C++ compiler")
    folder = Path(sys.prefix) / "lib"
    library = next((path.name for path in folder.glob("libmkl_rt.so.*")), None)
    if library is None:
        raise NotHereError("PyTensor's C backend needs MKL for its matrix products")
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    os.environ["PYTENSOR_FLAGS"] = f"blas__ldflags=-L{folder} -l:{library} -Wl\\,-rpath\\,{folder},{flags}".rstrip(",")

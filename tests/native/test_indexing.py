"""Indices with arrays: reading, writing and adding without NumPy, wherever an index may be written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.native import target
from chainrule.native.executor import Executor
from chainrule.native.work import Library
from chainrule.program.passes import optimise
from chainrule.program.recording import record

if target.unavailable():
    pytest.skip(str(target.unavailable()), allow_module_level=True)

ROWS, PLACES = np.array([0, 2, 1, 2]), np.array([[1], [-1]])
INDICES = {
    "i": np.s_[ROWS],
    ":, i": np.s_[:, ROWS],
    "0, i": np.s_[0, ROWS],
    "i, 0": np.s_[ROWS, 0],
    "i, :, -1": np.s_[ROWS, :, -1],
    "-1, :, i": np.s_[-1, :, ROWS],
    "1:, i, :, 0": np.s_[1:, ROWS, :, 0],
    "None, 0, i": np.s_[None, 0, ROWS],
    "0, None, i": np.s_[0, None, ROWS],
    "..., i % 2": np.s_[..., ROWS % 2],
    "1, ..., i % 2": np.s_[1, ..., ROWS % 2],
    "i, j, 1": np.s_[ROWS, PLACES, 1],
    "i, 1, j": np.s_[ROWS, 1, PLACES],
    "::2, i, 2, ::-1": np.s_[::2, ROWS, 2, ::-1],
    "0, i, 0, 0": np.s_[0, ROWS, 0, 0],
    "0, 1, 2, i % 2": np.s_[0, 1, 2, ROWS % 2],
    "i, 0, None, j": np.s_[ROWS, 0, None, PLACES],
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_reading_writing_and_gradients(index: Any) -> None:
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 2))

    def written(x: Any) -> Any:
        z = np.copy(x)
        z[index] = np.sin(x[index])
        return z

    gradient = cr.grad(lambda x: np.sum(np.square(written(x)) * np.cos(x)))

    def function(x: Any) -> Any:
        return x[index], written(x), cr.scatter_add(x[index], index, x.shape), gradient(x)

    executor = Executor(optimise(record(function, (x,))))
    assert not any(isinstance(kernel.work, Library) for kernel in executor.plan.kernels)
    for found, expected in zip(executor.run([x]), function(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)

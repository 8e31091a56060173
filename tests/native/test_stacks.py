"""Products of stacks of matrices: as few rows of the step table as possible, and no NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.native import target
from chainrule.native.executor import Executor
from chainrule.native.products import multiply
from chainrule.native.work import Library, Product
from chainrule.program.passes import optimise
from chainrule.program.recording import record

if target.unavailable():
    pytest.skip(str(target.unavailable()), allow_module_level=True)


def native(function: Any, *args: Any) -> Executor:
    executor = Executor(optimise(record(function, args)))
    assert not any(isinstance(kernel.work, Library) for kernel in executor.plan.kernels)
    return executor


def counts(executor: Executor) -> list[int]:
    """How many products each row computes."""
    return [kernel.work.count for kernel in executor.plan.kernels if isinstance(kernel.work, Product)]


STACKS = [
    ((5, 64, 33), (5, 33, 40), [5]),
    ((5, 20, 33), (33, 40), [1]),
    ((20, 64), (5, 64, 40), [5]),
    ((2, 3, 40, 50), (2, 3, 50, 60), [3, 3]),
    ((4, 1, 40, 50), (1, 3, 50, 60), [4, 4, 4]),
    ((300, 1, 40), (1, 40, 50), [1]),
    ((1, 40, 50), (1, 50, 60), [1]),
    ((1000, 8, 7), (1000, 7, 6), []),
    ((0, 64, 64), (64, 64), [1]),
    ((3, 1, 64, 64), (1, 0, 64, 64), []),
]


@pytest.mark.parametrize(("one", "other", "expected"), STACKS, ids=str)
def test_stacks_of_all_shapes(one: Any, other: Any, expected: list[int]) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(one), rng.standard_normal(other)
    executor = native(np.matmul, a, b)
    assert counts(executor) == expected
    (found,) = executor.run([a, b])
    np.testing.assert_allclose(found, a @ b, rtol=0, atol=1e-12)


def test_layouts_and_what_is_computed_with_the_result() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((6, 70, 30), np.float32), rng.standard_normal((6, 40, 30), np.float32)
    bias = cr.State(rng.standard_normal(40).astype(np.float32))

    def step(a: Any, b: Any) -> Any:
        z = a[:, ::-1] @ np.swapaxes(b, 1, 2)
        bias.assign(bias + np.sum(z, (0, 1)))
        return z, np.tanh(z + bias), np.swapaxes(z, 1, 2) @ a

    before = bias.value.copy()
    executor = native(step, a, b)
    assert counts(executor) == [6, 6]
    found = executor.run([a, b])
    z = a[:, ::-1] @ np.swapaxes(b, 1, 2)
    after = before + z.sum((0, 1))
    for x, expected in zip(found, (z, np.tanh(z + after), np.swapaxes(z, 1, 2) @ a), strict=True):
        np.testing.assert_allclose(x, expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(bias.value, after, rtol=1e-4, atol=1e-3)


def test_gradients_of_attention() -> None:
    rng = np.random.default_rng(2)
    q, k, v = (rng.standard_normal((2, 3, 40, 30)) for _ in range(3))

    def loss(q: Any, k: Any, v: Any) -> Any:
        return np.sum(np.sin(cr.softmax(q @ np.swapaxes(k, -1, -2) / 5.0, -1) @ v))

    gradient = cr.grad(loss, (0, 1, 2))
    found = native(lambda *args: list(gradient(*args)), q, k, v).run([q, k, v])
    for x, expected in zip(found, gradient(q, k, v), strict=True):
        np.testing.assert_allclose(x, expected, rtol=1e-10, atol=1e-12)


def test_threads_share_a_stack_and_change_no_bit() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((7, 96, 200), np.float32), rng.standard_normal((7, 200, 100), np.float32)
    expected = np.stack([multiply(x, y) for x, y in zip(a, b, strict=True)])
    for threads in (1, 2, 4):
        cr.set_threads(threads)
        try:
            executor = native(np.matmul, a, b)
            assert executor.uses_team == (threads > 1)
            np.testing.assert_array_equal(executor.run([a, b])[0], expected)
        finally:
            cr.set_threads(None)


def test_the_profile_counts_every_product() -> None:
    a = np.ones((5, 32, 40))
    step = cr.compile(lambda a: a @ np.swapaxes(a, 1, 2))
    (kernel,) = step.profile(a).kernels
    assert kernel.what == "5 times matmul 32x40 @ 40x32"
    assert kernel.flops == 2 * 5 * 32 * 40 * 32
    assert kernel.bytes == 8 * 5 * (2 * 32 * 40 + 32 * 32)

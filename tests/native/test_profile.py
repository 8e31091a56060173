"""What a profile tells: every kernel once, with operations and bytes that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.native.profile import bandwidth, peak


def test_kernels_of_a_step_and_states_left_alone() -> None:
    w = cr.Parameter(np.ones((40, 30)))
    optimizer = cr.optim.SGD([w], lr=0.1)

    @cr.compile
    def step(x):
        loss = np.sum(np.maximum(x @ w, 0))
        loss.backward()
        optimizer.step()
        return loss

    x = np.ones((64, 40), np.float32)
    step(x)
    before = w.value.copy()
    made = step.profile(x)
    np.testing.assert_array_equal(w.value, before)
    text = str(made)
    assert "matmul 64x40 @ 40x30 + maximum" in text
    assert "test_profile.py" in text
    assert "update" in text
    assert made.seconds > 0
    for kernel in made.kernels:
        assert kernel.seconds > 0
        assert kernel.bound > 0


def test_operations_and_bytes_are_those_of_a_product() -> None:
    f = cr.compile(lambda a, b: a @ b)
    a, b = np.ones((50, 60)), np.ones((60, 70))
    (kernel,) = f.profile(a, b).kernels
    assert kernel.flops == 2 * 50 * 60 * 70
    assert kernel.bytes == 8 * (50 * 60 + 60 * 70 + 50 * 70)


def test_a_library_gate_has_no_roofline() -> None:
    f = cr.compile(np.linalg.inv)
    made = f.profile(np.eye(3))
    assert any(np.isnan(k.roofline) for k in made.kernels)
    assert "NumPy" in str(made)


def test_without_native_code_there_is_none() -> None:
    f = cr.compile(lambda x: x + 1, backend="source")
    with pytest.raises(RuntimeError, match="runs with NumPy"):
        f.profile(np.ones(3))
    with pytest.raises(RuntimeError, match="runs with NumPy"):
        f.llvm(np.ones(3))


def test_llvm_of_a_step() -> None:
    f = cr.compile(lambda x: np.exp(x) * 2)
    text = f.llvm(np.ones(100, np.float32))
    assert text.count("define void") >= 1
    assert "fma" in text


def test_the_machine_can_do_something() -> None:
    assert peak(np.dtype(np.float32)) > 1e9
    assert bandwidth(1 << 16) > 1e8


def test_a_nonfinite_value_is_traced_to_its_gate_from_the_states_before() -> None:
    w = cr.Parameter([1.0, 2.0], dtype=np.float64)
    optimizer = cr.optim.SGD([w], lr=0.1)

    @cr.compile
    def step(x):
        root = np.sqrt(x * w)
        loss = np.sum(root)
        loss.backward()
        optimizer.step()
        return loss

    step(np.ones(2))
    before = w.value.copy()
    with cr.nonfinite():
        step(np.ones(2))
        assert not np.array_equal(w.value, before)
        before = w.value.copy()
        with pytest.raises(cr.NonFiniteError, match=r"sqrt .* not finite.*root = np\.sqrt"), np.errstate(all="ignore"):
            step(np.array([1.0, -1.0]))
    np.testing.assert_array_equal(w.value, before)

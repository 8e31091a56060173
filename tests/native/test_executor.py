"""Programs run natively: what a step leaves behind is what the eager step leaves, and nothing else changes."""

from __future__ import annotations

import gc
import weakref
from contextlib import nullcontext
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.native import executor
from chainrule.native.executor import Executor
from chainrule.native.plan import plan
from chainrule.native.target import AVX2, use
from chainrule.native.work import Library, Product
from chainrule.program.passes import optimise
from chainrule.program.recording import record


def training(sizes: list[int], activation: Any, batch: int, dtype: Any = np.float32) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    layers: list[Any] = []
    for a, b in pairwise(sizes):
        layers += [cr.nn.Linear(a, b, rng=rng, dtype=dtype), activation()]
    model = cr.nn.Sequential(*layers[:-1])
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, l2=1e-3)

    def step(x: Any, labels: Any) -> Any:
        loss = cr.nn.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    x, labels = rng.standard_normal((batch, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], batch)
    return model, optimizer, step, x, labels


def close(dtype: Any) -> dict[str, float]:
    return {"rtol": 1e-4, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-13}


def native(function: Any, *args: Any) -> Executor:
    return Executor(optimise(record(function, args)))


@pytest.mark.parametrize("target", [None, AVX2])
@pytest.mark.parametrize(
    ("sizes", "batch"), [([2, 6, 2, 2], 100), ([2, 100, 3], 37), ([70, 33, 10], 64), ([20, 1, 3], 1)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", [cr.nn.ReLU, cr.nn.Tanh, cr.nn.Sigmoid])
def test_training_steps_are_the_eager_ones(sizes: Any, batch: int, dtype: Any, activation: Any, target: Any) -> None:
    model, optimizer, step, x, labels = training(sizes, activation, batch, dtype)
    twin, other, eager, _, _ = training(sizes, activation, batch, dtype)
    with use(target) if target else nullcontext():
        compiled = native(step, x, labels)
        for k in range(6):
            if k == 3:
                optimizer.lr = other.lr = 0.01
            np.testing.assert_allclose(compiled.run([x, labels])[0], eager(x, labels).value, **close(dtype))
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(p.value, q.value, **close(dtype))


def test_a_bad_label_raises_as_numpy_does_and_changes_nothing() -> None:
    model, _, step, x, labels = training([4, 8, 3], cr.nn.ReLU, 50)
    compiled = native(step, x, labels)
    compiled.run([x, labels])
    before = [p.value.copy() for p in model.parameters()]
    labels[17] = 3
    with pytest.raises(IndexError, match="out of bounds"):
        compiled.run([x, labels])
    for p, old in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.value, old)
    labels[17] = 0
    compiled.run([x, labels])


def test_what_was_taken_from_a_parameter_keeps_its_value() -> None:
    model, _, step, x, labels = training([4, 8, 3], cr.nn.ReLU, 50)
    compiled = native(step, x, labels)
    weight = next(iter(model.parameters()))
    taken, view, result = weight.value, weight.value[1:], weight[0]
    old, old_result = taken.copy(), result.value.copy()
    for _ in range(3):
        compiled.run([x, labels])
    np.testing.assert_array_equal(taken, old)
    np.testing.assert_array_equal(view, old[1:])
    np.testing.assert_array_equal(result.value, old_result)
    assert not np.array_equal(weight.value, old)


def test_a_parameter_that_is_an_argument_too() -> None:
    p = cr.Parameter(np.arange(20.0), dtype=np.float64)

    def step(x: Any) -> Any:
        p.assign(p + x[::-1])
        return x + 0.0

    compiled = native(step, p.value)
    for _ in range(3):
        expected = p.value + p.value[::-1]
        (out,) = compiled.run([p.value])
        np.testing.assert_array_equal(p.value, expected)
        assert out.base is None


def test_states_that_trade_places() -> None:
    a, b, c = (cr.State(np.full(5, k, np.float32)) for k in (1.0, 2.0, 3.0))

    def rotate() -> Any:
        first = a + 0
        a.assign(b)
        b.assign(c)
        c.assign(first)
        return np.sum(a)

    compiled = native(rotate)
    assert compiled.run([])[0] == 10
    assert [s.value[0] for s in (a, b, c)] == [2, 3, 1]
    compiled.run([])
    assert [s.value[0] for s in (a, b, c)] == [3, 1, 2]


def test_a_state_that_is_read_reversed_while_it_is_written() -> None:
    s = cr.State(np.arange(100.0))

    def step() -> Any:
        s.assign(s[::-1] * 2)
        return s[0]

    compiled = native(step)
    assert compiled.run([])[0] == 198
    np.testing.assert_array_equal(s.value, np.arange(100.0)[::-1] * 2)


@pytest.mark.parametrize("order", ["C", "F"])
def test_arguments_and_parameters_in_any_layout(order: Any) -> None:
    rng = np.random.default_rng(1)
    w = cr.Parameter(np.asarray(rng.standard_normal((40, 30)), order=order))
    x = rng.standard_normal((60, 40)).astype(np.float32)

    def f(x: Any) -> Any:
        return np.tanh(x @ w)

    compiled = native(f, x)
    expected = f(x).value
    wide = np.zeros((60, 80), np.float32)
    wide[:, ::2] = x
    for given in (x, np.asfortranarray(x), wide[:, ::2], x.astype(">f4"), x[:, ::-1][:, ::-1]):
        np.testing.assert_allclose(compiled.run([given])[0], expected, rtol=2e-5, atol=1e-6)
    x.setflags(write=False)
    np.testing.assert_allclose(compiled.run([x])[0], expected, rtol=2e-5, atol=1e-6)


def test_results_that_are_arguments_or_views_of_them_are_fresh() -> None:
    x = np.arange(12.0).reshape(3, 4)
    compiled = native(lambda x: (x, x.T, x[1], x.reshape(-1), np.ones(3)), x)
    outs = compiled.run([x])
    for out, expected in zip(outs, (x, x.T, x[1], x.reshape(-1), np.ones(3)), strict=False):
        np.testing.assert_array_equal(out, expected)
        assert not np.shares_memory(out, x)


def test_a_float_argument_is_read_at_each_call() -> None:
    x = np.arange(5, dtype=np.float32)
    compiled = native(lambda x, k: (x * k, k * 2.0), x, 0.5)
    for k in (0.5, 3.0, -0.0, np.inf):
        out, twice = compiled.run([x, k])
        assert out.dtype == np.float32
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(out, x * np.float32(k))
        assert twice == 2 * k


def test_gates_that_numpy_runs_between_native_ones() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((6, 6))

    def f(x: Any) -> Any:
        w, v = np.linalg.eigh(x @ x.T + np.eye(6))
        return np.sum(np.log(w)) + np.sum(np.sort(v * 2, axis=0)[0])

    program = optimise(record(f, (x,)))
    kinds = [isinstance(k.work, Library) for k in plan(program).kernels]
    assert any(kinds)
    assert not all(kinds)
    np.testing.assert_allclose(Executor(program).run([x])[0], f(x), rtol=1e-12)


def test_gates_that_numpy_runs_read_what_is_returned_as_well() -> None:
    def function(x: Any) -> Any:
        a = x @ x.T + 1.0
        b = np.linalg.solve(a, 2.0 * x)
        return a, b, a + b, np.linalg.inv(b)

    step, x = cr.compile(function), np.eye(4) + np.arange(16.0).reshape(4, 4) / 10
    for _ in range(3):
        for got, wanted in zip(step(x), function(x), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-10)


def test_a_library_gate_that_fails_changes_nothing() -> None:
    s = cr.State(np.zeros(3))
    a = np.eye(3)

    def step(a: Any) -> Any:
        s.assign(s + 1)
        return np.linalg.inv(a)

    compiled = native(step, a)
    compiled.run([a])
    with pytest.raises(np.linalg.LinAlgError):
        compiled.run([np.zeros((3, 3))])
    np.testing.assert_array_equal(s.value, np.ones(3))


@pytest.mark.parametrize("target", [None, AVX2])
@pytest.mark.parametrize("n", [8191, 8192, 8193, 1_000_003])
def test_long_sums_of_floats_are_accurate(n: int, target: Any) -> None:
    rng = np.random.default_rng(0)
    alike, mixed = np.full(n, 0.1, np.float32), rng.lognormal(0, 3, n).astype(np.float32)
    with use(target) if target else nullcontext():
        sums = cr.compile(lambda x: (np.sum(x), np.mean(x * x), np.sum(np.reshape(x, (1, -1)), axis=1)[0] * 1.0))
        for x in (alike, mixed):
            exact = x.astype(float)
            wanted = [exact.sum(), (exact**2).mean(), exact.sum()]
            np.testing.assert_allclose(sums(x), wanted, rtol=40 * np.finfo(np.float32).eps)
        np.testing.assert_array_equal(sums(np.append(mixed[1:], np.float32(np.inf))), np.inf)
        np.testing.assert_array_equal(sums(np.append(mixed[1:], np.float32(np.nan))), np.nan)


@pytest.mark.parametrize(("sizes", "batch"), [([300, 256, 10], 128), ([2, 60, 3], 20_011), ([70, 3, 3], 9_001)])
def test_the_number_of_threads_does_not_change_a_bit(sizes: list[int], batch: int) -> None:
    """Products are shared, and loop nests: by rows, by vectors, and where vectors lie along what is added up."""
    results = []
    for threads in (1, 2, 4):
        cr.set_threads(threads)
        model, _, step, x, labels = training(sizes, cr.nn.Tanh, batch)
        compiled = native(step, x, labels)
        assert compiled.uses_team == (threads > 1)
        losses = [compiled.run([x, labels])[0].copy() for _ in range(3)]
        results.append([*losses, *(p.value.copy() for p in model.parameters())])
    cr.set_threads(None)
    for others in results[1:]:
        for a, b in zip(results[0], others, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_a_step_is_fused_to() -> None:
    _, _, step, x, labels = training([784, 100, 10], cr.nn.ReLU, 64)
    kernels = plan(optimise(record(step, (x, labels)))).kernels
    products = [k.work for k in kernels if isinstance(k.work, Product)]
    assert len(products) == 5  # two forward, three backward: nobody asks for the gradient of the data
    assert sum(p.epilogue is not None for p in products) >= 4  # bias and activation, masks, updates
    assert len(kernels) <= 14
    assert not any(isinstance(k.work, Library) for k in kernels)


@pytest.mark.parametrize("dtype", [np.longlong, np.ulonglong, np.dtype(np.float64).newbyteorder().newbyteorder()])
def test_dtypes_that_are_equal_but_not_the_same_object(dtype):
    odd = np.ndarray((3,), dtype)
    odd[:] = [1, 2, 3]
    native = cr.compile(lambda x: x * 2, backend="native")
    for x in (odd, np.array(odd, odd.dtype.str), odd.astype(odd.dtype.newbyteorder()), odd):
        assert native(x).tolist() == [2, 4, 6]


def test_a_bad_place_to_add_at_changes_nothing() -> None:
    s = cr.State(np.zeros(3))

    def step(x: Any, places: Any) -> Any:
        s.assign(s + 1)
        return cr.scatter_add(x, places, (4,))

    compiled = native(step, np.ones(2), np.array([0, 1]))
    compiled.run([np.ones(2), np.array([0, 1])])
    with pytest.raises(IndexError):
        compiled.run([np.ones(2), np.array([0, 9])])
    np.testing.assert_array_equal(s.value, np.ones(3))


def neighbours(x: Any) -> Any:
    return np.sum((x[1:] - x[:-1] ** 2) ** 2)


def far_apart(x: Any) -> Any:
    third = len(x) // 3
    return np.sum(x[:third] * x[-third:]) + np.sum(np.exp(x[third : third + 2]))


def along_columns(x: Any) -> Any:
    rows = x.reshape(-1, 4)
    return np.sum(rows[2:, 1:3] ** 3) + np.sum(rows[:-1, :2] * rows[1:, 2:])


@pytest.mark.parametrize("function", [neighbours, far_apart, along_columns])
@pytest.mark.parametrize("n", [12, 16, 20, 36, 100, 1_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_of_slices_are_padded_where_they_lie(function: Any, n: int, dtype: Any) -> None:
    """Most vectors lie within all the slices, the first and the last ones do not."""
    x = np.random.default_rng(5).standard_normal(n).astype(dtype)
    gradient = cr.grad(function)
    np.testing.assert_allclose(cr.compile(gradient)(x), gradient(x), **close(dtype))


def test_code_goes_away_with_the_programs_that_need_it_but_for_the_latest(monkeypatch):
    monkeypatch.setattr(executor.Latest, "MOST", 2)
    codes = []
    for k in range(4):
        step = cr.compile(lambda x, k=k: np.sum(np.exp(x) * np.tanh(x) ** (k + 2)))
        step(np.ones(7))
        codes.append(weakref.WeakSet(executor._nests._codes.values()))
    del step
    gc.collect()
    assert len(codes[-1]) == len(executor._nests._codes) == 2
    assert not codes[0]

"""Running sums and products, convolutions, binary searches: what NumPy gives, without NumPy."""

from __future__ import annotations

import itertools
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

TARGETS = [None, target.AVX2]
PAIRS = [("f4", "f4"), ("f8", "f8"), ("f4", "f8"), ("i8", "f4"), ("f8", "i4"), ("u1", "i8"), ("?", "f4"), ("i4", "i4")]
SPECIAL = np.array([-np.inf, -3.0, -1.0, -1.0, -0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 5.0, np.inf, np.nan, np.nan])


def native(function: Any, *args: Any) -> Any:
    """``function(*args)`` by native code alone."""
    executor = Executor(optimise(record(function, args)))
    assert not any(isinstance(kernel.work, Library) for kernel in executor.plan.every())
    (out,) = executor.run(args)
    return out


def assert_same_bits(found: Any, expected: Any) -> None:
    expected = np.asarray(expected)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found, expected)
    if expected.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


SHAPES = [(), (1,), (0,), (3, 0), (0, 3), (70,), (33, 17), (2, 70, 3), (5, 1, 7)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("function", [np.cumsum, np.cumprod])
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_running_sums_and_products(function: Any, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for dtype, axis in itertools.product(("f4", "f8", "i4", "?"), (None, *range(len(shape)))):
        x = (3 * rng.standard_normal(shape)).astype(dtype)
        if x.size:
            x.flat[0] = -0.0
        assert_same_bits(native(lambda x, a=axis: function(x, a), x), function(x, axis))
        backwards = native(lambda x, a=axis: np.flip(function(np.flip(x), a)), x)
        assert_same_bits(backwards, np.flip(function(np.flip(x), axis)))


@pytest.mark.parametrize("unit", TARGETS)
def test_running_sums_of_what_is_computed(unit: Any) -> None:
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((40, 37)), rng.standard_normal(37)
    for axis in (0, 1):
        with target.use(unit or target.host()):
            found = native(lambda x, w, a=axis: np.exp(np.cumsum(x * w, a) / 9) - np.sum(np.cumsum(x, a)), x, w)
        expected = np.exp(np.cumsum(x * w, axis) / 9) - np.sum(np.cumsum(x, axis))
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_a_state_is_replaced_by_its_running_sum() -> None:
    x = np.arange(12.0).reshape(3, 4)
    state = cr.State(x)
    step = cr.compile(lambda: state.assign(np.cumsum(state, 1)))
    for _ in range(4):
        step()
        x = np.cumsum(x, 1)
    np.testing.assert_array_equal(state.value, x)


def test_threads_share_rows_and_change_no_bit() -> None:
    x = np.random.default_rng(2).standard_normal((700, 3000)).astype("f4")
    found = []
    for threads in (1, 2):
        cr.set_threads(threads)
        try:
            found += [native(lambda x, a=axis: np.cumsum(x, a) * 2, x) for axis in (0, 1)]
        finally:
            cr.set_threads(None)
    for one, two, axis in zip(found[:2], found[2:], (0, 1), strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, np.cumsum(x, axis) * np.float32(2))


def of(dtype: str) -> Any:
    """Special values in a dtype."""
    return (SPECIAL if dtype in ("f4", "f8") else np.nan_to_num(SPECIAL, posinf=9, neginf=-9)).astype(dtype)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 14])
def test_searches(n: int, side: Any) -> None:
    rng = np.random.default_rng(n)
    for one, other in PAIRS:
        a = np.sort(of(one)[np.sort(rng.integers(0, 14, n))])
        for shape in ((), (3, 70)):
            v = np.asarray(rng.choice(of(other), shape))
            assert_same_bits(native(lambda a, v: np.searchsorted(a, v, side), a, v), np.searchsorted(a, v, side))
    strided = np.repeat(a, 3)
    found = native(lambda a, v: a[np.searchsorted(a, v, side=side) // 2], strided[::-3][::-1], v) if n else None
    if found is not None:
        assert_same_bits(found, a[np.searchsorted(a, v, side=side) // 2])


@pytest.mark.parametrize("number", [0, 0.5, 2, True])
def test_a_search_for_a_number_in_the_code(number: Any) -> None:
    a = np.array([-1.0, 0.0, 0.5, 2.0, 3.0], np.float32)
    assert_same_bits(native(lambda a: np.searchsorted(a, number), a), np.searchsorted(a, number))


def test_a_state_is_searched_before_it_is_overwritten() -> None:
    state = cr.State(np.array([0.0, 1.0, 2.0, 3.0, 4.0]))

    def step(v: Any) -> Any:
        places = np.searchsorted(state, v)
        state.assign(state - 10.0 * places)
        return places

    compiled = cr.compile(step)
    v = np.array([4.0, 3.0, 2.0, 1.0, 0.0])
    before = state.value.copy()
    for _ in range(3):
        state.assign(before)
        np.testing.assert_array_equal(compiled(v), [4, 3, 2, 1, 0])
        np.testing.assert_array_equal(state.value, before - 10.0 * np.array([4, 3, 2, 1, 0]))


CONVOLVED = [("f4", "f4"), ("f8", "f8"), ("f4", "f8"), ("i4", "i4"), ("i8", "f4")]


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 1), (2, 2), (3, 5), (100, 17), (17, 40)])
def test_convolutions(n: int, m: int, mode: Any) -> None:
    rng = np.random.default_rng(4)
    for one, other in CONVOLVED:
        a, b = (5 * rng.standard_normal(n)).astype(one), (5 * rng.standard_normal(m)).astype(other)
        for function in (np.convolve, np.correlate):
            expected = function(a, b, mode)
            found = native(lambda a, b, f=function: f(a, b, mode), a, b)
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4 if found.dtype == np.float32 else 1e-11)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("n", "m"), [(30, 7), (7, 30), (4, 4)])
def test_gradients_of_convolutions(n: int, m: int, mode: Any) -> None:
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal(n), rng.standard_normal(m)
    gradient = cr.grad(lambda a, b: np.sum(np.sin(np.convolve(a, b, mode))), (0, 1))
    found = native(lambda a, b: np.concatenate(gradient(a, b)), a, b)
    np.testing.assert_allclose(found, np.concatenate(gradient(a, b)), rtol=1e-12, atol=1e-13)


@pytest.mark.filterwarnings("ignore:invalid")
def test_nothing_lies_beside_a_sequence_that_is_convolved() -> None:
    """Infinity times a 0 that only fills up would be NaN."""
    a = np.array([1.0, np.inf, 2.0, np.nan, 3.0, 4.0, 5.0, 6.0])
    for x, y in ((a, a[1:3]), (a[1:3], a), (a[4:], a[:2]), (a, a[4:6])):
        np.testing.assert_array_equal(native(np.convolve, x, y), np.convolve(x, y))


def test_only_the_part_of_a_convolution_that_is_read_is_computed() -> None:
    x, y = np.arange(5.0), np.arange(1.0, 4.0)
    whole = np.convolve(x, y)
    found = native(lambda x, y: np.convolve(x, y)[2:4] + np.convolve(x, y)[-2:], x, y)
    np.testing.assert_array_equal(found, whole[2:4] + whole[-2:])
    backwards = native(lambda x, y: np.convolve(x, y)[::-2] + np.convolve(x, y)[3], x, y)
    np.testing.assert_array_equal(backwards, whole[::-2] + whole[3])
    np.testing.assert_array_equal(native(lambda x: np.convolve(x, x), x), np.convolve(x, x))

"""Many steps in one native call: few ordinary calls among them, and memory that somebody else holds is left alone."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.native.target import unavailable

if unavailable():
    pytest.skip("no native code here", allow_module_level=True)

from chainrule.native.executor import Executor


def averaging():
    mean = cr.State(np.zeros(2))

    @cr.compile
    def step(x):
        mean.assign(0.9 * mean + 0.1 * np.mean(x, axis=0))
        return np.sum(mean)

    return step, mean


@pytest.mark.parametrize("order", [None, 0])
def test_there_are_few_ordinary_calls(order, monkeypatch):
    step, _ = averaging()
    calls = []
    once = Executor.run
    monkeypatch.setattr(Executor, "run", lambda self, inputs: calls.append(1) or once(self, inputs))
    for _ in range(2):
        assert step.over(np.ones((50_000, 2)), batch=5, order=order).shape == (10_000,)
    assert len(calls) < 100


def test_rows_that_are_the_value_of_a_state_are_read_as_they_were():
    table = cr.State(np.arange(6.0).reshape(3, 2))

    @cr.compile
    def step(x):
        table.assign(table * 2.0)
        return np.sum(x)

    expected = table.value.sum(axis=1)
    np.testing.assert_array_equal(step.over(table.value, batch=1), expected)
    np.testing.assert_array_equal(step.over(table.value, batch=1, order=[2, 1, 0, 0]), 8 * expected[[2, 1, 0, 0]])


def test_a_value_taken_in_between_is_not_written_to():
    step, mean = averaging()
    seen = []
    step.over(np.ones((40_000, 2)), batch=4, progress=lambda done, total: seen.append(mean.value))
    step.over(np.full((40, 2), 5.0), batch=4)
    assert all(np.all(value <= 1.0) for value in seen)


def test_every_size_of_rows_is_gathered():
    for columns, dtype in ((1, np.int8), (1, np.float32), (2, np.float32), (3, np.float16), (7, np.float64)):
        x = np.random.default_rng(0).integers(-9, 9, (30, columns)).astype(dtype)
        order = np.random.default_rng(1).permutation(30)
        step = cr.compile(lambda rows: rows * 2)
        for _ in range(3):
            found = step.over(x, batch=3, order=order)
        np.testing.assert_array_equal(found.reshape(30, columns), 2 * x[order])

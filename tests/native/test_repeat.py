"""Native loops: scans are one row of the step table, and give the same bits for any number of threads."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.native.target import unavailable

if unavailable():
    pytest.skip("no native code here", allow_module_level=True)

from chainrule.native.executor import Executor
from chainrule.native.repeat import Repeat


def recurrent(units, dtype=np.float32):
    random = np.random.default_rng(0)
    w = cr.Parameter(random.standard_normal((units, units)) / units**0.5, dtype=dtype)

    def step(h, x):
        h = np.tanh(h @ w + x)
        return h, h

    def train(h, xs):
        last, ys = cr.scan(step, h, xs)
        loss = np.sum(ys**2) + np.sum(last)
        loss.backward()
        return loss, w.grad

    return train


def loops_of(function, *args):
    kernels = Executor(cr.compile(function).program(*args)).plan.kernels
    return [kernel.work for kernel in kernels if isinstance(kernel.work, Repeat)]


def test_forward_and_backward_are_a_native_loop_each():
    forward, backward = loops_of(recurrent(16), np.zeros(16, np.float32), np.ones((10_000, 16), np.float32))
    assert forward.length == backward.length == 10_000


def test_what_is_compiled_does_not_depend_on_the_length():
    train = recurrent(4)
    plans = [loops_of(train, np.zeros(4, np.float32), np.ones((n, 4), np.float32)) for n in (3, 3000)]
    kernels = [[[type(kernel.work) for kernel in loop.plan.every()] for loop in loops] for loops in plans]
    assert kernels[0] == kernels[1]


def test_a_step_for_which_numpy_is_needed_is_no_native_loop():
    assert loops_of(lambda c, xs: cr.scan(lambda c, x: (np.sort(c + x), c), c, xs), np.ones(2), np.ones((3, 2))) == []


def test_the_carry_is_written_where_it_is_read_without_a_history():
    (loop,) = loops_of(lambda c, xs: cr.scan(lambda c, x: (c + x, None), c, xs), np.ones(64), np.ones((3, 64)))
    assert len(list(loop.plan.every())) == 1


def test_bits_do_not_depend_on_the_number_of_threads():
    h, xs = np.zeros((64, 96), np.float32), np.random.default_rng(1).standard_normal((5, 64, 96)).astype(np.float32)
    results = []
    try:
        for threads in (1, 2):
            cr.set_threads(threads)
            results.append(cr.compile(recurrent(96))(h, xs))
    finally:
        cr.set_threads(None)
    for one, other in zip(*results, strict=True):
        assert one.tobytes() == other.tobytes()

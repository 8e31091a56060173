"""A compiled function as an object: methods, pickling, memory, threads."""

import copy
import gc
import os
import pickle
import signal
import threading
import time
import warnings
import weakref

import numpy as np
import pytest

import chainrule as cr


@cr.compile
def module_level(x):
    return x * 2


def test_methods():
    class Model:
        def __init__(self, factor):
            self.factor = cr.Parameter(factor)

        @cr.compile
        def predict(self, x):
            """Doc."""
            return self.factor * x

        @cr.compile(limit=2)
        def twice(self, x):
            return x * 2

    one, other = Model(2.0), Model(3.0)
    x = np.ones(2, np.float32)
    np.testing.assert_array_equal(one.predict(x), [2, 2])
    np.testing.assert_array_equal(other.predict(x), [3, 3])
    np.testing.assert_array_equal(Model.predict(other, x), [3, 3])
    assert len(Model.predict.programs) == len(one.predict.programs) == 2
    assert one.predict.program(x).captures[0][1] is one.factor
    assert "factor" in one.predict.source(x)
    assert one.predict.__doc__ == "Doc."
    assert one.predict.__self__ is one
    np.testing.assert_array_equal(one.twice(x), [2, 2])


def test_it_looks_like_the_function():
    assert module_level.__name__ == "module_level"
    assert module_level.__wrapped__(3) == 6
    assert "module_level" in repr(module_level)
    module_level(np.ones(1))
    assert repr(module_level) == "<compiled module_level: 1 Program>"
    with pytest.raises(TypeError, match="compile takes a function"):
        cr.compile(3)
    with pytest.raises(ValueError, match="backend"):
        cr.compile(lambda x: x, backend="fortran")(1.0)


def test_programs_without_running():
    s = cr.State(0.0)
    f = cr.compile(lambda x: s.assign(s + x))
    assert f.last is None
    program = f.program(1.0)
    assert s.item() == 0
    assert program is f.last
    assert f.program(2.0) is program
    assert s.item() == 0
    f(2.0)
    assert s.item() == 2


def test_source_is_printed():
    f = cr.compile(lambda x: np.tanh(x) * 2)
    text = f.source(np.ones(2))
    assert "np.tanh(x)" in text
    assert f.source() == text
    with pytest.raises(TypeError, match="missing 1 required"):
        cr.compile(lambda x: x).source()


def test_pickling():
    assert pickle.loads(pickle.dumps(module_level)) is module_level
    assert copy.deepcopy(module_level) is module_level
    assert pickle.loads(pickle.dumps(Doubles.twice)) is Doubles.twice
    bound = pickle.loads(pickle.dumps(Doubles(3.0).twice))
    np.testing.assert_array_equal(bound(np.ones(2)), [6, 6])
    again = pickle.loads(pickle.dumps(cr.compile(double, limit=3)))
    np.testing.assert_array_equal(again(np.ones(2)), [2, 2])
    with pytest.raises((pickle.PicklingError, AttributeError), match=r"lambda|local"):
        pickle.dumps(cr.compile(lambda x: x))


def double(x):
    return x * 2


class Doubles:
    def __init__(self, factor):
        self.factor = factor

    @cr.compile
    def twice(self, x):
        return x * 2 * self.factor


def test_nothing_is_kept_alive_but_what_programs_refer_to():
    class Big:
        pass

    big = Big()
    alive = weakref.ref(big)

    def make(big):
        return cr.compile(lambda x: (x, big)[0] * 2)

    f = make(big)
    f(np.ones(3))
    del big, f
    gc.collect()
    assert alive() is None


def test_no_array_of_a_recording_survives_it():
    seen = []

    @cr.compile
    def f(x):
        h = x * 2
        seen.append(weakref.ref(h))
        return h + 1

    f(np.ones(3))
    gc.collect()
    assert seen[0]() is None


def test_several_threads_share_a_compiled_function():
    total = cr.State(np.zeros(3))

    @cr.compile
    def add(x):
        total.assign(total + x)
        return x * 2

    wrong = []

    def work(k):
        for _ in range(100):
            if not np.array_equal(add(np.full(3, k)), np.full(3, 2 * k)):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(float(k),)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    np.testing.assert_array_equal(total.value, np.full(3, 100.0 * (0 + 1 + 2 + 3)))
    assert len(add.programs) == 1


def test_a_thread_that_records_another_shape_loses_no_update_of_the_others():
    total = cr.State(0.0)
    going = threading.Event()

    @cr.compile(limit=50)
    def add(x):
        total.assign(total + np.sum(x))
        if x.shape[0] > 3:  # recorded slowly, after the assignment
            time.sleep(0.002)
        return x * 2

    for _ in range(3):
        add(np.ones(3))

    def work():
        going.wait(10)
        for _ in range(2000):
            add(np.ones(3))

    thread = threading.Thread(target=work)
    thread.start()
    going.set()
    for n in range(4, 24):
        add(np.ones(n))
    thread.join()
    assert total.item() == 9 + 3 * 2000 + sum(range(4, 24))


def test_recording_is_of_one_thread():
    inside, done = threading.Event(), threading.Event()
    results = []

    @cr.compile
    def slow(x):
        inside.set()
        done.wait(10)
        return x * 2

    def elsewhere():
        inside.wait(10)
        results.append((cr.array([1.0, 2.0]) * 3).value[0])  # raises if this thread were recorded, too
        done.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    slow(np.ones(2))
    thread.join()
    assert results == [3.0]
    assert len(slow.last.instructions) == 1


def test_warnings_are_those_of_eager_code_only():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f = cr.compile(lambda x: np.sum(np.maximum(x, 0)) * 2)
        for _ in range(3):
            f(np.array([1.0, -1.0]))


WEIGHT = cr.Parameter(np.ones(3), dtype=np.float64)
OPTIMIZER = cr.optim.SGD([WEIGHT], lr=0.1)


@cr.compile
def step(x):
    loss = np.sum((WEIGHT * x) ** 2)
    loss.backward()
    OPTIMIZER.step()  # in the code's names, "step" stands for the method as it would for the function above
    return loss


def test_a_function_may_have_the_name_of_a_method_that_it_calls():
    losses = [step(np.full(shape, 1.0)).item() for shape in (3, (2, 3), 3)]
    np.testing.assert_allclose(losses, [3.0, 6.0 * 0.8**2, 3.0 * (0.8 * 0.6) ** 2])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_beside_a_running_step_has_whole_states_and_can_go_on():
    first, second = cr.State(np.zeros((300, 300))), cr.State(np.zeros((300, 300)))
    done = threading.Event()

    @cr.compile
    def step():
        first.assign(first + 1)
        second.assign(second + 1)

    def run():
        while not done.is_set():
            step()

    step(), step()
    thread = threading.Thread(target=run)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                before = first.value.copy()
                whole = (before == before[0, 0]).all() and np.array_equal(before, second.value)
                step()
                os._exit(0 if whole and np.array_equal(first.value, before + 1) else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        done.set()
        thread.join()

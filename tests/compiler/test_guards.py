"""When a compiled function runs itself, is recorded again, or refuses to go on."""

import time

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError, NonFiniteError


def test_live_arguments_run_the_function_itself():
    f = cr.compile(lambda x: np.sum(x**3))
    x = cr.array([1.0, 2.0])
    f(x).backward()
    np.testing.assert_array_equal(x.grad, [3, 12])
    np.testing.assert_array_equal(cr.grad(f)(np.array([1.0, 2.0])), [3, 12])
    np.testing.assert_array_equal(cr.hessian(f)(np.array([1.0, 2.0])), [[6, 0], [0, 12]])
    assert f.programs == ()


def test_a_compiled_function_in_another_is_recorded_through():
    inner = cr.compile(lambda x: np.sum(x**3))
    outer = cr.compile(lambda x: cr.grad(inner)(x) * 2)
    np.testing.assert_array_equal(outer(np.array([1.0, 2.0])), [6, 24])
    assert inner.programs == ()
    assert len(outer.programs) == 1


def test_modes():
    w = cr.array([1.0, 2.0])
    f = cr.compile(lambda x: np.log(x))
    with cr.nonfinite(), np.errstate(divide="ignore"), pytest.raises(NonFiniteError):
        f(cr.constant([0.0]))
    assert f.programs == ()
    g = cr.compile(lambda x: cr.array(x).live and (np.sum(cr.array(x) * w)).live)
    assert g(np.ones(2)) is True
    with cr.no_grad():
        assert g(np.ones(2)) is False


def test_the_second_call_finds_random_numbers():
    rng = np.random.default_rng(0)

    @cr.compile
    def dropout(x):
        return x * (rng.random(3) < 0.5)

    dropout(np.ones(3))
    with pytest.raises(GraphError, match=r"(?s)array of shape \(3,\).*multiply at test_guards\.py.*cr\.State"):
        dropout(np.ones(3))


def test_the_second_call_finds_clocks_and_schedules_and_control_flow():
    counter = iter(range(100))

    def fails(f, message):
        compiled = cr.compile(f)
        compiled(np.ones(2))
        with pytest.raises(GraphError, match=rf"(?s)recorded twice.*{message}"):
            compiled(np.ones(2))

    fails(lambda x: x * time.perf_counter(), "the number")
    fails(lambda x: x * 0.9 ** next(counter), "the number")
    fails(lambda x: (x, next(counter)), "was returned, then")
    fails(lambda x: np.tanh(x) if next(counter) % 2 else np.exp(x), "became")
    fails(lambda x: sum([x] * next(counter), start=x), "applied in one call and not in the other")
    fails(lambda x: [x] * next(counter), "values were returned")
    fails(lambda x: (x * 1, x * 2)[next(counter) % 2], "the value")


def test_the_second_call_accepts_what_is_made_anew_and_equal():
    f = cr.compile(lambda x: x * np.arange(3.0) + np.array([1.0, np.nan, 2.0]))
    for k in (1.0, 2.0, 3.0):
        np.testing.assert_array_equal(f(np.ones(3) * k), [1, np.nan, 2 + 2 * k])


def test_a_changed_module_is_recorded_again():
    class Scaled(cr.nn.Module):
        def __init__(self):
            self.factor = 2.0

        def forward(self, x):
            return x * self.factor

    model = Scaled()
    f = cr.compile(lambda x: model(x))
    for factor in (2.0, 2.0, 3.0, 3.0, 3.0):
        if model.factor != factor:
            model.factor = factor
        np.testing.assert_array_equal(f(np.ones(2)), [factor, factor])


def test_a_parameter_that_is_replaced_is_noticed_though_its_module_is_not_called():
    class Trainer:
        def __init__(self):
            self.model = cr.nn.Linear(2, 1, rng=0)

        def predict(self, x):
            return x @ self.model.weight

    trainer = Trainer()
    f = cr.compile(trainer.predict)
    x = np.ones((1, 2), np.float32)
    for w in (1.0, 1.0, 2.0, 2.0):
        if w == 2.0:
            trainer.model.weight = cr.Parameter(np.full((2, 1), w))
        else:
            trainer.model.weight.assign(w)
        np.testing.assert_array_equal(f(x), [[2 * w]])


def test_other_modules_may_change_at_any_time():
    model = cr.nn.Linear(2, 1, rng=0)
    f = cr.compile(lambda x: model(x))
    x = np.ones((1, 2), np.float32)
    programs = set()
    for _ in range(4):
        cr.nn.Linear(3, 3)
        f(x)
        programs.add(f.last)
    assert len(programs) == 1


@pytest.mark.parametrize("backend", ["source", "native"])
def test_arrays_from_outside_are_read_where_they_are(backend):
    data = np.arange(12.0)[::2][::-1]
    leaf, constant = cr.array(np.arange(6.0)), cr.constant(np.arange(12.0))[::2]
    compiled = cr.compile(lambda x: (x * data, np.sum(x * leaf), x + constant), backend=backend)

    def check():
        x = np.full(6, 2.0)
        for _ in range(3):
            a, b, c = compiled(x)
            np.testing.assert_array_equal(a, x * data)
            np.testing.assert_allclose(b, np.sum(x * leaf.value))
            np.testing.assert_array_equal(c, x + constant.value)

    check()
    data[0] = 100.0
    leaf.value[1] = -1.0
    check()
    constant[3] = -5.0  # no longer a view with gaps
    check()
    constant[1:3] = 0.0
    check()


def test_misaligned_arrays_are_arguments():
    odd = np.frombuffer(b"\0" + np.arange(4.0).tobytes(), np.float64, offset=1)
    with pytest.raises(GraphError, match="not aligned"):
        cr.compile(lambda x: x * odd)(1.0)
    np.testing.assert_array_equal(cr.compile(lambda x, odd: x * odd)(2.0, odd), 2 * odd)


def test_a_module_as_a_function():
    model = cr.nn.Sequential(cr.nn.Linear(2, 3, rng=0), cr.nn.Tanh())
    f = cr.compile(model)
    x = np.ones((4, 2), np.float32)
    for _ in range(3):
        np.testing.assert_allclose(f(x), model(x).value, rtol=1e-6)
    assert "Sequential" in repr(f)
    assert not hasattr(f, "layers")


def test_checks_for_nonfinite_values_stay_outside():
    def f(x):
        with cr.nonfinite():
            return np.log(x)

    with pytest.raises(GraphError, match=r"put cr\.nonfinite\(\) around"):
        cr.compile(f)(np.ones(2))


def test_a_value_read_from_a_state_is_part_of_the_program():
    power = cr.State(2.0)
    f = cr.compile(lambda x: x ** power.item())
    for p in (2.0, 2.0, 3.0, 3.0, 2.0):
        power.assign(p)
        np.testing.assert_array_equal(f(np.array([3.0])), [3**p])
    assert len(f.programs) == 2

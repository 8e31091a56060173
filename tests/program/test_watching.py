"""Values inside of a Program as further outputs."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.program.interpreter import Interpreter, run
from chainrule.program.passes import optimise
from chainrule.program.recording import record
from chainrule.program.watching import watched

W = cr.Parameter(np.linspace(-1.0, 1.0, 6).reshape(3, 2))
optimizer = cr.optim.SGD([W], lr=0.5)
X = np.linspace(0.0, 1.0, 12, dtype=np.float32).reshape(4, 3)


def step(x):
    h = np.tanh(x @ W)
    unused = np.exp(h)
    assert unused.shape == (4, 2)
    loss = np.sum(h)
    loss.backward()
    optimizer.step()
    return loss


RECORDED = record(step, (X,))
OPTIMISED = optimise(RECORDED)


def watch(*labels):
    program = watched(RECORDED, OPTIMISED, labels)
    outputs, _ = run(program, [X])
    return program, outputs


@pytest.mark.parametrize("program", [RECORDED, OPTIMISED])
def test_a_gradient_goes_by_its_printed_name_too(program):
    for printed, label in (("dL_dW", "dL/dW"), ("dL_dh", "dL/dh")):
        np.testing.assert_array_equal(watch(printed)[1][-1], watch(label)[1][-1])
    assert "dL_dW" in Interpreter(program).source


def test_values_come_after_the_outputs():
    program, (loss, h, gradient, weights) = watch("h", "dL/dW", "W_new")
    assert program.instructions == OPTIMISED.instructions
    expected = np.tanh(X @ W.value)
    np.testing.assert_array_equal(h, expected)
    assert loss == np.sum(expected)
    np.testing.assert_allclose(gradient, X.T @ (1 - expected**2), rtol=1e-6)
    np.testing.assert_allclose(weights, W.value - 0.5 * gradient, rtol=1e-6)


def test_the_same_value_may_be_watched_twice_and_an_argument_too():
    _, (_, one, other, x) = watch("h", "h", "x")
    assert one is other
    assert x is X


def test_what_the_function_does_not_need_can_be_watched():
    program, (_, unused, h) = watch("unused", "h")
    assert len(program.instructions) == len(OPTIMISED.instructions) + 1
    np.testing.assert_array_equal(unused, np.exp(h))


def test_gates_by_number():
    _, (_, h, by_gate, added) = watch("h", "tanh_1", "sum_1")
    assert by_gate is h
    assert added == np.sum(h)


def test_labels_of_nobody():
    with pytest.raises(ValueError, match=r"no value 'dL/dV' in step: did you mean .*'dL/dW'"):
        watch("dL/dV")
    with pytest.raises(ValueError, match=r"no value 'qqq' in step: its explain\(\)"):
        watch("qqq")

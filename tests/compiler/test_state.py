"""States: when a compiled call writes them, and when not."""

import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError
from tests.program.nets import batches, make_net, values


def test_values_taken_before_a_step_stay_what_they_were():
    w = cr.Parameter([1.0, 2.0])
    optimizer = cr.optim.SGD([w], lr=0.1)

    @cr.compile
    def step():
        np.sum(w * w).backward()
        optimizer.step()
        return w

    before = w.value
    reshaped = w.reshape(2, 1)
    result = step()
    np.testing.assert_array_equal(before, [1, 2])
    np.testing.assert_array_equal(reshaped.value, [[1], [2]])
    np.testing.assert_allclose(result, [0.8, 1.6], rtol=1e-6)
    step()
    np.testing.assert_allclose(result, [0.8, 1.6], rtol=1e-6)
    np.testing.assert_allclose(w.value, [0.64, 1.28], rtol=1e-6)


def test_a_circuit_that_used_the_old_value_refuses_to_run_backward():
    w = cr.Parameter([1.0])
    update = cr.compile(lambda: w.assign(w * 2))
    z = np.sum(w * w)
    update()
    with pytest.raises(GraphError, match="was changed after"):
        z.backward()


def test_an_input_may_be_the_buffer_of_a_state():
    s = cr.State(np.array([1.0, 2.0, 3.0]))

    @cr.compile
    def f(x):
        s.assign(s * 10)
        s.assign(s + x[::-1])
        return s

    for factor in (1, 10):
        del factor
        before = s.value.copy()
        z = f(s.value)
        np.testing.assert_array_equal(z, before * 10 + before[::-1])
        np.testing.assert_array_equal(s.value, z)
        assert not np.shares_memory(z, s.value)


@pytest.mark.parametrize("backend", ["source", "native"])
def test_two_states_can_be_swapped(backend):
    a, b = cr.State([1.0, 2.0]), cr.State([3.0, 4.0])

    @cr.compile(backend=backend)
    def swap():
        old = a * 1  # may become a itself
        a.assign(b)
        b.assign(old)

    for _ in range(3):
        swap()
    np.testing.assert_array_equal(a.value, [3, 4])
    np.testing.assert_array_equal(b.value, [1, 2])


def test_state_is_written_only_if_everything_went_well():
    s = cr.State(np.zeros(2))

    @cr.compile
    def f(x, i):
        s.assign(s + x)
        return x[i]

    f(np.ones(2), np.array([0]))
    f(np.ones(2), np.array([1]))
    number = s.number
    with pytest.raises(IndexError):
        f(np.ones(2), np.array([5]))
    np.testing.assert_array_equal(s.value, [2, 2])
    assert s.number == number


@pytest.mark.parametrize("backend", ["source", "native"])
def test_neither_a_failed_call_nor_a_look_at_the_program_changes_states(backend):
    w = cr.Parameter(np.ones((2, 2)), dtype=np.float64)

    @cr.compile(backend=backend)
    def f(x):
        w.assign(w + 1.0)
        return np.linalg.inv(x) @ w

    for _ in range(2):
        f(np.eye(2))
    z = np.sum(w * w)
    held = w.value
    f.program(np.eye(2))
    cr.compile(f.__wrapped__, backend=backend).program(np.eye(2))
    with pytest.raises(np.linalg.LinAlgError):
        f(np.zeros((2, 2)))
    np.testing.assert_array_equal(w.value, np.full((2, 2), 3.0))
    z.backward()
    np.testing.assert_array_equal(w.grad, 2 * held)
    f(np.eye(2))
    np.testing.assert_array_equal(held, np.full((2, 2), 3.0))


def test_a_function_that_raises_leaves_everything_as_it_was():
    model, optimizer, step = make_net()

    @cr.compile
    def fails(x, labels):
        step(x, labels)
        raise KeyError("halfway")

    before = values(model)
    with pytest.raises(KeyError, match="halfway"):
        fails(*batches(1)[0])
    for a, b in zip(before, values(model), strict=True):
        np.testing.assert_array_equal(a, b)
    assert fails.programs == ()
    with pytest.raises(GraphError, match="no new gradient"):
        optimizer.step()


def test_states_that_were_unpickled_are_compiled():
    """Their arrays are of dtypes that equal the usual ones and are other objects."""
    w, factor = pickle.loads(pickle.dumps((cr.Parameter([1.0, 2.0]), cr.constant([3.0, 4.0]))))

    @cr.compile
    def step():
        w.assign(w * factor)
        return w

    assert step().tolist() == [3.0, 8.0]
    assert step().tolist() == [9.0, 32.0]
    assert w.value.tolist() == [9.0, 32.0]

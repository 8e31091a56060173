"""4. max(x, y) routes the gradient to the larger; at a tie both local gradients are 1. The other kinks, too."""

import numpy as np
import pytest

import chainrule as cr


@pytest.mark.parametrize(
    ("gate", "x", "y", "expected"),
    [
        (np.maximum, 2.0, -1.0, (1, 0)),
        (np.maximum, -1.0, 2.0, (0, 1)),
        (np.maximum, 2.0, 2.0, (1, 1)),
        (np.minimum, 2.0, -1.0, (0, 1)),
        (np.minimum, -1.0, 2.0, (1, 0)),
        (np.minimum, 2.0, 2.0, (1, 1)),
    ],
)
def test_maximum_and_minimum(gate, x, y, expected):
    x, y = cr.array(x), cr.array(y)
    z = gate(x, y)
    assert tuple(edge.local_gradient for edge in cr.edges(z)) == expected
    z.backward(upstream=np.array(5.0))
    assert (x.grad, y.grad) == (5 * expected[0], 5 * expected[1])


def test_elements_of_arrays_tie_one_by_one():
    x, y = cr.array([1.0, 2.0, 3.0]), cr.array([3.0, 2.0, 1.0])
    np.sum(np.maximum(x, y)).backward()
    np.testing.assert_array_equal(x.grad, [0, 1, 1])
    np.testing.assert_array_equal(y.grad, [1, 1, 0])


@pytest.mark.parametrize(
    ("function", "at", "slope"),
    [
        pytest.param(lambda x: np.maximum(x, x), 1.0, 2.0, id="max(x, x)"),
        pytest.param(lambda x: np.minimum(x, x), 1.0, 2.0, id="min(x, x)"),
        pytest.param(lambda x: np.maximum(0.1 * x, x), 0.0, 1.1, id="max(0.1 x, x)"),
        pytest.param(lambda x: np.maximum(0.0, x), 0.0, 1.0, id="max(0, x)"),
        pytest.param(cr.relu, 0.0, 0.0, id="relu"),
        pytest.param(cr.leaky_relu, 0.0, 0.1, id="leaky_relu"),
        pytest.param(lambda x: cr.leaky_relu(x, 0.01), 0.0, 0.01, id="leaky_relu 0.01"),
        pytest.param(np.abs, 0.0, 0.0, id="abs"),
        pytest.param(lambda x: np.clip(x, -1.0, 1.0), 1.0, 1.0, id="clip at its upper bound"),
        pytest.param(lambda x: np.clip(x, -1.0, 1.0), -1.0, 1.0, id="clip at its lower bound"),
        pytest.param(lambda x: np.clip(x, -1.0, 1.0), 1.5, 0.0, id="clip outside"),
    ],
)
def test_at_the_kink(function, at, slope):
    assert cr.grad(function)(at) == pytest.approx(slope, abs=1e-15)


def test_the_norm_at_zero():
    np.testing.assert_array_equal(cr.grad(np.linalg.norm)(np.zeros(3)), np.zeros(3))


@pytest.mark.parametrize("reduction", [np.max, np.min])
def test_a_reduction_shares_equally_among_ties(reduction):
    sign = 1.0 if reduction is np.max else -1.0
    x = sign * np.array([[1.0, 5.0, 5.0], [2.0, 2.0, 2.0], [0.0, -1.0, 7.0]])
    weights = np.array([6.0, 9.0, 1.0])
    gradient = cr.grad(lambda x: np.sum(reduction(x, axis=1) * weights))(x)
    np.testing.assert_allclose(gradient, [[0, 3, 3], [3, 3, 3], [0, 0, 1]], rtol=1e-15)


def test_check_grads_flags_ties():
    tied = cr.check_grads(np.maximum, 2.0, 2.0)
    assert any("maximum" in kink for kink in tied.kinks)
    assert cr.check_grads(np.maximum, 2.0, 1.0).kinks == ()
    for kinked in (cr.relu, cr.leaky_relu, np.abs):
        assert cr.check_grads(kinked, np.array([0.0, 1.0])).kinks


def test_check_grads_sees_a_winner_change_within_the_step():
    report = cr.check_grads(np.maximum, 1.0, 1.0 + 1e-9)
    assert report.kinks
    assert report.compared == 0

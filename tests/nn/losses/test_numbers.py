"""Losses for numbers, against their formulas and SciPy."""

import numpy as np
import pytest
from scipy import special, stats

import chainrule as cr
from chainrule.nn import huber, mae, mse, poisson

RNG = np.random.default_rng(0)


def test_mse_and_its_gradient():
    prediction, target = RNG.standard_normal((3, 2)), RNG.standard_normal((3, 2))
    x = cr.array(prediction)
    loss = mse(x, target)
    loss.backward()
    assert loss.item() == pytest.approx(((prediction - target) ** 2).mean(), rel=1e-14)
    np.testing.assert_allclose(x.grad, (prediction - target) / 3, rtol=1e-13)
    assert cr.check_grads(mse, prediction, target, order=2).relative_error < 1e-7
    assert mse([1.0, 2.0], [1.0, 4.0]) == mse([1, 2], [1, 4]) == 2


@pytest.mark.parametrize("shape", [(3,), (3, 1), (1, 2), ()])
def test_mse_refuses_a_silent_broadcast(shape):
    with pytest.raises(ValueError, match=r"one shape, not \(3, 2\) and"):
        mse(cr.array(np.zeros((3, 2))), np.zeros(shape))


def test_mae_is_smallest_at_the_median():
    targets = np.array([0.0, 1.0, 2.0, 3.0, 100.0])
    value, gradient = cr.value_and_grad(lambda c: mae(c * np.ones(5), targets))(np.array(2.0))
    assert value == pytest.approx(np.abs(targets - 2).mean())
    assert gradient == 0


@pytest.mark.parametrize("delta", [0.5, 1.0, 2.0])
def test_huber_is_scipys(delta):
    outputs, targets = 2 * RNG.standard_normal((7, 2)), RNG.standard_normal((7, 2))
    value, gradient = cr.value_and_grad(lambda s: huber(s, targets, delta=delta))(outputs)
    assert value == pytest.approx(special.huber(delta, outputs - targets).mean(), rel=1e-13)
    np.testing.assert_allclose(gradient, np.clip(outputs - targets, -delta, delta) / 14, rtol=1e-13)


def test_huber_where_the_line_begins_and_in_the_middle():
    np.testing.assert_array_equal(3 * cr.grad(huber)(np.array([1.0, 0.0, -1.0]), np.zeros(3)), [1, 0, -1])


@pytest.mark.parametrize("delta", [0.0, -1.0, np.nan])
def test_huber_needs_a_positive_delta(delta):
    with pytest.raises(ValueError, match="delta is where the parabola goes over"):
        huber(np.zeros(2), np.zeros(2), delta=delta)


def test_poisson_is_minus_the_log_of_its_probability():
    outputs, counts = RNG.standard_normal((7, 2)), RNG.integers(0, 5, (7, 2))
    value, gradient = cr.value_and_grad(lambda s: poisson(s, counts))(outputs)
    likelihood = stats.poisson.logpmf(counts, np.exp(outputs)) + special.gammaln(counts + 1)
    assert value == pytest.approx(-likelihood.mean(), rel=1e-13)
    np.testing.assert_allclose(gradient, (np.exp(outputs) - counts) / 14, rtol=1e-12, atol=1e-16)


def test_poisson_refuses_negative_counts():
    with pytest.raises(ValueError, match="counts, not negative, and here is -1"):
        poisson(np.zeros(2), np.array([3, -1]))


@pytest.mark.parametrize("loss", [mse, mae, huber])
def test_wild_targets_stay_finite(loss):
    value, gradient = cr.value_and_grad(loss)(np.array([1e150, -1e150]), np.zeros(2))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()

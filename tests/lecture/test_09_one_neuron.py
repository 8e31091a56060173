"""9. One neuron: cell body sum, firing rate; a linear classifier."""

import numpy as np
import pytest

import chainrule as cr


def test_the_neuron_of_the_lecture():
    neuron = cr.nn.Neuron(weights=[2.0, -3.0], bias=-3.0)
    assert neuron.cell_body_sum is None
    inputs = cr.array([-1.0, -2.0])
    rate = neuron.forward(inputs)
    assert neuron.cell_body_sum.item() == 1
    assert neuron.firing_rate is rate
    assert rate.item() == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-6)
    rate.backward()
    np.testing.assert_array_equal(neuron.weights.grad.round(2), np.float32([-0.2, -0.39]))
    assert neuron.bias.grad.round(2) == np.float32(0.2)
    np.testing.assert_array_equal(inputs.grad.round(2), [0.39, -0.59])


def test_it_is_a_linear_classifier():
    neuron = cr.nn.Neuron(np.array([1.0, -2.0]), 0.5)
    along = np.array([2.0, 1.0])  # at right angles to the weights: nothing changes that way
    for t in np.linspace(-3, 3, 7):
        assert neuron.forward([-0.5, 0.0] + t * along).item() == pytest.approx(0.5, abs=1e-6)
    assert neuron.forward([0.0, 0.0]).item() > 0.5 > neuron.forward([-1.0, 0.0]).item()


def test_with_cross_entropy_it_is_a_binary_softmax_classifier():
    inputs, rate_of_one = np.array([0.3, -1.2]), 1.0
    neuron = cr.nn.Neuron([0.5, 0.25], 0.1)
    loss = -np.log(neuron.forward(inputs)) * rate_of_one
    loss.backward()
    scores = cr.array([[0.0, neuron.cell_body_sum.item()]])
    softmax = cr.nn.cross_entropy(scores, np.array([1]))
    softmax.backward()
    assert loss.item() == pytest.approx(softmax.item(), rel=1e-6)
    np.testing.assert_allclose(neuron.weights.grad, scores.grad[0, 1] * inputs, rtol=1e-5)


def test_it_learns_a_line():
    points = np.array([[1.0, 2.0], [2.0, 1.5], [1.5, 3.0], [-1.0, -1.0], [-2.0, 0.0], [0.0, -2.0]])
    fires = np.array([1, 1, 1, 0, 0, 0])
    neuron = cr.nn.Neuron([0.0, 0.0])
    optimizer = cr.optim.SGD(neuron.parameters(), lr=1.0)
    for _ in range(50):
        rates = np.stack([neuron.forward(point) for point in points])
        (-np.mean(fires * np.log(rates) + (1 - fires) * np.log(1 - rates))).backward()
        optimizer.step()
    rates = np.array([neuron.forward(point).item() for point in points])
    np.testing.assert_array_equal(rates > 0.5, fires == 1)
    assert np.abs(rates - fires).max() < 0.1

"""11. Layers are matrix products; sizes in neurons and parameters; without nonlinearities a net collapses."""

from itertools import pairwise

import numpy as np
import pytest

import chainrule as cr


def net(*sizes, activation=cr.nn.ReLU):
    layers = []
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        layers += [activation()] if i and activation else []
        layers.append(cr.nn.Linear(n_in, n_out, dtype=np.float64, rng=i))
    return cr.nn.Sequential(*layers)


@pytest.mark.parametrize(("sizes", "neurons", "weights", "biases"), [((3, 4, 2), 6, 20, 6), ((3, 4, 4, 1), 9, 32, 9)])
def test_the_sizes_of_the_lectures_nets(sizes, neurons, weights, biases):
    model = net(*sizes)
    assert model.neuron_count == neurons
    assert model.parameter_count == weights + biases
    assert sum(p.size for name, p in model.named_parameters().items() if name.endswith("weight")) == weights
    assert sum(p.size for name, p in model.named_parameters().items() if name.endswith("bias")) == biases


def test_a_layer_is_its_neurons_side_by_side():
    layer = cr.nn.Linear(3, 4, dtype=np.float64, rng=0)
    x = np.array([0.5, -1.0, 2.0])
    rates = cr.sigmoid(layer(x))
    for i in range(4):
        neuron = cr.nn.Neuron(cr.array(layer.weight.value[:, i]), cr.array(layer.bias.value[i]))
        assert neuron.forward(x).item() == pytest.approx(rates.value[i], rel=1e-14)


def test_a_three_layer_net_in_plain_numpy():
    model = net(3, 4, 4, 1, activation=cr.nn.Sigmoid)
    w1, b1, w2, b2, w3, b3 = (p.value for p in model.parameters())
    x = np.random.default_rng(9).standard_normal((5, 3))
    h1 = cr.sigmoid(x @ w1 + b1)
    h2 = cr.sigmoid(h1 @ w2 + b2)
    np.testing.assert_allclose(model(x).value, h2 @ w3 + b3, rtol=1e-14)


def test_backward_by_hand_through_two_layers():
    model = net(3, 4, 2)
    (w1, b1, w2, _), x = (p.value for p in model.parameters()), np.random.default_rng(9).standard_normal((5, 3))
    labels = np.array([0, 1, 1, 0, 1])
    cr.nn.cross_entropy(model(x), labels).backward()
    hidden = np.maximum(0, x @ w1 + b1)
    dscores = cr.softmax(model(x).value, axis=1) - np.eye(2)[labels]
    dscores /= 5
    dhidden = (dscores @ w2.T) * (hidden > 0)
    expected = [x.T @ dhidden, dhidden.sum(0), hidden.T @ dscores, dscores.sum(0)]
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        np.testing.assert_allclose(parameter.grad, gradient, rtol=1e-12, atol=1e-15)


def test_two_linear_layers_equal_one():
    model = net(3, 4, 2, activation=None)
    w1, b1, w2, b2 = (p.value for p in model.parameters())
    one = cr.nn.Linear(3, 2, dtype=np.float64)
    one.load_state_dict({"weight": w1 @ w2, "bias": b1 @ w2 + b2})
    x = np.random.default_rng(9).standard_normal((50, 3))
    np.testing.assert_allclose(model(x).value, one(x).value, rtol=1e-12, atol=1e-14)
    curvature = model(x[0] + x[1]).value - model(x[0]).value - model(x[1]).value + model(0 * x[0]).value
    np.testing.assert_allclose(curvature, 0, atol=1e-14)


def test_a_model_says_that_it_stacks_linear_layers():
    (warning,) = net(3, 4, 2, activation=None).stacked_linear()
    assert "Linear(3, 4)" in warning
    assert "Linear(4, 2)" in warning
    assert len(net(3, 4, 4, 1, activation=None).stacked_linear()) == 2
    assert net(3, 4, 4, 1).stacked_linear() == []

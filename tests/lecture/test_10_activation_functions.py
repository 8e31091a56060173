"""10. The activation functions and their derivatives, against their formulas and against numbers."""

import numpy as np
import pytest

import chainrule as cr

X = np.array([-5.0, -1.5, -0.3, 0.2, 1.0, 4.0])  # no kink among them


def logistic(x):
    return 1 / (1 + np.exp(-x))


FORMULAS = {
    "sigmoid": (cr.sigmoid, logistic, lambda x: logistic(x) * (1 - logistic(x))),
    "tanh": (np.tanh, lambda x: 2 * logistic(2 * x) - 1, lambda x: 1 - np.tanh(x) ** 2),
    "relu": (cr.relu, lambda x: x * (x > 0), lambda x: 1.0 * (x > 0)),
    "leaky relu": (cr.leaky_relu, lambda x: np.where(x > 0, x, 0.1 * x), lambda x: np.where(x > 0, 1, 0.1)),
    "leaky relu as a max": (
        lambda x: np.maximum(0.1 * x, x),
        lambda x: np.where(x > 0, x, 0.1 * x),
        lambda x: np.where(x > 0, 1, 0.1),
    ),
    "maxout": (
        lambda x: np.maximum(-0.5 * x - 1, 0.8 * x),
        lambda x: np.where(x > -1 / 1.3, 0.8 * x, -0.5 * x - 1),
        lambda x: np.where(x > -1 / 1.3, 0.8, -0.5),
    ),
}
every_function = pytest.mark.parametrize(("function", "value", "slope"), FORMULAS.values(), ids=FORMULAS)


@every_function
def test_value_and_derivative(function, value, slope):
    x = cr.array(X)
    z = function(x)
    np.sum(z).backward()
    np.testing.assert_allclose(z.value, value(X), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(x.grad, slope(X), rtol=1e-12, atol=1e-15)


@every_function
def test_against_numbers_to_the_second_order(function, value, slope):
    report = cr.check_grads(function, X, order=2)
    assert report.relative_error < 1e-7
    assert report.kinks == ()
    assert report.compared == 8


@every_function
def test_float32_stays_float32(function, value, slope):
    x = cr.array(X.astype(np.float32))
    z = function(x)
    np.sum(z).backward()
    assert z.dtype == x.grad.dtype == np.float32
    np.testing.assert_allclose(x.grad, slope(X), rtol=2e-4)


def test_far_out_they_saturate_without_overflow():
    far = np.array([-1000.0, 1000.0])
    x = cr.array(far)
    np.testing.assert_array_equal(cr.sigmoid(far), [0, 1])
    np.sum(cr.sigmoid(x) + np.tanh(x)).backward()
    np.testing.assert_array_equal(x.grad, [0, 0])


@pytest.mark.parametrize(
    ("module", "function"),
    [
        (cr.nn.Sigmoid(), cr.sigmoid),
        (cr.nn.Tanh(), np.tanh),
        (cr.nn.ReLU(), cr.relu),
        (cr.nn.LeakyReLU(), cr.leaky_relu),
        (cr.nn.LeakyReLU(slope=0.01), lambda x: cr.leaky_relu(x, 0.01)),
    ],
    ids=["sigmoid", "tanh", "relu", "leaky relu", "leaky relu 0.01"],
)
def test_the_modules_compute_the_functions(module, function):
    np.testing.assert_array_equal(module(X), function(X))
    assert module.parameter_count == 0


def test_the_slope_of_a_leaky_relu_can_be_learned():
    slope = cr.Parameter(0.25)
    x = np.float32([-2.0, -1.0, 3.0])
    np.sum(np.where(x > 0, x, slope * x)).backward()
    assert slope.grad == -3

"""Activation functions against SciPy, and far out, where they are what they tend to."""

import numpy as np
import pytest
from scipy.special import erf, expit, log_ndtr, ndtr

import chainrule as cr

X = np.linspace(-6, 6, 49)
ALL = {
    "relu": cr.relu,
    "leaky_relu": cr.leaky_relu,
    "prelu": lambda x: cr.prelu(x, 0.25),
    "elu": cr.elu,
    "selu": cr.selu,
    "gelu": cr.gelu,
    "approximate gelu": lambda x: cr.gelu(x, approximate=True),
    "silu": cr.silu,
    "mish": cr.mish,
    "softplus": cr.softplus,
    "softsign": cr.softsign,
    "sigmoid": cr.sigmoid,
    "tanh": np.tanh,
    "hard_sigmoid": cr.hard_sigmoid,
    "hard_tanh": cr.hard_tanh,
    "hard_silu": cr.hard_silu,
}
FORMULAS = {
    "elu": np.where(X > 0, X, np.exp(X) - 1),
    "selu": 1.0507009873554805 * np.where(X > 0, X, 1.6732632423543772 * (np.exp(X) - 1)),
    "gelu": X * (1 + erf(X / np.sqrt(2))) / 2,
    "approximate gelu": X * (1 + np.tanh(np.sqrt(2 / np.pi) * (X + 0.044715 * X**3))) / 2,
    "silu": X * expit(X),
    "mish": X * np.tanh(np.log(1 + np.exp(X))),
    "softsign": X / (1 + np.abs(X)),
    "hard_sigmoid": np.clip((X + 3) / 6, 0, 1),
    "hard_tanh": np.clip(X, -1, 1),
    "hard_silu": X * np.clip((X + 3) / 6, 0, 1),
}
TENDS_TO = {  # far left, far right: a slope and a bound
    "leaky_relu": ((0.1, 0), (1, 0)),
    "prelu": ((0.25, 0), (1, 0)),
    "elu": ((0, -1), (1, 0)),
    "selu": ((0, -1.0507009873554805 * 1.6732632423543772), (1.0507009873554805, 0)),
    "softsign": ((0, -1), (0, 1)),
    "sigmoid": ((0, 0), (0, 1)),
    "tanh": ((0, -1), (0, 1)),
    "hard_sigmoid": ((0, 0), (0, 1)),
    "hard_tanh": ((0, -1), (0, 1)),
}
every = pytest.mark.parametrize("name", ALL)


@pytest.mark.parametrize("name", FORMULAS)
def test_value(name):
    np.testing.assert_allclose(ALL[name](X), FORMULAS[name], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(ALL[name](X.tolist()), FORMULAS[name], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("way", ["eager", "compiled"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every
def test_far_out_values_and_derivatives_are_what_they_tend_to(name, dtype, way):
    large = np.array([1e3, 1e6, 1e30, np.finfo(dtype).max / 4], dtype)
    slopes = cr.grad(lambda x: np.sum(ALL[name](x)))

    def both(x):
        return ALL[name](x), slopes(x)

    looked_at = cr.compile(both) if way == "compiled" else both
    for x, (slope, bound) in zip((-large, large), TENDS_TO.get(name, ((0, 0), (1, 0))), strict=True):
        value, derivative = looked_at(x)
        np.testing.assert_allclose(value, dtype(slope) * x + dtype(bound), rtol=2e-3, atol=1e-30)
        np.testing.assert_allclose(derivative, np.full(4, slope, dtype), rtol=1e-6, atol=2e-6)


@every
def test_derivatives_of_the_second_order_are_finite_far_out(name):
    x = np.array([-1e300, -1e30, -1e3, 1e3, 1e30, 1e300])
    curved = cr.grad(lambda x: np.sum(cr.grad(lambda y: np.sum(ALL[name](y)))(x)))
    np.testing.assert_allclose(curved(x), np.zeros(6), atol=1e-8)


@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "elu"])
def test_the_left_tail_keeps_its_digits(name):
    x = np.array([-30.0, -20.0, -1e-12])
    expected = {
        "gelu": x * np.exp(log_ndtr(x)),
        "silu": x * expit(x),
        "mish": x * np.tanh(np.log1p(np.exp(x))),
        "elu": np.expm1(x),
    }[name]
    np.testing.assert_allclose(ALL[name](x), expected, rtol=1e-13)


@pytest.mark.parametrize("way", ["eager", "compiled"])
@pytest.mark.parametrize("dtype", [np.int8, np.int64])
@pytest.mark.parametrize("name", [*ALL, "softmax", "log_softmax"])
def test_integers_count_as_the_numbers_they_are(name, dtype, way):
    function = ALL.get(name) or getattr(cr, name)
    x = np.array([-100, -3, -1, 0, 1, 3, 100], dtype)
    z = function(x) if way == "eager" else cr.compile(function)(x)
    np.testing.assert_allclose(z, function(x.astype(float)), rtol=2e-3, atol=1e-6)  # of int8, some are float16


def test_slopes_where_two_lines_meet():
    slopes = {name: float(cr.grad(function)(np.array(0.0))) for name, function in ALL.items()}
    assert slopes["relu"] == 0
    assert slopes["leaky_relu"] == 0.1
    assert slopes["prelu"] == 0.25
    assert slopes["elu"] == slopes["softsign"] == slopes["tanh"] == slopes["hard_tanh"] == 1
    assert slopes["gelu"] == slopes["silu"] == 0.5
    assert cr.grad(lambda x: cr.elu(x, 0.3))(np.array(0.0)) == 0.3


def test_gelu_against_the_normal_distribution():
    np.testing.assert_allclose(cr.gelu(X), X * ndtr(X), rtol=1e-13)
    assert np.max(np.abs(cr.gelu(X, approximate=True) - cr.gelu(X))) < 5e-4


@pytest.mark.parametrize("word", ["none", "tanh", 1, None])
def test_gelu_is_approximate_or_not(word):
    with pytest.raises(TypeError, match=f"approximate is True or False, not {word!r}"):
        cr.gelu(X, approximate=word)


def test_selu_keeps_mean_and_variance():
    z = cr.selu(np.random.default_rng(0).standard_normal(400_000))
    assert abs(z.mean()) < 0.01
    assert abs(z.var() - 1) < 0.01


def test_what_maxout_refuses():
    for x in (np.zeros((2, 5)), np.array(1.0)):
        with pytest.raises(ValueError, match="divides the last axis into 2 pieces, and the shape is"):
            cr.maxout(x)
    with pytest.raises(ValueError, match="two or more pieces, not 1"):
        cr.maxout(np.zeros(4), 1)

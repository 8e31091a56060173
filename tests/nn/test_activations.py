"""Activation functions as modules: the functions of the same names."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import ACTIVATIONS

X = np.random.default_rng(0).uniform(-3, 3, (5, 4))


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name not in ("identity", "prelu", "tanh")])
def test_a_module_is_its_function(name):
    np.testing.assert_array_equal(ACTIVATIONS[name]()(X), getattr(cr, name)(X))


def test_tanh_and_identity():
    np.testing.assert_array_equal(ACTIVATIONS["tanh"]()(X), np.tanh(X))
    np.testing.assert_array_equal(ACTIVATIONS["identity"]()(X), X)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_net_with_it_learns_natively(name):
    net = cr.nn.Sequential(cr.nn.Linear(4, 6, rng=0), ACTIVATIONS[name](), cr.nn.Linear(6, 3, rng=1))
    optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    labels = np.array([0, 1, 2, 1, 0])

    @cr.compile
    def step(x, y):
        loss = cr.nn.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(X.astype(np.float32), labels).item() for _ in range(30)]
    assert losses[-1] < losses[0]
    assert step._variants[0].executor._library == []


def test_options():
    np.testing.assert_array_equal(cr.nn.ELU(0.3)(X), cr.elu(X, 0.3))
    np.testing.assert_array_equal(cr.nn.GELU(approximate=True)(X), cr.gelu(X, approximate=True))
    np.testing.assert_array_equal(cr.nn.Softmax(axis=0)(X), cr.softmax(X, axis=0))
    np.testing.assert_array_equal(cr.nn.LogSoftmax(axis=0)(X), cr.log_softmax(X, axis=0))
    shown = [cr.nn.ELU(0.3), cr.nn.GELU(approximate=True), cr.nn.Softmax(axis=0), cr.nn.PReLU(4), cr.nn.PReLU()]
    assert list(map(repr, shown)) == [
        "ELU(alpha=0.3)",
        "GELU(approximate=True)",
        "Softmax(axis=0)",
        "PReLU(4)",
        "PReLU()",
    ]


@pytest.mark.parametrize("columns", [None, 4])
def test_prelu_learns_its_slopes(columns):
    layer = cr.nn.PReLU(columns, slope=0.1, dtype=np.float64)
    np.sum(layer(X)).backward()
    negative = np.where(X > 0, 0, X)
    np.testing.assert_allclose(layer.slope.grad, negative.sum() if columns is None else negative.sum(axis=0))
    assert list(layer.named_parameters()) == ["slope"]


@pytest.mark.parametrize("columns", [0, -1])
def test_prelu_has_a_slope(columns):
    with pytest.raises(ValueError, match=f"of which there are not {columns}"):
        cr.nn.PReLU(columns)

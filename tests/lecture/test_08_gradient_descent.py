"""8. Parameters are learned with stochastic gradient descent."""

import numpy as np
import pytest

import chainrule as cr


def test_one_step_goes_against_the_gradient():
    w = cr.Parameter([1.0, -2.0], dtype=np.float64)
    optimizer = cr.optim.SGD([w], lr=0.1)
    np.sum(w * w).backward()
    optimizer.step()
    np.testing.assert_allclose(w.value, [0.8, -1.6], rtol=1e-15)


def test_minibatches_find_the_line():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 200)
    y = 3.0 * x + 0.5 + 0.1 * rng.standard_normal(200)
    slope, height = cr.Parameter(0.0), cr.Parameter(0.0)
    optimizer = cr.optim.SGD([slope, height], lr=0.1)
    for _ in range(20):
        for some_x, some_y in cr.data.batches(x, y, 10, rng):
            cr.nn.mse(slope * some_x + height, some_y).backward()
            optimizer.step()
    best_slope, best_height = np.polyfit(x, y, 1)
    assert slope.item() == pytest.approx(best_slope, abs=0.05)
    assert height.item() == pytest.approx(best_height, abs=0.05)


def test_a_step_decreases_the_loss_as_the_gradient_promises():
    rng = np.random.default_rng(1)
    net = cr.nn.Sequential(
        cr.nn.Linear(4, 6, rng=1, dtype=np.float64), cr.nn.Tanh(), cr.nn.Linear(6, 3, rng=2, dtype=np.float64)
    )
    x, labels = rng.standard_normal((30, 4)), rng.integers(0, 3, 30)

    def loss():
        return cr.nn.cross_entropy(net(x), labels)

    lr = 1e-4
    optimizer = cr.optim.SGD(net.parameters(), lr=lr)
    before = loss()
    before.backward()
    promised = -lr * sum(np.sum(p.grad**2) for p in net.parameters())
    optimizer.step()
    assert loss().item() - before.item() == pytest.approx(promised, rel=1e-3)

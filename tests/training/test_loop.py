"""The training loop learns, tells what it does, repeats with its seed, and stops where the loss is not finite."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import data, training


def small_run(seed=0, lr=0.1, epochs=5, **options):
    rng = np.random.default_rng(seed)
    here, there = data.split(*data.digits(), seed=seed)
    net = cr.nn.Sequential(cr.nn.Linear(64, 30, rng=rng), cr.nn.ReLU(), cr.nn.Linear(30, 10, rng=rng))
    optimizer = cr.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    return net, training.train(net, optimizer, here, there, epochs=epochs, batch=32, rng=rng, **options)


def test_the_loss_falls_and_the_accuracy_is_plausible():
    net, history = small_run()
    losses = [epoch.train_loss for epoch in history]
    assert [epoch.epoch for epoch in history] == [1, 2, 3, 4, 5]
    assert losses[-1] < losses[0] / 2 < np.log(10) / 2
    assert 0.9 < history.last.test_accuracy <= history.last.train_accuracy + 0.02
    assert all(epoch.seconds > 0 for epoch in history)
    score = training.evaluate(net, *data.split(*data.digits(), seed=0)[1])
    assert score == (history.last.test_loss, history.last.test_accuracy)


def test_the_same_seed_gives_the_same_bits():
    (net, history), (again, repeated) = small_run(epochs=2), small_run(epochs=2)
    for p, q in zip(net.parameters(), again.parameters(), strict=True):
        assert p.value.tobytes() == q.value.tobytes()
    assert [e.test_loss for e in history] == [e.test_loss for e in repeated]
    assert small_run(seed=1, epochs=2)[1].last.test_loss != history.last.test_loss


def test_compiled_steps_learn_the_same():
    (_, eager), (_, compiled) = small_run(epochs=3), small_run(epochs=3, compiled=True)
    for field in ("train_loss", "test_loss"):
        here, there = ([getattr(epoch, field) for epoch in history] for history in (eager, compiled))
        np.testing.assert_allclose(there, here, rtol=1e-3)


def test_a_compiled_run_that_diverges_says_where():
    with (
        np.errstate(all="ignore"),
        pytest.raises(training.DivergedError, match=r"became (nan|inf) in epoch 1, step \d+:"),
    ):
        small_run(lr=1e20, compiled=True)


def test_callbacks_hear_of_every_step_and_epoch():
    steps, epochs = [], []
    _, history = small_run(epochs=2, after_step=steps.append, after_epoch=epochs.append)
    assert len(steps) == 2 * 45
    assert all(isinstance(loss, float) for loss in steps)
    assert epochs == list(history)


def test_one_step_is_gradient_descent():
    x, y = np.array([[1.0, 2.0], [3.0, -1.0]], np.float32), np.array([0, 1])
    net = cr.nn.Linear(2, 2, rng=0)
    w, b = net.weight.value.copy(), net.bias.value.copy()
    optimizer = cr.optim.SGD(net.parameters(), lr=0.5)
    training.train(net, optimizer, (x, y), (x, y), epochs=1, batch=2, rng=np.random.default_rng(0))
    p = np.exp(x @ w + b)
    p /= p.sum(1, keepdims=True)
    d = (p - np.eye(2)[y]) / 2
    np.testing.assert_allclose(net.weight.value, w - 0.5 * x.T @ d, rtol=1e-5)
    np.testing.assert_allclose(net.bias.value, b - 0.5 * d.sum(0), rtol=1e-5)


def test_a_loss_that_is_not_finite_stops_the_run_with_its_place():
    with (
        np.errstate(all="ignore"),
        pytest.raises(training.DivergedError, match=r"became (nan|inf) in epoch 1, step \d+:"),
    ):
        small_run(lr=1e20)


def test_a_loss_that_is_not_finite_updates_nothing():
    net = cr.nn.Linear(1, 2, rng=0)
    before = net.weight.value.copy()
    bad = np.array([[np.nan]], np.float32), np.array([0])
    optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(training.DivergedError, match="epoch 1, step 1"):
        training.train(net, optimizer, bad, bad, epochs=1, batch=1, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(net.weight.value, before)


def test_weights_that_ended_up_not_finite_are_noticed_after_the_last_step():
    net = cr.nn.Linear(1, 2, rng=0)
    good = np.ones((2, 1), np.float32), np.array([0, 1])

    class Breaks:
        def step(self):
            net.weight.assign(np.full((1, 2), np.inf))

    with np.errstate(all="ignore"), pytest.raises(training.DivergedError, match="epoch 1, step 1"):
        training.train(net, Breaks(), good, good, epochs=1, batch=2, rng=np.random.default_rng(0))


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch": 0}])
def test_sizes_are_checked(wrong):
    net = cr.nn.Linear(1, 2)
    good = np.ones((2, 1), np.float32), np.array([0, 1])
    optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="at least one"):
        training.train(net, optimizer, good, good, rng=np.random.default_rng(0), **{"epochs": 1, "batch": 1, **wrong})


def test_another_loss_can_be_learned():
    x, y = np.array([[0.0], [1.0]], np.float32), np.array([0, 1])
    net = cr.nn.Linear(1, 2, rng=0)

    def squares(scores, labels):
        return cr.nn.mse(scores, np.eye(2, dtype=np.float32)[labels])

    optimizer = cr.optim.SGD(net.parameters(), lr=0.5)
    rng = np.random.default_rng(0)
    history = training.train(net, optimizer, (x, y), (x, y), epochs=200, batch=2, rng=rng, loss=squares)
    assert history.last.train_loss < 1e-3

"""Every rule against the published one, step by step: eagerly, compiled, and over minibatches in one native call."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.optim import OPTIMIZERS
from tests.optim.published import ByHand

STEPS = 12
LR = {"sgd": 0.1, "adagrad": 0.3, "adadelta": 0.7, "rmsprop": 0.02, "adam": 0.05, "adamw": 0.05, "lion": 0.03}
CASES = [
    *((name, {"weight_decay": 0.0}) for name in OPTIMIZERS),
    *((name, {"l2": 0.1, "weight_decay": 0.2}) for name in OPTIMIZERS),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.8, "nesterov": True, "l2": 0.05}),
    ("sgd", {"momentum": 0.9, "clip_value": 0.3}),
    ("sgd", {"momentum": 0.9, "clip_norm": 1.5, "weight_decay": 0.1}),
    ("adagrad", {"epsilon": 1e-3, "clip_norm": 0.7}),
    ("adadelta", {"decay": 0.8, "epsilon": 1e-3}),
    ("rmsprop", {"decay": 0.5, "epsilon": 1e-2, "clip_value": 0.2, "clip_norm": 0.4}),
    ("adam", {"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("adamw", {"schedule": lambda step: 1 / (1 + 0.1 * step), "weight_decay": 0.3, "beta1": 0.0}),
    ("lion", {"beta1": 0.3, "beta2": 0.6, "schedule": cr.optim.Cosine(20), "weight_decay": 0.1}),
    ("sgd", {"momentum": 0.9, "schedule": cr.optim.Warmup(5, then=cr.optim.Step(every=3, factor=0.5))}),
    ("adam", {"own": ({"lr": 0.01}, {}), "schedule": cr.optim.OneCycle(12)}),
    ("sgd", {"own": ({"lr": 0.05, "l2": 0.3}, {}), "momentum": 0.5, "l2": 0.1}),
]
IDS = [f"{name}-{'-'.join(options) or 'plain'}" for name, options in CASES]


def shown(name, options):
    return {"weight_decay": 0.01, **options} if name == "adamw" else options


def problem(dtype):
    rng = np.random.default_rng(3)
    weights = [rng.standard_normal((3, 2)), rng.standard_normal(2)]
    x, y = rng.standard_normal((STEPS * 4, 3)), rng.standard_normal((STEPS * 4, 2))
    return [w.astype(dtype) for w in weights], x.astype(dtype), y.astype(dtype)


def made(name, options, weights, dtype):
    """The optimiser, and the step that it does on a minibatch; the loss is the mean square of a linear map's error."""
    parameters = [cr.Parameter(w, dtype=dtype) for w in weights]
    options = dict(options)
    own = options.pop("own", None)
    told = parameters if own is None else [{"parameters": [p], **o} for p, o in zip(parameters, own, strict=True)]
    optimizer = OPTIMIZERS[name](told, LR[name], **options)

    def step(x, y):
        w, b = parameters
        loss = np.mean((x @ w + b - y) ** 2)
        loss.backward()
        optimizer.step()
        return loss

    return optimizer, step


def by_hand(name, options, weights, x, y):
    """What the weights are after each step."""
    hand, path = ByHand(name, weights, LR[name], **options), []
    for k in range(STEPS):
        xs, ys = (rows[4 * k : 4 * k + 4].astype(np.float64) for rows in (x, y))
        error = (xs @ hand.weights[0] + hand.weights[1] - ys) / 4
        hand.step([xs.T @ error, error.sum(axis=0)])
        path.append(list(hand.weights))
    return path


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
@pytest.mark.parametrize("how", ["eager", "source", "native"])
def test_every_step_is_the_published_update(name, options, how):
    weights, x, y = problem(np.float64)
    optimizer, step = made(name, options, weights, np.float64)
    if how != "eager":
        step = cr.compile(step, backend=how)
    for k, expected in enumerate(by_hand(name, shown(name, options), weights, x, y)):
        step(x[4 * k : 4 * k + 4], y[4 * k : 4 * k + 4])
        assert optimizer.steps.item() == k + 1
        for p, w in zip(optimizer.parameters, expected, strict=True):
            np.testing.assert_allclose(p.value, w, rtol=1e-11, atol=1e-13)
    if how != "eager":
        assert len(step.programs) == 1


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_steps_over_minibatches_are_those_of_a_loop(name, options):
    weights, x, y = problem(np.float64)
    (first, step), (second, again) = (made(name, options, weights, np.float64) for _ in range(2))
    looped, over = cr.compile(step), cr.compile(again)
    losses = [looped(x[k : k + 4], y[k : k + 4]) for k in range(0, len(x), 4)]
    np.testing.assert_array_equal(over.over(x, y, batch=4), losses)
    for name, value in first.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[name], value)
    for p, q in zip(first.parameters, second.parameters, strict=True):
        np.testing.assert_array_equal(p.value, q.value)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "native"])
def test_float32_stays_float32_and_close(name, compiled):
    weights, x, y = problem(np.float32)
    options = {"l2": 0.1, "weight_decay": 0.1, "clip_norm": 1.0, "schedule": cr.optim.Exponential(0.9)}
    optimizer, step = made(name, options, weights, np.float32)
    step = cr.compile(step) if compiled else step
    for k, expected in enumerate(by_hand(name, options, weights, x, y)):
        step(x[4 * k : 4 * k + 4], y[4 * k : 4 * k + 4])
        for p, w in zip(optimizer.parameters, expected, strict=True):
            assert p.dtype == np.float32
            np.testing.assert_allclose(p.value, w, rtol=2e-4, atol=2e-4)
    kept = [s for slot in optimizer.slots if not slot.count for s in getattr(optimizer, slot.name)]
    assert {s.dtype for s in kept if s is not None} <= {np.dtype(np.float32)}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("shape", [(), (0,), (1, 1)], ids=str)
def test_shapes_that_are_easily_forgotten(name, shape):
    for compiled in (False, True):
        w = cr.Parameter(np.ones(shape))
        optimizer = OPTIMIZERS[name]([w], 0.1, clip_norm=1.0, l2=0.1)

        def step(w=w, optimizer=optimizer):
            np.sum(w * w).backward()
            optimizer.step()

        step = cr.compile(step) if compiled else step
        for _ in range(3):
            step()
        assert (w.shape, w.dtype) == (shape, np.float32)
        assert np.all(w.value < 1)
        assert isinstance(w._value, np.ndarray)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_are_left_as_they_were_written(name):
    w = cr.Parameter([[1.0, 2.0]])
    optimizer = OPTIMIZERS[name]([w], clip_value=0.1, l2=0.1)
    np.sum(w * w).backward()
    gradient = w.grad
    optimizer.step()
    assert w.grad is gradient
    np.testing.assert_array_equal(gradient, [[2, 4]])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_parameter_that_joins_late_begins_like_any_other(name):
    def moved(late):
        w, u = cr.Parameter([1.0], dtype=float), cr.Parameter([1.0], dtype=float)
        optimizer = OPTIMIZERS[name]([w, u], 0.01)
        for k in range(late + 3):
            (np.sum(w * w) + (np.sum(u * u) if k >= late else 0.0)).backward()
            optimizer.step()
        return u.item()

    assert moved(0) == moved(50) != 1.0


ROSENBROCK = {"sgd": 0.002, "adagrad": 1.5, "adadelta": 6.0, "rmsprop": 0.005, "adam": 0.06, "adamw": 0.06,
              "lion": 0.005}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_they_find_the_end_of_the_banana(name):
    w = cr.Parameter([-1.2, 1.0], dtype=float)
    options = {"momentum": 0.9} if name == "sgd" else {}
    optimizer = OPTIMIZERS[name]([w], ROSENBROCK[name], schedule=cr.optim.Cosine(4000), **options)

    @cr.compile
    def step(row):
        loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
        loss.backward()
        optimizer.step()
        return loss

    losses = step.over(np.zeros(4000), batch=1)
    assert losses[0] == pytest.approx(24.2)
    assert losses[-1] < 3e-3
    np.testing.assert_allclose(w.value, 1, atol=0.1)

"""Penalties and bounds on weights, eagerly and in compiled steps."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import L1, L2, Elastic, MaxNorm

X, Y = np.random.default_rng(0).standard_normal((20, 4)), np.arange(20) % 3


def net(dtype=np.float64):
    return cr.nn.Sequential(
        cr.nn.Linear(4, 5, rng=0, dtype=dtype), cr.nn.Tanh(), cr.nn.Linear(5, 3, rng=1, dtype=dtype)
    )


def weights(model):
    return [model[0].weight.value, model[2].weight.value]


PENALTIES = {
    "L1": (L1(0.1), lambda w: 0.1 * np.abs(w).sum(), lambda w: 0.1 * np.sign(w)),
    "L2": (L2(0.1), lambda w: 0.05 * (w**2).sum(), lambda w: 0.1 * w),
    "Elastic": (
        Elastic(0.2, 0.1),
        lambda w: 0.2 * np.abs(w).sum() + 0.05 * (w**2).sum(),
        lambda w: 0.2 * np.sign(w) + 0.1 * w,
    ),
}


@pytest.mark.parametrize("name", PENALTIES)
def test_value_and_gradient(name):
    penalty, value, slope = PENALTIES[name]
    model = net()
    for found in (penalty(model), penalty(model.parameters()), penalty(list(model.parameters()))):
        assert found.item() == pytest.approx(sum(map(value, weights(model))), rel=1e-14)
    penalty(model).backward()
    for layer in (model[0], model[2]):
        np.testing.assert_allclose(layer.weight.grad, slope(layer.weight.value), rtol=1e-13)
        assert layer.bias.grad is None


@pytest.mark.parametrize("name", PENALTIES)
def test_a_compiled_step_with_it_is_native(name):
    penalty = PENALTIES[name][0]
    models = net(np.float32), net(np.float32)
    optimizers = [cr.optim.SGD(model.parameters(), lr=0.1) for model in models]

    def stepper(model, optimizer):
        def step(x, y):
            loss = cr.nn.cross_entropy(model(x), y) + penalty(model)
            loss.backward()
            optimizer.step()
            return loss

        return step

    eager, compiled = stepper(models[0], optimizers[0]), cr.compile(stepper(models[1], optimizers[1]))
    for _ in range(5):
        a, b = eager(X, Y), compiled(X, Y)
        assert b.dtype == np.float32
        assert b.item() == pytest.approx(a.item(), rel=1e-5)
    assert compiled._variants[0].executor._library == []


def test_l2_is_that_of_the_optimiser():
    models = net(), net()
    inside = cr.optim.SGD(models[0].parameters(), lr=0.1, l2=0.03)
    outside = cr.optim.SGD(models[1].parameters(), lr=0.1)
    for _ in range(3):
        cr.nn.cross_entropy(models[0](X), Y).backward()
        inside.step()
        (cr.nn.cross_entropy(models[1](X), Y) + L2(0.03)(models[1])).backward()
        outside.step()
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        np.testing.assert_allclose(a.value, b.value, rtol=1e-13)


def test_a_model_without_weights_costs_nothing():
    assert L2(0.1)(cr.nn.ReLU()) == 0


@pytest.mark.parametrize("way", ["eager", "compiled"])
def test_max_norm_shortens_what_is_too_long_and_nothing_else(way):
    model = net()
    before = [w.copy() for w in weights(model)]
    bound = float(np.median(np.linalg.norm(before[0], axis=0)))
    apply = MaxNorm(bound).apply
    if way == "compiled":
        compiled = cr.compile(lambda: apply(model))
        compiled()
    else:
        apply(model)
    for w, old in zip(weights(model), before, strict=True):
        lengths = np.linalg.norm(old, axis=0)
        np.testing.assert_allclose(np.linalg.norm(w, axis=0), np.minimum(lengths, bound), rtol=1e-14)
        np.testing.assert_array_equal(w[:, lengths < bound], old[:, lengths < bound])
    assert not model[0].bias.value.any()


def test_max_norm_of_neurons_that_weigh_nothing():
    layer = cr.nn.Linear(3, 2, init="zeros")
    MaxNorm(3.0).apply(layer)
    assert not layer.weight.value.any()


@pytest.mark.parametrize("value", [-0.1, np.inf, np.nan])
@pytest.mark.parametrize(
    "make",
    [L1, L2, lambda v: Elastic(v, 0.1), lambda v: Elastic(0.1, v), MaxNorm],
    ids=str.split("L1 L2 l1 l2 MaxNorm"),
)
def test_strengths_are_not_negative(make, value):
    with pytest.raises(ValueError, match="is a finite number that is not negative, not"):
        make(value)


def test_no_bound_of_zero():
    with pytest.raises(ValueError, match="a bound of 0"):
        MaxNorm(0)

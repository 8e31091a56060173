"""7. No work is spent on the gradients of data that nobody asked for."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.gates.composite import Affine
from chainrule.gates.product import Matmul

RNG = np.random.default_rng(0)
DATA = RNG.standard_normal((64, 20)).astype(np.float32)
LABELS = RNG.integers(0, 3, 64)


class Rules:
    """Counts how often the rules of a gate run, by the argument they give a gradient for."""

    def __init__(self, monkeypatch, gate):
        self.runs = dict.fromkeys(gate.arguments, 0)
        counted = [self.counting(name, rule) for name, rule in zip(gate.arguments, gate._on_ndarrays, strict=True)]
        monkeypatch.setattr(gate, "_on_ndarrays", tuple(counted))

    def counting(self, name, rule):
        def counted(*args, **kwargs):
            self.runs[name] += 1
            return rule(*args, **kwargs)

        return counted


@pytest.fixture
def affine(monkeypatch):
    return Rules(monkeypatch, Affine)


@pytest.fixture
def matmul(monkeypatch):
    return Rules(monkeypatch, Matmul)


def model():
    return cr.nn.Sequential(cr.nn.Linear(20, 8, rng=1), cr.nn.ReLU(), cr.nn.Linear(8, 3, rng=2))


def test_the_rule_for_the_data_is_never_run(affine):
    net = model()
    cr.nn.cross_entropy(net(DATA), LABELS).backward()
    assert affine.runs == {"x": 1, "w": 2, "b": 2}  # x is the hidden layer: the second layer's alone
    assert all(p.grad is not None for p in net.parameters())


def test_it_is_run_for_who_asks(affine):
    data = cr.array(DATA)
    cr.nn.cross_entropy(model()(data), LABELS).backward()
    assert affine.runs["x"] == 2
    assert data.grad.shape == DATA.shape


def test_plain_products_of_data(matmul):
    w = cr.array(RNG.standard_normal((20, 3)))
    np.sum(DATA @ w).backward()
    left, right = matmul.runs.values()
    assert (left, right) == (0, 1)


def test_grad_runs_only_the_rules_on_the_way_to_its_arguments(matmul):
    a, b = RNG.standard_normal((4, 5)), RNG.standard_normal((5, 3))
    cr.grad(lambda a, b: np.sum(a @ b))(a, b)
    assert tuple(matmul.runs.values()) == (1, 0)
    cr.grad(lambda a, b: np.sum(a @ b), argnums=1)(a, b)
    assert tuple(matmul.runs.values()) == (1, 1)


def test_a_frozen_layer_costs_nothing_and_keeps_nothing(affine):
    net = model()
    hidden = net[1](net[0](DATA)).detach()
    cr.nn.cross_entropy(net[2](hidden), LABELS).backward()
    assert affine.runs == {"x": 0, "w": 1, "b": 1}
    assert net[0].weight.grad is None

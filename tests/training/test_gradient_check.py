"""check_model compares every parameter's gradient with numbers, on a copy."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import training

X = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
Y = np.array([0, 1, 1, 0, 1, 0])


def net(middle):
    return cr.nn.Sequential(cr.nn.Linear(3, 4, rng=1), middle, cr.nn.Linear(4, 2, rng=2))


@pytest.mark.parametrize(
    "middle", [cr.nn.ReLU(), cr.nn.Tanh(), cr.nn.Sigmoid(), cr.nn.LeakyReLU(), cr.nn.Maxout(4, 4, rng=3)]
)
def test_the_layers_of_the_lecture_pass_to_second_order(middle):
    model = net(middle)
    before = [p.value.copy() for p in model.parameters()]
    report = training.check_model(model, X, Y, order=2)
    assert report.compared > 0
    assert report.relative_error < 1e-6
    assert all((p.value == old).all() for p, old in zip(model.parameters(), before, strict=True))
    assert all(p.grad is None for p in model.parameters())


class Faulty(cr.Gate):
    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, dz):
        return [self.x * dz]  # half of it


class FaultyLayer(cr.nn.Module):
    def forward(self, x):
        return Faulty()(x)


def test_a_wrong_gradient_is_found():
    with pytest.raises(cr.GradientError, match="disagrees"):
        training.check_model(net(FaultyLayer()), X, Y)


def test_every_parameter_is_checked():
    class OnlyTheBias(cr.nn.Module):
        """A net whose gradient is wrong for one bias alone."""

        def __init__(self):
            self.weight = cr.Parameter(np.ones((3, 2)))
            self.bias = cr.Parameter([1.0, 2.0])

        def forward(self, x):
            return x @ self.weight + Faulty()(self.bias)

    with pytest.raises(cr.GradientError, match=r"argument 1"):
        training.check_model(OnlyTheBias(), X, Y)


def test_a_parameter_used_twice_is_one_argument():
    class Tied(cr.nn.Module):
        def __init__(self):
            self.first = cr.nn.Linear(3, 3, rng=0)
            self.second = cr.nn.Linear(3, 3, rng=0)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(np.tanh(self.first(x)))

    model = Tied()
    assert len(model.named_parameters()) == 3
    assert training.check_model(model, X, Y).relative_error < 1e-7

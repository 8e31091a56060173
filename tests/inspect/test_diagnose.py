"""cr.diagnose: a healthy net passes, and each thing that can be wrong is found where it is."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.inspect.diagnosis import FINE, LOOK, WRONG

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((200, 8)), RNG.integers(0, 4, 200)


def net(*, inputs=8, hidden=30, outputs=4, activation=cr.nn.ReLU, **options):
    return cr.nn.Sequential(
        cr.nn.Linear(inputs, hidden, rng=0, **options),
        activation(),
        cr.nn.Linear(hidden, outputs, rng=1, scale=0.1),
    )


def quick(model, data, loss="cross_entropy", **options):
    """A diagnosis that does not take long over learning by heart."""
    return cr.diagnose(model, data, loss, **{"steps": 5, **options})


def verdicts(report):
    return {check.title: check.verdict for check in report.checks}


def test_a_healthy_net():
    report = cr.diagnose(net(), (X, Y))
    assert set(verdicts(report).values()) == {FINE}
    assert report.ok
    assert report.expected_loss == pytest.approx(np.log(4), rel=1e-6)
    assert report["initial loss"].value == pytest.approx(np.log(4), rel=0.3)
    assert report.gradient.relative_error < 1e-7
    assert report.by_heart[-1] < 0.1 < report.by_heart[0]
    assert list(report.updates) == ["layers.0.weight", "layers.2.weight"]
    assert [layer.path for layer in report.before.layers] == ["layers.0", "layers.1", "layers.2"]


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_as_it_is(training):
    model = cr.nn.Sequential(
        cr.nn.Linear(8, 9, rng=0),
        cr.nn.BatchNorm(9),
        cr.nn.ReLU(),
        cr.nn.Dropout(0.5, rng=1),
        cr.nn.Linear(9, 4, rng=2),
    ).train(training)
    optimizer = cr.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    before, state = model.state_dict(), optimizer.state_dict()
    quick(model, (X, Y), optimizer=optimizer)
    for old, new in ((before, model.state_dict()), (state, optimizer.state_dict())):
        assert list(old) == list(new)
        for name, value in old.items():
            np.testing.assert_array_equal(new[name], value)
    assert model.training is training
    assert all(p.grad is None for p in model.parameters())
    assert all("forward" not in vars(part) for part in model.named_modules().values())


def test_it_is_the_same_each_time():
    reports = [quick(net(), (X, Y), seed=3) for _ in range(2)]
    assert str(reports[0]) == str(reports[1])


def test_inputs_that_nobody_has_scaled():
    wide = X * 10.0 ** np.arange(-3, 5)
    assert quick(net(), (wide, Y))["inputs"].verdict == WRONG
    shifted = quick(net(), (0.1 * X + 2, Y))["inputs"]
    assert shifted.verdict == LOOK
    assert "means are 20 times the deviations" in shifted.text
    assert "all inputs are 0" in quick(net(), (0 * X, Y))["inputs"].text
    holed = X.copy()
    holed[3, 2] = np.nan
    assert quick(net(), (holed, Y))["inputs"].text == "1 columns hold NaN or infinity"


def test_weights_that_are_too_large():
    report = quick(net(scale=30.0), (X, Y))
    assert report["initial loss"].verdict == WRONG
    assert quick(net(scale=30.0, activation=cr.nn.Tanh), (X, Y))["neurons"].verdict == WRONG


def test_a_net_that_is_trained_already():
    model = net(hidden=60)
    data = (X, (X[:, 0] > 0).astype(int))
    cr.training.fit(model, "cross_entropy", cr.optim.SGD(model.parameters(), lr=0.3, momentum=0.9), data, epochs=30)
    check = quick(model, data)["initial loss"]
    assert check.verdict == LOOK
    assert "knows something already" in check.text


def test_a_net_that_cannot_learn_by_heart():
    blind = cr.nn.Sequential(cr.nn.Linear(8, 1, rng=0), cr.nn.Tanh(), cr.nn.Linear(1, 4, rng=1))
    check = cr.diagnose(blind, (X, Y), steps=60)["learns 20 examples"]
    assert check.verdict == WRONG
    assert "cannot learn 20 examples by heart" in check.text


class Wrong(cr.Gate):
    """A gate whose backward pass is off by a factor."""

    def forward(self, x):
        return x * 1.0

    def backward(self, dz):
        return [2.0 * dz]


class Broken(cr.nn.Activation):
    """A module around it."""

    def forward(self, x):
        return Wrong()(x)


def test_a_wrong_gradient():
    check = quick(net(activation=Broken), (X, Y))["gradient"]
    assert check.verdict == WRONG
    assert "disagrees with the numerical one" in check.text


def test_linear_layers_in_a_row():
    stacked = cr.nn.Sequential(cr.nn.Linear(8, 5, rng=0), cr.nn.Linear(5, 4, rng=1))
    check = quick(stacked, (X, Y))["layers"]
    assert check.verdict == WRONG
    assert "together they equal one linear layer" in check.text


@pytest.mark.parametrize(("scale", "verdict"), [(0.01, WRONG), (0.25, FINE), (None, FINE)])
def test_activations_that_fade(scale, verdict):
    layers = [part for i in range(5) for part in (cr.nn.Linear(16, 16, rng=i, scale=scale), cr.nn.Tanh())]
    deep = cr.nn.Sequential(cr.nn.Linear(8, 16, rng=9), cr.nn.Tanh(), *layers, cr.nn.Linear(16, 4, rng=10))
    assert quick(deep, (X, Y))["activations"].verdict == verdict


def test_neurons_that_stay_equal():
    report = quick(net(init="zeros"), (X, Y))
    assert "layers.0.weight is 0 throughout, so its neurons stay equal" in report["activations"].text
    assert not report.ok


def test_a_learning_rate_that_is_too_high_or_too_low():
    for lr, verdict in ((30.0, WRONG), (0.02, FINE), (1e-7, WRONG)):
        model = net()
        report = quick(model, (X, Y), optimizer=cr.optim.SGD(model.parameters(), lr=lr))
        assert report["updates"].verdict == verdict
    model = net()
    report = quick(model, (1e3 * X, 1e3 * X[:, :4]), "mse", optimizer=cr.optim.SGD(model.parameters(), lr=1e4))
    assert "the loss is not finite after" in report["updates"].text


def test_dead_neurons_of_modules_and_of_functions():
    class Plain(cr.nn.Module):
        def __init__(self):
            self.first, self.last = cr.nn.Linear(8, 20, rng=0), cr.nn.Linear(20, 4, rng=1)
            self.first.bias.assign(np.where(np.arange(20) < 15, -100.0, 0.0).astype(np.float32))

        def forward(self, x):
            return self.last(cr.relu(self.first(x)))

    report = quick(Plain(), (X, Y))
    assert report["neurons"].verdict == WRONG
    assert report["neurons"].value == 0.75
    assert "75% of 20 neurons of relu at" in report["neurons"].text
    (neurons,) = report.after.neurons
    np.testing.assert_array_equal(neurons.dead, np.arange(20) < 15)


def test_gates_that_open_and_close_are_not_saturated_neurons():
    class Gated(cr.nn.Module):
        def __init__(self):
            self.a, self.b, self.c = (cr.nn.Linear(8, 4, rng=i) for i in range(3))

        def forward(self, x):
            return cr.sigmoid(50.0 * self.a(x)) * self.b(x) + cr.mish(self.c(x))

    assert quick(Gated(), (X, Y)).after.neurons == ()


LOSSES = {
    "hinge": (4, Y, 3.0),
    "binary_cross_entropy": (3, RNG.integers(0, 2, (200, 3)), np.log(2)),
    "kl_divergence": (4, np.eye(4)[Y], np.log(4)),
    "poisson": (2, RNG.poisson(2.0, (200, 2)), 1.0),
    "mse": (1, X[:, 0] - X[:, 1], None),
    "mae": (2, X[:, :2], None),
    "huber": (2, X[:, :2], None),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss):
    outputs, targets, expected = LOSSES[loss]
    report = cr.diagnose(net(outputs=outputs), (X, targets), loss)
    assert report.ok, str(report)
    if expected is not None:
        assert report.expected_loss == pytest.approx(expected, rel=1e-6)
    assert ("targets" in verdicts(report)) == (loss in ("mse", "mae", "huber"))


def test_weights_of_the_examples_count():
    weights = np.where(Y == 0, 1.0, 0.0)
    model = net()
    report = quick(model, (X, Y, weights))
    kept = Y == 0
    alone = cr.nn.cross_entropy(model(X[kept]), Y[kept]).item()
    assert report.before.loss == pytest.approx(alone, rel=1e-5)
    assert report["gradient"].verdict == FINE


def test_an_optimiser_that_takes_all_data_at_a_time():
    model = net()
    report = quick(model, (X, Y), optimizer=cr.optim.LBFGS(model.parameters()))
    assert "(by Adam with lr 0.001)" in report["updates"].text


def test_targets_that_nobody_has_scaled():
    check = quick(net(outputs=1), (X, 100.0 * X[:, 0]), "mse")["targets"]
    assert check.verdict == LOOK
    assert "scale them" in check.text


def test_indices_are_no_inputs_to_be_scaled():
    class Words(cr.nn.Module):
        def __init__(self):
            self.rows, self.last = cr.nn.Embedding(50, 6, rng=0), cr.nn.Linear(6, 4, rng=1, scale=0.1)

        def forward(self, x):
            return self.last(np.tanh(np.mean(self.rows(x), axis=1)))

    report = quick(Words(), (RNG.integers(0, 50, (200, 3)), Y))
    assert "inputs" not in verdicts(report)
    assert report["gradient"].verdict == FINE


def test_how_it_is_shown():
    report = quick(net(), (X, Y))
    assert str(report).splitlines()[0] == "Sequential(Linear(8, 30), ReLU(), Linear(30, 4)) on 200 examples"
    assert "✓ fine   layers: no two linear ones in a row" in str(report)
    shown = report._repr_html_()
    assert shown.count("<svg") == 1 + 2 * 3
    assert "no two linear ones in a row" in shown
    with pytest.raises(KeyError, match="there is no check 'spelling'; there are inputs, initial loss"):
        report["spelling"]

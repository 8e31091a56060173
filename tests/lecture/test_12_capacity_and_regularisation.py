"""12. More neurons fit more; regularisation is the answer to over-fitting. With the case study's figures."""

import numpy as np
import pytest

import chainrule as cr

REG = 1e-3


def trained(model, x, y, steps, **how):
    optimizer = cr.optim.SGD(model.parameters(), **how)
    for _ in range(steps):
        cr.nn.cross_entropy(model(x), y).backward(keep=False)
        optimizer.step()
    return model


def accuracy(model, x, y):
    return np.mean(model(x).value.argmax(axis=1) == y)


def on_noisy_circles(hidden, l2, seeds):
    """Accuracy on training and test data, a mean over seeds."""
    results = []
    for seed in seeds:
        x, y = cr.data.circle(points=30, noise=0.25, seed=seed)
        unseen = cr.data.circle(points=500, noise=0.25, seed=1000 + seed)
        rng = np.random.default_rng(seed)
        model = cr.nn.Sequential(cr.nn.Linear(2, hidden, rng=rng), cr.nn.Tanh(), cr.nn.Linear(hidden, 2, rng=rng))
        trained(model, x, y, 600, lr=0.3, momentum=0.9, l2=l2)
        results.append((accuracy(model, x, y), accuracy(model, *unseen)))
    return np.mean(results, axis=0)


@pytest.fixture(scope="module")
def twenty_neurons():
    return on_noisy_circles(20, 0.0, range(12))


def test_more_neurons_fit_more(twenty_neurons):
    one, _ = on_noisy_circles(1, 0.0, range(12))
    three, _ = on_noisy_circles(3, 0.0, range(12))
    assert one + 0.1 < three < twenty_neurons[0] - 0.02
    assert twenty_neurons[0] > 0.95


def test_regularisation_helps_on_noisy_data(twenty_neurons):
    on_train, on_test = on_noisy_circles(20, 0.01, range(12))
    assert on_train < twenty_neurons[0] - 0.03
    assert on_test > twenty_neurons[1] + 0.02


def test_too_much_of_it_fits_nothing():
    on_train, _ = on_noisy_circles(20, 0.1, range(4))
    assert on_train < 0.75


# ---- the case study


@pytest.fixture(scope="module")
def course_spiral():
    """The points of the course notes to the digit: NumPy's old generator, begun with 0."""
    generator = np.random.RandomState(0)
    radius = np.linspace(0, 1, 100)
    arms = []
    for arm in range(3):
        angle = np.linspace(arm * 4, (arm + 1) * 4, 100) + 0.2 * generator.randn(100)
        arms.append(np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1))
    return np.concatenate(arms), np.repeat(np.arange(3), 100)


def regularised_loss(model, x, y):
    penalty = sum(0.5 * REG * np.sum(p.value**2) for p in model.parameters() if p.ndim == 2)
    return cr.nn.cross_entropy(model(x), y).item() + penalty


@pytest.mark.parametrize("seed", range(3))
def test_the_softmax_linear_classifier(course_spiral, seed):
    model = cr.nn.Sequential(cr.nn.Linear(2, 3, scale=0.01, rng=seed))
    assert regularised_loss(model, *course_spiral) == pytest.approx(np.log(3), abs=0.01)
    trained(model, *course_spiral, steps=190, lr=1.0, l2=REG)
    assert regularised_loss(model, *course_spiral) == pytest.approx(0.786, abs=0.001)
    assert accuracy(model, *course_spiral) == pytest.approx(0.49, abs=0.01)


@pytest.mark.parametrize("seed", range(2))
def test_the_two_layer_net(course_spiral, seed):
    rng = np.random.default_rng(seed)
    model = cr.nn.Sequential(
        cr.nn.Linear(2, 100, scale=0.01, rng=rng), cr.nn.ReLU(), cr.nn.Linear(100, 3, scale=0.01, rng=rng)
    )
    assert regularised_loss(model, *course_spiral) == pytest.approx(np.log(3), abs=0.01)
    trained(model, *course_spiral, steps=10_000, lr=1.0, l2=REG)
    assert regularised_loss(model, *course_spiral) == pytest.approx(0.245, abs=0.01)
    assert accuracy(model, *course_spiral) == pytest.approx(0.98, abs=0.012)


def test_other_spirals_are_as_hard_for_a_linear_classifier_and_as_easy_for_two_layers():
    linear, two_layers = [], []
    for seed in range(4):
        spiral = cr.data.spiral(seed=seed)
        rng = np.random.default_rng(seed)
        linear.append(accuracy(trained(cr.nn.Linear(2, 3, rng=rng), *spiral, steps=200, lr=1.0, l2=REG), *spiral))
        model = cr.nn.Sequential(cr.nn.Linear(2, 100, rng=rng), cr.nn.ReLU(), cr.nn.Linear(100, 3, rng=rng))
        two_layers.append(accuracy(trained(model, *spiral, steps=2000, lr=1.0, l2=REG), *spiral))
    assert np.mean(linear) == pytest.approx(0.52, abs=0.04)
    assert np.mean(two_layers) > 0.96

"""NeuralRegressor: numbers of any unit, one or several for each row."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from chainrule.estimators import NeuralRegressor

X, Y = load_diabetes(return_X_y=True)
X, Y = 20 * X[:200], Y[:200]


def regressor(**options):
    return NeuralRegressor(
        **{"hidden": 16, "lr": 0.01, "max_iter": 60, "random_state": 0, "warm_start": True, **options}
    )


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "poisson"])
@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_every_loss_for_numbers_learns(loss, outputs):
    y = np.column_stack([Y, 400 - Y, np.sqrt(Y)])[:, :outputs]
    net = regressor(loss=loss).fit(X, y[:, 0] if outputs == 1 else y)
    predicted = net.predict(X)
    assert predicted.shape == ((200,) if outputs == 1 else (200, outputs))
    assert net.score(X, y) > 0.4


def test_the_unit_of_the_target_does_not_matter():
    plain = regressor().fit(X, Y)
    np.testing.assert_allclose(regressor().fit(X, 1e-6 * Y - 5).predict(X), 1e-6 * plain.predict(X) - 5, rtol=1e-6)


def test_with_squared_errors_the_loss_is_what_is_not_explained():
    net = regressor(l2=0.0, batch_size=200).fit(X, Y)
    r2 = net.score(X, Y)
    assert net.set_params(max_iter=1).fit(X, Y).history_["loss"][-1] == pytest.approx(1 - r2)


def test_counts_are_predicted_as_rates():
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.exp(X[:, 2]))
    net = regressor(loss="poisson").fit(X, counts)
    assert (net.predict(X) > 0).all()
    assert net.predict(X).sum() == pytest.approx(counts.sum(), rel=0.1)
    with pytest.raises(ValueError, match="not negative"):
        regressor(loss="poisson").fit(X, counts - 1)


def test_a_constant_target_is_predicted():
    np.testing.assert_allclose(regressor(max_iter=300).fit(X, np.full(200, 7.0)).predict(X), 7.0, atol=0.3)


def test_weights_count_as_repetitions_where_a_step_sees_all_rows():
    w = np.random.default_rng(0).integers(0, 4, 200)
    weighted = regressor(batch_size=1000).fit(X, Y, sample_weight=w)
    repeated = regressor(batch_size=1000).fit(np.repeat(X, w, 0), np.repeat(Y, w))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-6)


def test_partial_fit_keeps_the_unit_of_the_first_call():
    net = regressor()
    for _ in range(40):
        net.partial_fit(X[:100], Y[:100]).partial_fit(X[100:], Y[100:])
    assert net.score(X, Y) > 0.4
    with pytest.raises(ValueError, match="2 outputs, and there were 1"):
        net.partial_fit(X, np.column_stack([Y, Y]))


def pinball(outputs, targets):
    short = targets - outputs
    return np.mean(np.maximum(0.9 * short, -0.1 * short))


def test_a_loss_of_ones_own_sees_the_targets_as_they_are():
    y = (Y - 150) / 75
    net = regressor(loss=pinball).fit(X, y)
    assert np.mean(net.predict(X) > y) == pytest.approx(0.9, abs=0.06)
    assert net.history_["loss"][-1] == pytest.approx(pinball(net.predict(X), y).item(), rel=0.2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_float32_stays_float32_and_the_rest_is_float64(dtype):
    x = np.round(3 * X).astype(dtype)
    net = regressor().fit(x, Y)
    expected = np.float32 if dtype == np.float32 else np.float64
    assert net.predict(x).dtype == expected
    assert {p.dtype for p in net.model_.parameters()} == {np.dtype(expected)}
    assert net.predict(x.astype(np.float64)).dtype == expected

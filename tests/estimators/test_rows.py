"""A single row takes a short way, and gives what the long way gives."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.preprocessing import scale

from chainrule.estimators import NeuralClassifier, NeuralRegressor
from chainrule.estimators.rows import WORTH_IT

X, Y = load_iris(return_X_y=True)
X = scale(X)
SHORT = {"hidden": 8, "max_iter": 5, "random_state": 0, "warm_start": True}


def compiled(net, method, head):
    """The net's method, once a row has been asked for so often that it is compiled."""
    ask = getattr(net, method)
    for _ in range(WORTH_IT + 2):
        ask(X[:1])
    assert net._rows[head]._compiled is not None
    return ask


@pytest.mark.parametrize(
    ("net", "y", "method", "head"),
    [
        (NeuralClassifier(**SHORT), Y, "predict", "decision"),
        (NeuralClassifier(**SHORT), Y, "predict_proba", "probabilities"),
        (NeuralClassifier(**SHORT), Y, "decision_function", "outputs"),
        (NeuralClassifier(**SHORT), np.eye(3, dtype=int)[Y], "predict", "decision"),
        (NeuralRegressor(**SHORT), Y, "predict", "prediction"),
        (NeuralRegressor(loss="poisson", **SHORT), np.column_stack([Y, Y]), "predict", "prediction"),
    ],
    ids=["class", "probability", "score", "labels", "number", "rates"],
)
def test_the_short_way_gives_what_the_long_way_gives(net, y, method, head):
    ask, expected = compiled(net.fit(X, y), method, head), getattr(net, method)(X[:30])
    single = [ask(X[k : k + 1]) for k in range(30)]
    assert {part.dtype for part in single} == {expected.dtype}
    np.testing.assert_allclose(np.concatenate(single), expected, rtol=1e-12, atol=1e-15)


def test_the_short_way_is_for_well_formed_rows_alone():
    ask = compiled(NeuralClassifier(**SHORT).fit(X, Y), "predict", "decision")
    for bad in (np.nan, np.inf, -np.inf):
        for place in range(4):
            row = X[:1].copy()
            row[0, place] = bad
            with pytest.raises(ValueError, match="contains"):
                ask(row)
    with pytest.raises(ValueError, match="5 features"):
        ask(np.zeros((1, 5)))
    with pytest.raises(ValueError, match="1D array"):
        ask(X[0])
    expected = ask(X[:1])
    for other in (
        X[:1].astype(np.float32),
        X[:1].tolist(),
        np.asfortranarray(X[:1]),
        X[:1].astype(object),
        X[::-1][-1:],
    ):
        np.testing.assert_array_equal(ask(other), expected)


def test_the_short_way_follows_the_weights():
    net = NeuralRegressor(**SHORT).fit(X, Y)
    ask = compiled(net, "predict", "prediction")
    before = ask(X[:1])
    net.partial_fit(X, Y)
    assert ask(X[:1]) != before
    np.testing.assert_allclose(ask(X[:1]), net.predict(X[:2])[:1], rtol=1e-12)


def test_a_result_belongs_to_who_asked():
    ask = compiled(NeuralRegressor(**SHORT).fit(X, Y), "predict", "prediction")
    first = ask(X[:1])
    kept = first.copy()
    ask(X[1:2])
    np.testing.assert_array_equal(first, kept)


def test_many_rows_go_through_in_blocks():
    net = NeuralRegressor(**SHORT).fit(X, Y)
    many = np.tile(X, (60, 1))
    np.testing.assert_allclose(net.predict(many), np.tile(net.predict(X), 60))
    assert [len(part) for part in net.activations(many)] == [9000, 9000]

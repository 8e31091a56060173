"""Metrics beside scikit-learn's, or counted by hand; evaluate."""

import numpy as np
import pytest
import sklearn.metrics as theirs

import chainrule as cr
from chainrule import training
from chainrule.training import METRICS, confusion_matrix
from chainrule.training.metrics import LARGER_IS_BETTER, named_metrics

RNG = np.random.default_rng(0)
SCORES, LABELS = RNG.standard_normal((200, 7)).astype(np.float32), RNG.integers(0, 7, 200)
GUESSES, NUMBERS = RNG.standard_normal((200, 3)), RNG.standard_normal((200, 3))
WEIGHTS = RNG.uniform(0, 2, 200)
PROBABILITIES = np.exp(SCORES.astype(float)) / np.exp(SCORES.astype(float)).sum(1, keepdims=True)
PREDICTED = SCORES.argmax(1)


def their_top(k):
    return lambda weights: theirs.top_k_accuracy_score(LABELS, SCORES, k=k, sample_weight=weights)


CASES = {
    "accuracy": lambda weights: theirs.accuracy_score(LABELS, PREDICTED, sample_weight=weights),
    "balanced_accuracy": lambda weights: theirs.balanced_accuracy_score(LABELS, PREDICTED, sample_weight=weights),
    "top_3": their_top(3),
    "top_5": their_top(5),
    "log_loss": lambda weights: theirs.log_loss(LABELS, PROBABILITIES, sample_weight=weights),
    "mae": lambda weights: theirs.mean_absolute_error(NUMBERS, GUESSES, sample_weight=weights),
    "rmse": lambda weights: np.sqrt(theirs.mean_squared_error(NUMBERS, GUESSES, sample_weight=weights)),
    "r2": lambda weights: theirs.r2_score(NUMBERS, GUESSES, sample_weight=weights),
}


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
@pytest.mark.parametrize("name", list(METRICS))
def test_metrics_are_scikit_learns(name, weights):
    arguments = (GUESSES, NUMBERS) if name in ("mae", "rmse", "r2") else (SCORES, LABELS)
    value = METRICS[name](*arguments, weights)
    assert isinstance(value, float)
    assert value == pytest.approx(CASES[name](weights), rel=1e-9)


def test_r2_of_targets_that_do_not_vary_is_scikit_learns():
    y = np.ones((4, 2))
    for guess in (y, y + np.array([0, 1])):
        assert METRICS["r2"](guess, y) == theirs.r2_score(y, guess)


def test_a_column_fits_a_vector():
    for name in ("mae", "rmse", "r2"):
        value = METRICS[name](GUESSES[:, 0], NUMBERS[:, 0])
        assert METRICS[name](GUESSES[:, :1], NUMBERS[:, 0]) == METRICS[name](GUESSES[:, 0], NUMBERS[:, :1]) == value
    yes = NUMBERS[:, 0] > 0
    assert METRICS["accuracy"](GUESSES[:, :1], yes) == np.mean((GUESSES[:, 0] > 0) == yes)


def test_what_is_to_become_large_is_a_metric():
    assert set(METRICS) >= LARGER_IS_BETTER


def test_a_confusion_matrix_is_scikit_learns():
    np.testing.assert_array_equal(confusion_matrix(SCORES, LABELS), theirs.confusion_matrix(LABELS, PREDICTED))
    weighted = theirs.confusion_matrix(LABELS, PREDICTED, sample_weight=WEIGHTS)
    np.testing.assert_allclose(confusion_matrix(PREDICTED, LABELS, weights=WEIGHTS), weighted)
    assert confusion_matrix([0, 0], [0, 0], classes=3).shape == (3, 3)


def test_accuracy_counts_the_largest_scores():
    scores = np.array([[1.0, 2.0, 0.0], [5.0, 1.0, 1.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert training.accuracy(scores, np.array([1, 0, 2, 2])) == 0.75
    assert training.accuracy(cr.array(scores), np.array([0, 1, 0, 1])) == 0


def test_accuracy_of_yes_or_no():
    assert training.accuracy(np.array([0.5, -0.5, 2.0]), np.array([1, 1, 1])) == pytest.approx(2 / 3)
    assert training.accuracy(np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[1, 0], [1, 0]])) == 0.5


@pytest.mark.parametrize(("scores", "labels"), [((3,), (4,)), ((3, 2), (2,)), ((3, 2), (3, 1)), ((0, 2), (0,))])
def test_accuracy_refuses_shapes_that_do_not_fit(scores, labels):
    with pytest.raises(ValueError, match="accuracy needs"):
        training.accuracy(np.zeros(scores), np.zeros(labels, int))


@pytest.mark.parametrize("name", [name for name in METRICS if name != "balanced_accuracy"])
def test_shapes_that_do_not_fit_are_refused_by_name(name):
    with pytest.raises(ValueError, match=rf"{name} needs .*not \(3, 2\) and \(2,\)"):
        METRICS[name](np.zeros((3, 2)), np.zeros(2, int))


def test_metrics_are_found_by_name_or_are_functions():
    def error(outputs, targets, weights=None):
        return 0.5

    assert named_metrics([error, "mae"]) == {"error": error, "mae": METRICS["mae"]}
    assert named_metrics("r2") == {"r2": METRICS["r2"]}
    with pytest.raises(ValueError, match="no metric 'acuracy'; there are accuracy, "):
        named_metrics(["acuracy"])


@pytest.mark.parametrize("compiled", [False, True])
def test_evaluate_gives_loss_and_metrics_and_leaves_gradients_alone(compiled):
    net = cr.nn.Linear(2, 2, rng=0)
    net.weight.assign(np.log([[3.0, 1.0], [1.0, 3.0]]))
    x, y = np.eye(2, dtype=np.float32), np.array([0, 0])
    score = training.evaluate(net, (x, y), compiled=compiled)
    assert score["loss"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2, rel=1e-6)
    assert score["accuracy"] == 0.5
    weighted = training.evaluate(net, (x, y, [3.0, 1.0]), metrics=["accuracy"], compiled=compiled)
    assert weighted["loss"] == pytest.approx(-(3 * np.log(0.75) + np.log(0.25)) / 4, rel=1e-6)
    assert weighted["accuracy"] == 0.75
    assert net.weight.grad is None
    assert net.training


@pytest.mark.parametrize("compiled", [False, True])
def test_evaluate_takes_many_rows_in_blocks(compiled):
    net = cr.nn.Linear(3, 2, rng=0)
    x = RNG.standard_normal((2500, 3))
    y = RNG.standard_normal((2500, 2))
    expected = np.mean((x.astype(np.float32) @ net.weight.value - y) ** 2)
    score = training.evaluate(net, (x, y), "mse", ["rmse"], compiled=compiled)
    assert score["loss"] == pytest.approx(expected, rel=1e-5)
    assert score["rmse"] == pytest.approx(np.sqrt(expected), rel=1e-5)


def test_a_loss_is_found_by_name():
    with pytest.raises(ValueError, match="no loss 'crossentropy'; there are cross_entropy, "):
        training.evaluate(cr.nn.Linear(1, 1), (np.ones((1, 1)), np.ones((1, 1))), "crossentropy")


def test_log_loss_of_scores_whose_exponentials_overflow():
    assert training.METRICS["log_loss"](np.array([[1000.0, 0.0], [-2000.0, 0.0]]), np.array([1, 0])) == 1500

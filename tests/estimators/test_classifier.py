"""NeuralClassifier: classes, labels, weights, losses, what it tells."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, make_blobs, make_multilabel_classification
from sklearn.metrics import log_loss
from sklearn.preprocessing import scale

import chainrule as cr
from chainrule.estimators import NeuralClassifier

X, Y = load_iris(return_X_y=True)
X = scale(X)
LABELLED, LABELS = make_multilabel_classification(n_samples=120, n_features=6, n_classes=3, random_state=0)
LABELLED = scale(LABELLED)


def classifier(**options):
    return NeuralClassifier(
        **{"hidden": 16, "lr": 0.02, "max_iter": 60, "random_state": 0, "warm_start": True, **options}
    )


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge", "binary_cross_entropy", "kl_divergence"])
@pytest.mark.parametrize("classes", [2, 3])
def test_every_loss_for_classes_learns(loss, classes):
    x, y = X[classes > Y], np.array(["setosa", "versicolor", "virginica"])[Y[classes > Y]]
    net = classifier(loss=loss).fit(x, y)
    assert net.score(x, y) > 0.95
    assert set(net.predict(x)) <= set(net.classes_)
    scores = net.decision_function(x)
    assert scores.shape == ((len(x),) if classes == 2 else (len(x), classes))
    by_score = (scores > 0).astype(int) if classes == 2 else scores.argmax(1)
    np.testing.assert_array_equal(net.classes_[by_score], net.predict(x))
    if loss != "hinge":
        shares = net.predict_proba(x)
        np.testing.assert_allclose(shares.sum(1), 1)
        np.testing.assert_array_equal(net.classes_[shares.argmax(1)], net.predict(x))
        np.testing.assert_allclose(np.exp(net.predict_log_proba(x)), shares)


def test_the_scores_of_a_hinge_are_no_probabilities():
    net = classifier(loss="hinge").fit(X, Y)
    assert not hasattr(net, "predict_proba")
    with pytest.raises(AttributeError) as caught:
        net.predict_log_proba(X)
    assert "no probabilities" in str(caught.value.__cause__)


def test_the_probabilities_are_those_that_the_loss_saw():
    net = classifier(l2=0.0).fit(X, Y)
    before = log_loss(Y, net.predict_proba(X))
    net.set_params(max_iter=1, batch_size=len(Y)).fit(X, Y)
    assert net.history_["loss"][-1] == pytest.approx(before, rel=1e-9)


def test_labels_are_learned_each_for_itself():
    net = classifier().fit(LABELLED, LABELS)
    assert net.predict(LABELLED).shape == LABELS.shape
    assert np.mean(net.predict(LABELLED) == LABELS) > 0.85
    np.testing.assert_array_equal(net.predict_proba(LABELLED) > 0.5, net.predict(LABELLED))
    np.testing.assert_allclose(np.exp(net.predict_log_proba(LABELLED)), net.predict_proba(LABELLED))
    as_sparse = classifier().fit(LABELLED, sparse.csr_array(LABELS))
    np.testing.assert_array_equal(as_sparse.predict(LABELLED), net.predict(LABELLED))


@pytest.mark.parametrize(("x", "y"), [(X, Y), (LABELLED, LABELS)], ids=["classes", "labels"])
def test_partial_fit_learns_from_parts(x, y):
    net = classifier()
    for _ in range(30):
        for part in (slice(0, None, 3), slice(1, None, 3), slice(2, None, 3)):
            net.partial_fit(x[part], y[part], classes=np.unique(y) if y.ndim == 1 else None)
    assert np.mean(net.predict(x) == y) > 0.8
    assert net.n_iter_ == 90


def test_partial_fit_wants_to_know_all_classes():
    with pytest.raises(ValueError, match="needs all classes"):
        classifier().partial_fit(X, Y)
    net = classifier().partial_fit(X[:50], Y[:50], classes=[0, 1, 2])  # of one class only
    np.testing.assert_array_equal(net.classes_, [0, 1, 2])
    with pytest.raises(ValueError, match=r"not there at first: \[3\]"):
        net.partial_fit(X[:4], [0, 1, 2, 3])
    with pytest.raises(ValueError, match="since the first call"):
        net.partial_fit(X, Y, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match="indicator matrix of labels in some calls"):
        net.partial_fit(X[:2], [[0, 1, 1], [1, 1, 0]])
    with pytest.raises(ValueError, match="6 labels, and there were 3"):
        classifier().fit(LABELLED, LABELS).partial_fit(LABELLED, np.hstack([LABELS, LABELS]))


def test_there_is_no_partial_fit_where_all_data_are_needed():
    with pytest.raises(AttributeError) as caught:
        classifier(solver="lbfgs").partial_fit(X, Y, classes=[0, 1, 2])
    assert "all of it" in str(caught.value.__cause__)


def test_class_weights_shift_the_boundary():
    x, y = make_blobs([80, 20], centers=[[0, 0], [1.5, 0]], random_state=0)
    share = {w: np.mean(classifier(class_weight=w).fit(x, y).predict(x)) for w in (None, "balanced")}
    counts = classifier(class_weight={0: 1, 1: 4}).fit(x, y)
    assert share[None] + 0.05 < share["balanced"]
    np.testing.assert_array_equal(counts.predict(x), classifier(class_weight="balanced").fit(x, y).predict(x))
    with pytest.raises(ValueError, match="how frequent classes are"):
        classifier(class_weight="balanced").partial_fit(x, y, classes=[0, 1])


def test_class_weights_and_sample_weights_multiply():
    w = np.random.default_rng(0).uniform(0.5, 2, len(Y))
    both = classifier(class_weight={0: 3, 1: 1, 2: 1}).fit(X, Y, sample_weight=w)
    alone = classifier().fit(X, Y, sample_weight=np.where(Y == 0, 3 * w, w))
    np.testing.assert_allclose(both.predict_proba(X), alone.predict_proba(X))


def test_labels_take_a_class_weight_each():
    weights = [{0: 1, 1: 20}, {0: 1, 1: 1}, {0: 1, 1: 1}]
    heavy, even = classifier(class_weight=weights).fit(LABELLED, LABELS), classifier().fit(LABELLED, LABELS)
    assert heavy.predict_proba(LABELLED)[:, 0].mean() > even.predict_proba(LABELLED)[:, 0].mean()


def test_a_row_of_weight_zero_is_not_there():
    w = np.ones(len(Y))
    w[::3] = 0
    np.testing.assert_array_equal(
        classifier().fit(X, Y, sample_weight=w).predict_proba(X),
        classifier().fit(X[w > 0], Y[w > 0], sample_weight=w[w > 0]).predict_proba(X),
    )
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        classifier().fit(X, Y, sample_weight=w - 1)


def test_a_light_row_is_light_in_every_minibatch():
    """Minibatches of light rows alone must not count as much as those with heavy rows."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 2))
    y = (x[:, 0] > 0).astype(int)
    y[40:] = 1 - y[40:]  # nine in ten are wrong, and count next to nothing
    w = np.where(np.arange(400) < 40, 1.0, 1e-6)
    net = classifier(batch_size=4, max_iter=30).fit(x, y, sample_weight=w)
    assert net.score(x[:40], y[:40]) > 0.9


def squared_hinge(outputs, targets, *, weights=None):
    signs = 2.0 * (targets[:, None] == np.arange(3)) - 1.0
    losses = np.mean(np.maximum(0.0, 1.0 - signs * outputs) ** 2, axis=1)
    return np.mean(losses) if weights is None else np.sum(weights * losses) / np.sum(weights)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_loss_of_ones_own(compiled):
    net = classifier(loss=squared_hinge, compiled=compiled).fit(X, Y)
    assert net.score(X, Y) > 0.95
    assert net.fit(X, Y, sample_weight=np.ones(len(Y))).score(X, Y) > 0.95


def test_activations_are_those_of_each_layer():
    net = classifier(hidden=(8, 5), activation="tanh", dropout=0.2).fit(X, Y)
    first, second, scores = net.activations(X)
    assert [part.shape for part in (first, second, scores)] == [(150, 8), (150, 5), (150, 3)]
    w = [p.value for p in net.model_.parameters()]
    np.testing.assert_allclose(first, np.tanh(X @ w[0] + w[1]))
    np.testing.assert_allclose(second, np.tanh(first @ w[2] + w[3]))
    np.testing.assert_allclose(scores, net.decision_function(X))


def test_no_hidden_layer_is_a_linear_classifier():
    net = classifier(hidden=()).fit(X, Y)
    assert [p.shape for p in net.model_.parameters()] == [(4, 3), (3,)]
    assert net.score(X, Y) > 0.85


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "identity", cr.nn.LeakyReLU])
def test_activations_by_name_and_by_class(activation):
    assert classifier(activation=activation).fit(X, Y).score(X, Y) > 0.85


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("hidden", (10, 0), "number of neurons"),
        ("hidden", "100", "number of neurons"),
        ("hidden", True, "number of neurons"),
        ("activation", "rectifier", "'relu'"),
        ("activation", np.tanh, "what makes a layer, cr.nn.Tanh say: "),
        ("activation", dict, "what makes a layer, cr.nn.Tanh say, and made {}"),
        ("loss", "mse", "for classes, one of 'cross_entropy'"),
        ("solver", "newton", "'adam'"),
        ("lr", 0, "above 0"),
        ("lr", float("nan"), "above 0"),
        ("l2", -1, "at least 0"),
        ("dropout", 1.0, "below 1"),
        ("batch_size", 0, "'auto' or a whole number"),
        ("max_iter", 2.5, "whole number"),
        ("max_iter", True, "whole number"),
        ("patience", 0, "infinity"),
        ("validation_fraction", 1.0, "below 1"),
        ("early_stopping", "yes", "True or False"),
        ("solver_options", [1], "a dict"),
    ],
)
def test_parameters_that_make_no_sense_are_named(name, value, words):
    with pytest.raises(ValueError, match=words) as caught:
        classifier(**{name: value}).fit(X, Y)
    assert str(caught.value).startswith(name)


def test_several_outputs_of_several_classes_are_refused():
    with pytest.raises(ValueError, match="MultiOutputClassifier"):
        classifier().fit(X, np.column_stack([Y, Y]))

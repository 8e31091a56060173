"""Losses for classes and probabilities, against their formulas and SciPy."""

import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, rel_entr, softmax

import chainrule as cr
from chainrule.nn import binary_cross_entropy, cross_entropy, hinge, kl_divergence

RNG = np.random.default_rng(0)
SCORES, LABELS = RNG.standard_normal((6, 4)), np.array([0, 3, 1, 1, 2, 0])


def one_hot(labels, classes):
    return np.eye(classes)[labels]


def test_the_value_is_the_mean_of_minus_log_softmax():
    expected = -log_softmax(SCORES, axis=1)[np.arange(6), LABELS].mean()
    assert cross_entropy(SCORES, LABELS) == pytest.approx(expected, rel=1e-14)
    assert cross_entropy(cr.array(SCORES), LABELS).item() == pytest.approx(expected, rel=1e-14)


def test_the_gradient_is_softmax_less_one_hot():
    scores = cr.array(SCORES)
    cross_entropy(scores, LABELS).backward(upstream=np.array(3.0))
    expected = 3 * (np.exp(log_softmax(SCORES, axis=1)) - one_hot(LABELS, 4)) / 6
    np.testing.assert_allclose(scores.grad, expected, rtol=1e-13, atol=1e-16)


def test_one_gate_equals_the_same_written_out():
    def written_out(scores):
        return -np.mean(cr.log_softmax(scores, axis=1)[np.arange(6), LABELS])

    one_gate = cr.grad(lambda s: cross_entropy(s, LABELS))(SCORES)
    np.testing.assert_allclose(one_gate, cr.grad(written_out)(SCORES), rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(
        cr.hessian(lambda s: cross_entropy(s, LABELS))(SCORES), cr.hessian(written_out)(SCORES), rtol=1e-11, atol=1e-15
    )


def test_the_hessian_is_the_covariance_of_the_softmax():
    p = np.array([0.2, 0.3, 0.5])
    hessian = cr.hessian(lambda s: cross_entropy(s[None], np.array([1])))(np.log(p))
    np.testing.assert_allclose(hessian, np.diag(p) - np.outer(p, p), rtol=1e-13)


def test_check_grads_to_the_third_order():
    assert cr.check_grads(lambda s: cross_entropy(s, LABELS), SCORES, order=2).relative_error < 1e-7
    assert cr.check_grads(lambda s: cross_entropy(s, LABELS), SCORES, order=3).relative_error < 1e-5


def test_scores_without_preference_cost_log_of_the_classes():
    assert cross_entropy(np.zeros((5, 10)), np.arange(5)) == pytest.approx(np.log(10), rel=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_scores_do_not_overflow(dtype):
    scores = cr.array(np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]], dtype))
    loss = cross_entropy(scores, np.array([0, 0]))
    loss.backward()
    assert loss.dtype == dtype
    assert loss.item() == 1e4
    np.testing.assert_array_equal(scores.grad, [[0, 0, 0], [-0.5, 0.5, 0]])


def test_it_ignores_a_constant_added_to_all_scores():
    far = SCORES + 1e6
    assert cross_entropy(far, LABELS) == pytest.approx(cross_entropy(SCORES, LABELS), rel=1e-8)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_labels_of_any_integer_dtype(dtype):
    assert cross_entropy(SCORES, LABELS.astype(dtype)) == cross_entropy(SCORES, LABELS)
    assert cross_entropy(SCORES, LABELS.tolist()) == cross_entropy(SCORES, LABELS)
    assert cross_entropy(SCORES, cr.array(LABELS)) == cross_entropy(SCORES, LABELS)


@pytest.mark.parametrize("label", [4, -1, 10**12, -(10**12)])
def test_labels_out_of_range(label):
    labels = LABELS.copy()
    labels[2] = label
    with pytest.raises(ValueError, match=f"between 0 and 3, and these reach from .*{label}"):
        cross_entropy(SCORES, labels)


def test_a_negative_label_of_a_narrow_dtype_is_no_large_one():
    with pytest.raises(ValueError, match="reach from -1"):
        cross_entropy(np.zeros((2, 300)), np.array([-1, 0], np.int8))


@pytest.mark.parametrize("labels", [LABELS.astype(float), LABELS == 1, [0.0] * 6])
def test_labels_must_be_integers(labels):
    with pytest.raises(TypeError, match="labels are class numbers"):
        cross_entropy(SCORES, labels)


def test_labels_as_rows_are_told_what_to_do():
    for labels in (one_hot(LABELS, 4), softmax(SCORES, axis=1)):
        with pytest.raises(TypeError, match=r"not float64: of rows of probabilities, take labels.argmax\(axis=1\)"):
            cross_entropy(SCORES, labels)


@pytest.mark.parametrize("scores", [np.ones((6, 4), int), cr.array(np.ones((6, 4), int)), [[1, 2]]])
def test_scores_must_be_floating(scores):
    with pytest.raises(TypeError, match="scores must be floating, not int64"):
        cross_entropy(scores, LABELS)


@pytest.mark.parametrize(
    ("scores", "labels"),
    [(SCORES, LABELS[:5]), (SCORES, LABELS[None]), (SCORES[0], LABELS[:4]), (SCORES[:0], LABELS[:0]), (SCORES, 1)],
)
def test_shapes_must_fit(scores, labels):
    with pytest.raises(ValueError, match=r"scores \(examples, classes\) and labels \(examples,\)"):
        cross_entropy(scores, labels)


# ---- weights of examples and classes, smoothed labels

WEIGHTS, CLASS_WEIGHTS = np.array([1.0, 0.0, 2.5, 0.5, 1.0, 3.0]), np.array([1.0, 2.0, 0.5, 0.0])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("class_weights", [None, CLASS_WEIGHTS], ids=["all classes alike", "class weights"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["all examples alike", "weights"])
def test_every_kind_of_weighting_is_the_weighted_mean_of_the_formula(weights, class_weights, smoothing):
    wanted = (1 - smoothing) * one_hot(LABELS, 4) + smoothing / 4
    each = (np.ones(6) if weights is None else weights) * (1 if class_weights is None else class_weights[LABELS])
    share = each / each.sum()
    scores = cr.array(SCORES)
    loss = cross_entropy(scores, LABELS, weights=weights, class_weights=class_weights, label_smoothing=smoothing)
    loss.backward()
    expected = share @ -(wanted * log_softmax(SCORES, axis=1)).sum(axis=1)
    assert loss.item() == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(scores.grad, share[:, None] * (softmax(SCORES, axis=1) - wanted), rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_of_them_compiled(dtype):
    def loss(scores, labels, weights):
        return cross_entropy(scores, labels, weights=weights, class_weights=CLASS_WEIGHTS, label_smoothing=0.1)

    both = cr.value_and_grad(loss)
    compiled = cr.compile(both)
    for labels in (LABELS, LABELS[::-1]):
        args = SCORES.astype(dtype), labels.copy(), WEIGHTS
        for found, expected in zip(compiled(*args), both(*args), strict=True):
            assert found.dtype == dtype
            np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == np.float32 else 1e-13, atol=1e-8)
    assert compiled._variants[0].executor._library == []
    with pytest.raises(IndexError):
        compiled(SCORES.astype(dtype), np.array([0, 1, 2, 3, 4, 0]), WEIGHTS)


def test_integer_weights_are_repetitions():
    weights = np.array([1, 0, 2, 1, 3, 1])
    repeated = np.repeat(np.arange(6), weights)
    for loss in (cross_entropy, hinge):
        assert loss(SCORES, LABELS, weights=weights) == pytest.approx(
            loss(SCORES[repeated], LABELS[repeated]), rel=1e-14
        )


def test_class_weights_out_of_the_way():
    for wrong in (CLASS_WEIGHTS[:3], CLASS_WEIGHTS[None], ["a"] * 4):
        with pytest.raises(ValueError, match="one weight for each of 4 classes"):
            cross_entropy(SCORES, LABELS, class_weights=wrong)
    with pytest.raises(ValueError, match=r"class weights are finite and not negative, and here is -1"):
        cross_entropy(SCORES, LABELS, class_weights=-np.ones(4))


@pytest.mark.parametrize("smoothing", [1.0, -0.1, np.nan])
def test_smoothing_is_a_share(smoothing):
    with pytest.raises(ValueError, match="label_smoothing is a share"):
        cross_entropy(SCORES, LABELS, label_smoothing=smoothing)


@pytest.mark.parametrize("loss", [lambda s: cross_entropy(s, [0, 0], weights=[1, 1]), lambda s: hinge(s, [0, 0])])
def test_large_scores_in_single_precision(loss):
    scores = cr.array(np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]], np.float32))
    value = loss(scores)
    value.backward()
    assert value.dtype == scores.grad.dtype == np.float32
    assert np.isfinite(value.item())
    assert np.isfinite(scores.grad).all()


# ---- hinge


@pytest.mark.parametrize("delta", [-0.1, np.nan, np.inf])
def test_the_margin_is_not_negative(delta):
    with pytest.raises(ValueError, match=f"delta is by how much the true class must lead.*{delta}"):
        hinge(SCORES, LABELS, delta=delta)


@pytest.mark.parametrize("delta", [1.0, 0.3])
def test_hinge_by_loops(delta):
    value, slopes = 0.0, np.zeros_like(SCORES)
    for i, y in enumerate(LABELS):
        for j in set(range(4)) - {y}:
            violation = SCORES[i, j] - SCORES[i, y] + delta
            if violation > 0:
                value += violation / 6
                slopes[i, j] += 1 / 6
                slopes[i, y] -= 1 / 6
    found, gradient = cr.value_and_grad(lambda s: hinge(s, LABELS, delta=delta))(SCORES)
    assert found == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-14, atol=1e-16)


def test_hinge_of_the_course_notes():
    assert hinge([[13.0, -7.0, 11.0]], [0], delta=10.0) == 8
    assert hinge([[13.0, -7.0, 11.0]], [0]) == 0


def test_check_grads_knows_where_a_margin_is_met():
    assert cr.check_grads(lambda s: hinge(s, LABELS), SCORES).relative_error < 1e-7
    report = cr.check_grads(lambda s: hinge(s, np.array([0])), np.array([[2.0, 1.0, 0.0]]))
    assert "a tie in multiclass_hinge" in str(report)


# ---- binary and multilabel cross-entropy


@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 4)])
def test_binary_cross_entropy(shape):
    scores = 5 * RNG.standard_normal(shape)
    for targets in (RNG.integers(0, 2, shape), RNG.integers(0, 2, shape).astype(bool), RNG.uniform(size=shape)):
        expected = -(targets * log_expit(scores) + (1 - targets) * log_expit(-scores)).mean()
        value, gradient = cr.value_and_grad(lambda s: binary_cross_entropy(s, targets))(scores)  # noqa: B023
        assert value == pytest.approx(expected, rel=1e-13)
        np.testing.assert_allclose(gradient, (expit(scores) - targets) / scores.size, rtol=1e-11, atol=1e-16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_binary_cross_entropy_is_accurate_where_it_is_small(dtype):
    scores = np.array([-800.0, -50.0, 50.0, 800.0], dtype)
    targets = np.array([0, 0, 1, 1])
    value, gradient = cr.value_and_grad(lambda s: 4 * binary_cross_entropy(s, targets))(scores)
    assert value.dtype == gradient.dtype == dtype
    assert value == pytest.approx(2 * np.exp(-50), rel=1e-5 if dtype == np.float32 else 1e-14)
    small = np.exp(dtype(-50.0))
    np.testing.assert_allclose(gradient, [0, small, -small, 0], rtol=1e-5 if dtype == np.float32 else 1e-14)
    np.testing.assert_allclose(binary_cross_entropy(scores, 1 - targets), 425.0, rtol=1e-7)


def test_two_classes_are_a_binary_decision():
    scores, labels = RNG.standard_normal(6), RNG.integers(0, 2, 6)
    both = np.stack([np.zeros(6), scores], axis=1)
    assert binary_cross_entropy(scores, labels) == pytest.approx(cross_entropy(both, labels), rel=1e-14)


@pytest.mark.parametrize("wrong", [2, -1, 1.5, np.nan])
def test_targets_are_probabilities(wrong):
    with pytest.raises(ValueError, match=f"targets from 0 to 1, and here is {wrong}"):
        binary_cross_entropy(np.zeros(3), np.array([0, wrong, 1]))


# ---- divergence

TARGETS = softmax(RNG.standard_normal((6, 4)), axis=1)


def test_kl_divergence():
    value, gradient = cr.value_and_grad(lambda s: kl_divergence(s, TARGETS))(SCORES)
    assert value == pytest.approx(rel_entr(TARGETS, softmax(SCORES, axis=1)).sum() / 6, rel=1e-13)
    np.testing.assert_allclose(gradient, (softmax(SCORES, axis=1) - TARGETS) / 6, rtol=1e-11, atol=1e-16)
    assert kl_divergence(np.log(TARGETS), TARGETS) == pytest.approx(0, abs=1e-15)


def test_divergence_from_certainty_is_cross_entropy():
    certain = one_hot(LABELS, 4)
    value, gradient = cr.value_and_grad(lambda s: kl_divergence(s, certain))(SCORES)
    assert value == pytest.approx(cross_entropy(SCORES, LABELS), rel=1e-14)
    np.testing.assert_allclose(gradient, cr.grad(lambda s: cross_entropy(s, LABELS))(SCORES), rtol=1e-12, atol=1e-16)


def test_classes_that_neither_side_allows():
    scores = np.array([[0.0, 0.0, -np.inf]])
    value, gradient = cr.value_and_grad(lambda s: kl_divergence(s, np.array([[0.5, 0.5, 0.0]])))(scores)
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros((1, 3)))


def test_divergence_wants_probabilities():
    with pytest.raises(ValueError, match="each row adds to 1, and here is 2"):
        kl_divergence(SCORES, 2 * TARGETS)
    with pytest.raises(ValueError, match="probabilities, not negative, and here is -1"):
        kl_divergence(np.zeros((1, 2)), np.array([[2.0, -1.0]]))
    with pytest.raises(ValueError, match=r"scores and targets \(examples, classes\)"):
        kl_divergence(SCORES[0], TARGETS[0])

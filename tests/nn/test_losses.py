"""cross_entropy and mse, against their formulas."""

import numpy as np
import pytest
from scipy.special import log_softmax

import chainrule as cr
from chainrule.nn import cross_entropy, mse

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


def test_mse_and_its_gradient():
    prediction, target = RNG.standard_normal((3, 2)), RNG.standard_normal((3, 2))
    x = cr.array(prediction)
    loss = mse(x, target)
    loss.backward()
    assert loss.item() == pytest.approx(((prediction - target) ** 2).mean(), rel=1e-14)
    np.testing.assert_allclose(x.grad, (prediction - target) / 3, rtol=1e-13)
    assert cr.check_grads(mse, prediction, target, order=2).relative_error < 1e-7
    assert mse([1.0, 2.0], [1.0, 4.0]) == 2


@pytest.mark.parametrize("shape", [(3,), (3, 1), (1, 2), ()])
def test_mse_refuses_a_silent_broadcast(shape):
    with pytest.raises(ValueError, match=r"one shape, not \(3, 2\) and"):
        mse(cr.array(np.zeros((3, 2))), np.zeros(shape))

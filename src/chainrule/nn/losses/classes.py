"""Losses for targets that are classes or probabilities. The net gives scores; no sigmoid or softmax stands before."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.loss import MulticlassHinge, SoftmaxCrossEntropies, logistic_loss, softmax_cross_entropy
from chainrule.gates.normalised import log_softmax
from chainrule.gates.operands import floating
from chainrule.graph.array import raw
from chainrule.graph.errors import describe
from chainrule.graph.mode import MODE
from chainrule.nn.inputs import given
from chainrule.nn.losses.mean import alike, check, example_weights, mean


def cross_entropy(
    scores: Any, labels: Any, *, weights: Any = None, class_weights: Any = None, label_smoothing: float = 0.0
) -> Any:
    """Softmax cross-entropy: the mean over examples of -log of the probability given to the true class.

    Args:
        scores: shape (examples, classes), unnormalised log-probabilities; floating.
        labels: shape (examples,), integers from 0 to classes - 1.
        weights: of the examples, shape (examples,), not negative.
        class_weights: shape (classes,), not negative: each example's weight is multiplied by that of its class.
        label_smoothing: the share of the target that all classes divide evenly, in [0, 1) (Szegedy et al. 2016). It
            leaves weights alone: an example has that of its label (PyTorch weighs each class's share by itself).

    The gradient with respect to the scores is (softmax - one-hot) / examples (course notes, case study). Raises
    TypeError for labels that are not integers or scores that are not floating, ValueError for shapes, labels or weights
    that do not fit.

    >>> import numpy as np, chainrule as cr
    >>> scores = cr.array(np.log([[0.2, 0.3, 0.5]]))
    >>> loss = cr.nn.cross_entropy(scores, np.array([1]))
    >>> loss.backward()
    >>> scores.grad.round(1)
    array([[ 0.2, -0.7,  0.5]])
    """
    scores, labels = _scores_and_labels("cross_entropy", scores, labels)
    if weights is None and class_weights is None and not label_smoothing:
        return softmax_cross_entropy(scores, labels)
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing is a share, from 0 to less than 1, not {label_smoothing}")
    losses = SoftmaxCrossEntropies.of(float(label_smoothing))(scores, labels)
    if class_weights is not None:
        by_class = _class_weights(class_weights, scores)[labels]
        weights = by_class if weights is None else example_weights(weights, losses) * by_class
    return mean(losses, weights)


def hinge(scores: Any, labels: Any, *, delta: float = 1.0, weights: Any = None) -> Any:
    """The multiclass SVM loss: the mean over examples of the sum over wrong classes j of max(0, s_j - s_y + delta).

    It asks that the score of the true class y be larger than each other one by ``delta`` (Weston and Watkins 1999;
    course notes, linear classification). ``delta`` is not negative; the other arguments and errors are those of
    ``cross_entropy``. (PyTorch's ``multi_margin_loss`` divides the sum by the number of classes.)

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.hinge(np.array([[13.0, -7.0, 11.0]]), np.array([0]), delta=10.0).item()
    8.0
    """
    if not 0 <= delta < math.inf:
        raise ValueError(f"delta is by how much the true class must lead, a number that is not negative, not {delta}")
    scores, labels = _scores_and_labels("hinge", scores, labels)
    return mean(MulticlassHinge.of(float(delta))(scores, labels), weights)


def binary_cross_entropy(scores: Any, targets: Any, *, weights: Any = None) -> Any:
    """The mean of -log of the probability that sigmoid(score) gives to the target: yes or no, for each output.

    Args:
        scores: shape (examples,) or (examples, 1) for two classes, (examples, labels) for several labels at a time;
            the logarithms of the odds.
        targets: the same shape, 0 or 1 or a probability between; (examples,) and (examples, 1) fit each other.
        weights: of the examples, shape (examples,), not negative.

    The gradient is (sigmoid - target) / number of scores. Raises ValueError for shapes, targets or weights that do not
    fit.

    >>> import numpy as np, chainrule as cr
    >>> scores = cr.array([0.0, 1000.0])
    >>> loss = cr.nn.binary_cross_entropy(scores, np.array([1, 1]))
    >>> loss.backward()
    >>> f"{loss.item():.4f}", scores.grad
    ('0.3466', array([-0.25,  0.  ]))
    """
    scores, targets = alike("binary_cross_entropy", scores, targets)
    check(targets, lambda t: (t >= 0) & (t <= 1), "binary_cross_entropy needs targets from 0 to 1")
    return mean(logistic_loss(scores, targets), weights)


def kl_divergence(scores: Any, targets: Any, *, weights: Any = None) -> Any:
    """The divergence of softmax(scores) from target probabilities: the mean over examples of sum(t log(t / softmax)).

    Args:
        scores: shape (examples, classes), unnormalised log-probabilities (log-probabilities are fine, too); floating.
        targets: the same shape, probabilities; each row adds to 1.
        weights: of the examples, shape (examples,), not negative.

    It is cross-entropy less the entropy of the targets, so 0 where the two agree (Kullback and Leibler 1951). Raises
    ValueError for shapes, targets or weights that do not fit. (PyTorch's divides by the number of classes, too, unless
    told ``reduction="batchmean"``.)

    >>> import numpy as np, chainrule as cr
    >>> target = np.array([[0.5, 0.5, 0.0]])
    >>> f"{cr.nn.kl_divergence(np.zeros((1, 3)), target):.4f}"  # log(1.5)
    '0.4055'
    """
    scores, targets = alike("kl_divergence", scores, targets)
    if scores.ndim != 2:
        raise ValueError(f"kl_divergence needs scores and targets (examples, classes), not {describe(scores)}")
    check(targets, lambda t: t >= 0, "kl_divergence needs targets that are probabilities, not negative")
    one = "kl_divergence needs targets of which each row adds to 1"
    check(np.sum(targets, axis=1), lambda total: np.abs(total - 1) < 1e-3, one)
    possible = targets > 0
    log_targets = np.log(np.where(possible, targets, 1))
    return mean(np.sum(targets * np.where(possible, log_targets - log_softmax(scores), 0), axis=1), weights)


def _scores_and_labels(name: str, scores: Any, labels: Any) -> tuple[Any, Any]:
    """Both as arrays, once they have been found to fit."""
    scores = scores if hasattr(scores, "dtype") else np.asarray(scores)
    shape = scores.shape
    recorded = MODE.get().recorder is not None
    labels = given(labels) if recorded else np.array(raw(labels))  # a copy: the backward pass reads them again
    if scores.dtype.kind != "f":
        raise TypeError(f"scores must be floating, not {scores.dtype}")
    if labels.dtype.kind not in "iu":
        told = ": of rows of probabilities, take labels.argmax(axis=1), or kl_divergence" if labels.ndim == 2 else ""
        raise TypeError(f"labels are class numbers, so they must be integers, not {labels.dtype}{told}")
    if len(shape) != 2 or labels.shape != shape[:1] or labels.size == 0:
        raise ValueError(
            f"{name} needs scores (examples, classes) and labels (examples,) of at least one example, not "
            f"{describe(scores)} and {describe(labels)}"
        )
    # Seen as unsigned, a negative label is a huge one: a single reduction checks both ends. In calls of a compiled
    # function that are not recorded, the gate that reads by the labels looks.
    known = raw(labels)
    if np.maximum.reduce(known.astype(np.int64, copy=False).view(np.uint64)) >= shape[1]:
        raise ValueError(
            f"labels must lie between 0 and {shape[1] - 1}, and these reach from {known.min()} to {known.max()}"
        )
    return scores, labels


def _class_weights(class_weights: Any, scores: Any) -> Any:
    class_weights = given(class_weights)
    if class_weights.shape != scores.shape[1:] or class_weights.dtype.kind not in "fiub":
        raise ValueError(f"there is one weight for each of {scores.shape[1]} classes, not {describe(class_weights)}")
    check(class_weights, lambda w: np.isfinite(w) & (w >= 0), "class weights are finite and not negative")
    return floating(class_weights)

"""Losses: one number that says how wrong the net is."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.composite import softmax_cross_entropy
from chainrule.graph.array import Array, raw
from chainrule.graph.errors import describe
from chainrule.graph.mode import MODE
from chainrule.numpy_protocol.creation import constant


def cross_entropy(scores: Any, labels: Any) -> Any:
    """Softmax cross-entropy: the mean over examples of -log of the probability given to the true class.

    Args:
        scores: shape (examples, classes), unnormalised log-probabilities; floating.
        labels: shape (examples,), integers from 0 to classes - 1.

    The gradient with respect to the scores is (softmax - one-hot) / examples (course notes, case study). Raises
    TypeError for labels that are not integers or scores that are not floating, ValueError for shapes or labels that do
    not fit.

    >>> import numpy as np, chainrule as cr
    >>> scores = cr.array(np.log([[0.2, 0.3, 0.5]]))
    >>> loss = cr.nn.cross_entropy(scores, np.array([1]))
    >>> loss.backward()
    >>> scores.grad.round(1)
    array([[ 0.2, -0.7,  0.5]])
    """
    scores = scores if hasattr(scores, "dtype") else np.asarray(scores)
    shape = scores.shape
    recorded = MODE.get().recorder is not None
    if not recorded:
        labels = np.array(raw(labels))  # a copy: the backward pass reads them again
    elif not isinstance(labels, Array):
        labels = constant(labels)
    if scores.dtype.kind != "f":
        raise TypeError(f"scores must be floating, not {scores.dtype}")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels are class numbers, so they must be integers, not {labels.dtype}")
    if len(shape) != 2 or labels.shape != shape[:1] or labels.size == 0:
        raise ValueError(
            f"cross_entropy needs scores (examples, classes) and labels (examples,) of at least one example, not "
            f"{describe(scores)} and {describe(labels)}"
        )
    if recorded:  # the values are not known yet: the gate that reads by them looks
        return softmax_cross_entropy(scores, labels)
    # Seen as unsigned, a negative label is a huge one: a single reduction checks both ends.
    if np.maximum.reduce(labels.astype(np.int64, copy=False).view(np.uint64)) >= shape[1]:
        raise ValueError(
            f"labels must lie between 0 and {shape[1] - 1}, and these reach from {labels.min()} to {labels.max()}"
        )
    return softmax_cross_entropy(scores, labels)


def mse(prediction: Any, target: Any) -> Any:
    """The mean of the squared differences. Both have the same shape: a silent broadcast would be a wrong loss.

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.mse(cr.array([1.0, 2.0]), np.array([1.0, 4.0])).item()
    2.0
    """
    if np.shape(prediction) != np.shape(target):
        raise ValueError(f"mse needs two arrays of one shape, not {np.shape(prediction)} and {np.shape(target)}")
    return np.mean(np.square(np.subtract(prediction, target)))

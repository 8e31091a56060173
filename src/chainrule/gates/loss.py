"""Losses of scores, each one gate with its closed-form rule (how a composite works: ``gates.composite``).

Scores have the shape (rows, classes), labels are class numbers, one a row. A label that is no class raises IndexError.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.primitive import Elementwise, Primitive, primitive
from chainrule.gates.special import sigmoid


@primitive
class SoftmaxCrossEntropy(Primitive):
    """z = the mean over rows of -log softmax(scores)[label]; its gradient is (softmax - one-hot) / rows"""

    def forward(self, scores: Any, labels: Any) -> Any:
        columns = scores.T.copy()  # few classes: reducing over the first axis is several times faster
        columns -= np.maximum.reduce(columns, axis=0)
        picked = columns[labels, np.arange(labels.size)]
        exponentials = np.exp(columns, out=columns)
        totals = np.add.reduce(exponentials, axis=0)
        z = np.add.reduce(np.log(totals) - picked) / labels.size
        exponentials /= totals
        return z, exponentials.T

    def dissolved(self, scores: Any, labels: Any) -> Any:
        top, _, totals = _lowered(scores)
        return np.sum(np.log(totals[:, 0]) - (_picked(scores, labels) - top[:, 0])) / scores.shape[0]

    def recall(self, scores: Any, labels: Any) -> Any:
        _, exponentials, totals = _lowered(scores)
        return exponentials / totals

    def dscores(self, dz: Any, cached: Any, labels: Any) -> Any:
        return (cached - _one_hot(cached, labels)) * (dz / cached.shape[0])


@primitive
class SoftmaxCrossEntropies(Primitive):
    """z = for each row the cross-entropy of softmax(scores) with its label, of which all classes share ``smoothing``"""

    smoothing: float

    def forward(self, scores: Any, labels: Any) -> Any:
        top, exponentials, totals = _lowered(scores)
        return self._entropies(scores, labels, top, totals), exponentials / totals

    def dissolved(self, scores: Any, labels: Any) -> Any:
        top, _, totals = _lowered(scores)
        return self._entropies(scores, labels, top, totals)

    def recall(self, scores: Any, labels: Any) -> Any:
        _, exponentials, totals = _lowered(scores)
        return exponentials / totals

    def dscores(self, dz: Any, cached: Any, labels: Any) -> Any:
        rest = cached - (1.0 - self.smoothing) * _one_hot(cached, labels).astype(cached.dtype)
        return dz[:, None] * (rest - self.smoothing / cached.shape[1] if self.smoothing else rest)

    def _entropies(self, scores: Any, labels: Any, top: Any, totals: Any) -> Any:
        expected = _picked(scores, labels) - top[:, 0]
        if self.smoothing:
            expected = (1.0 - self.smoothing) * expected + self.smoothing * np.mean(scores - top, axis=1)
        return np.log(totals[:, 0]) - expected


@primitive
class MulticlassHinge(Primitive):
    """z = for each row the sum over wrong classes of max(0, score - score of the true class + margin)"""

    margin: float

    def forward(self, scores: Any, labels: Any) -> Any:
        z = np.sum(np.maximum(self._violations(scores, labels), 0), axis=1)
        return z, self.recall(scores, labels)

    def dissolved(self, scores: Any, labels: Any) -> Any:
        return np.sum(np.maximum(self._violations(scores, labels), 0), axis=1)

    def recall(self, scores: Any, labels: Any) -> Any:
        """The local gradient: 1 for each class that comes too close, and minus their number for the true one."""
        close = (self._violations(scores, labels) > 0).astype(scores.dtype)
        return close - np.sum(close, axis=1, keepdims=True) * _one_hot(scores, labels)

    def dscores(self, dz: Any, cached: Any) -> Any:
        return dz[:, None] * cached

    def choice(self, scores: Any, labels: Any) -> Any:
        return self._violations(scores, labels) > 0

    def tie(self, scores: Any, labels: Any) -> Any:
        return self._violations(scores, labels) == 0

    def _violations(self, scores: Any, labels: Any) -> Any:
        """By how much each score comes too close to that of the true class; negative where it does not."""
        above = scores - _picked(scores, labels)[:, None] + self.margin
        return np.where(_one_hot(scores, labels), -1.0, above)


@primitive
class LogisticLoss(Elementwise):
    """z = log(1 + e ** x) - x t, the cross-entropy of sigmoid(x) with t, without overflow or cancellation"""

    def forward(self, x: Any, t: Any) -> Any:
        return np.maximum(x, 0.0) - 1.0 * x * t + np.log1p(np.exp(-np.abs(1.0 * x)))  # integers would overflow

    def dx(self, dz: Any, x: Any, t: Any) -> Any:
        return dz * ((1.0 - t) * sigmoid(x) - t * sigmoid(-x))  # sigmoid(x) - t, exact where that nearly cancels

    def dt(self, dz: Any, x: Any) -> Any:
        return -dz * x

    def computes_in(self, x: Any, t: Any) -> tuple[Any, ...]:
        return (np.result_type(x, t, 0.0),) * 2

    def lower(self, b: Any, x: Any, t: Any) -> Any:
        right = b.sub(b.maximum(x, b.like(x, 0)), b.mul(x, t))
        return b.add(right, b.log1p(b.exp(b.neg(b.abs(x)))))


def _lowered(scores: Any) -> tuple[Any, Any, Any]:
    """The largest score of each row, the exponentials of the scores lowered by it, and the sums of these."""
    top = np.max(scores, axis=1, keepdims=True)
    exponentials = np.exp(scores - top)
    return top, exponentials, np.sum(exponentials, axis=1, keepdims=True)


def _picked(scores: Any, labels: Any) -> Any:
    """The score of each row's label."""
    rows, classes = scores.shape
    labels = labels.astype(np.int64, copy=False)  # a small dtype may not hold the number of classes
    # A negative label would read from the end of its row; beyond it, the read raises.
    return scores[np.arange(rows), np.where(labels < 0, classes, labels)]


def _one_hot(scores: Any, labels: Any) -> Any:
    return labels[:, None] == np.arange(scores.shape[1])


softmax_cross_entropy, logistic_loss = SoftmaxCrossEntropy(), LogisticLoss()

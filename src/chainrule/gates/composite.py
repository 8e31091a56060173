"""Composites: common compositions as one gate with closed-form rules, which eager training is faster for.

A composite's ``forward`` may return ``(z, cached)``: what the local gradient needs and the forward pass has already
computed. A rule reads it as ``cached``. When rules run on Arrays, where a cached ndarray would cut the derivative,
``recall`` computes it again, differentiably.

While a function is recorded, ``dissolved`` is written down in place of the gate, and its rules when they run: see
``gates.primitive``. ``recall`` and ``dissolved`` share their expressions, which are therefore computed once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.primitive import Primitive, primitive
from chainrule.graph.sums import summed_rows


@primitive
class Affine(Primitive):
    """z = x @ W + b, x one example a row: what a layer of neurons sums up in its cell bodies"""

    notation = "{0} @ {1} + {2}"

    def forward(self, x: Any, w: Any, b: Any) -> Any:
        z = np.matmul(x, w)
        z += b
        return z

    def dissolved(self, x: Any, w: Any, b: Any) -> Any:
        return x @ w + b

    def dx(self, dz: Any, w: Any) -> Any:
        return dz @ np.transpose(w)

    def dw(self, dz: Any, x: Any) -> Any:
        return np.transpose(x) @ dz

    def db(self, dz: Any) -> Any:
        return summed_rows(dz)


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
        rows, classes = scores.shape
        labels = labels.astype(np.int64, copy=False)  # a small dtype may not hold the number of classes
        # A negative label would read from the end of its row; beyond it, the read raises.
        picked = scores[np.arange(rows), np.where(labels < 0, classes, labels)]
        return np.sum(np.log(totals[:, 0]) - (picked - top[:, 0])) / rows

    def recall(self, scores: Any, labels: Any) -> Any:
        _, exponentials, totals = _lowered(scores)
        return exponentials / totals

    def dscores(self, dz: Any, cached: Any, labels: Any) -> Any:
        rows, classes = cached.shape
        one_hot = labels[:, None] == np.arange(classes)
        return (cached - one_hot) * (dz / rows)


def _lowered(scores: Any) -> tuple[Any, Any, Any]:
    """The largest score of each row, the exponentials of the scores lowered by it, and the sums of these."""
    top = np.max(scores, axis=1, keepdims=True)
    exponentials = np.exp(scores - top)
    return top, exponentials, np.sum(exponentials, axis=1, keepdims=True)


affine, softmax_cross_entropy = Affine(), SoftmaxCrossEntropy()

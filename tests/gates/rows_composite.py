"""Composites and losses of scores."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule.gates.composite import affine
from chainrule.gates.loss import MulticlassHinge, SoftmaxCrossEntropies, logistic_loss, softmax_cross_entropy
from tests.gates.rows import Row, draw

LABELS = np.array([2, 0, 1, 2])

ROWS = [
    Row("affine", affine, (draw(4, 3), draw(3, 5), draw(5))),
    Row("affine of one row", affine, (draw(1, 3), draw(3, 2), draw(2))),
    Row("affine of no rows", affine, (draw(0, 3), draw(3, 2), draw(2))),
    Row("softmax cross-entropy", lambda s: softmax_cross_entropy(s, LABELS), (draw(4, 3),)),
    Row("softmax cross-entropy, many classes", lambda s: softmax_cross_entropy(s, LABELS), (draw(4, 11),)),
    Row("softmax cross-entropy of large scores", lambda s: softmax_cross_entropy(300.0 * s, LABELS), (draw(4, 3),)),
    Row("cross_entropy of a two-layer net", lambda x, w, v: cr.nn.cross_entropy(np.tanh(x @ w) @ v, LABELS),
        (draw(4, 3), draw(3, 5), draw(5, 3))),
    Row("softmax cross-entropy of each row", lambda s: SoftmaxCrossEntropies(0.0)(s, LABELS), (draw(4, 3),)),
    Row("smoothed softmax cross-entropy of each row", lambda s: SoftmaxCrossEntropies(0.1)(s, LABELS), (draw(4, 5),)),
    Row("hinge of each row", lambda s: MulticlassHinge(1.0)(s, LABELS), (draw(4, 3),)),
    Row("logistic loss", logistic_loss, (3 * draw(4, 3), draw(4, 3, low=0.0, high=1.0))),
    Row("logistic loss, saturated", lambda x: logistic_loss(x, [0, 1, 0, 1]), (np.array([-800.0, -40, 40, 800]),)),
]  # fmt: skip

"""Rows for composites and for the activation functions that have gates of their own."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule.gates.composite import affine, softmax_cross_entropy
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
    Row("relu", cr.relu, (np.array([-1.5, -0.2, 0.3, 2.0]),)),
    Row("relu of a number", cr.relu, (np.array(0.7),)),
    Row("leaky_relu", cr.leaky_relu, (np.array([[-1.5, -0.2], [0.3, 2.0]]),)),
    Row("leaky_relu with a slope", lambda x: cr.leaky_relu(x, 0.01), (np.array([-1.5, 2.0]),)),
]  # fmt: skip

"""The functions that NumPy lacks, its special functions, numerical derivatives and phases."""

import numpy as np

import chainrule as cr
from tests.gates.rows import Row, draw

A = draw(2, 3)
COORDINATES = np.array([0.0, 1.0, 1.7, 3.0, 4.2])

ONE = {
    "sigmoid": (cr.sigmoid, 3 * A),
    "softplus": (cr.softplus, 3 * A),
    "log_sigmoid": (cr.log_sigmoid, 3 * A),
    "erf": (cr.erf, A),
    "erf: number": (cr.erf, draw()),
    "erfc": (cr.erfc, 2 * A),
    "sinc": (np.sinc, A),
    "sinc: 0": (np.sinc, np.zeros(2)),
    "sinc: near 0": (np.sinc, np.array([1e-7, -1e-4])),
    "i0": (np.i0, A),
    "i0: 0": (np.i0, np.zeros(2)),
    "unwrap": (np.unwrap, 5 * draw(7)),
    "unwrap: options": (lambda x: np.unwrap(x, axis=0, period=3.0), 5 * draw(4, 2)),
    "gradient": (np.gradient, draw(5)),
    "gradient: axes": (lambda x: tuple(np.gradient(x)), draw(3, 4)),
    "gradient: axis": (lambda x: np.gradient(x, 2.0, axis=-1), draw(3, 4)),
    "gradient: edges of second order": (lambda x: tuple(np.gradient(x, 0.5, 2.0, edge_order=2)), draw(3, 4)),
    "softmax": (cr.softmax, 3 * A),
    "softmax: axis": (lambda x: cr.softmax(x, axis=0), draw(3, 9)),
    "softmax: many columns": (cr.softmax, draw(3, 9)),
    "softmax: axes": (lambda x: cr.softmax(x, axis=(0, -1)), draw(2, 2, 3)),
    "softmax: all": (lambda x: cr.softmax(x, axis=None), A),
    "log_softmax": (cr.log_softmax, 3 * A),
    "log_softmax: axis": (lambda x: cr.log_softmax(x, axis=0), draw(3, 9)),
    "log_softmax: axes": (lambda x: cr.log_softmax(x, axis=(0, -1)), draw(2, 2, 3)),
    "log_softmax: all": (lambda x: cr.log_softmax(x, axis=None), A),
    "logsumexp": (cr.logsumexp, 3 * A),
    "logsumexp: axis": (lambda x: cr.logsumexp(x, axis=-1, keepdims=True), A),
    "logsumexp: axes": (lambda x: cr.logsumexp(x, axis=(0, 2)), draw(2, 2, 3)),
}

ROWS = [
    *(Row(name, function, (x,)) for name, (function, x) in ONE.items()),
    Row("gradient: coordinates", lambda x, at: np.gradient(x, at), (draw(5), COORDINATES)),
    Row("gradient: coordinates, second order", lambda x, at: np.gradient(x, at, edge_order=2), (draw(5), COORDINATES)),
    Row("gradient: coordinates of one axis", lambda x, at: np.gradient(x, at, axis=0), (draw(5, 2), COORDINATES)),
]

"""Reading and writing by index, sorting, masks, diagonals and triangles."""

import numpy as np

import chainrule as cr
from tests.gates.rows import Row, draw

A = draw(3, 4, 5)
M = draw(4, 4)
MASK = np.array([True, False, True, True])

READ = {
    "number": 1,
    "negative number": -1,
    "number for each axis": (1, 2, -3),
    "slice": slice(1, 3),
    "step": (slice(None), slice(None, None, 2)),
    "reversed": (slice(None, None, -1), slice(3, 0, -2)),
    "empty slice": slice(2, 2),
    "ellipsis": (..., 1),
    "ellipsis alone": ...,
    "nothing": (),
    "new axis": (None, slice(None), None, 1),
    "list": [0, 2, 2],
    "empty list": [],
    "nested list": [[0, 1], [2, 0]],
    "integer array": np.array([2, 0, 0, 1]),
    "negative integers": np.array([-1, -3, 2]),
    "small integers": np.array([1, 0], np.int8),
    "unsigned integers": np.array([1, 0], np.uint64),
    "matrix of integers": np.array([[0, 1], [1, 2]]),
    "two arrays": (np.array([0, 1, 0]), np.array([1, 1, 1])),
    "three arrays": (np.array([0, 1, 0]), np.array([1, 1, 1]), np.array([0, 2, 0])),
    "arrays that broadcast": (np.array([[0], [2]]), np.array([1, 3, 3])),
    "three that broadcast": (np.array([[0], [2]]), np.array([1, 3, 3]), 2),
    "arrays apart": (np.array([0, 2]), slice(None), np.array([1, 4])),
    "array and slice": (slice(1, None), np.array([3, 3, 0])),
    "array and number": (np.array([0, 2]), 1),
    "array and ellipsis": (..., np.array([0, 0])),
    "array and new axis": (np.array([0, 2]), None, slice(2)),
    "mask": draw(3, 4, 5) > 0,
    "mask of rows": np.array([True, False, True]),
    "mask and slice": (slice(None), MASK),
    "mask and array": (np.array([0, 1, 2]), MASK),
    "mask of nothing": np.zeros(3, bool),
    "a single truth": True,
    "constant Array": cr.constant(np.array([0, 0, 1])),
    "NumPy number": np.int64(2),
}
WRITE = {
    "number": (1, (4, 5)),
    "one element": ((1, 2, 3), ()),
    "slice": (slice(0, 2), (2, 4, 5)),
    "broadcast": (slice(0, 2), (5,)),
    "broadcast inside": (slice(0, 2), (2, 1, 5)),
    "broadcast from 0-d": (slice(None), ()),
    "leading ones": (0, (1, 1, 5)),
    "reversed": (slice(None, None, -1), (3, 4, 5)),
    "new axis": ((None, 1), (1, 4, 5)),
    "list": ([0, 2], (2, 4, 5)),
    "an element twice": ([0, 2, 0], (3, 4, 5)),
    "twice, broadcast": ([0, 0, 2], (5,)),
    "three arrays": ((np.array([0, 1, 0]), np.array([1, 1, 1]), np.array([0, 2, 0])), (3,)),
    "arrays apart": ((np.array([0, 2]), slice(None), np.array([1, 4])), (2, 4)),
    "mask": (draw(3, 4, 5) > 0, ()),
    "mask of rows": (np.array([True, False, True]), (2, 4, 5)),
    "mask of nothing": (np.zeros(3, bool), (5,)),
    "ellipsis": ((..., 0), (3, 4)),
}
ORDER = np.array([[2, 0, 1, 1], [0, 0, 3, 2], [1, 2, 3, 0]])


def written(index):
    """x[index] = v, as a function of x and v; on raw arrays it works on a copy."""

    def function(x, v):
        y = np.copy(x)
        y[index] = v
        return y

    return function


def running(x):
    """The assignments of a loop, each reading what the one before wrote."""
    y = x * 1.0
    for i in range(1, 5):
        y[i] = y[i - 1] * 0.5 + x[i] ** 2
    y[1:-1] = y[1:-1] + 0.1 * (y[2:] - 2 * y[1:-1] + y[:-2])
    return y


OTHER = {
    "take": (lambda x: np.take(x, [0, 2, 7, 7]), A),
    "take: axis": (lambda x: np.take(x, np.array([[0, 2], [1, 1]]), axis=-2), A),
    "take: number": (lambda x: np.take(x, 1, axis=1), A),
    "take: wrap": (lambda x: np.take(x, [-1, 5, 9], axis=1, mode="wrap"), A),
    "take: clip": (lambda x: np.take(x, [-1, 5, 2], axis=1, mode="clip"), A),
    "take: method": (lambda x: x.take([1, 1], axis=0), A),
    "take_along_axis": (lambda x: np.take_along_axis(x, ORDER, axis=1), draw(3, 4)),
    "take_along_axis: shorter": (lambda x: np.take_along_axis(x, ORDER[:, :2], axis=-1), draw(3, 4)),
    "take_along_axis: first axis": (lambda x: np.take_along_axis(x, ORDER[:2] % 3, axis=0), draw(3, 4)),
    "take_along_axis: flat": (lambda x: np.take_along_axis(x, np.array([3, 0, 0]), axis=None), draw(3, 4)),
    "take_along_axis: indices broadcast": (lambda x: np.take_along_axis(x, ORDER[:1], axis=1), draw(3, 4)),
    "take_along_axis: array broadcasts": (lambda x: np.take_along_axis(x, ORDER, axis=1), draw(1, 4)),
    "sort": (np.sort, draw(3, 5)),
    "sort: axis": (lambda x: np.sort(x, axis=0), draw(3, 5)),
    "sort: flat": (lambda x: np.sort(x, axis=None), draw(3, 5)),
    "sort: empty": (np.sort, draw(0)),
    "partition": (lambda x: np.sort(np.partition(x, 2)[..., :2]), draw(3, 5)),
    "compress": (lambda x: np.compress([True, False, True], x, axis=0), draw(3, 5)),
    "compress: flat": (lambda x: np.compress([True, False, True], x), draw(3, 5)),
    "compress: method": (lambda x: x.compress([False, True], axis=1), draw(3, 5)),
    "extract": (lambda x: np.extract(np.arange(15).reshape(3, 5) % 2 == 0, x), draw(3, 5)),
    "diag: read": (np.diag, M),
    "diag: above": (lambda x: np.diag(x, 2), draw(3, 5)),
    "diag: below": (lambda x: np.diag(x, -1), draw(3, 5)),
    "diag: beyond": (lambda x: np.diag(x, 9), M),
    "diag: written": (np.diag, draw(3)),
    "diag: written above": (lambda x: np.diag(x, 1), draw(3)),
    "diag: written below": (lambda x: np.diag(x, -2), draw(3)),
    "diagflat": (np.diagflat, draw(2, 2)),
    "diagonal": (np.diagonal, A),
    "diagonal: axes": (lambda x: np.diagonal(x, 1, -1, 0), A),
    "diagonal: method": (lambda x: x.diagonal(-1), M),
    "linalg.diagonal": (np.linalg.diagonal, A),
    "trace": (np.trace, M),
    "trace: stack": (lambda x: np.trace(x, 1, 1, 2), A),
    "linalg.trace": (lambda x: np.linalg.trace(x, offset=-1), A),
    "tril": (np.tril, draw(3, 4)),
    "tril: below": (lambda x: np.tril(x, -1), A),
    "triu": (np.triu, draw(3, 4)),
    "triu: above": (lambda x: np.triu(x, 1), A),
    "triu: vector": (np.triu, draw(3)),
    "unsorted scatter_add": (lambda x: cr.scatter_add(x, np.array([0, 2, 2]), (4,)), draw(3)),
    "scatter_add: rows": (lambda x: cr.scatter_add(x, np.array([1, 1]), (3, 4)), draw(2, 4)),
    "scatter_add: slice": (lambda x: cr.scatter_add(x, (slice(1, 3), 0), (4, 2)), draw(2)),
    "scatter_add: mask": (lambda x: cr.scatter_add(x, MASK, (4,)), draw(3)),
    "scatter_add: empty": (lambda x: cr.scatter_add(x, np.zeros(0, int), (4,)), draw(0)),
    "assignments in a loop": (running, draw(5)),
    "assignment of the whole": (written(...), draw(3)),
}

ROWS = [
    *(Row(f"read: {name}", lambda x, index=index: x[index], (A,)) for name, index in READ.items()),
    *(Row(f"write: {name}", written(index), (A, draw(*shape, seed=3))) for name, (index, shape) in WRITE.items()),
    *(Row(name, function, (x, x + 1.0) if "whole" in name else (x,)) for name, (function, x) in OTHER.items()),
    Row("read: 0-d", lambda x: x[()] * x[...], (draw(),)),
    Row("write: 0-d", written(()), (draw(), draw(seed=1))),
    Row("write: a number", lambda x: written([0, 2])(x, 3.0), (draw(4),)),
    Row("write: from itself", lambda x: written(slice(0, 2))(x, x[2:]), (draw(4),)),
    Row("interp: all arguments", np.interp, (draw(5), np.array([-2.5, -0.9, 0.8, 2.5]), draw(4, seed=1))),
    Row("interp: outside", lambda x, f: np.interp(x, [0.0, 1.0], f), (np.array([-1.0, 0.5, 2.0]), draw(2))),
    Row("interp: left and right", lambda x: np.interp(x, [0, 1], [2, 5], left=-1, right=9), (draw(6),)),
    Row("bincount", lambda w: np.bincount([0, 2, 2, 1], w, minlength=5), (draw(4),)),
]

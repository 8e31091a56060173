"""Every row of the gradient table, recorded on one set of inputs and run on another: nothing in a Program is frozen.

What has shapes that depend on values cannot be recorded; it says so, and what to do instead.
"""

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.array import raw
from chainrule.graph.errors import GraphError
from tests.gates.test_table import ON_PURPOSE_DOUBLE, ROWS, everything, projection, results, rows, weights

# BLAS may raise the flag for invalid numbers over lanes that it reads beside short vectors; the values are compared.
pytestmark = pytest.mark.filterwarnings("ignore:.*(Degrees of freedom|empty slice|invalid value encountered in dot)")

A_MASK = r"boolean mask .* np\.where.* np\.nonzero"
REFUSED = {
    "bincount": r"np\.bincount .* cr\.scatter_add",
    "lstsq: tall": r"np\.linalg\.lstsq .* np\.linalg\.pinv",
    "lstsq: residuals": r"np\.linalg\.lstsq .* np\.linalg\.pinv",
    "lstsq: wide": r"np\.linalg\.lstsq .* np\.linalg\.pinv",
    "piecewise": A_MASK,
    "piecewise: 0-d": A_MASK,
    "read: a single truth": A_MASK,
    "read: mask": A_MASK,
    "read: mask and array": A_MASK,
    "read: mask and slice": A_MASK,
    "read: mask of nothing": A_MASK,
    "read: mask of rows": A_MASK,
    "scatter_add: mask": A_MASK,
    "trim_zeros": r"np\.trim_zeros .* mask",
    "trim_zeros: front": r"np\.trim_zeros .* mask",
    "write: mask of nothing": A_MASK,
    "write: mask of rows": A_MASK,
}


def recordable(row):
    return row.name not in REFUSED


def others(row):
    """Other inputs of the same shapes: the same numbers in another order, and smaller where there is one alone."""
    return [np.flip(x).copy() if x.size > 1 else 0.9 * x for x in row.args]


def agree(found, expected):
    """Errors are measured against the element, or a tenth of the largest: elements may be small by cancellation."""
    assert len(found) == len(expected)
    for a, b in zip(found, map(raw, expected), strict=True):
        assert isinstance(a, np.ndarray)
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if b.dtype.kind == "f" and b.size:
            largest = np.max(np.abs(b), where=np.isfinite(b), initial=0.0)
            single = b.dtype == np.float32
            np.testing.assert_allclose(a, b, rtol=1e-5 if single else 1e-12, atol=(1e-6 if single else 1e-13) * largest)
        else:
            np.testing.assert_array_equal(a, b)


@rows(recordable)
def test_values_and_gradients(row):
    gradient = cr.grad(projection(row), everything(row))
    compiled = cr.compile(lambda *args: (results(row, args), list(gradient(*args))))
    for args in (row.args, others(row)):
        values, gradients = compiled(*args)
        agree(values, results(row, [cr.array(x) for x in args]))
        agree(gradients, gradient(*args))


@rows(lambda row: recordable(row) and not any(word in row.name for word in ON_PURPOSE_DOUBLE))
def test_values_and_gradients_in_single_precision(row):
    gradient = cr.grad(projection(row), everything(row))
    compiled = cr.compile(lambda *args: (results(row, args), list(gradient(*args))))
    for args in (row.args, others(row)):
        args = [x.astype(np.float32) for x in args]
        with np.errstate(all="ignore"):
            values, gradients = compiled(*args)
            agree(values, results(row, [cr.array(x) for x in args]))
            agree(gradients, gradient(*args))


@rows(recordable)
def test_gradients_of_gradients(row):
    gradient = cr.grad(projection(row), everything(row))

    def curved(*args):
        return sum((np.sum(np.sin(dx) * weights(dx)) for dx in gradient(*args)), start=0.0)

    second = cr.grad(curved, everything(row))
    compiled = cr.compile(lambda *args: list(second(*args)), backend="source")  # whose code is there at once
    agree(compiled(*row.args), second(*row.args))
    agree(compiled(*others(row)), second(*others(row)))


@rows(lambda row: not recordable(row))
def test_what_cannot_be_recorded_says_so(row):
    with pytest.raises(GraphError, match=REFUSED[row.name]):
        cr.compile(lambda *args: results(row, args))(*row.args)


def test_all_that_is_refused_is_in_the_table():
    assert set(REFUSED) <= {row.name for row in ROWS.values()}

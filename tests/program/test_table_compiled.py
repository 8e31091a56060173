"""Every row of the gradient table, recorded on one set of inputs and run on another: nothing in a Program is frozen."""

import numpy as np
import pytest

import chainrule as cr
from tests.gates.test_table import every_row, everything, projection, results

pytestmark = pytest.mark.filterwarnings("ignore:.*(Degrees of freedom|empty slice)")

VALUE_DEPENDENT = {
    "lstsq": "np.linalg.pinv",
}


def others(row):
    """Other inputs of the same shapes: the same numbers in another order, and smaller where there is one alone."""
    return [np.flip(x).copy() if x.size > 1 else 0.9 * x for x in row.args]


def agree(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        b = np.asarray(cr.graph.array.raw(b))
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@every_row
def test_values(row):
    compiled = cr.compile(lambda *args: results(row, args))
    agree(compiled(*row.args), results(row, [cr.array(x) for x in row.args]))
    agree(compiled(*others(row)), results(row, [cr.array(x) for x in others(row)]))


@every_row
def test_gradients(row):
    gradient = cr.grad(projection(row), everything(row))
    compiled = cr.compile(lambda *args: list(gradient(*args)))
    agree(compiled(*row.args), gradient(*row.args))
    agree(compiled(*others(row)), gradient(*others(row)))

"""Every function of NumPy that works on Arrays works in a compiled function, on other values of the same shapes.

Or it says that it cannot be recorded; none freezes what it saw.
"""

import numpy as np
import pytest

import chainrule as cr
from chainrule.calculus.trees import leaves
from chainrule.graph.array import raw
from chainrule.graph.errors import GraphError
from chainrule.numpy_protocol.dispatch import CONSTANT, DIFFERENTIABLE
from tests.numpy_protocol.examples import MATRIX, example
from tests.numpy_protocol.test_coverage import CONSTANT_CALLS, INDICES, INTEGER_UFUNCS, named, short

REFUSED = {
    *("nonzero", "flatnonzero", "argwhere", "unique_counts", "unique_inverse", "ix_", "extract", "compress"),
    *("allclose", "array_equal", "array_equiv", "min_scalar_type", "histogramdd", "bincount", "trim_zeros"),
    *("linalg.lstsq", "piecewise"),
}
CONSTANT_MASKS = {"compress", "extract"}
"""The examples of these have masks that are ndarrays, which do not change."""
WRITERS = {"save", "savetxt", "savez", "savez_compressed"}
OTHER = MATRIX[::-1, ::-1] + 0.01


def numbers(results):
    return [np.asarray(raw(z)) for z in leaves(results) if isinstance(z, (cr.Array, np.ndarray, np.generic))]


def agree(function, *args):
    compiled = cr.compile(lambda x: [z for z in leaves(function(x)) if isinstance(z, cr.Array)])
    for x in args:
        found = compiled(x)
        expected = numbers([z for z in leaves(function(cr.array(x))) if isinstance(z, cr.Array)])
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def refused(function, x):
    with pytest.raises(GraphError, match="cannot be recorded: "):
        cr.compile(function)(x)


@named(DIFFERENTIABLE)
def test_differentiable_ones(function):
    name = short(function)
    call = example(function, name)
    if name in REFUSED - CONSTANT_MASKS:
        refused(call, MATRIX)
    else:
        agree(call, MATRIX, OTHER)


@named(CONSTANT)
def test_constant_ones(function):
    name = short(function)
    call = CONSTANT_CALLS.get(name, function)
    if isinstance(function, np.ufunc):
        call = lambda x: function(*(x,) * function.nin)  # noqa: E731
    if name in REFUSED:
        refused(call, MATRIX)
    elif name not in WRITERS | {"empty_like"}:
        agree(call, *((INDICES, INDICES + 1) if name in INTEGER_UFUNCS else (MATRIX, OTHER)))

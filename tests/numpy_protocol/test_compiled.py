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


def test_full_of_a_number():
    agree(lambda x: np.full_like(x, 3.5) * x + np.full_like(x, x[0]) + np.full_like(x, MATRIX[1]), MATRIX, OTHER)
    agree(lambda x: np.full_like(x, 2.7, dtype=int), MATRIX)


ORDERED = np.array([[3.0, 1.0, 3.0, 0.0], [-1.0, 2.0, 2.0, -1.0], [0.0, 0.0, 0.0, 0.0]])
WITH_NAN = np.array([[3.0, np.nan, 3.0, np.nan], [-1.0, 2.0, 2.0, -1.0], [np.nan, 0.0, 0.0, 0.0]])
REDUCTIONS = {
    "any": np.any,
    "all": np.all,
    "count": np.count_nonzero,
    "argmax": np.argmax,
    "argmin": np.argmin,
}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, bool])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
def test_constant_reductions(name, dtype, keepdims, axis):
    function = REDUCTIONS[name]
    if axis == (0, 1) and name.startswith("arg"):
        axis = 1
    compiled = cr.compile(lambda x: function(x, axis=axis, keepdims=keepdims))
    for x in (ORDERED, -ORDERED, ORDERED * 0, ORDERED + 1, WITH_NAN if np.dtype(dtype).kind == "f" else ORDERED):
        x = x.astype(dtype)
        found, expected = compiled(x), function(x, axis=axis, keepdims=keepdims)
        assert found.dtype == np.asarray(expected).dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, bool])
def test_nearness(dtype):
    near = cr.compile(lambda x, y: (np.isclose(x, y), np.isclose(x, y, 0.3, equal_nan=True), np.isclose(x, 2, atol=1)))
    x = np.array([1.0, 1.00001, 1.0001, 0.0, -0.0, 1e-9, np.inf, np.inf, -np.inf, np.nan, np.nan, 5.0, 7.0])
    if dtype not in (np.float32, np.float64):
        x = np.nan_to_num(x, posinf=9, neginf=-9)
    x = x.astype(dtype)
    for y in (x, x[::-1].copy(), x[:, None]):
        expected = np.isclose(x, y), np.isclose(x, y, 0.3, equal_nan=True), np.isclose(x, 2, atol=1)
        for found, wanted in zip(near(x, y), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_constant_reductions_that_leave_elements_out():
    compiled = cr.compile(lambda x, keep: (np.any(x, 1, where=keep), np.all(x, where=keep), np.any(x.astype(bool)[:0])))
    for keep in (ORDERED > 0, ORDERED < 0, ORDERED == 9):
        some, every, nothing = compiled(ORDERED, keep)
        np.testing.assert_array_equal(some, np.any(ORDERED, 1, where=keep))
        assert every == np.all(ORDERED, where=keep)
        assert not nothing


@pytest.mark.parametrize("function", [np.argmax, np.argmin, np.any, np.all, np.count_nonzero])
@pytest.mark.parametrize("axis", [0, -1])
def test_constant_reductions_of_a_scalar_along_an_axis(function, axis):
    compiled = cr.compile(lambda x: (function(x, axis=axis), function(x, axis)))
    for x in np.array([2.0, 0.0, -1.0]):
        np.testing.assert_array_equal(compiled(np.array(x)), [function(x, axis=axis)] * 2)

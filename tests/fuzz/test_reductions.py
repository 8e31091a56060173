"""Reductions over any axes of any shape, empty ones included, against NumPy and against differences."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from tests.fuzz.cases import axes, fuzz, numbers, seeds, shapes

FUNCTIONS = ["sum", "prod", "max", "min", "mean", "var", "std", "ptp", "median", "nansum", "nanmax", "nanmean"]


def outcome(f, x):
    """The result, or the kind of error: what cannot be reduced must raise here as it does in NumPy."""
    with np.errstate(all="ignore"):
        try:
            return f(x)
        except (ValueError, IndexError) as error:
            return ValueError if isinstance(error, ValueError) else IndexError


@given(st.data(), st.sampled_from(FUNCTIONS), shapes, seeds, st.booleans())
@fuzz(17)
def test_reductions(data, name, shape, seed, keepdims):
    axis = data.draw(axes(len(shape)))
    x = numbers(seed, shape)

    def f(x):
        return getattr(np, name)(x, axis=axis, keepdims=keepdims)

    if 0 in shape and name not in ("sum", "prod", "max", "min", "nansum", "nanmax"):
        return  # NumPy warns of means of nothing
    if name in ("median", "ptp") and axis == ():
        return  # NumPy's own behaviour without axes is not that of a reduction
    expected, found = outcome(f, x), outcome(f, cr.array(x))
    if isinstance(expected, type):
        assert found is expected
        return
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.value, expected, rtol=1e-12, atol=1e-14)
    lengths = [n for i, n in enumerate(shape) if axis is None or i in np.atleast_1d(axis).astype(int) % len(shape)]
    if name == "std" and np.prod(lengths) == 1:
        return  # the deviation of one number: sqrt at 0
    cr.check_grads(f, x, order=2, directions=2)


@given(st.data(), st.sampled_from(["cumsum", "cumprod", "diff", "sort", "flip"]), seeds)
@fuzz(5)
def test_running_forms(data, name, seed):
    shape = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=3).map(tuple))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = numbers(seed, shape)
    if data.draw(st.booleans()) and name == "cumprod":
        x[x > 0.5] = 0.0

    def f(x):
        return getattr(np, name)(x, axis=axis)

    np.testing.assert_allclose(f(cr.array(x)).value, f(x), rtol=1e-12)
    cr.check_grads(f, x, order=2, directions=2)

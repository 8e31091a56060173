"""Reductions where numbers run out: half precision, masks filled with infinity."""

import numpy as np
import pytest

import chainrule as cr


def test_means_of_half_precision_are_added_up_in_single():
    x = np.full(70_000, 300.0, np.float16)  # neither the sum nor the count is a float16
    variable = cr.array(x)
    z = np.mean(variable)
    assert z.dtype == np.float16
    assert z.item() == np.mean(x) == 300.0
    z.backward()
    np.testing.assert_allclose(variable.grad, np.float16(1 / 70_000))


def test_infinite_fillings_are_no_accident():
    x = cr.array([1.0, np.nan, 3.0])
    with cr.nonfinite():
        largest = np.nanmax(x) + np.max(x, where=np.array([True, False, True]), initial=0.0)
        largest.backward()
    assert largest.item() == 6.0
    np.testing.assert_array_equal(x.grad, [0.0, 0.0, 2.0])
    with cr.nonfinite(), pytest.raises(cr.NonFiniteError, match="the value of max"):
        np.max(x, where=np.array([True, True, False]), initial=0.0)


def test_trapezoid_with_more_abscissas_than_ordinates():
    x, y = np.array([[0.0, 1.0, 3.0], [0.0, 2.0, 5.0]]), np.array([1.0, 2.0, 4.0])
    np.testing.assert_array_equal(np.trapezoid(cr.array(y), x).value, np.trapezoid(y, x))
    assert cr.check_grads(np.trapezoid, y, x).verdict == "good"

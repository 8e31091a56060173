"""Reductions where their formula has no derivative, or no element."""

import numpy as np
import pytest

import chainrule as cr


@pytest.mark.parametrize("std", [np.std, np.nanstd])
def test_the_deviation_of_equal_elements_has_gradient_zero(std):
    x = np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]])
    gradient = cr.grad(lambda x: np.sum(std(x, axis=1)))(x)
    np.testing.assert_allclose(gradient[0], 0.0)
    np.testing.assert_allclose(gradient[1], (x[1] - 2.0) / (3 * np.std(x[1])))

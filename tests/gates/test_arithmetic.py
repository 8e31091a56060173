"""Operands of different precision: the gradient is as good as if NumPy had cast them before the gate."""

import numpy as np
import pytest

import chainrule as cr

FUNCTIONS = [
    np.add, np.subtract, np.multiply, np.divide, np.power, np.remainder, np.fmod, np.hypot, np.logaddexp,
    np.logaddexp2, np.arctan2, np.maximum, np.minimum, np.copysign, np.float_power,
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.float16, np.float32])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_constants_of_lower_precision(function, dtype):
    y, constants = np.array([1.2, 0.7, 2.1, 0.4]), np.array([100, 3, 1, 77], dtype)  # 100 squared is no int8
    for order in (1, -1):

        def loss(y, c, order=order):
            return np.sum(function(*(c, y)[::order]))

        for derivative in (cr.grad, cr.hessian):
            wide = derivative(loss)(y, constants.astype(np.float64))
            np.testing.assert_allclose(derivative(loss)(y, constants), wide, rtol=1e-12)


def test_variables_of_lower_precision():
    x, y = cr.array(np.array([300.0, 1.0], np.float16)), cr.array([2.0, 3.0])
    np.sum(np.arctan2(x, y)).backward()  # 300 squared is no float16
    np.testing.assert_allclose(x.grad, np.array([2 / (300**2 + 4), 0.3]).astype(np.float16))
    np.testing.assert_allclose(y.grad, [-300 / (300**2 + 4), -0.1])
    assert x.grad.dtype == np.float16


def test_lists_and_long_doubles():
    x = cr.array(np.array([1.0, -2.0], np.longdouble))
    assert np.float_power(x, 2.0).dtype == np.longdouble
    np.testing.assert_array_equal(np.copysign([3.0, 4.0], x).value, [3.0, -4.0])
    np.testing.assert_array_equal(np.arctan2([3.0, 4.0], x).value, np.arctan2([3.0, 4.0], x.value))

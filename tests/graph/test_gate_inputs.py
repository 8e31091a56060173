"""A user's gate sees its inputs, and cannot change them."""

import numpy as np
import pytest

import chainrule as cr


class Tripled(cr.Gate):
    def forward(self, x):
        x *= 3
        return x

    def backward(self, dz):
        return [3 * dz]


@pytest.mark.parametrize("data", [np.array([1.0, 2.0]), cr.array([1.0, 2.0]), cr.Parameter([1.0, 2.0])])
def test_a_gate_that_writes_into_its_inputs_is_refused(data):
    with pytest.raises(ValueError, match=r"Tripled.*read-only"):
        Tripled()(data)
    np.testing.assert_array_equal(np.asarray(getattr(data, "value", data)), [1.0, 2.0])


class Same(cr.Gate):
    def forward(self, x):
        return x

    def backward(self, dz):
        return [dz]


def test_a_gate_that_returns_its_input_does_not_follow_later_changes():
    p = cr.Parameter([1.0, 2.0])
    z = Same()(p)
    p.assign([5.0, 6.0])
    np.testing.assert_array_equal(z.value, [1.0, 2.0])

"""3. Where a value branches out, the gradients that come back add."""

import numpy as np
import pytest

import chainrule as cr


def test_a_square_has_two_wires():
    x = cr.array(3.0)
    f = x * x
    f.backward()
    assert [edge.contribution for edge in cr.edges(f)] == [3, 3]
    assert x.grad == 6


def test_staged_computation_with_branches():
    x, y = cr.array(3.0), cr.array(-4.0)
    sy = cr.sigmoid(y)
    num = x + sy
    sx = cr.sigmoid(x)
    xy = x + y
    den = sx + xy**2
    f = num / den
    f.backward()
    assert [round(v, 2) for v in (f.item(), float(x.grad), float(y.grad))] == [1.55, 2.06, 1.59]
    on_x = [edge.contribution for gate in (num, sx, xy) for edge in cr.edges(gate) if edge.input is x]
    assert len(on_x) == 3
    assert sum(on_x) == pytest.approx(x.grad, rel=1e-14)


def test_the_sum_is_complete_before_it_travels_on():
    x = cr.array(2.0)
    q = x * 3.0
    late = np.exp(q * 0.1)  # a short and a long way from q to f
    f = q + late * late
    f.backward()
    assert x.grad == pytest.approx(3 * (1 + 0.2 * np.exp(1.2)), rel=1e-14)


def test_a_broadcast_is_a_branch_too():
    bias, data = cr.array([1.0, 2.0]), np.ones((5, 2))
    np.sum((data + bias) * 3.0).backward()
    np.testing.assert_array_equal(bias.grad, [15, 15])


def test_a_second_backward_writes_afresh_and_accumulate_adds():
    x = cr.array(3.0)
    for _ in range(2):
        (x * x).backward()
        assert x.grad == 6
    (x * x).backward(accumulate=True)
    assert x.grad == 12


def test_hundred_branches():
    x = cr.array(0.5)
    sum((x * float(k) for k in range(100)), start=0.0).backward()
    assert x.grad == 4950

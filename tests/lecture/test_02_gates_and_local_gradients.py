"""2. A gate's local gradients exist after the forward pass; backward, dL/dx = dz/dx * dL/dz."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError


def test_local_gradients_are_there_before_backward():
    x, y = cr.array(4.0), cr.array(-3.0)
    z = x * y
    to_x, to_y = cr.edges(z)
    assert (to_x.local_gradient, to_y.local_gradient) == (-3, 4)
    assert (z.grad, x.grad, to_x.contribution) == (None, None, None)


@pytest.mark.parametrize(
    ("gate", "inputs", "local"),
    [
        (np.add, (3.0, -4.0), (1, 1)),
        (np.subtract, (3.0, -4.0), (1, -1)),
        (np.multiply, (3.0, -4.0), (-4, 3)),
        (np.divide, (3.0, -4.0), (-1 / 4, -3 / 16)),
        (np.power, (3.0, 2.0), (6, 9 * np.log(3))),
        (np.maximum, (3.0, -4.0), (1, 0)),
        (np.exp, (-1.0,), (np.exp(-1),)),
        (np.log, (0.25,), (4,)),
        (np.negative, (3.0,), (-1,)),
        (np.reciprocal, (2.0,), (-0.25,)),
        (np.square, (3.0,), (6,)),
        (np.tanh, (0.5,), (1 - np.tanh(0.5) ** 2,)),
    ],
)
def test_the_local_gradients_of_the_gates_that_everybody_knows(gate, inputs, local):
    z = gate(*map(cr.array, inputs))
    np.testing.assert_allclose([edge.local_gradient for edge in cr.edges(z)], local, rtol=1e-14)


def test_each_input_is_handed_the_local_gradient_times_the_upstream_one():
    x, y, z = cr.array(-2.0), cr.array(5.0), cr.array(-4.0)
    q = x + y
    f = q * z
    f.backward()
    for node in (q, f):
        for edge in cr.edges(node):
            assert edge.contribution == edge.local_gradient * node.grad == edge.input.grad


def test_the_upstream_gradient_may_come_from_outside():
    x, y = cr.array(4.0), cr.array(-3.0)
    z = x * y
    z.backward(upstream=np.array(10.0))
    assert (z.grad, x.grad, y.grad) == (10, -30, 40)


def test_edges_keep_the_order_of_the_arguments_and_their_names():
    x, y = cr.array(4.0), cr.array(-3.0)
    assert [edge.input for edge in cr.edges(x - y)] == [x, y]
    assert [edge.argument for edge in cr.edges(x - y)] == ["x", "y"]
    assert [edge.input for edge in cr.edges(2.0 - y)][1] is y
    assert cr.edges(x) == []


def test_a_constant_has_no_gradient_and_its_wire_says_so():
    x = cr.array(4.0)
    z = x * cr.constant(3.0)
    z.backward()
    _, wire = cr.edges(z)
    assert not wire.live
    with pytest.raises(GraphError, match="constant"):
        _ = wire.local_gradient

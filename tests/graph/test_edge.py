"""Edges: the wires of a circuit, with the gradients on them before and after the backward pass."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.array import circuit
from chainrule.graph.edge import outgoing
from chainrule.graph.errors import GraphError


def test_a_square_has_two_edges_with_two_contributions():
    x = cr.array(3.0)
    y = x * x
    first, second = cr.edges(y)
    assert first.input is second.input is x
    assert (first.index, second.index) == (0, 1)
    assert (first.contribution, second.contribution) == (None, None)
    y.backward(upstream=2.0)
    assert (first.contribution, second.contribution) == (6.0, 6.0)
    assert x.grad == first.contribution + second.contribution


def test_local_gradients_exist_before_backward():
    x, y = cr.array(4.0), cr.array(-3.0)
    edges = cr.edges(x * y)
    assert [e.local_gradient for e in edges] == [-3.0, 4.0]
    assert [e.argument for e in edges] == ["x", "y"]
    assert x.grad is None


def test_the_local_gradient_of_an_elementwise_gate_is_a_diagonal():
    x = cr.array([0.0, 1.0, 2.0])
    [edge] = cr.edges(np.square(x))
    assert edge.diagonal
    assert edge.local_gradient.tolist() == [0.0, 2.0, 4.0]
    assert edge.jacobian().tolist() == np.diag([0.0, 2.0, 4.0]).tolist()


def test_local_gradients_of_add_have_the_outputs_shape():
    x, y = cr.array([[1.0], [2.0]]), cr.array([1.0, 2.0, 3.0])
    left, right = cr.edges(x + y)
    assert left.local_gradient.tolist() == [[1.0] * 3] * 2
    assert left.pullback(np.ones((2, 3))).tolist() == [[3.0], [3.0]]
    assert right.pullback(np.ones((2, 3))).tolist() == [2.0, 2.0, 2.0]
    assert left.jacobian().shape == (2, 3, 2, 1)


def test_the_local_gradient_of_a_product_is_a_full_jacobian():
    w, x = cr.array(np.arange(6.0).reshape(2, 3)), cr.array(np.ones((3, 1)))
    z = w @ x
    to_w, to_x = cr.edges(z)
    assert not to_x.diagonal
    assert to_x.local_gradient.shape == (2, 1, 3, 1)
    assert to_x.local_gradient.reshape(2, 3).tolist() == w.value.tolist()
    assert to_w.jacobian().shape == (2, 1, 2, 3)


def test_edges_from_constants():
    x = cr.array([1.0, 2.0])
    to_x, to_data = cr.edges(x * np.array([3.0, 4.0]))
    assert to_x.live
    assert not to_data.live
    assert to_x.local_gradient.tolist() == [3.0, 4.0]
    with pytest.raises(GraphError, match="its input y is a constant"):
        to_data.pullback(np.ones(2))
    to_x.node.backward(upstream=np.ones(2))
    assert to_data.contribution is None
    assert cr.edges(x) == []
    assert cr.edges(x.detach()) == []


def test_variadic_gates_name_their_arguments():
    x, y = cr.array([1.0]), cr.array([2.0, 3.0])
    joined = cr.edges(np.concatenate([x, y]))
    assert [e.argument for e in joined] == ["xs0", "xs1"]
    assert joined[1].jacobian().tolist() == [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]


def test_users_gates_have_edges():
    class Swap(cr.Gate):
        def forward(self, left, right):
            return np.concatenate((right, left))

        def backward(self, dz):
            return [dz[1:], None]

    left, right = cr.array([1.0, 2.0]), cr.array([3.0])
    edges = cr.edges(Swap()(left, right))
    assert [e.argument for e in edges] == ["left", "right"]
    assert edges[0].jacobian().tolist() == [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    assert edges[1].jacobian().tolist() == [[0.0]] * 3
    assert not edges[0].diagonal


def test_contributions_sum_to_the_gradient_everywhere():
    rng = np.random.default_rng(0)
    x, w = cr.array(rng.normal(size=(4, 3))), cr.array(rng.normal(size=(3, 2)))
    h = np.tanh(x @ w)
    loss = np.sum(h * h + np.max(h, axis=0)) + np.mean(h[1:] * w[0])
    loss.backward()
    nodes = circuit(loss)
    for node, out in outgoing(nodes).items():
        if out:
            assert sum(e.contribution for e in out) == pytest.approx(node.grad)


def test_single_precision_stays_single():
    x = cr.array([1.0, 2.0], dtype=np.float32)
    [edge] = cr.edges(np.exp(x))
    assert edge.local_gradient.dtype == edge.jacobian().dtype == np.float32

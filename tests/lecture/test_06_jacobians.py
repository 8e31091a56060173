"""6. Activations are vectors, local gradients Jacobians: diagonal for elementwise gates."""

import numpy as np
import pytest

import chainrule as cr

X = np.array([1.0, -2.0, 3.0, -1.0])


@pytest.mark.parametrize(
    ("gate", "diagonal"),
    [
        (cr.relu, [1, 0, 1, 0]),
        (lambda x: np.maximum(0.0, x), [1, 0, 1, 0]),
        (np.tanh, 1 - np.tanh(X) ** 2),
        (np.square, 2 * X),
        (lambda x: x * np.arange(4.0), [0, 1, 2, 3]),
    ],
)
def test_an_elementwise_gate_has_a_diagonal_jacobian(gate, diagonal):
    x = cr.array(X)
    (edge,) = [edge for edge in cr.edges(gate(x)) if edge.live]
    assert edge.diagonal
    np.testing.assert_allclose(edge.local_gradient, diagonal, rtol=1e-14)
    np.testing.assert_allclose(edge.jacobian(), np.diag(diagonal), rtol=1e-14)
    np.testing.assert_allclose(cr.jacobian(gate)(X), np.diag(diagonal), rtol=1e-14)


def test_the_backward_pass_is_a_product_with_the_jacobian():
    x = cr.array(X)
    z = cr.relu(x)
    upstream = np.array([4.0, -1.0, 5.0, 9.0])
    z.backward(upstream=upstream)
    np.testing.assert_array_equal(x.grad, [4, 0, 5, 0])
    np.testing.assert_array_equal(x.grad, upstream @ cr.edges(z)[0].jacobian())


def test_the_jacobian_is_not_materialised():
    x = cr.array(np.ones((1000, 4096)))  # its Jacobian would take a hundred thousand gigabytes
    z = cr.relu(x)
    z.backward(upstream=np.ones(z.shape))
    assert cr.edges(z)[0].local_gradient.shape == x.grad.shape == (1000, 4096)


def test_a_gate_that_mixes_its_inputs_has_a_full_one():
    p = np.array([0.2, 0.3, 0.5])
    expected = np.diag(p) - np.outer(p, p)
    np.testing.assert_allclose(cr.jacobian(cr.softmax)(np.log(p)), expected, rtol=1e-13)


def test_softmax_cross_entropy_of_the_lecture():
    scores = cr.array(np.log([[0.2, 0.3, 0.5]]))
    loss = cr.nn.cross_entropy(scores, np.array([1]))
    loss.backward()
    assert loss.item() == pytest.approx(-np.log(0.3), rel=1e-15)
    np.testing.assert_allclose(scores.grad, [[0.2, -0.7, 0.5]], rtol=1e-14)


def test_a_matrix_product():
    rng = np.random.default_rng(0)
    w, x = cr.array(rng.standard_normal((5, 10))), cr.array(rng.standard_normal((10, 3)))
    y = w @ x
    dy = rng.standard_normal(y.shape)
    y.backward(upstream=dy)
    np.testing.assert_allclose(w.grad, dy @ x.value.T, rtol=1e-13)
    np.testing.assert_allclose(x.grad, w.value.T @ dy, rtol=1e-13)
    to_w, to_x = cr.edges(y)
    assert not to_w.diagonal
    assert to_w.jacobian().shape == (5, 3, 5, 10)
    np.testing.assert_allclose(np.tensordot(dy, to_x.jacobian(), axes=2), x.grad, rtol=1e-13)

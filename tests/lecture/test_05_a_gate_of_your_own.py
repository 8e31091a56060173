"""5. The gate API, as users write it: forward caches, backward returns the gradient of each input."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError


class MultiplyGate(cr.Gate):
    def forward(self, x, y):
        self.x, self.y = x, y  # cache
        return x * y

    def backward(self, dz):
        return [self.y * dz, self.x * dz]


def test_forward_and_backward_as_in_the_lecture():
    x, y = cr.array(4.0), cr.array(-3.0)
    z = MultiplyGate()(x, y)
    assert [edge.local_gradient for edge in cr.edges(z)] == [-3, 4]
    z.backward()
    assert z.item() == -12
    assert (x.grad, y.grad) == (-3, 4)


def test_one_instance_applied_twice():
    multiply = MultiplyGate()
    x, y, z = cr.array(2.0), cr.array(3.0), cr.array(5.0)
    multiply(multiply(x, y), z).backward()
    assert (x.grad, y.grad, z.grad) == (15, 10, 6)
    assert not hasattr(multiply, "x")  # each call worked on its own copy


def test_among_other_gates_and_on_arrays():
    a, b = np.array([1.0, -2.0, 0.5]), np.array([3.0, 0.25, -1.0])
    gradient = cr.grad(lambda x, y: np.sum(np.tanh(MultiplyGate()(x, y)) * x), argnums=(0, 1))(a, b)
    slope = 1 - np.tanh(a * b) ** 2
    np.testing.assert_allclose(gradient[0], np.tanh(a * b) + a * b * slope, rtol=1e-14)
    np.testing.assert_allclose(gradient[1], a * a * slope, rtol=1e-14)


def test_a_broadcast_input_gets_its_sum():
    x, y = cr.array(2.0), cr.array([1.0, 2.0, 3.0])
    np.sum(MultiplyGate()(x, y)).backward()
    assert x.grad == 6
    np.testing.assert_array_equal(y.grad, [2, 2, 2])


def test_gradient_of_a_gradient():
    multiply = MultiplyGate()

    def cube(x):
        return multiply(multiply(x, x), x)

    assert cr.grad(cube)(2.0) == 12
    assert cr.grad(cr.grad(cube))(2.0) == 12
    assert cr.grad(cr.grad(cr.grad(cube)))(2.0) == 6


def test_hessian():
    hessian = cr.hessian(lambda v: MultiplyGate()(v[0], v[1]))(np.array([4.0, -3.0]))
    np.testing.assert_array_equal(hessian, [[0, 1], [1, 0]])
    jacobian = cr.jacobian(MultiplyGate(), argnums=1)(np.array([4.0, -3.0]), np.array([1.0, 2.0]))
    np.testing.assert_array_equal(jacobian, [[4, 0], [0, -3]])


def test_check_grads_to_the_second_order():
    report = cr.check_grads(MultiplyGate(), np.array([4.0, 1.0]), np.array([-3.0, 2.0]), order=2)
    assert report.relative_error < 1e-7


def test_check_grads_finds_a_wrong_backward():
    class Forgetful(MultiplyGate):
        def backward(self, dz):
            return [self.y * dz, dz]

    with pytest.raises(cr.GradientError, match="order 1"):
        cr.check_grads(Forgetful(), 4.0, -3.0)


def test_first_order_uses_the_users_backward_alone():
    class Straight(cr.Gate):  # a straight-through estimator: its backward is no derivative of its forward
        def forward(self, x):
            return np.round(x)

        def backward(self, dz):
            return [dz]

    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(Straight()(x)))(np.array([0.2, 1.7])), [1, 1])


def test_none_is_no_gradient_and_a_tuple_will_do():
    class Pick(cr.Gate):
        def forward(self, x, which):
            self.mask = which > 0
            return x * self.mask

        def backward(self, dz):
            return dz * self.mask, None

    x, which = cr.array([1.0, 2.0]), cr.array([1.0, -1.0])
    np.sum(Pick()(x, which)).backward()
    np.testing.assert_array_equal(x.grad, [1, 0])
    assert which.grad is None


@pytest.mark.parametrize("returned", [3.0, [], [1.0, 2.0, 3.0], np.ones(2)])
def test_backward_must_return_one_gradient_for_each_input(returned):
    class Wrong(MultiplyGate):
        def backward(self, dz):
            return returned

    with pytest.raises(GraphError, match="2 inputs"):
        Wrong()(cr.array(1.0), cr.array(2.0)).backward()


def test_a_gradient_of_the_wrong_shape_is_refused():
    class Wrong(MultiplyGate):
        def backward(self, dz):
            return [np.ones(7), self.x * dz]

    with pytest.raises(GraphError, match=r"shape \(7,\)"):
        np.sum(Wrong()(cr.array([1.0, 2.0]), cr.array([1.0, 2.0]))).backward()


def test_writing_into_dz_is_refused():
    """Others read the same upstream gradient: an add gate hands it to all of its inputs."""

    class Careless(cr.Gate):
        def forward(self, x):
            return 3 * x

        def backward(self, dz):
            dz *= 3
            return [dz]

    x, y = cr.array([1.0, 2.0]), cr.array([1.0, 2.0])
    with pytest.raises(ValueError, match="read-only"):
        np.sum(Careless()(x) + y * 1.0).backward()

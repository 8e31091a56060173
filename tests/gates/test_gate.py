"""The user's own Gate, as in the lecture."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError


class MultiplyGate(cr.Gate):
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dz):
        return [self.y * dz, self.x * dz]


class ExpGate(cr.Gate):
    """Caches its output."""

    def forward(self, x):
        self.z = np.exp(x)
        return self.z

    def backward(self, dz):
        return [self.z * dz]


def test_the_lectures_gate():
    x, y = cr.array(4.0), cr.array(-3.0)
    z = MultiplyGate()(x, y)
    assert z.item() == -12.0
    z.backward()
    assert (x.grad, y.grad) == (-3.0, 4.0)


def test_forward_and_backward_see_plain_ndarrays():
    seen = []

    class Peek(cr.Gate):
        def forward(self, x):
            seen.append(type(x))
            return x * 2.0

        def backward(self, dz):
            seen.append(type(dz))
            return [dz * 2.0]

    Peek()(cr.array([1.0, 2.0])).backward(upstream=np.ones(2))
    assert seen == [np.ndarray, np.ndarray]


def test_one_instance_may_be_applied_many_times():
    gate = MultiplyGate()
    a, b, c = cr.array(2.0), cr.array(3.0), cr.array(5.0)
    gate(gate(a, b), c).backward()
    assert (a.grad, b.grad, c.grad) == (15.0, 10.0, 6.0)
    assert not hasattr(gate, "x")


def test_both_arguments_may_be_one_array():
    x = cr.array(3.0)
    MultiplyGate()(x, x).backward()
    assert x.grad == 6.0


def test_fields_of_the_instance_are_parameters():
    class Scale(cr.Gate):
        def __init__(self, factor):
            self.factor = factor

        def forward(self, x):
            return self.factor * x

        def backward(self, dz):
            return (self.factor * dz,)

    x = cr.array(1.0)
    (Scale(2.0)(x) + Scale(5.0)(x)).backward()
    assert x.grad == 7.0


def test_on_plain_numbers_it_is_a_plain_function():
    assert MultiplyGate()(2.0, 3.0) == 6.0
    assert isinstance(MultiplyGate()(np.ones(2), np.ones(2)), np.ndarray)


def test_broadcasting_is_undone():
    x, y = cr.array(np.ones((2, 3))), cr.array([1.0, 2.0, 3.0])
    np.sum(MultiplyGate()(x, y)).backward()
    assert x.grad.tolist() == [[1.0, 2.0, 3.0]] * 2
    assert y.grad.tolist() == [2.0, 2.0, 2.0]


def test_dtypes_are_kept():
    x = cr.array([1.0, 2.0], dtype=np.float32)
    np.sum(MultiplyGate()(x, np.array([1.0, 2.0]))).backward()
    assert x.grad.dtype == np.float32


def test_none_is_no_gradient():
    class First(cr.Gate):
        def forward(self, x, y):
            return x + 0 * y

        def backward(self, dz):
            return [dz, None]

    x, y = cr.array(1.0), cr.array(2.0)
    First()(x, y).backward()
    assert x.grad == 1.0
    assert y.grad is None
    assert cr.grad(lambda y: First()(1.0, y))(2.0) == 0.0


def test_numbers_and_lists_as_gradients():
    class Constant(cr.Gate):
        def forward(self, x, y):
            return np.sum(x) + y

        def backward(self, dz):
            return [[1.0, 1.0], 1]

    x, y = cr.array([1.0, 2.0]), cr.array(3.0)
    Constant()(x, y).backward()
    assert x.grad.tolist() == [1.0, 1.0]
    assert y.grad == 1.0


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda dz: [dz], r"one gradient for each of its 2 inputs \(None for no gradient\), not 1 entries"),
        (lambda dz: (dz, dz, dz), "not 3 entries"),
        (lambda dz: dz, "not (float64|ndarray)"),
        (lambda dz: None, "not NoneType"),
        (lambda dz: [np.ones(3), dz], r"gave input 0 of shape \(\) a gradient of shape \(3,\)"),
    ],
)
def test_wrong_results_of_backward(returned, message):
    class Wrong(cr.Gate):
        def forward(self, x, y):
            return x + y

        def backward(self, dz):
            return returned(dz)

    with pytest.raises(GraphError, match=f"Wrong.*{message}"):
        Wrong()(cr.array(1.0), cr.array(2.0)).backward()


def test_a_missing_method_says_so():
    class Half(cr.Gate):
        def forward(self, x):
            return x

    with pytest.raises(NotImplementedError, match=r"Half must define backward\(self, dz\)"):
        Half()(cr.array(1.0)).backward()
    with pytest.raises(NotImplementedError, match="must define forward"):
        cr.Gate()(cr.array(1.0))


def test_a_wrong_result_of_forward_says_so():
    class Text(cr.Gate):
        def forward(self, x):
            return "text"

    with pytest.raises(TypeError, match="Text"):
        Text()(cr.array(1.0))


def test_errors_inside_name_gate_operands_and_line():
    class Broken(cr.Gate):
        def forward(self, x):
            raise ValueError("no such thing")

    with pytest.raises(ValueError, match=r"Broken\(\(2,\) float64\) at test_gate\.py:\d+: no such thing"):
        Broken()(cr.array([1.0, 2.0]))


def test_identity_gates_do_not_share_memory_with_their_inputs_gradient():
    class Identity(cr.Gate):
        def forward(self, x):
            return x

        def backward(self, dz):
            return [dz]

    x, y = cr.array([1.0, 2.0]), cr.array([3.0, 4.0])
    (Identity()(x) + Identity()(y)).backward(upstream=np.ones(2))
    x.grad *= 5.0
    assert y.grad.tolist() == [1.0, 1.0]


def test_a_gate_that_keeps_the_gradient_it_returns():
    class Keeps(cr.Gate):
        def forward(self, x):
            return x * 2.0

        def backward(self, dz):
            self.kept = 2.0 * dz
            return [self.kept]

    x = cr.array([1.0, 2.0])
    y = Keeps()(x)
    np.sum(y).backward()
    x.grad *= 10.0
    assert y.gate.kept.tolist() == [2.0, 2.0]


def test_the_upstream_gradient_cannot_be_changed_in_place():
    class Greedy(cr.Gate):
        def forward(self, x):
            return x * 2.0

        def backward(self, dz):
            dz *= 2.0
            return [dz]

    x, y = cr.array([1.0, 2.0]), cr.array([1.0, 2.0])
    with pytest.raises(ValueError, match="read-only"):
        np.sum(Greedy()(x) + y).backward()


# ---- higher order


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_derivatives_of_any_order(order):
    def by_gate(x):
        return MultiplyGate()(ExpGate()(MultiplyGate()(x, x)), x)

    def by_numpy(x):
        return np.exp(x * x) * x

    f, g = by_gate, by_numpy
    for _ in range(order):
        f, g = cr.grad(f), cr.grad(g)
    assert f(0.7) == pytest.approx(g(0.7), rel=1e-12)


def test_hessian_through_it():
    def f(v):
        return np.sum(MultiplyGate()(ExpGate()(v[:2]), v[1:]))

    def g(v):
        return np.sum(np.exp(v[:2]) * v[1:])

    v = np.array([0.3, -0.5, 0.8])
    assert cr.hessian(f)(v) == pytest.approx(cr.hessian(g)(v), rel=1e-12)
    assert cr.check_grads(f, v, order=2).relative_error < 1e-7


def test_first_order_uses_the_users_rule_alone():
    class Straight(cr.Gate):
        """A straight-through estimator: round forward, identity backward."""

        def forward(self, x):
            return np.round(x)

        def backward(self, dz):
            return [dz]

    assert cr.grad(lambda x: Straight()(x) ** 2)(1.6) == 4.0
    x = cr.array(1.6)
    assert cr.grad(lambda x: Straight()(x) ** 2)(x).item() == 4.0
    assert cr.grad(cr.grad(lambda x: Straight()(x) ** 2))(1.6) == 2.0


def test_a_gate_that_is_not_repeatable_is_refused_in_higher_order():
    class Dropout(cr.Gate):
        def __init__(self, generator):
            self.generator = generator

        def forward(self, x):
            self.mask = self.generator.random(np.shape(x)) > 0.5
            return x * self.mask

        def backward(self, dz):
            return [dz * self.mask]

    x = np.arange(1.0, 9.0)
    gate = Dropout(np.random.default_rng(0))
    assert set(cr.grad(lambda x: np.sum(gate(x)))(x).tolist()) == {0.0, 1.0}
    with pytest.raises(GraphError, match=r"Dropout is not repeatable: .* draw random numbers outside the gate"):
        cr.hessian(lambda x: np.sum(gate(x) ** 2))(x)


def test_a_branch_on_values_is_refused_with_a_reason_in_higher_order():
    class Branch(cr.Gate):
        def forward(self, x):
            self.positive = x > 0
            return x if x > 0 else 0.1 * x

        def backward(self, dz):
            return [dz if self.positive else 0.1 * dz]

    assert cr.grad(lambda x: Branch()(x))(-1.0) == 0.1
    assert cr.grad(cr.grad(lambda x: Branch()(x) * x))(2.0) == 2.0


@pytest.mark.parametrize(("gradient", "message"), [(1j, "complex numbers"), ("steep", "numbers or booleans, not <U5")])
def test_a_gradient_is_real(gradient, message):
    class Strange(cr.Gate):
        def forward(self, x):
            return x * 2.0

        def backward(self, dz):
            return [gradient]

    with pytest.raises(TypeError, match=message):
        Strange()(cr.array(1.0)).backward()


class Doubling(cr.Gate):
    """Returns its buffers instead of fresh arrays, in both passes."""

    def __init__(self):
        self.result, self.gradient = np.zeros(2), np.zeros(2)

    def forward(self, x):
        self.result[:] = 2 * x
        return self.result

    def backward(self, dz):
        self.gradient[:] = 2 * dz
        return [self.gradient]


def test_a_gate_may_reuse_its_buffers():
    double, x = Doubling(), cr.array([1.0, 2.0])
    h = x * 1.0
    first, second = double(h), double(h + 10.0)
    np.testing.assert_array_equal(first.value, [2.0, 4.0])
    (np.sum(first * 3.0) + np.sum(second * 5.0)).backward()
    np.testing.assert_array_equal(h.grad, [16.0, 16.0])
    np.testing.assert_array_equal(x.grad, [16.0, 16.0])


def test_arrays_inside_a_gate():
    class Scale(cr.Gate):
        def __init__(self):
            self.factor = cr.Parameter(2.0)

        def forward(self, x):
            return x * self.factor

    with pytest.raises(TypeError, match="pass a Parameter in as an input"):
        Scale()(cr.array(1.0))

    class Square(cr.Gate):
        def forward(self, x):
            self.x = x
            return x * x

        def backward(self, dz):
            return [cr.array(2.0) * self.x * dz]

    x = cr.array(3.0)
    Square()(x).backward()
    assert x.grad == 6.0
    assert cr.hessian(Square())(3.0) == 2.0

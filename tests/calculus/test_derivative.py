"""grad and its relatives: what goes in, what comes out, and how they nest."""

from typing import NamedTuple

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError


def quadratic(x, a=2.0):
    return a * np.sum(x * x)


# ---- in and out


@pytest.mark.parametrize("x", [3.0, np.float64(3.0), np.array(3.0)])
def test_plain_numbers_in_ndarrays_out(x):
    gradient = cr.grad(lambda x: x**3)(x)
    assert type(gradient) is np.ndarray
    assert gradient == 27.0


def test_arrays_in_arrays_out():
    x = cr.array([1.0, 2.0])
    value, gradient = cr.value_and_grad(quadratic)(x)
    assert isinstance(value, cr.Array)
    assert isinstance(gradient, cr.Array)
    assert gradient.value.tolist() == [4.0, 8.0]
    constant = cr.grad(quadratic)(cr.constant([1.0, 2.0]))
    assert isinstance(constant, cr.Array)
    assert not constant.live


def test_single_precision_stays_single():
    x = np.array([1.0, 2.0], np.float32)
    assert cr.grad(quadratic)(x).dtype == np.float32
    assert cr.jacobian(np.tanh)(x).dtype == np.float32
    assert cr.hessian(quadratic)(x).dtype == np.float32
    assert cr.jvp(np.sin, (x,), (x,))[1].dtype == np.float32


def test_gradients_are_fresh():
    x = np.array([1.0, 2.0])
    y = np.array([3.0, 4.0])
    dx, dy = cr.grad(lambda x, y: np.sum(x + y), (0, 1))(x, y)
    dx[0] = 9.0
    assert dy.tolist() == [1.0, 1.0]
    assert x.tolist() == [1.0, 2.0]


def test_the_argument_may_be_changed_inside():
    data = np.array([1.0, 2.0])

    def f(x):
        x[0] = x[1] * x[0]
        return np.sum(x)

    assert cr.grad(f)(data).tolist() == [2.0, 2.0]
    assert data.tolist() == [1.0, 2.0]
    assert cr.hessian(f)(data).tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert cr.jvp(f, (data,), (np.array([1.0, 0.0]),))[1] == 2.0


def test_the_structure_may_be_changed_inside():
    def f(params):
        params["w"] = params["w"] * 3.0
        params["new"] = 1.0
        return np.sum(params["w"] ** 2)

    params = {"w": np.array([1.0, 2.0])}
    assert cr.grad(f)(params)["w"].tolist() == [18.0, 36.0]
    assert set(params) == {"w"}


def test_nobodys_grad_is_touched():
    x, w = cr.array(2.0), cr.array(3.0)
    (x * w).backward()
    cr.grad(lambda y: y * x * w)(5.0)
    assert (x.grad, w.grad) == (3.0, 2.0)


# ---- which arguments


def test_argument_numbers():
    def f(x, y, z):
        return x * y + z

    assert cr.grad(f, 1)(2.0, 3.0, 4.0) == 2.0
    assert cr.grad(f, -1)(2.0, 3.0, 4.0) == 1.0
    assert cr.grad(f, (0, 1))(2.0, 3.0, 4.0) == (3.0, 2.0)
    assert cr.grad(f, [2])(2.0, 3.0, 4.0) == (1.0,)
    with pytest.raises(TypeError, match="was called with 3 positional arguments; there is no number 3"):
        cr.grad(f, 3)(2.0, 3.0, 4.0)


def test_keyword_arguments():
    assert cr.grad(quadratic, "a")(np.array([1.0, 2.0]), a=3.0) == 5.0
    dx, da = cr.grad(quadratic, (0, "a"))(np.array([1.0, 2.0]), a=3.0)
    assert dx.tolist() == [6.0, 12.0]
    assert da == 5.0
    with pytest.raises(TypeError, match="was not called with a keyword argument 'a'"):
        cr.grad(quadratic, "a")(np.array([1.0]))


class Layer(NamedTuple):
    weight: object
    bias: object


def test_nested_structures():
    def f(params, scale):
        out = scale
        for layer in params["layers"]:
            out = np.tanh(out @ layer.weight + layer.bias)
        return np.sum(out) * params["last"][0]

    params = {
        "layers": [Layer(np.ones((2, 3)), np.zeros(3)), Layer(np.ones((3, 2)), np.zeros(2))],
        "last": (np.array(2.0), []),
    }
    gradient = cr.grad(f)(params, np.array([0.1, 0.2]))
    assert isinstance(gradient["layers"][0], Layer)
    assert gradient["layers"][1].bias.shape == (2,)
    assert isinstance(gradient["last"], tuple)
    assert gradient["last"][1] == []
    assert gradient["last"][0] == pytest.approx(f(params, np.array([0.1, 0.2])) / 2)
    cr.check_grads(f, params, np.array([0.1, 0.2]))


def test_auxiliary_output():
    def f(x):
        y = np.sin(x)
        return np.sum(y), {"y": y, "n": 3}

    (value, aux), gradient = cr.value_and_grad(f, has_aux=True)(np.array([0.0, 1.0]))
    assert value == pytest.approx(np.sin(1.0))
    assert type(aux["y"]) is np.ndarray
    assert aux["n"] == 3
    assert gradient == pytest.approx(np.cos([0.0, 1.0]))
    gradient, aux = cr.grad(f, has_aux=True)(np.array([0.0]))
    assert aux["y"].tolist() == [0.0]
    with pytest.raises(TypeError, match="must return a pair"):
        cr.grad(quadratic, has_aux=True)(np.ones(2))


# ---- what cannot be


@pytest.mark.parametrize(
    "x", [3, True, np.arange(3), np.array([True]), cr.array([1, 2]), 1j, np.array([1j]), "x", None]
)
def test_only_floating_arguments_have_derivatives(x):
    with pytest.raises(TypeError, match=r"cannot differentiate with respect to .*floating-point"):
        cr.grad(np.sum)(x)
    with pytest.raises(TypeError, match=r"cannot differentiate with respect to"):
        cr.jacobian(np.sum)(x)


def test_other_arguments_may_be_anything():
    assert cr.grad(lambda x, n, text: x**n)(2.0, 3, "text") == 12.0


def test_grad_needs_a_scalar():
    with pytest.raises(GraphError, match=r"one scalar result, and tanh returned \(2,\) float64"):
        cr.grad(np.tanh)(np.ones(2))
    with pytest.raises(GraphError, match="one scalar result"):
        cr.grad(lambda x: (x, x))(1.0)
    with pytest.raises(GraphError, match="one scalar result"):
        cr.grad(lambda x: np.array([1.0, 2.0]))(1.0)


def test_independent_arguments_have_zero_gradients():
    assert cr.grad(lambda x: 7.0)(2.0) == 0.0
    assert cr.grad(lambda x, y: x * 2.0, 1)(2.0, np.ones((2, 3))).tolist() == [[0.0] * 3] * 2
    assert cr.grad(lambda x: np.floor(x))(2.5) == 0.0
    assert cr.grad(lambda x: x.detach() * 3.0)(2.5) == 0.0
    assert cr.jacobian(lambda x: np.ones(2))(np.ones(3)).tolist() == [[0.0] * 3] * 2
    assert cr.hessian(lambda x: np.sum(3.0 * x))(np.ones(2)).tolist() == [[0.0] * 2] * 2
    assert cr.jvp(lambda x: np.ones(2), (1.0,), (1.0,))[1].tolist() == [0.0, 0.0]
    assert cr.hvp(lambda x: np.sum(x), (np.ones(2),), (np.ones(2),))[0].tolist() == [0.0, 0.0]


# ---- higher orders and nesting


@pytest.mark.parametrize(
    ("function", "derivatives"),
    [
        (np.sin, [np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin]),
        (np.exp, [np.exp] * 4),
        (lambda x: x**5, [lambda x: 5 * x**4, lambda x: 20 * x**3, lambda x: 60 * x**2, lambda x: 120 * x]),
        (np.log, [lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3, lambda x: -6 / x**4]),
        (lambda x: x * x * x, [lambda x: 3 * x * x, lambda x: 6 * x, lambda x: 6.0, lambda x: 0.0]),
    ],
)
def test_four_orders(function, derivatives):
    f = function
    for expected in derivatives:
        f = cr.grad(f)
        assert f(0.7) == pytest.approx(expected(0.7), rel=1e-12, abs=1e-12)


def test_no_perturbation_confusion():
    assert cr.grad(lambda x: x * cr.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert cr.grad(lambda x: x * cr.grad(lambda y: x * y)(2.0))(3.0) == 6.0
    assert cr.grad(lambda x: cr.grad(lambda y: x * y * y)(x))(3.0) == 12.0
    assert cr.grad(lambda x: cr.grad(lambda x: x * x)(x) * x)(3.0) == 12.0
    inner = cr.grad(lambda x: cr.grad(lambda y: cr.grad(lambda z: x * y * z)(1.0) * y)(x) * x)
    assert inner(2.0) == pytest.approx(3 * 2 * 2.0**2)


def test_an_inner_derivative_may_leak_its_variable():
    """Siskind and Pearlmutter's: a function returned from inside still belongs to the outer variable."""
    assert cr.jvp(lambda x: cr.jvp(lambda y: x * y, (1.0,), (1.0,))[1] * x, (3.0,), (1.0,))[1] == 6.0
    leaked = []

    def f(x):
        leaked.append(x)
        return x * x

    cr.grad(f)(2.0)
    assert cr.grad(lambda y: y * leaked[0].detach())(3.0) == 2.0


def test_mixed_derivatives():
    def f(x, y):
        return np.sin(x) * y**3

    assert cr.grad(cr.grad(f, 0), 1)(0.5, 2.0) == pytest.approx(np.cos(0.5) * 12.0)
    assert cr.grad(cr.grad(f, 1), 0)(0.5, 2.0) == pytest.approx(np.cos(0.5) * 12.0)
    assert cr.grad(lambda x: np.sum(cr.hessian(quadratic)(x)) * np.sum(x**2))(np.ones(2)).tolist() == [16.0, 16.0]


def test_closures_over_outer_variables():
    w = cr.array(3.0)
    gradient = cr.grad(lambda x: w * x * x)(2.0)
    assert isinstance(gradient, cr.Array)
    gradient.backward()
    assert w.grad == 4.0
    plain = cr.grad(lambda x: w.detach() * x * x)(2.0)
    assert type(plain) is np.ndarray


def test_a_gradient_penalty():
    """backward() through a gradient, as in the training of a critic."""
    rng = np.random.default_rng(0)
    data, weights = rng.normal(size=(5, 3)), rng.normal(size=(3, 1))
    w = cr.array(weights)

    def critic(x, w):
        return np.sum(np.tanh(x @ w))

    def penalty(w):
        slope = cr.grad(critic)(data, w)
        return np.sum((np.sqrt(np.sum(slope * slope, axis=1)) - 1.0) ** 2)

    loss = penalty(w)
    loss.backward()
    assert cr.check_grads(penalty, weights, order=1).relative_error < 1e-7
    h = 1e-6
    for i in range(3):
        step = h * np.eye(3)[i][:, None]
        numerical = (penalty(cr.array(weights + step)).item() - penalty(cr.array(weights - step)).item()) / (2 * h)
        assert w.grad[i, 0] == pytest.approx(numerical, rel=1e-6)


def test_under_no_grad_derivatives_still_work_but_are_not_attached():
    x = cr.array(3.0)
    with cr.no_grad():
        assert cr.grad(lambda y: y * y)(2.0) == 4.0
        gradient = cr.grad(lambda y: y * y * x)(x)
        assert gradient.item() == 18.0
        assert not gradient.live
        assert cr.grad(cr.grad(lambda y: y**3))(2.0) == 12.0
        assert cr.jvp(np.sin, (0.0,), (2.0,))[1] == 2.0


def test_no_grad_inside_cuts():
    def f(x):
        with cr.no_grad():
            y = x * x
        return y * x

    assert cr.grad(f)(3.0) == 9.0


# ---- jacobian, hessian, vjp, jvp, hvp


def test_jacobian_of_a_linear_map_is_its_matrix():
    m = np.arange(6.0).reshape(2, 3)
    assert cr.jacobian(lambda x: m @ x)(np.ones(3)).tolist() == m.tolist()
    jx, jy = cr.jacobian(lambda x, y: np.outer(x, y), (0, 1))(np.ones(2), np.arange(3.0))
    assert jx.shape == (2, 3, 2)
    assert jy.shape == (2, 3, 3)
    assert cr.jacobian(lambda x: x * 2.0)(3.0) == 2.0
    assert cr.jacobian(lambda p: p["a"] * p["b"])({"a": np.ones(2), "b": np.array(3.0)})["b"].tolist() == [1.0, 1.0]
    assert cr.jacobian(np.sin)(np.ones((0, 2))).shape == (0, 2, 0, 2)


def test_jacobian_of_several_outputs():
    found = cr.jacobian(lambda x: {"a": x**2, "b": (np.sum(x), 7.0)})(np.array([1.0, 2.0]))
    assert found["a"].tolist() == [[2.0, 0.0], [0.0, 4.0]]
    assert found["b"][0].tolist() == [1.0, 1.0]
    assert found["b"][1].tolist() == [0.0, 0.0]


def test_jacobian_of_arrays_is_attached():
    x = cr.array([1.0, 2.0])
    np.sum(cr.jacobian(lambda x: x**3)(x)).backward()
    assert x.grad.tolist() == [6.0, 12.0]


def test_hessian_against_the_formula():
    rng = np.random.default_rng(1)
    a, x = rng.normal(size=(4, 4)), rng.normal(size=4)
    assert cr.hessian(lambda x: 0.5 * x @ a @ x)(x) == pytest.approx((a + a.T) / 2)
    s = np.exp(x) / np.exp(x).sum()
    softmax_curvature = np.diag(s) - np.outer(s, s)
    assert cr.hessian(lambda x: np.log(np.sum(np.exp(x))))(x) == pytest.approx(softmax_curvature)


def test_hessian_of_several_arguments():
    (hxx, hxy), (hyx, hyy) = cr.hessian(lambda x, y: x * x * y, (0, 1))(2.0, 3.0)
    assert (hxx, hxy, hyx, hyy) == (6.0, 4.0, 4.0, 0.0)


def test_hvp_is_the_hessian_times_a_vector():
    rng = np.random.default_rng(2)
    x, v = rng.normal(size=(2, 5))

    def f(x):
        return np.sum(np.sin(x) * np.cumsum(x**2))

    [product] = cr.hvp(f, (x,), (v,))
    assert product == pytest.approx(cr.hessian(f)(x) @ v)


def test_vjp_and_jvp_are_adjoint():
    rng = np.random.default_rng(3)
    x, v, u = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.normal(size=(3, 3))

    def f(x):
        return np.tanh(x) @ x.T

    value, pullback = cr.vjp(f, x)
    again, pushed = cr.jvp(f, (x,), (v,))
    assert value == pytest.approx(f(x))
    assert again == pytest.approx(f(x))
    assert np.sum(u * pushed) == pytest.approx(np.sum(pullback(u)[0] * v))
    assert pullback(2 * u)[0] == pytest.approx(2 * pullback(u)[0])
    h = 1e-6
    assert pushed == pytest.approx((f(x + h * v) - f(x - h * v)) / (2 * h), rel=1e-6)


def test_shapes_are_checked():
    _, pullback = cr.vjp(np.sin, np.ones(2))
    with pytest.raises(ValueError, match=r"upstream \(3,\) float64 does not fit the value, \(2,\) float64"):
        pullback(np.ones(3))
    with pytest.raises(ValueError, match="a tangent of each argument's shape"):
        cr.jvp(np.sin, (np.ones(2),), (np.ones(3),))
    with pytest.raises(ValueError, match="a tangent of each argument's shape"):
        cr.jvp(np.sin, (np.ones(2),), ())


def test_vjp_and_jvp_need_one_array():
    with pytest.raises(TypeError, match="one array as its result, and <lambda> returned a tuple"):
        cr.jvp(lambda x: (x, x), (1.0,), (1.0,))
    with pytest.raises(TypeError, match="one array as its result, and <lambda> returned a dict"):
        cr.vjp(lambda x: {"x": x}, 1.0)


def test_jvp_nests():
    def slope(x):
        return cr.jvp(np.sin, (x,), (1.0,))[1]

    assert cr.jvp(slope, (0.5,), (1.0,))[1] == pytest.approx(-np.sin(0.5))
    assert cr.grad(slope)(0.5) == pytest.approx(-np.sin(0.5))
    assert cr.jvp(cr.grad(lambda x: x**4), (2.0,), (1.0,))[1] == 48.0


def test_derivatives_with_respect_to_a_tangent():
    x = np.array([0.3, 0.4])
    gradient = cr.grad(lambda v: np.sum(cr.jvp(np.sin, (x,), (v,))[1]))(np.ones(2))
    assert gradient == pytest.approx(np.cos(x))


def test_a_function_keeps_its_name_and_doc():
    assert cr.grad(quadratic).__name__ == "quadratic"


@pytest.mark.parametrize("result", [None, "loss", [1.0, None], 1j])
@pytest.mark.parametrize(
    "derive",
    [
        lambda f: cr.grad(f)(1.0),
        lambda f: cr.jacobian(f)(1.0),
        lambda f: cr.hessian(f)(1.0),
        lambda f: cr.vjp(f, 1.0),
        lambda f: cr.check_grads(f, 1.0),
    ],
)
def test_results_must_be_numbers(derive, result):
    with pytest.raises(TypeError, match="which has no derivative: is a return missing"):
        derive(lambda x: result)


@pytest.mark.parametrize("argnums", [(1, 1), (0, -2), ("scale", "scale")])
def test_an_argument_is_named_once(argnums):
    with pytest.raises(TypeError, match="names an argument twice"):
        cr.grad(lambda x, y, scale: x * y * scale, argnums)(1.0, 2.0, scale=3.0)

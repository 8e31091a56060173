"""Products against NumPy and closed forms; how einsum reads its subscripts; polynomials, convolutions, covariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.gates.product import Einsum
from chainrule.graph.array import circuit
from chainrule.numpy_protocol.products import _splits
from tests.gates.rows import draw

# ---- matmul


def test_the_gradients_of_a_product_are_products_with_transposes():
    x, w = cr.array(draw(4, 3)), cr.array(draw(3, 2))
    upstream = draw(4, 2)
    (x @ w).backward(upstream=upstream)
    np.testing.assert_allclose(x.grad, upstream @ w.value.T)
    np.testing.assert_allclose(w.grad, x.value.T @ upstream)


def test_data_on_either_side_can_be_differentiated_twice():
    x = draw(4, 3)
    expected = 2 * np.einsum("ij,kl->ikjl", x.T @ x, np.eye(2))
    for product in (lambda w: x @ w, lambda w: w.T @ x.T, lambda w: np.einsum("ij,jk", x, w)):
        hessian = cr.hessian(lambda w, product=product: np.sum(product(w) ** 2))(draw(3, 2))
        np.testing.assert_allclose(hessian, expected, rtol=1e-12)


def test_lists_are_operands():
    w = cr.array(draw(3, 2))
    np.testing.assert_allclose((w @ [[1.0, 2.0], [3.0, 4.0]]).value, w.value @ [[1, 2], [3, 4]])
    np.testing.assert_allclose(np.inner([1.0, 2.0], w).value, np.inner([1.0, 2.0], w.value))


def test_every_pair_compared_is_a_constant():
    x = cr.array(draw(3))
    assert not np.less.outer(x, x).live
    np.testing.assert_array_equal(np.less.outer(x, x).value, np.less.outer(x.value, x.value))


def test_products_of_nothing():
    assert cr.grad(lambda x: np.sum(x @ np.zeros((0, 2))))(np.zeros((3, 0))).shape == (3, 0)
    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(np.kron(x, np.zeros(0))))(np.ones(2)), [0.0, 0.0])


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: x @ 2.0, ValueError, "at least one axis"),
        (lambda x: x @ np.ones(4), ValueError, "matmul"),
        (lambda x: np.tensordot(x, x, ([0], [1])), ValueError, "do not match"),
        (lambda x: np.linalg.outer(x, x), ValueError, "two vectors"),
        (lambda x: np.linalg.multi_dot([x]), ValueError, "at least two"),
        (lambda x: np.linalg.multi_dot([x, np.ones((1, 3, 2)), x]), np.linalg.LinAlgError, "needs matrices"),
        (lambda x: np.linalg.matrix_power(x, 2), np.linalg.LinAlgError, "square"),
        (lambda x: np.cross(x[:, :2], x[:, 1:]), ValueError, "three elements"),
        (lambda x: np.nextafter.outer(x, x), TypeError, "np.nextafter is not differentiable"),
    ],
)
def test_errors(function, error, message):
    with pytest.raises(error, match=message):
        function(cr.array(draw(2, 3)))


def test_a_chain_is_multiplied_in_the_cheapest_order():
    # (10 x 30) (30 x 5) (5 x 60): 1500 + 3000 multiplications from the left, 9000 + 18000 from the right.
    assert _splits([10, 30, 5, 60])[0, 2] == 1
    assert _splits([60, 5, 30, 10])[0, 2] == 0


# ---- einsum


@given(st.data())
def test_einsum_of_any_subscripts(data):
    letters = "abcd"
    sizes = {c: data.draw(st.integers(1, 3)) for c in letters}
    terms = data.draw(st.lists(st.text(letters, max_size=3), min_size=1, max_size=3))
    seen = sorted(set("".join(terms)))
    output = "".join(data.draw(st.permutations(seen))[: data.draw(st.integers(0, len(seen)))])
    subscripts = ",".join(terms) + data.draw(st.sampled_from(["", f"->{output}"]))
    xs = [draw(*(sizes[c] for c in term), seed=i) for i, term in enumerate(terms)]
    z = np.einsum(subscripts, *map(cr.array, xs))
    np.testing.assert_allclose(z.value, np.einsum(subscripts, *xs), rtol=1e-12, atol=1e-12)
    # An Einstein sum is linear in each factor: x . dz/dx is the sum itself.
    upstream = draw(*z.shape, seed=9)
    total = np.sum(upstream * z.value)
    for x, dx in zip(xs, cr.vjp(lambda *xs: np.einsum(subscripts, *xs), *xs)[1](upstream), strict=True):
        np.testing.assert_allclose(np.sum(x * dx), total, rtol=1e-10, atol=1e-10)


def test_einsum_is_one_gate_in_plain_form():
    z = np.einsum("ij,jk->ik", cr.array(draw(2, 3)), draw(3, 4))
    assert z.gate == Einsum(("ij", "jk"), "ik")
    assert len(circuit(z)) == 2


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij,jk->ik", [(2, 3)], "2 operands, not 1"),
        ("ij->i", [(2, 3, 4)], "2 subscripts for an operand with 3 axes"),
        ("ijk->i", [(2, 3)], "3 subscripts for an operand with 2 axes"),
        ("ij,jk->ik", [(2, 3), (4, 5)], "'j' has length 3 and 4"),
        ("ii->i", [(2, 3)], "'i' has length 2 and 3"),
        ("ij->ik", [(2, 3)], "cannot read"),
        ("ij->ii", [(2, 3)], "cannot read"),
        ("i1->i", [(2, 3)], "cannot read"),
    ],
)
def test_einsum_errors(subscripts, shapes, message):
    with pytest.raises(ValueError, match=message):
        np.einsum(subscripts, *(cr.array(draw(*shape)) for shape in shapes))


def test_einsum_options():
    x = cr.array(draw(2, 3).astype(np.float32))
    assert np.einsum("ij->i", x, dtype=np.float64).dtype == np.float64
    with pytest.raises(TypeError, match=r"casting= of np\.einsum"):
        np.einsum("ij->i", x, casting="safe")
    assert np.einsum_path("ij,jk", x, draw(3, 4))[0] == ["einsum_path", (0, 1)]


def test_mixed_dtypes():
    w = cr.array(draw(3, 2).astype(np.float32))
    np.sum(np.einsum("ij,jk->ik", np.arange(6).reshape(2, 3), w)).backward()
    assert w.grad.dtype == np.float32
    np.testing.assert_array_equal(w.grad, [[3, 3], [5, 5], [7, 7]])


# ---- polynomials, convolutions, covariances


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("sizes", [(1, 1), (4, 4), (5, 2), (2, 5), (6, 3), (1, 4)])
def test_convolutions_have_numpys_windows(mode, sizes):
    a, v = draw(sizes[0]), draw(sizes[1], seed=1)
    for function in (np.convolve, np.correlate):
        z = function(cr.array(a), v, mode)
        np.testing.assert_allclose(z.value, function(a, v, mode), rtol=1e-13)


def test_polynomial_arithmetic_agrees_with_values():
    p, q, x = cr.array(draw(4)), cr.array(draw(2)), draw(3)
    np.testing.assert_allclose(np.polyval(np.polymul(p, q), x).value, (np.polyval(p, x) * np.polyval(q, x)).value)
    np.testing.assert_allclose(np.polyval(np.polysub(p, q), x).value, (np.polyval(p, x) - np.polyval(q, x)).value)
    np.testing.assert_allclose(np.polyder(np.polyint(p, 2), 2).value, p.value)


def test_derivative_of_polyval_is_polyder():
    p, x = draw(5), 0.7
    np.testing.assert_allclose(cr.grad(np.polyval, 1)(p, x), np.polyval(np.polyder(p), x))


def test_fit_of_points_on_a_polynomial_finds_it():
    p, x = draw(3), np.arange(6.0)
    np.testing.assert_allclose(np.polyfit(x, np.polyval(cr.array(p), x), 2).value, p, rtol=1e-10)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (np.roots, TypeError, "np.roots .*Newton"),
        (lambda p: np.polydiv(p, [1.0, 2.0]), TypeError, "np.polydiv .*np.polyval"),
        (lambda p: np.poly(np.outer(p, p)), TypeError, "eigvalsh"),
        (lambda p: np.polyfit(p, p, 1, full=True), TypeError, "np.linalg.lstsq"),
        (lambda p: np.polyder(p, -1), ValueError, "polyint"),
        (lambda p: np.polyint(p, -1), ValueError, "polyder"),
        (lambda p: np.polyint(p, 3, [1.0, 2.0]), ValueError, "integration constant"),
        (lambda p: np.convolve(p, []), ValueError, "at least one element"),
        (lambda p: np.convolve(p, np.eye(2)), ValueError, "at most one axis"),
        (lambda p: np.convolve(p, p, "half"), ValueError, "mode"),
        (lambda p: np.cov(np.reshape(p, (1, 1, 4))), ValueError, "vector or a matrix"),
        (lambda p: np.cov(p, ddof=4), ValueError, "more observations"),
    ],
)
def test_polynomial_errors(function, error, message):
    with pytest.raises(error, match=message):
        function(cr.array(draw(4)))


def test_correlation_of_a_variable_with_itself_is_constant():
    x = cr.array(draw(5))
    r = np.corrcoef(x, 2 * x)
    np.testing.assert_allclose(r.value, np.ones((2, 2)))
    np.sum(r).backward()
    np.testing.assert_allclose(x.grad, np.zeros(5), atol=1e-15)

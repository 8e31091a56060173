"""Linear algebra against independent oracles, and where it has no derivative."""

import numpy as np
import pytest
import scipy.linalg

import chainrule as cr
from chainrule.graph.array import Array
from tests.gates.rows import draw
from tests.gates.rows_linalg import definite, regular

L = np.linalg
TRIANGLES = {"L": np.tril, "U": np.triu}


def symmetric_part(lower):
    """The symmetric gradient from one that lies in a triangle."""
    return (lower + lower.T) / 2


# ---- values


def test_results_are_numpys_namedtuples():
    x = cr.array(definite(3, 3))
    for function in (L.eigh, L.svd, L.qr, L.slogdet):
        assert type(function(x)) is type(function(x.value))
        assert all(isinstance(part, Array) for part in function(x))


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3), (2, 3, 2)])
def test_factors_multiply_to_the_matrix(shape):
    a = cr.array(draw(*shape))
    q, r = L.qr(a)
    u, s, vh = L.svd(a, full_matrices=False)
    np.testing.assert_allclose((q @ r).value, a.value, atol=1e-14)
    np.testing.assert_allclose(((u * np.expand_dims(s, -2)) @ vh).value, a.value, atol=1e-14)
    # The product is the identity, so it passes its upstream gradient on unchanged.
    upstream = draw(*shape, seed=3)
    for product in (lambda a: np.matmul(*L.qr(a)), rebuilt):
        np.testing.assert_allclose(cr.vjp(product, a.value)[1](upstream)[0], upstream, atol=1e-13)


def rebuilt(a):
    u, s, vh = L.svd(a, full_matrices=False)
    return (u * np.expand_dims(s, -2)) @ vh


def test_rank_and_sign_are_constants():
    a = cr.array(-definite(3, 3))
    assert L.matrix_rank(a).item() == 3
    assert not L.matrix_rank(a).live
    assert L.slogdet(a).sign.item() == -1.0
    assert not L.slogdet(a).sign.live
    assert L.lstsq(a, np.ones(3))[2] == 3


@pytest.mark.parametrize(
    "function",
    [
        L.inv,
        L.det,
        L.cholesky,
        L.eigvalsh,
        L.svdvals,
        L.pinv,
        L.cond,
        lambda x: L.norm(x, axis=(1, 2)),
        lambda x: L.eigh(x)[1],
        lambda x: L.qr(x)[0],
        lambda x: L.svd(x)[0],
        lambda x: L.solve(x, np.ones((3, 1))),
    ],
)
def test_empty_stacks(function):
    gradient = cr.grad(lambda x: np.sum(function(x)))(np.zeros((0, 3, 3)))
    assert gradient.shape == (0, 3, 3)


# ---- gradients against closed forms and SciPy


def test_gradient_of_the_log_determinant_is_the_inverse_transposed():
    a = regular(4, 4)
    np.testing.assert_allclose(cr.grad(lambda a: L.slogdet(a)[1])(a), L.inv(a).T, rtol=1e-12)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_gradient_of_the_determinant_is_the_matrix_of_cofactors(rank):
    a = draw(3, rank) @ draw(rank, 3)
    minors = [[L.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(3)] for i in range(3)]
    signs = (-1.0) ** np.add.outer(np.arange(3), np.arange(3))
    np.testing.assert_allclose(cr.grad(L.det)(a), signs * minors, atol=1e-13)


def test_gradient_of_the_nuclear_norm_is_the_orthogonal_polar_factor():
    a = draw(4, 3)
    u, _, vh = L.svd(a, full_matrices=False)
    np.testing.assert_allclose(cr.grad(lambda a: L.norm(a, "nuc"))(a), u @ vh, atol=1e-14)


def test_matrix_exponential_by_eigenvectors():
    """<w, exp(a)> for symmetric a; its gradient is the Frechet derivative of the exponential at a, applied to w."""
    a, w = definite(4, 4) / 5, draw(4, 4)
    w = w + w.T

    def exponential(a):
        values, vectors = L.eigh(a)
        return (vectors * np.exp(values)) @ vectors.T

    gradient = cr.grad(lambda a: np.sum(w * exponential(a)))(a)
    expected = scipy.linalg.expm_frechet(a, w, compute_expm=False)
    np.testing.assert_allclose(symmetric_part(gradient), expected, rtol=1e-10)


def test_matrix_square_root_by_singular_values():
    """P = sqrt(a^T a) satisfies dP P + P dP = d(a^T a), a Sylvester equation."""
    a, w = draw(5, 3), draw(3, 3)
    w = w + w.T

    def root(a):
        _, s, vh = L.svd(a, full_matrices=False)
        return vh.mT @ (np.expand_dims(s, -1) * vh)

    p = root(a)
    adjoint = scipy.linalg.solve_sylvester(p, p, w)
    np.testing.assert_allclose(cr.grad(lambda a: np.sum(w * root(a)))(a), 2 * a @ adjoint, rtol=1e-10)


def test_least_squares_gradient_by_the_normal_equations():
    a, b, w = draw(6, 3), draw(6), draw(3)
    by_lstsq = cr.grad(lambda a, b: w @ L.lstsq(a, b)[0], (0, 1))(a, b)
    by_solve = cr.grad(lambda a, b: w @ L.solve(a.T @ a, a.T @ b), (0, 1))(a, b)
    for found, expected in zip(by_lstsq, by_solve, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize("uplo", ["L", "U"])
def test_only_one_triangle_is_read(uplo):
    a = definite(3, 3)
    other = a + TRIANGLES["U" if uplo == "L" else "L"](draw(3, 3), 1 if uplo == "L" else -1)
    for function in (
        lambda x: L.eigvalsh(x, uplo)[0],
        lambda x: L.eigh(x, uplo)[1][0, 0] ** 2,
        lambda x: np.sum(L.cholesky(x, upper=uplo == "U")),
    ):
        assert function(other) == pytest.approx(function(a))
        gradient = cr.grad(function)(other)
        np.testing.assert_array_equal(gradient, TRIANGLES[uplo](gradient))
        # For a symmetric change of the matrix it does not matter which triangle is read.
        full = cr.grad(lambda x, function=function: function((x + x.T) / 2))(a)
        np.testing.assert_allclose(full, symmetric_part(gradient), rtol=1e-10)


def test_signs_of_eigenvectors_do_not_matter():
    a = definite(3, 3)

    def energy(a, sign):
        vectors = L.eigh(a).eigenvectors * sign
        return np.sum((vectors[:, 1:] @ vectors[:, 1:].T) ** 3)

    signs = [np.array(s) for s in ([1.0, 1.0, 1.0], [-1.0, 1.0, -1.0])]
    one, two = (cr.grad(energy)(a, sign) for sign in signs)
    np.testing.assert_allclose(one, two, atol=1e-14)


@pytest.mark.parametrize("function", [L.eigvalsh, L.svdvals, L.cholesky, L.pinv, lambda x: L.qr(x)[1]])
def test_larger_matrices(function):
    report = cr.check_grads(function, definite(25, 25), order=2)
    assert report.relative_error < 1e-6


# ---- values that coincide


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: np.sum(L.eigvalsh(x) ** 3), 3 * 1.5**2 * np.eye(3)),
        (lambda x: np.prod(L.eigvalsh(x)), 1.5**2 * np.eye(3)),
        (lambda x: np.sum(L.svdvals(x) ** 3), 3 * 1.5**2 * np.eye(3)),
        (lambda x: L.norm(x, "nuc"), np.eye(3)),
    ],
)
def test_symmetric_functions_of_equal_eigenvalues(function, expected):
    np.testing.assert_allclose(cr.grad(function)(1.5 * np.eye(3)), expected, atol=1e-14)


def test_equal_eigenvalues_in_any_basis():
    q = L.qr(draw(4, 4))[0]
    a = (q * np.array([1.0, 2.0, 2.0, 3.0])) @ q.T
    gradient = cr.grad(lambda a: np.sum(np.exp(L.eigvalsh(a))))(a)
    np.testing.assert_allclose(symmetric_part(gradient), scipy.linalg.expm(a), rtol=1e-12)


def test_equal_singular_values_of_a_tall_matrix():
    a = np.concatenate([np.eye(2), np.eye(2)])
    np.testing.assert_allclose(cr.grad(lambda a: np.sum(L.svdvals(a) ** 2))(a), 2 * a, atol=1e-14)


def test_largest_singular_values_that_tie_share_the_gradient():
    np.testing.assert_allclose(cr.grad(lambda x: L.norm(x, 2))(np.eye(2)), np.eye(2) / 2)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sum(L.eigh(x)[1] ** 3 * np.arange(1.0, 4.0)),
        lambda x: L.eigh(x)[1][0, 0],
        lambda x: np.sum(L.svd(x)[0] * np.arange(1.0, 4.0)),
        lambda x: np.sum(L.svd(x)[2] * np.arange(1.0, 4.0)),
        lambda x: np.sum(draw(3, 3) * (L.svd(x)[0] @ L.svd(x)[2])),
    ],
)
def test_vectors_of_equal_values_have_no_derivative(function):
    with pytest.raises(L.LinAlgError, match="no derivative"):
        cr.grad(function)(np.eye(3))


@pytest.mark.parametrize("n", [2, 5, 20])
def test_equal_values_are_recognised_in_any_basis(n):
    q, p = L.qr(draw(n, n))[0], L.qr(draw(n, n, seed=1))[0]
    values = np.arange(1.0, n + 1.0)
    values[1] = 1.0
    with pytest.raises(L.LinAlgError, match="no derivative"):
        cr.grad(lambda a: np.sum(L.eigh(a)[1] ** 3))((q * values) @ q.T)
    with pytest.raises(L.LinAlgError, match="no derivative"):
        cr.grad(lambda a: np.sum(L.svd(a)[2] ** 3))((q * values) @ p.T)


def test_singular_vectors_of_zero_have_no_derivative():
    a = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    with pytest.raises(L.LinAlgError, match="no derivative"):
        cr.grad(lambda a: np.sum(L.svd(a, full_matrices=False)[0] ** 3))(a)


def test_vectors_of_a_simple_value_beside_equal_ones():
    a = np.diag([1.0, 1.0, 3.0])
    report = cr.check_grads(lambda a: L.eigh(a)[1][:, 2] ** 2 @ np.arange(3.0) + a[0, 1] ** 2, a, order=1)
    assert report.relative_error < 1e-7
    gradient = cr.grad(lambda a: L.eigh(a)[1][0, 2] * L.eigh(a)[1][2, 2])(a)
    # The vector turns by da[2, 0] / (3 - 1).
    np.testing.assert_allclose(gradient, [[0, 0, 0], [0, 0, 0], [0.5, 0, 0]], atol=1e-14)


def test_nan_upstream_is_passed_on():
    x = cr.array(definite(2, 2))
    L.eigh(x)[1].backward(upstream=np.full((2, 2), np.nan))
    assert np.isnan(x.grad[1]).all()


# ---- norms


@pytest.mark.parametrize("order", [None, 2, 3, 1])
def test_gradient_of_a_norm_at_zero_is_zero(order):
    np.testing.assert_array_equal(cr.grad(lambda v: L.norm(v, order))(np.zeros(3)), np.zeros(3))


def test_norm_at_zero_is_reported_as_a_kink():
    assert cr.check_grads(L.norm, np.zeros(3), order=1).kinks != ()


def test_rows_of_zeros_do_no_harm():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(L.norm(x, axis=1)))(x), [[0.6, 0.8], [0.0, 0.0]])


def test_norms_that_do_not_exist():
    x = cr.array(draw(2, 3))
    with pytest.raises(ValueError, match="not a norm of matrices"):
        L.norm(x, 3)
    with pytest.raises(ValueError, match="matrices, not of vectors"):
        L.norm(x[0], "fro")
    with pytest.raises(ValueError, match="give the axis"):
        L.norm(cr.array(draw(2, 3, 2)), 2)
    with pytest.raises(ValueError, match="repeated axis"):
        L.norm(x, 1, axis=(0, 0))


# ---- refusals and errors


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (L.eig, "np.linalg.eig .*np.linalg.eigh"),
        (L.eigvals, "np.linalg.eigvals .*np.linalg.eigvalsh"),
        (L.svd, "4 x 2 .*full_matrices=False"),
        (lambda x: L.svd(x, hermitian=True), "hermitian=True of np.linalg.svd"),
        (lambda x: L.pinv(x, hermitian=True), "hermitian=True of np.linalg.pinv"),
        (lambda x: L.qr(x, mode="complete"), "'complete'.*4 x 2.*'reduced'"),
        (lambda x: L.qr(x, mode="raw"), "'raw'.*'reduced'"),
    ],
)
def test_refused_by_name(function, message):
    with pytest.raises(TypeError, match=message):
        function(cr.array(draw(4, 2)))


def test_errors_name_the_gate_and_its_operands():
    with pytest.raises(L.LinAlgError, match=r"inv\(.*2, 2.*Singular"):
        L.inv(cr.array(np.zeros((2, 2))))
    with pytest.raises(L.LinAlgError, match=r"cholesky\(.*positive definite"):
        L.cholesky(cr.array(-np.eye(2)))
    with pytest.raises(ValueError, match="UPLO"):
        L.eigh(cr.array(np.eye(2)), "X")
    with pytest.raises(L.LinAlgError, match="lstsq needs a matrix"):
        L.lstsq(cr.array(np.ones((2, 2, 2))), np.ones(2))
    with pytest.raises(ValueError, match="ind must be positive"):
        L.tensorinv(cr.array(np.eye(2)), 0)

"""Special functions against SciPy and math over their whole range."""

import math

import numpy as np
import pytest
import scipy.special

import chainrule as cr
from chainrule.gates.special import BesselI0, Sinc
from tests.gates.rows import draw

EVERYWHERE = np.concatenate(
    [np.linspace(-7, 7, 20_001), np.linspace(-27, 27, 5_001), 10.0 ** np.linspace(-300, 1, 500)]
)
FUNCTIONS = [cr.sigmoid, cr.softplus, cr.log_sigmoid, cr.erf, cr.erfc, cr.softmax, cr.log_softmax, cr.logsumexp]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("function", "exact"), [(cr.erf, math.erf), (cr.erfc, math.erfc)])
def test_error_functions_are_accurate_everywhere(function, exact, dtype):
    smallest = float(np.finfo(dtype).tiny)
    with np.errstate(under="ignore"):
        x = EVERYWHERE.astype(dtype)
    expected = np.array([exact(float(v)) for v in x])
    found = function(x)
    assert found.dtype == dtype
    normal = np.abs(expected) >= smallest
    np.testing.assert_allclose(found[normal], expected[normal], rtol=4 * float(np.finfo(dtype).eps))
    np.testing.assert_allclose(found[~normal], expected[~normal], atol=smallest)


def test_error_functions_at_the_ends():
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(cr.erf(x), [0.0, -0.0, 1.0, -1.0, np.nan])
    assert np.signbit(cr.erf(x))[1]
    np.testing.assert_array_equal(cr.erfc(x), [1.0, 1.0, 0.0, 2.0, np.nan])
    np.testing.assert_allclose(cr.grad(cr.erf)(0.0), 2 / math.sqrt(math.pi), rtol=1e-15)
    assert cr.grad(cr.erf)(100.0) == 0.0


# ---- softmax and its relatives


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_agrees_with_scipy(name, axis):
    x = 10 * draw(3, 4, 9)
    expected = getattr(scipy.special, name)(x, axis=axis)
    np.testing.assert_allclose(getattr(cr, name)(cr.array(x), axis=axis).value, expected, rtol=1e-13)
    single = getattr(cr, name)(cr.array(x.astype(np.float32)), axis=axis)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single.value, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("offset", [-1e5, 0.0, 1e5])
def test_large_scores_do_no_harm(offset):
    x = cr.array(np.array([0.0, 1.0, -800.0]) + offset)
    shares = cr.softmax(x)
    np.testing.assert_allclose(shares.value, [1 / (1 + math.e), math.e / (1 + math.e), 0.0], rtol=1e-9)
    cr.log_softmax(x)[2].backward()
    np.testing.assert_allclose(x.grad, [0, 0, 1] - shares.value, rtol=1e-12)
    cr.logsumexp(x).backward()
    np.testing.assert_allclose(x.grad, shares.value, rtol=1e-9)


def test_masked_scores():
    x = cr.array([1.0, -np.inf, 1.0])
    for function in (lambda x: np.sum(cr.softmax(x) * np.arange(3.0)), cr.logsumexp, lambda x: cr.log_softmax(x)[0]):
        function(x).backward()
        assert np.isfinite(x.grad).all()
        assert x.grad[1] == 0.0
    np.testing.assert_array_equal(cr.softmax(x).value, [0.5, 0.0, 0.5])
    assert cr.logsumexp(np.full(3, -np.inf)) == -np.inf


def test_shares_add_to_one_so_their_gradients_add_to_zero():
    jacobian = cr.jacobian(cr.softmax)(draw(5))
    np.testing.assert_allclose(np.sum(jacobian, axis=0), np.zeros(5), atol=1e-16)
    np.testing.assert_allclose(jacobian, jacobian.T, atol=1e-16)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_empty(shape):
    for function in (cr.softmax, cr.log_softmax):
        assert function(np.zeros(shape)).shape == shape
        assert cr.grad(lambda x, f=function: np.sum(f(x)))(np.zeros(shape)).shape == shape
    np.testing.assert_array_equal(cr.logsumexp(np.zeros((2, 0)), axis=1), [-np.inf, -np.inf])


def test_axis_that_is_not_there():
    for function in (cr.softmax, cr.log_softmax, cr.logsumexp):
        with pytest.raises(np.exceptions.AxisError):
            function(cr.array(draw(3)), axis=1)


# ---- what goes in comes out


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_takes_arrays_ndarrays_and_lists(function):
    x = draw(4)
    expected = function(cr.array(x))
    assert isinstance(expected, cr.Array)
    assert isinstance(function(x), (np.ndarray, np.float64))
    np.testing.assert_array_equal(function(x), expected.value)
    np.testing.assert_array_equal(function(x.tolist()), expected.value)
    single = function(x.astype(np.float32))
    assert single.dtype == np.float32


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f not in (cr.softmax, cr.log_softmax)])
def test_takes_numbers(function):
    assert function(0.5) == pytest.approx(function(np.array([0.5])).item())
    assert function(1) == pytest.approx(function(np.array([1.0])).item())


def test_log_sigmoid_of_large_numbers():
    np.testing.assert_allclose(cr.log_sigmoid(np.array([-1e4, 0.0, 1e4])), [-1e4, -math.log(2), 0.0])
    np.testing.assert_allclose(cr.grad(cr.log_sigmoid)(-1e4), 1.0)


# ---- sinc and i0: any derivative


@pytest.mark.parametrize("order", range(6))
def test_derivatives_of_sinc(order):
    """By integrating s^n cos(s t + n pi/2) over s, in Gauss points."""
    x = np.concatenate([np.linspace(-6, 6, 121), 10.0 ** np.linspace(-12, -1, 23)])
    points, weights = np.polynomial.legendre.leggauss(60)
    s = (points + 1) / 2
    integrand = s**order * np.cos(np.multiply.outer(math.pi * x, s) + order * math.pi / 2)
    np.testing.assert_allclose(Sinc(order).forward(x), integrand @ weights / 2, atol=1e-14)


def test_second_derivative_of_sinc_at_zero():
    np.testing.assert_allclose(cr.grad(cr.grad(np.sinc))(0.0), -(math.pi**2) / 3, rtol=1e-14)


def test_derivatives_of_the_bessel_function():
    x = np.array([-700.0, -30.0, -1.0, 1e-8, 1e-3, 0.5, 8.0, 100.0, 700.0])
    np.testing.assert_allclose(BesselI0(1).forward(x), scipy.special.i1(x), rtol=1e-13)
    second = (scipy.special.i0(x) + scipy.special.iv(2, x)) / 2
    np.testing.assert_allclose(BesselI0(2).forward(x), second, rtol=1e-13)


# ---- phases and slopes


def test_unwrap_adds_whole_turns():
    angles = np.cumsum(np.full(20, 1.0))
    wrapped = cr.array((angles + math.pi) % (2 * math.pi) - math.pi)
    np.testing.assert_allclose(np.unwrap(wrapped).value, angles)
    np.sum(np.unwrap(wrapped)).backward()
    np.testing.assert_array_equal(wrapped.grad, np.ones(20))


def test_angle_is_constant():
    assert not np.angle(cr.array(draw(3))).live
    np.testing.assert_array_equal(np.angle(cr.array([1.0, -1.0])).value, [0.0, math.pi])


@pytest.mark.parametrize("edge_order", [1, 2])
@pytest.mark.parametrize("spacing", [[], [0.5], [np.array([0.0, 0.3, 1.0, 2.5])]])
def test_slopes_are_numpys(edge_order, spacing):
    f = draw(4, 4)
    for axis in (0, 1):
        found = np.gradient(cr.array(f), *spacing, axis=axis, edge_order=edge_order)
        expected = np.gradient(f, *spacing, axis=axis, edge_order=edge_order)
        np.testing.assert_allclose(found.value, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: np.gradient(x, edge_order=3), ValueError, "edge_order"),
        (lambda x: np.gradient(x[:2], edge_order=2), ValueError, "at least 3"),
        (lambda x: np.gradient(x, 1.0, 2.0), TypeError, "one spacing"),
        (lambda x: np.gradient(x, np.ones(3)), ValueError, "coordinates"),
        (np.emath.sqrt, TypeError, r"use np\.sqrt"),
        (lambda x: np.emath.logn(2, x), TypeError, r"use np\.log\(x\)"),
        (np.sort_complex, TypeError, r"use np\.sort"),
    ],
)
def test_errors(function, error, message):
    with pytest.raises(error, match=message):
        function(cr.array(draw(4)))


@pytest.mark.parametrize("logaddexp", [np.logaddexp, np.logaddexp2])
def test_sums_of_exponentials_at_infinity_share_the_gradient(logaddexp):
    inf = np.inf
    for x, y, share in [(-inf, -inf, 0.5), (inf, inf, 0.5), (inf, -inf, 1.0), (-inf, 3.0, 0.0), (3.0, inf, 0.0)]:
        dx, dy = cr.grad(logaddexp, (0, 1))(x, y)
        assert (dx, dy) == (share, 1 - share)

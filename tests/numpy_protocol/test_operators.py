"""Operators and ufuncs on Arrays: every kind of operand, NumPy's promotion, options refused by name."""

import operator
from decimal import Decimal

import numpy as np
import pytest

import chainrule as cr

ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.mod, operator.pow]
FLOORED = [operator.floordiv]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
OPERANDS = {
    "float": 2.5,
    "int": 2,
    "bool": True,
    "NumPy float": np.float64(2.5),
    "NumPy single": np.float32(2.5),
    "NumPy int": np.int64(2),
    "0-d array": np.array(2.5),
    "array": np.array([2.0, 3.0]),
    "int array": np.array([2, 3]),
    "list": [2.0, 3.0],
    "tuple": (2.0, 3.0),
    "Array": cr.array([2.0, 3.0]),
    "constant": cr.constant([2.0, 3.0]),
    "int Array": cr.array([2, 3]),
}


@pytest.mark.parametrize("other", OPERANDS.values(), ids=OPERANDS.keys())
@pytest.mark.parametrize("function", ARITHMETIC + FLOORED, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_and_dtypes_are_numpys_on_either_side(function, other, dtype):
    x = np.array([1.5, 0.5], dtype)
    plain = other.value if isinstance(other, cr.Array) else other
    for left, right, expected in [
        (cr.array(x), other, function(x, plain)),
        (other, cr.array(x), function(plain, x)),
    ]:
        result = function(left, right)
        assert isinstance(result, cr.Array)
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result.value, expected)
        assert result.live == (function not in FLOORED)


@pytest.mark.parametrize("other", OPERANDS.values(), ids=OPERANDS.keys())
@pytest.mark.parametrize("function", COMPARISONS, ids=lambda f: f.__name__)
def test_comparisons_give_constants(function, other):
    x = np.array([2.0, 0.5])
    plain = other.value if isinstance(other, cr.Array) else other
    for left, right, expected in [(cr.array(x), other, function(x, plain)), (other, cr.array(x), function(plain, x))]:
        result = function(left, right)
        assert not result.live
        assert result.dtype == bool
        np.testing.assert_array_equal(result.value, expected)


@pytest.mark.parametrize("function", [*ARITHMETIC, operator.matmul, operator.and_, operator.lshift, operator.lt])
@pytest.mark.parametrize("other", [None, "text", Decimal(1), {}, object(), 1j])
def test_foreign_operands_are_left_to_python(function, other):
    with pytest.raises(TypeError):
        function(cr.array(1.0), other)
    if not (isinstance(other, str) and function is operator.mod):  # "text" % x formats
        with pytest.raises(TypeError):
            function(other, cr.array(1.0))


def test_a_foreign_type_gets_its_turn():
    class Other:
        def __radd__(self, left):
            return "mine"

        def __array_ufunc__(self, *args, **kwargs):
            return "ufunc"

    assert cr.array(1.0) + Other() == "mine"
    assert (cr.array(1.0) == None) is False  # noqa: E711
    assert (cr.array(1.0) != "x") is True


def test_matmul_with_every_kind():
    m, v = np.arange(6.0).reshape(2, 3), np.arange(3.0)
    for left, right in [(cr.array(m), v), (m, cr.array(v)), (m.tolist(), cr.array(v)), (cr.array(m), v.tolist())]:
        result = left @ right
        assert result.live
        np.testing.assert_array_equal(result.value, m @ v)


def test_logic_on_booleans():
    a, b = cr.array([True, False]), np.array([True, True])
    assert (a & b).value.tolist() == [True, False]
    assert (b | a).value.tolist() == [True, True]
    assert (a ^ True).value.tolist() == [False, True]
    assert (~a).value.tolist() == [False, True]
    assert (cr.array([1, 2]) << 1).value.tolist() == [2, 4]


def test_divmod_and_unary_operators():
    x = cr.array([5.5, -5.5])
    quotient, rest = divmod(x, 2.0)
    assert quotient.value.tolist() == [2.0, -3.0]
    assert rest.value.tolist() == [1.5, 0.5]
    assert not quotient.live
    assert [z.value.tolist() for z in (-x, +x, abs(x))] == [[-5.5, 5.5], [5.5, -5.5], [5.5, 5.5]]
    assert (+x) is not x


def test_pythons_sum_and_builtin_functions():
    x = cr.array([1.0, 2.0])
    total = sum([x, x, x])
    np.sum(total).backward()
    assert x.grad.tolist() == [3.0, 3.0]
    assert max(cr.constant(1.0), cr.constant(2.0)).item() == 2.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: np.add(x, 1.0, where=x > 0), r"where= of np\.add .* np\.where\(mask, result, other\)"),
        (lambda x: np.add(x, 1.0, casting="safe"), r"casting= of np\.add"),
        (lambda x: np.matmul(x, x, axes=[(0,), (0,), ()]), r"axes= of np\.matmul .* np\.moveaxis"),
        (lambda x: np.exp(x, out=np.zeros(2)), r"out= of np\.exp"),
        (lambda x: np.subtract.reduce(x), r"np\.subtract\.reduce has no rule"),
        (lambda x: np.add.reduceat(x, [0, 1]), r"np\.add\.reduceat has no rule"),
        (lambda x: np.add.at(np.zeros(2), [0], x[:1]), r"np\.add\.at has no rule"),
        (lambda x: np.maximum.accumulate(x), r"np\.maximum\.accumulate has no rule"),
        (lambda x: np.quantile(x, 0.5, weights=[1.0, 2.0]), r"weights= of np\.quantile is not supported"),
        (lambda x: np.pad(x, 1, mode="mean"), r"mode 'mean'"),
        (lambda x: np.pad(x, 1, mode="reflect", reflect_type="odd"), "is not differentiable"),
        (lambda x: x.reshape(2, 1, order="A"), "follows the layout in memory"),
        (lambda x: x.ravel("K"), "follows the layout in memory"),
        (lambda x: np.interp(x, [0, 1], [0, 1], period=1.0), "period"),
        (lambda x: x.astype(complex), "complex"),
        (lambda x: x.astype(int, casting="safe"), "cannot cast float64 to int64"),
    ],
)
def test_options_are_refused_by_name(call, message):
    with pytest.raises(TypeError, match=message):
        call(cr.array([1.0, 2.0]))


def test_a_cast_to_integers_is_a_constant():
    x = cr.array([1.7, 2.2])
    assert x.astype(int).value.tolist() == [1, 2]
    assert not x.astype(int).live
    assert x.astype(np.float64, copy=False) is x
    y = x.astype(np.float32)
    np.sum(y * 3).backward()
    assert y.grad.dtype == np.float32
    assert x.grad.dtype == np.float64


def test_value_dependent_shapes_work_eagerly():
    x = cr.array([1.0, -2.0, 3.0])
    np.sum(x[x > 0] * [10.0, 100.0]).backward()
    assert x.grad.tolist() == [10.0, 0.0, 100.0]
    [positive] = np.nonzero(x > 0)
    assert x[positive].value.tolist() == [1.0, 3.0]
    assert np.argmax(x).item() == 2


def test_every_tie_of_the_lecture():
    x = cr.array(2.0)
    np.maximum(x, x).backward()
    assert x.grad == 2.0
    zero = cr.array(0.0)
    np.maximum(0.1 * zero, zero).backward()
    assert zero.grad == 1.1
    ties = cr.array([1.0, 3.0, 3.0, 3.0])
    np.max(ties).backward()
    assert ties.grad == pytest.approx([0.0, 1 / 3, 1 / 3, 1 / 3])
    for function, expected in [(np.abs, 0.0), (lambda x: np.clip(x, 0.0, 1.0), 1.0), (np.linalg.norm, 0.0)]:
        v = cr.array([0.0])
        np.sum(function(v)).backward()
        assert v.grad.tolist() == [expected]


def test_not_a_number_stays_visible():
    x = cr.array([1.0, np.nan])
    with np.errstate(all="raise"):
        np.max(x).backward()
    assert x.grad.tolist() == [0.0, 1.0]
    y = cr.array([1.0, np.nan, 2.0])
    np.nansum(y * y).backward()
    assert y.grad.tolist()[::2] == [2.0, 4.0]

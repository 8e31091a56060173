"""The operations of lanes that gates do not show by themselves: casts, scaling, rare branches, memory, refusals."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np
import pytest

from chainrule.native import target
from chainrule.native.evaluate import Evaluated, evaluate
from chainrule.native.lanes import SUPPORTED, Lanes
from tests.native.ulps import special

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.skipif(target.unavailable() is not None, reason="no native code here"),
]
DTYPES = sorted(SUPPORTED, key=str)
WIDTHS = (1, 4, 16)


def values(dtype: Any) -> Any:
    """Numbers that every dtype holds, as far as their signs go."""
    small = np.array([0, 1, 2, 100, 127, 0.5, 99.75])
    return (small if dtype.kind in "ub" else np.concatenate([small, -small])).astype(dtype)


def lanes(width: int = 4) -> Lanes:
    function = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), []), "f")
    return Lanes(ir.IRBuilder(function.append_basic_block()), width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("to", DTYPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_cast_is_astype(dtype: Any, to: Any, width: int) -> None:
    x = values(dtype)
    if to.kind == "u":
        x = x[x >= 0]
    found = evaluate(lambda b, x: b.cast(x, to), x, width=width)
    assert found.dtype == to
    np.testing.assert_array_equal(found, x.astype(to))


@pytest.mark.parametrize("to", DTYPES, ids=str)
@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f8")], ids=str)
def test_floats_that_no_integer_holds_do_no_harm(dtype: Any, to: Any) -> None:
    assert evaluate(lambda b, x: b.cast(x, to), special(dtype)).dtype == to


@pytest.mark.parametrize("to", [np.dtype("i4"), np.dtype("i8")], ids=str)
def test_floats_that_no_integer_holds_become_the_least(to: Any) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1e30])
    np.testing.assert_array_equal(evaluate(lambda b, x: b.cast(x, to), x), np.iinfo(to).min)


@pytest.mark.parametrize("machine", [target.host, lambda: target.AVX2], ids=["this machine", "AVX2"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f8")], ids=str)
def test_scale_rounds_once(dtype: Any, width: int, machine: Any) -> None:
    most = 252 if dtype.itemsize == 4 else 2044
    exponents = np.arange(-most, most + 1).astype(dtype)
    x = np.random.default_rng(0).uniform(0.5, 2, exponents.size).astype(dtype)
    with target.use(machine()):
        found = evaluate(lambda b, x, n: b.scale(x, n), x, exponents, width=width)
    np.testing.assert_array_equal(found, np.ldexp(x, exponents.astype(int)))


@pytest.mark.parametrize("width", WIDTHS)
def test_shifts_beyond_the_number_of_bits(width: int) -> None:
    for dtype in ("i4", "u4", "i8"):
        x, by = (
            z.ravel().astype(dtype) for z in np.meshgrid([0, 1, 5, 2**31 - 1, -7], [0, 1, 31, 32, 63, 64, 200, -1])
        )
        for name, function in {"shift_left": np.left_shift, "shift_right": np.right_shift}.items():
            found = evaluate(lambda b, x, y, name=name: getattr(b, name)(x, y), x, by, width=width)
            np.testing.assert_array_equal(found, function(x, by))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f8")], ids=str)
def test_library_functions_lane_by_lane(dtype: Any, width: int) -> None:
    x = np.linspace(-3, 3, 37).astype(dtype)
    np.testing.assert_allclose(evaluate(lambda b, x: b.each("cbrt", x), x, width=width), np.cbrt(x), rtol=1e-6)


@pytest.mark.parametrize("width", WIDTHS)
def test_rare_lanes_take_the_other_value(width: int) -> None:
    x = np.arange(64.0)

    def lower(b: Lanes, x: Any) -> Any:
        return b.where_any(b.gt(x, b.like(x, 50.0)), lambda: b.neg(x), b.add(x, x))

    np.testing.assert_array_equal(evaluate(lower, x, width=width), np.where(x > 50, -x, 2 * x))


@pytest.mark.parametrize("width", WIDTHS)
def test_booleans_are_bytes_in_memory(width: int) -> None:
    x, y = np.array([True, False, True, False, True]), np.array([True, True, False, False, True])
    for name, function in {"add": np.add, "mul": np.multiply, "xor": np.logical_xor, "lt": np.less}.items():
        found = evaluate(lambda b, x, y, name=name: getattr(b, name)(x, y), x, y, width=width)
        assert found.dtype == bool
        np.testing.assert_array_equal(found, function(x, y))
        assert set(found.view(np.uint8)) <= {0, 1}


def test_any_byte_but_0_is_true() -> None:
    x = np.array([0, 1, 2, 255], np.uint8).view(bool)
    np.testing.assert_array_equal(
        evaluate(lambda b, x: b.select(x, b.constant(7, "i4"), b.constant(8, "i4")), x), [8, 7, 7, 7]
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_spread(width: int) -> None:
    def lower(b: Lanes, x: Any) -> Any:
        return b.add(x, b.spread(ir.Constant(ir.DoubleType(), 2.5), np.float64))

    np.testing.assert_array_equal(evaluate(lower, np.arange(5.0), width=width), np.arange(5.0) + 2.5)


@pytest.mark.parametrize("number", [2.5, -0.0, 1e300, 1e-40, np.inf, -np.inf, np.nan, 0.1])
def test_constants_are_what_numpy_makes_of_them(number: float) -> None:
    for dtype in (np.float32, np.float64):
        found = evaluate(lambda b, x, dtype=dtype: b.constant(number, dtype), np.zeros(3, dtype))
        expected = np.full(3, dtype(number))
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(OverflowError):
        lanes().constant(300, np.uint8)


def test_a_known_number_is_the_rounded_one() -> None:
    b = lanes()
    assert b.constant(0.9, np.int32).number == 0
    assert b.cast(b.constant(0.1, np.float32), np.float64).number == float(np.float32(0.1))


def test_lanes_of_two_dtypes_are_refused() -> None:
    b = lanes()
    with pytest.raises(TypeError, match="lanes of float32 and of float64: cast them first"):
        b.add(b.constant(1, np.float32), b.constant(1, np.float64))


def test_booleans_are_not_subtracted() -> None:
    b = lanes()
    with pytest.raises(TypeError, match="sub is not defined for bool"):
        b.sub(b.constant(True, bool), b.constant(False, bool))


def test_an_unknown_operation_is_named() -> None:
    with pytest.raises(AttributeError, match="lanes have no operation 'gamma'"):
        lanes().gamma  # noqa: B018


def test_small_powers_are_products() -> None:
    text = Evaluated(lambda b, x: b.power_of(x, 3), [np.dtype("f4")]).ir
    assert text.count("fmul") == 2
    assert "call" not in text

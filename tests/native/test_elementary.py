"""Elementary functions over their whole range: against a wider format, in units of the last place; and special values.

The numbers are every exponent with random significands, dense numbers where functions are used most, special values,
and for each function the neighbourhoods of its own difficulties. The wider format is float64 for float32, and the 80
bits of x87 for float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.native import target
from chainrule.native.elementary import FUNCTIONS
from chainrule.native.evaluate import Evaluated, evaluate
from tests.native.ulps import WIDER, between, errors, everywhere, special

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.skipif(target.unavailable() is not None, reason="no native code here"),
    pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="no wider format than float64 here"),
]


def sigmoid(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


UNARY: dict[str, tuple[Callable[..., Any], float, float]] = {
    "exp": (np.exp, 1.1, 1.1),
    "exp2": (np.exp2, 1.1, 1.1),
    "expm1": (np.expm1, 1.6, 2.0),
    "log": (np.log, 1.0, 1.0),
    "log2": (np.log2, 1.8, 1.8),
    "log10": (np.log10, 2.2, 3.0),
    "log1p": (np.log1p, 1.5, 1.5),
    "tanh": (np.tanh, 2.7, 2.7),
    "sigmoid": (sigmoid, 2.5, 2.5),
    "softplus": (softplus, 1.8, 1.8),
    "sin": (np.sin, 1.8, 1.8),
    "cos": (np.cos, 1.8, 1.8),
    "tan": (np.tan, 0.51, 4.0),
    "sinh": (np.sinh, 2.6, 2.6),
    "cosh": (np.cosh, 1.6, 1.6),
    "arcsin": (np.arcsin, 2.5, 2.5),
    "arccos": (np.arccos, 1.5, 1.5),
    "arctan": (np.arctan, 2.3, 2.0),
    "arcsinh": (np.arcsinh, 2.0, 2.0),
    "arccosh": (np.arccosh, 2.2, 2.2),
    "arctanh": (np.arctanh, 2.2, 2.2),
    "cbrt": (np.cbrt, 0.51, 0.51),
}
"""The function in a wider format, and the largest error in float32 and in float64."""
TARGETS = {"all of this machine": target.host, "AVX2": lambda: target.AVX2}


def hard(name: str, dtype: Any) -> Any:
    """Where a function overflows, vanishes, or is near a zero without being near 0."""
    info = np.finfo(dtype)
    if name in ("sin", "cos", "tan"):
        multiples = (np.arange(1, 63_000) * (np.pi / 2)).astype(dtype)
        return np.concatenate([multiples, np.nextafter(multiples, dtype.type(0)), multiples + dtype.type(np.pi / 4)])
    top, bottom = np.log(float(info.max)), np.log(float(info.smallest_subnormal))
    edges = [top, bottom, top / np.log(2), bottom / np.log(2), np.log(float(info.tiny)), top + np.log(2)]
    return np.concatenate([between(edge - 2, edge + 2, dtype, 5_000) for edge in (*edges, -top)])


def numbers(name: str, dtype: Any) -> Any:
    evenly = [between(-size, size, dtype, seed=k) for k, size in enumerate((0.5, 1, 2, 4, 10, 20, 50, 100, 800, 1e5))]
    return np.concatenate([everywhere(dtype, 200 if dtype.itemsize == 4 else 30), *evenly, hard(name, dtype)])


def worst(found: Any, exact: Any, *xs: Any) -> tuple[float, tuple[Any, ...]]:
    """The largest error, and where it is."""
    error = errors(found, exact)
    place = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    return float(error[place]), tuple(x[place] for x in (*xs, found))


@pytest.mark.parametrize("machine", TARGETS.values(), ids=TARGETS.keys())
@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f8")], ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_units_in_the_last_place(name: str, dtype: Any, machine: Callable[[], target.Target]) -> None:
    function, single, double = UNARY[name]
    x = numbers(name, dtype)
    with target.use(machine()):
        found = evaluate(lambda b, x: getattr(b, name)(x), x)
    error, where = worst(found, function(x.astype(WIDER[dtype])), x)
    print(f"{name} {dtype}: {error:.2f} at {where}")
    assert error <= (single if dtype.itemsize == 4 else double), where


BINARY: dict[str, tuple[Callable[..., Any], float, float]] = {
    "power": (np.power, 0.51, 1.2),
    "hypot": (np.hypot, 0.51, 1.6),
    "arctan2": (np.arctan2, 2.5, 2.0),
    "fmod": (np.fmod, 0.0, 0.0),
}


def pairs(dtype: Any) -> tuple[Any, Any]:
    """Every pair of special values, numbers of any size, and numbers of everyday."""
    x, y = np.meshgrid(special(dtype), special(dtype))
    many = everywhere(dtype, 100 if dtype.itemsize == 4 else 20, seed=2)
    other = np.random.default_rng(3).permutation(many)
    near = [
        (between(-s, s, dtype, seed=4), between(-t, t, dtype, seed=5))
        for s, t in ((2, 2), (10, 100), (1e6, 3), (1.1, 700))
    ]
    positive = np.exp(between(-80, 80, dtype, seed=6)), between(-9, 9, dtype, seed=7)
    whole = np.rint(between(-30, 30, dtype, seed=8)), np.rint(between(-20, 20, dtype, seed=9))
    base = np.abs(many) + dtype.type(0.1)  # powers of which fill the whole range
    full = base, (between(-1, 1, dtype, base.size) * np.log(np.finfo(dtype).max) / np.log(base)).astype(dtype)
    huge = (between(-1, 1, dtype, seed=10) * np.finfo(dtype).max, between(-1, 1, dtype, seed=11) * np.finfo(dtype).max)
    both = [(x.ravel(), y.ravel()), (many, other), *near, positive, whole, full, huge]
    return np.concatenate([x for x, _ in both]), np.concatenate([y for _, y in both])


@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f8")], ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_units_in_the_last_place_of_two_arguments(name: str, dtype: Any) -> None:
    function, single, double = BINARY[name]
    x, y = pairs(dtype)
    found = evaluate(lambda b, x, y: getattr(b, name)(x, y), x, y)
    error, where = worst(found, function(x.astype(WIDER[dtype]), y.astype(WIDER[dtype])), x, y)
    print(f"{name} {dtype}: {error:.2f} at {where}")
    assert error <= (single if dtype.itemsize == 4 else double), where


@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f8")], ids=str)
@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_error_functions(name: str, dtype: Any) -> None:
    x = np.concatenate([everywhere(dtype, 50), between(-6, 6, dtype), between(-30, 30, dtype)])
    found = evaluate(lambda b, x: getattr(b, name)(x), x)
    error, where = worst(found, np.vectorize(getattr(math, name))(x.astype(np.float64)), x)
    assert error <= (1.2 if dtype.itemsize == 4 else 8.0), where


def test_all_functions_are_tested() -> None:
    # in test_lowering and test_philox
    elsewhere = {"erf", "erfc", "logaddexp", "logaddexp2", "floor_div", "remainder", "random_word"}
    assert set(FUNCTIONS) == {*UNARY, *BINARY, *elsewhere}


@pytest.mark.parametrize("name", ["sin", "cos", "tanh", "sigmoid"])
@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f8")], ids=str)
def test_results_stay_within_one(name: str, dtype: Any) -> None:
    assert np.nanmax(np.abs(evaluate(lambda b, x: getattr(b, name)(x), numbers(name, dtype)))) <= 1.0


@pytest.mark.parametrize("name", ["exp", "tanh", "log", "sin", "power", "fmod"])
def test_bits_do_not_depend_on_the_width(name: str) -> None:
    x, y = (z[:3001] for z in pairs(np.dtype("f4")))
    xs = (x, y) if name in BINARY else (x,)
    found = [evaluate(lambda b, *xs: getattr(b, name)(*xs), *xs, width=width) for width in (1, 4, 8, 16)]
    for z in found[1:]:
        np.testing.assert_array_equal(z, found[0])
        numbers = ~np.isnan(z)  # the sign of NaN means nothing
        np.testing.assert_array_equal(np.signbit(z[numbers]), np.signbit(found[0][numbers]))


def test_a_function_is_written_once_a_module() -> None:
    twice = Evaluated(lambda b, x: b.exp(b.exp(x)), [np.dtype("f4")])
    assert twice.ir.count("define internal") == 1

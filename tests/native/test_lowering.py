"""What gates are lowered to, against their ``forward``: every elementwise gate, every dtype, with special values."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.calculus.trees import leaves
from chainrule.gates.constant import PiecewiseConstant
from chainrule.gates.exponential import Logaddexp, Logaddexp2
from chainrule.gates.loss import LogisticLoss
from chainrule.gates.lowering import LOWERINGS
from chainrule.gates.primitive import PRIMITIVES, Elementwise
from chainrule.gates.shape import BroadcastTo
from chainrule.graph.array import circuit
from chainrule.native import target
from chainrule.native.evaluate import Evaluated
from chainrule.native.lanes import SUPPORTED
from tests.gates.test_table import ROWS, everything, projection
from tests.native.ulps import special

DTYPES = [np.dtype(code) for code in ("f4", "f8", "i8", "i4", "u8", "u1", "?")]
NOT_LOWERED = {"BesselI0", "OverGap"}
"""Sums of eighty terms, and a gate that raises: NumPy's."""
ULPS = 8.0
"""Ours may be off by 4 units in the last place, and so may be NumPy's."""
CANCELLING = (Logaddexp, Logaddexp2, LogisticLoss)
"""Gates that add x, or a product of two operands, and something that may nearly cancel it."""

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.skipif(target.unavailable() is not None, reason="no native code here"),
]


def elementwise_gates() -> dict[str, Any]:
    """The gates with which the rows of the gradient table meet, forward and backward, each with its parameters."""
    found: dict[str, Any] = {}
    for row in ROWS.values():
        gradient = cr.grad(projection(row), everything(row))(*map(cr.array, row.args))
        for result in [*leaves(gradient), *leaves(row.function(*map(cr.array, row.args)))]:
            for node in circuit(result):
                gate = node.gate
                if isinstance(gate, Elementwise):
                    found.setdefault(f"{type(gate).__name__} {vars(gate) or ''}", gate)
    return found


GATES = elementwise_gates()
LOWERED = {name: gate for name, gate in GATES.items() if hasattr(gate, "lower") and not isinstance(gate, BroadcastTo)}
FUNCTIONS = {function.__name__: PiecewiseConstant(function) for function in LOWERINGS}


def values(dtype: Any, seed: int) -> Any:
    """Special values of a dtype, then random ones."""
    rng = np.random.default_rng(seed)
    if dtype.kind == "f":
        return np.concatenate([special(dtype), rng.normal(0, 3, 12).astype(dtype), np.arange(-3, 4).astype(dtype)])
    if dtype.kind == "b":
        return np.array([False, True])
    info = np.iinfo(dtype)
    low, high = max(info.min, -9), min(info.max, 9)
    return np.concatenate([np.array([info.min, info.max, 0, 1], dtype), rng.integers(low, high, 9).astype(dtype)])


def operands_of(dtypes: tuple[Any, ...]) -> list[Any]:
    """Every combination of the values."""
    grid = np.meshgrid(*(values(dtype, seed) for seed, dtype in enumerate(dtypes)), indexing="ij")
    return [x.ravel() for x in grid]


def agree(found: Any, expected: Any, scale: Any = 0.0) -> None:
    """The same special values, and numbers within a few units in the last place of the larger of them and ``scale``."""
    assert found.dtype == expected.dtype
    if found.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected)
        return
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    unit = np.spacing(np.maximum(np.maximum(np.abs(found), scale), np.finfo(found.dtype).tiny), dtype=found.dtype)
    near = np.abs(found - expected) <= ULPS * unit
    bad = ~(same | (near & np.isfinite(expected)))
    assert not bad.any(), f"{found[bad][:5]} for {expected[bad][:5]} at {np.nonzero(bad)[0][:5]}"


def check(gate: Any, dtypes: tuple[Any, ...]) -> bool:
    """Compare on these dtypes; False if the gate is not lowered for them."""
    xs = operands_of(dtypes)
    try:
        operands = gate.computes_in(*dtypes)
    except TypeError:
        return False
    expected = gate.forward(*xs)
    if not SUPPORTED.issuperset((*operands, expected.dtype)):
        return False
    agree(Evaluated(gate.lower, dtypes, operands)(*xs), expected, scale_of(gate, expected, *xs))
    return True


def scale_of(gate: Any, expected: Any, *xs: Any) -> Any:
    """How large what nearly cancels may be."""
    if not isinstance(gate, CANCELLING):
        return 0.0
    sizes = [np.abs(np.asarray(x, float)) for x in xs]
    largest = np.maximum(*sizes) if not isinstance(gate, LogisticLoss) else np.maximum(sizes[0], sizes[0] * sizes[1])
    return np.where(np.isfinite(expected), largest, 0.0)


def arity(gate: Any) -> int:
    return (
        gate.function.nin
        if isinstance(gate, PiecewiseConstant) and isinstance(gate.function, np.ufunc)
        else len(type(gate).arguments)
    )


def kinds_of_operands(gate: Any) -> list[tuple[Any, ...]]:
    n = arity(gate)
    mixed = [tuple(DTYPES[k % 2] for k in range(n)), (np.dtype("i8"), *[np.dtype("u8")] * (n - 1))] if n > 1 else []
    if isinstance(gate, LogisticLoss):  # NumPy computes its logarithm in the precision of the score
        mixed = []
    return [*((dtype,) * n for dtype in DTYPES), *mixed]


def test_every_elementwise_gate_is_lowered() -> None:
    declared = {kind.__name__ for kind in PRIMITIVES if kind.elementwise is True}
    lowered = {type(gate).__name__ for gate in LOWERED.values()}
    assert declared - lowered - {"Detach", "BroadcastTo"} == NOT_LOWERED  # these two are x itself


@pytest.mark.parametrize("gate", [*LOWERED.values(), *FUNCTIONS.values()], ids=[*LOWERED, *FUNCTIONS])
def test_lowered_agrees_with_forward(gate: Any) -> None:
    compared = [check(gate, dtypes) for dtypes in kinds_of_operands(gate)]
    assert any(compared)


@pytest.mark.parametrize(("dtype", "number"), list(itertools.product(DTYPES, [2, 0.5, True])))
def test_weak_numbers(dtype: Any, number: Any) -> None:
    x = values(dtype, 0)
    for gate in (g for name, g in [*LOWERED.items(), *FUNCTIONS.items()] if arity(g) == 2):
        try:
            operands = gate.computes_in(dtype, number)
        except TypeError:
            continue
        expected = gate.forward(x, number)
        if SUPPORTED.issuperset((*operands, expected.dtype)):
            found = Evaluated(
                lambda b, x, gate=gate, y=operands[1]: gate.lower(b, x, b.constant(number, y)), [dtype], operands[:1]
            )(x)
            agree(found, expected, scale_of(gate, expected, x, number))

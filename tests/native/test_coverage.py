"""Which gates are left to NumPy: those that are listed here, each with its reason, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.calculus.trees import leaves
from chainrule.gates.constant import PiecewiseConstant
from chainrule.gates.primitive import PRIMITIVES
from chainrule.graph.errors import GraphError
from chainrule.native import target
from chainrule.native.fusion import Fusion
from chainrule.numpy_protocol.dispatch import CONSTANT, DIFFERENTIABLE
from chainrule.program.passes import optimise
from chainrule.program.recording import record
from tests.gates.test_table import ROWS, everything, projection, results
from tests.numpy_protocol.examples import MATRIX, example
from tests.numpy_protocol.test_coverage import CONSTANT_CALLS, INDICES, INTEGER_UFUNCS, short

if target.unavailable():
    pytest.skip(str(target.unavailable()), allow_module_level=True)

LINEAR_ALGEBRA = {
    *("Cholesky", "Cofactors", "Det", "Eigh", "Inv", "LogAbsDet", "Pinv", "QR", "SVD", "Solve"),
    *("matrix_rank", "sign_of_determinant"),
}
"""LAPACK's."""
SORTING = {"argsort", "argpartition", "lexsort", "isin"}
"""NumPy's sorting."""
RAISING = {"OverGap", "digitize", "nanargmax", "nanargmin", "ravel_multi_index", "unravel_index"}
"""Gates that look at values to raise an error."""
COUNTING = {"histogram", "histogram2d", "histogram_bin_edges", "packbits", "unpackbits"}
"""Statistics and file formats, at the border of a program rather than inside of it."""
RARE = {"BesselI0", "gcd", "lcm", "spacing", "empty_like"}
"""Series of eighty terms, loops over digits, and whatever memory holds."""
LEFT_TO_NUMPY = LINEAR_ALGEBRA | SORTING | RAISING | COUNTING | RARE

pytestmark = pytest.mark.filterwarnings("ignore")


def named(function: Any) -> str:
    return str(short(function))


def programs() -> Iterator[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Functions that use every gate and every function of NumPy that works on Arrays, and arguments for them."""
    for row in ROWS.values():
        gradient = cr.grad(projection(row), everything(row))
        yield lambda *args, row=row, gradient=gradient: [*results(row, args), *gradient(*args)], row.args
    for function in DIFFERENTIABLE:
        yield example(function, named(function)), (MATRIX,)
    for function in CONSTANT:
        name = named(function)
        call = CONSTANT_CALLS.get(name, function)
        if isinstance(function, np.ufunc):
            call = lambda x, function=function: function(*(x,) * function.nin)  # noqa: E731
        yield call, (INDICES if name in INTEGER_UFUNCS else MATRIX,)


def left_to_numpy(function: Callable[..., Any], args: tuple[Any, ...]) -> set[str]:
    try:
        program = optimise(record(lambda *xs: [z for z in leaves(function(*xs)) if isinstance(z, cr.Array)], args))
    except GraphError:  # what depends on values cannot be recorded
        return set()
    gates = [group.library.gate for group in Fusion(program).groups if group.library is not None]
    return {g.function.__name__ if isinstance(g, PiecewiseConstant) else type(g).__name__ for g in gates}


def test_what_numpy_runs_is_listed() -> None:
    found = set().union(*(left_to_numpy(*each) for each in programs()))
    assert found == LEFT_TO_NUMPY


def test_every_gate_that_is_listed_is_in_the_table() -> None:
    gates = {gate.__name__ for gate in PRIMITIVES}
    assert {name for name in LEFT_TO_NUMPY if name[0].isupper()} <= gates

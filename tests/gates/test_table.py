"""Every row of the gradient table, against NumPy, against numbers, and the ways of differentiating against each other.

``rows_*.py`` hold the rows; together they reach every primitive gate.
"""

import importlib
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.calculus.trees import leaves
from chainrule.gates.primitive import PRIMITIVES
from chainrule.graph.array import Array, circuit, raw
from tests.gates.rows import Row

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("rows_*.py"))
ROWS: dict[str, Row] = {
    f"{module.removeprefix('rows_')}: {row.name}": row
    for module in MODULES
    for row in importlib.import_module(f"tests.gates.{module}").ROWS
}
ELEMENTS = 700
"""In a Jacobian that is compared element by element; of larger ones ``check_grads`` tries random directions."""
ON_PURPOSE_DOUBLE = ("float_power", "dtype", "astype")


def rows(keep=lambda row: True):
    """Run a test on every row, or on those for which ``keep`` holds."""
    kept = {name: row for name, row in ROWS.items() if keep(row)}
    return pytest.mark.parametrize("row", kept.values(), ids=kept.keys())


every_row = rows()
pytestmark = pytest.mark.filterwarnings("ignore:.*(Degrees of freedom|empty slice)")


def is_float(x):
    return np.asarray(raw(x)).dtype.kind == "f"


def results(row, args):
    """What the row's function gives, as a list of arrays."""
    return list(leaves(row.function(*args)))


def projection(row):
    """The row as a scalar function: its floating-point results, weighted so that no error cancels in the sum."""

    def scalar(*args):
        parts = [x for x in results(row, args) if is_float(x)]
        return sum((np.sum(x * weights(x)) for x in parts), start=0.0)

    return scalar


def elements_of_jacobian(row):
    """How many derivatives the row has."""
    outputs = sum(np.size(x) for x in results(row, row.args) if is_float(x))
    return outputs * sum(np.size(x) for x in row.args)


def weights(x):
    return (np.cos(np.arange(np.size(x))).reshape(np.shape(x)) + 1.5).astype(x.dtype)


def gradients(row, args):
    """The gradients that ``backward`` writes, for arguments that are ndarrays."""
    variables = [cr.array(x) for x in args]
    projection(row)(*variables).backward()
    return [np.zeros_like(x.value) if x.grad is None else x.grad for x in variables]


def everything(row):
    return tuple(range(len(row.args)))


def test_names_are_unique():
    declared = [row for module in MODULES for row in importlib.import_module(f"tests.gates.{module}").ROWS]
    assert len(declared) == len(ROWS)


def test_rows_reach_every_gate():
    reached = set()
    for row in ROWS.values():
        for result in leaves(row.function(*map(cr.array, row.args))):
            reached |= {type(node.gate) for node in circuit(result)}
    # Rules may use gates of their own.
    for row in ROWS.values():
        gradient = cr.grad(projection(row), everything(row))(*map(cr.array, row.args))
        for result in leaves(gradient):
            reached |= {type(node.gate) for node in circuit(result)}
    assert {gate.__name__ for gate in PRIMITIVES if gate.differentiable} - {gate.__name__ for gate in reached} == set()


@every_row
def test_value_is_numpys(row):
    expected = results(row, row.args)
    found = results(row, [cr.array(x) for x in row.args])
    assert len(found) == len(expected)
    for z, e in zip(found, expected, strict=True):
        assert isinstance(z, Array)
        assert z.shape == np.shape(e)
        assert z.dtype == np.asarray(e).dtype
        np.testing.assert_allclose(z.value, e, rtol=1e-13, atol=1e-14)


@every_row
def test_integers_follow_numpy(row):
    """Integer Arrays are constants; what NumPy makes of them, in value and dtype, so do we."""
    args = [np.round(3 * x).astype(np.int64) for x in row.args]
    with np.errstate(all="ignore"):
        try:
            expected = results(row, args)
        except (TypeError, ValueError) as error:
            with pytest.raises(type(error)):
                results(row, [cr.array(x) for x in args])
            return
        found = results(row, [cr.array(x) for x in args])
    for z, e in zip(found, expected, strict=True):
        assert isinstance(z, Array)
        assert not z.live
        assert z.dtype == np.asarray(e).dtype
        np.testing.assert_allclose(z.value, e, rtol=1e-13, atol=1e-14)


@every_row
def test_derivatives_of_both_orders(row):
    report = cr.check_grads(row.function, *row.args, order=2)
    assert report.compared == 8
    assert report.kinks == ()


@rows(lambda row: elements_of_jacobian(row) <= ELEMENTS)
def test_every_element_of_the_jacobian(row):
    def flat(*args):
        return np.concatenate([np.reshape(x, -1) for x in results(row, args) if is_float(x)])

    jacobians = cr.jacobian(flat, everything(row))(*row.args)
    for i, x in enumerate(row.args):
        for place in np.ndindex(x.shape):
            numerical = centred_difference(flat, row.args, i, place)
            np.testing.assert_allclose(jacobians[i][(slice(None), *place)], numerical, rtol=2e-6, atol=2e-7)


def centred_difference(flat, args, i, place, h=1e-5):
    ends = []
    for sign in (2, 1, -1, -2):
        moved = [np.array(x) for x in args]
        moved[i][place] += sign * h
        ends.append(flat(*moved))
    far, near, back, farther = ends
    return (8 * (near - back) - (far - farther)) / (12 * h)


@every_row
def test_three_ways_agree(row):
    """backward(), grad on ndarrays, and the rules run on Arrays (as under a second derivative)."""
    written = gradients(row, row.args)
    functional = cr.grad(projection(row), everything(row))(*row.args)
    recorded = cr.grad(projection(row), everything(row))(*map(cr.array, row.args))
    for a, b, c, x in zip(written, functional, recorded, row.args, strict=True):
        assert isinstance(b, np.ndarray)
        assert isinstance(c, Array)
        assert a.shape == b.shape == c.shape == x.shape
        assert a.dtype == b.dtype == c.dtype == x.dtype
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(c.value, a, rtol=1e-12, atol=1e-13)


@rows(lambda row: not any(word in row.name for word in ON_PURPOSE_DOUBLE))
def test_single_precision_stays_single(row):
    small = [x.astype(np.float32) for x in row.args]
    expected = results(row, small)
    found = results(row, [cr.array(x) for x in small])
    assert [z.dtype for z in found] == [np.asarray(e).dtype for e in expected]
    with np.errstate(all="ignore"):
        for a, b in zip(gradients(row, small), gradients(row, row.args), strict=True):
            assert a.dtype == np.float32
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)
    for node in circuit(sum((np.sum(z) for z in found if is_float(z)), start=cr.array(np.float32(0)))):
        if is_float(node) and all(e.dtype == np.float32 for e in found if is_float(e)):
            assert node.dtype == np.float32, f"{node.label()} is {node.dtype}"


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "negative strides": lambda x: np.flip(np.flip(x).copy()),
    "read-only": lambda x: np.broadcast_to(x, x.shape),
}


@every_row
def test_layout_of_the_operands_does_not_matter(row):
    expected = gradients(row, row.args)
    for change in LAYOUTS.values():
        args = [change(x) if x.ndim else x for x in row.args]
        found = cr.grad(projection(row), everything(row))(*args)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@every_row
def test_leaves_own_their_gradients(row):
    variables = [cr.array(x) for x in row.args]
    outputs = [x for x in leaves(row.function(*variables)) if x.live]
    for output in outputs:
        upstream = np.ones(output.shape)
        output.backward(upstream=upstream)
        grads = [x.grad for x in variables if x.grad is not None]
        others = [upstream, *(x.value for x in variables)]
        for i, grad in enumerate(grads):
            assert grad.flags.writeable
            for other in (*others, *grads[:i]):
                assert not np.shares_memory(grad, other)
            for node in circuit(output):
                if node.gate is not None:
                    assert not np.shares_memory(grad, node.grad) or node.grad is None

"""Each gate of the table can be looked at: one row for each, explained, drawn, with formulas that give its numbers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.calculus.trees import leaves
from chainrule.gates.primitive import PRIMITIVES
from chainrule.graph.array import Array, circuit
from chainrule.inspect.formula import local_symbol, product_symbol
from chainrule.inspect.naming import Names
from tests.gates.rows import Row
from tests.gates.test_table import ROWS

pytestmark = pytest.mark.filterwarnings("ignore:.*(Degrees of freedom|empty slice)")


def output(row: Row) -> Array | None:
    """A scalar computed from the row's function; None if its result carries no gradient."""
    args = [cr.array(x) if np.asarray(x).dtype.kind == "f" else x for x in row.args]
    live = [z for z in leaves(row.function(*args)) if isinstance(z, Array) and z.live and z.size]
    return np.sum(np.tanh(live[0])) if live else None  # type: ignore[return-value]


def one_row_for_each_gate() -> dict[str, Row]:
    found: dict[str, Row] = {}
    for row in ROWS.values():
        f = output(row)
        for node in [] if f is None else circuit(f):
            if node.inputs:
                found.setdefault(type(node.gate).__name__, row)
    return found


PICKED = one_row_for_each_gate()


def test_nearly_all_gates_are_here() -> None:
    assert len(PICKED) > 0.8 * sum(gate.differentiable for gate in PRIMITIVES)


@pytest.mark.parametrize("row", PICKED.values(), ids=PICKED.keys())
def test_a_gate_is_explained_and_drawn_with_formulas_that_give_its_numbers(row: Row) -> None:
    f: Any = output(row)
    f.backward()
    assert max(map(len, str(cr.explain(f)).splitlines())) < 200
    ET.fromstring(cr.draw(f).svg)  # noqa: S314
    nodes = circuit(f)
    names = Names(nodes)
    for edge in (edge for node in nodes for edge in cr.edges(node) if edge.live):
        if edge.diagonal:
            symbol = local_symbol(edge, names)
            assert symbol is not None, f"{edge.node.gate.title}.{edge.argument} has no formula"
            assert np.allclose(np.broadcast_to(symbol.value, edge.node.shape), edge.local_gradient)
        else:
            symbol = product_symbol(edge, names, "dL/dz")
            if symbol is not None:
                assert np.allclose(symbol.value, edge.contribution)

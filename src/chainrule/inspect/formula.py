"""What a gate computes, and its local gradients, in symbols: derived from the gate's one declaration."""

from __future__ import annotations

from copy import copy
from types import SimpleNamespace
from typing import Any

import numpy as np

from chainrule.gates.gate import Gate
from chainrule.graph.array import Array, raw
from chainrule.graph.edge import Edge
from chainrule.inspect.naming import Names
from chainrule.inspect.symbols import POWER, Symbol, one, written

LONGEST = 80
"""A formula longer than this explains nothing; numbers say more."""


def forward_text(node: Array, names: Names) -> str:
    """``x + y`` for the gate that made ``node``."""
    return written(node.gate, [names[x] for x in node.inputs])


def local_symbol(edge: Edge, names: Names) -> Symbol | None:
    """dz/dx in symbols: what the edge's rule makes of dz = 1. None where the Jacobian is no diagonal."""
    if not edge.diagonal:
        return None
    return run_rule(edge, names, one(np.ones_like(np.asarray(edge.node._value))))


def product_symbol(edge: Edge, names: Names, upstream: str) -> Symbol | None:
    """What the edge's rule makes of a dz called ``upstream``: ``x.T @ dL/dz`` for the weights of a product."""
    value = edge.node._value
    dz = getattr(edge.node, "_grad", None)
    level = POWER if "/" in upstream else POWER + 1
    return run_rule(edge, names, Symbol(np.ones_like(np.asarray(value)) if dz is None else dz, upstream, level))


def run_rule(edge: Edge, names: Names, dz: Symbol) -> Symbol | None:
    """The edge's rule on symbols; None where it cannot be run on them or its formula is too long to read.

    A user's rule may do anything (convert to a float, call ``math``), so any exception means 'no formula'; the local
    gradient is then shown in numbers, which come from the engine and do not depend on this.
    """
    node, gate = edge.node, edge.node.gate
    operands = tuple(_operand(x, names) for x in node.inputs)
    z = Symbol(node._value, names[node])
    try:
        with np.errstate(all="ignore"):  # the numbers shown are the engine's, which warns by itself
            if isinstance(gate, Gate):
                result = _replayed(gate, operands, z).backward(dz)[edge.index]
            else:
                stand_in: Any = SimpleNamespace(_value=z, inputs=operands, shape=node.shape, dtype=node.dtype)
                if hasattr(gate, "recall"):
                    stand_in._cache = gate.recall(*operands)
                result = gate.rules(stand_in, False)[edge.index](gate, stand_in, dz, operands)
    except Exception:
        return None
    return result if isinstance(result, Symbol) and len(result.text) <= LONGEST else None


def _operand(x: Any, names: Names) -> Symbol:
    value = raw(x)
    if np.ndim(value) == 0 and not isinstance(x, Array):
        made = Symbol(value, names[x])
        made.number = float(value)
        return made
    return Symbol(value, names[x])


def _replayed(gate: Gate, operands: tuple[Symbol, ...], z: Symbol) -> Gate:
    """A user's gate with symbols in its cache."""
    twin = copy(gate)
    output = twin.forward(*operands)
    for name, cached in vars(twin).items():
        if cached is output:
            setattr(twin, name, z)
    return twin

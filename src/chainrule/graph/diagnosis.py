"""What went wrong at which gate: errors that name it, its inputs and the user's line."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.array import Array, raw
from chainrule.graph.errors import NonFiniteError, describe, describe_nonfinite
from chainrule.graph.site import Site, at, user_site

REBUILDABLE = (
    np.linalg.LinAlgError,
    IndexError,
    OverflowError,
    ZeroDivisionError,
    FloatingPointError,
    ArithmeticError,
    ValueError,
    TypeError,
)
"""Errors that can be made anew from a message alone, the special ones first."""


def placed(error: Exception, gate: Any, values: list[Any]) -> Exception:
    """An error of a gate's ``forward`` with the gate, its operands and the user's line in the message."""
    place = user_site()
    where = "" if place is None else f" at {Site(*place)}"
    message = f"{gate.title}({', '.join(describe(v) for v in values)}){where}: {error}"
    for kind in type(error).__mro__:
        if kind in REBUILDABLE:
            return kind(message)
    error.add_note(message)
    return error


def check_value(gate: Any, operands: tuple[Any, ...], z: Any) -> None:
    """Raise NonFiniteError if what a gate has just computed is not finite."""
    if z.dtype.kind != "f" or np.isfinite(z).all():
        return
    place = user_site()
    where = at(None if place is None else Site(*place))
    raise NonFiniteError(
        f"the value of {gate.title} is not finite: {describe_nonfinite(z)}; applied{where} to {_named(operands)}"
    )


def check_gradient(node: Array, i: int, dx: Any) -> None:
    """Raise NonFiniteError if the gradient that a gate hands to its input number ``i`` is not finite."""
    value = raw(dx)
    if not np.isfinite(value).all():
        error = NonFiniteError(
            f"the gradient that {node.gate.title}{at(node.site)} hands to its "
            f"input {i} is not finite: {describe_nonfinite(value)}; its inputs are {_named(node.inputs)}"
        )
        error.node = node
        raise error


def _named(operands: tuple[Any, ...]) -> str:
    """Inputs as a message shows them: name, shape, dtype and range."""
    return ", ".join(map(_name_operand, operands))


def _name_operand(x: Any) -> str:
    value = np.asarray(raw(x))
    label = f"{x.name} = " if isinstance(x, Array) and x.name else ""
    if value.size == 1:
        return f"{label}{value.item()}"
    if value.size == 0 or value.dtype.kind not in "fiu":
        return f"{label}{describe(value)}"
    finite = value[np.isfinite(value)]
    spread = f" in [{finite.min():.4g}, {finite.max():.4g}]" if finite.size else " with no finite element"
    return f"{label}{describe(value)}{spread}"

"""Applying a gate: the forward pass of one node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from chainrule.graph.array import Array, new_node, next_number, read_only, real
from chainrule.graph.diagnosis import check_value, placed
from chainrule.graph.errors import describe
from chainrule.graph.mode import MODE, PLAIN
from chainrule.graph.provenance import cut_off, inherited
from chainrule.graph.site import user_site

VALUES = (np.ndarray, np.generic)
PLAIN_OPERANDS = (np.ndarray, float, int, np.generic)
_new = object.__new__


class AnyGate(Protocol):
    """What the graph asks of a gate; ``chainrule.gates`` has the two kinds, primitives and the user's own."""

    title: str
    """What messages call it."""
    elementwise: bool
    """Whether inputs are broadcast against each other, so that their gradients must be summed back."""
    differentiable: bool
    """Whether results can carry gradients at all (a comparison's cannot)."""
    builtin: bool
    """Whether the gate is known to leave its operands alone, to broadcast as NumPy does and to keep no gradient."""

    def forward(self, *operands: Any) -> Any: ...

    def rules(self, node: Array, recorded: bool) -> Sequence[Callable[[Any, Array, Any, tuple[Any, ...]], Any]]:
        """For each input a function ``(gate, node, dz, inputs) -> dL/dx`` (None for no gradient).

        They run on ndarrays, or on Arrays if ``recorded``, so that their results can be differentiated again.
        """
        ...


def apply(gate: Any, operands: tuple[Any, ...]) -> Any:
    """Compute ``gate`` on ``operands``; the result is a node of the graph if any of them is live.

    With no Array among the operands, the plain value is returned.
    """
    mode = MODE.get()
    if mode is not PLAIN and mode.recorder is not None:
        return mode.recorder.apply(gate, operands)
    values: list[Any] = []
    live = lifted = False
    for x in operands:
        if isinstance(x, Array):
            values.append(x._value)
            lifted = True
            if x.live:
                live = True
        elif isinstance(x, PLAIN_OPERANDS):
            values.append(x)
        elif hasattr(x, "__apply_gate__"):  # a stand-in for an array, such as a formula, applies gates its own way
            return x.__apply_gate__(gate, operands)
        else:  # a list, say: rules read operands again, so what the node keeps is an ndarray
            return apply(gate, tuple(map(_operand, operands)))
    try:
        z = gate.forward(*values) if gate.builtin else _own(gate.forward(*map(_seen, values)))
    except Exception as error:
        raise placed(error, gate, values) from error
    if not lifted:
        return z[0] if isinstance(z, tuple) else z
    cache = None
    if not isinstance(z, VALUES):
        z, cache = _unpacked(gate, z)
    if mode is not PLAIN and mode.stop_at_nonfinite:
        check_value(gate, operands, z)
    if not (live and gate.differentiable and mode.gradients and z.dtype.kind == "f"):
        return constant_result(gate, operands, z)
    # new_node, written out: this is the hot path of every circuit.
    node = _new(Array)
    node._value = z
    node.gate = gate
    node.inputs = operands
    node.number = next_number()
    node.live = True
    node._site = user_site()
    node._scope = None
    if cache is not None:
        node._cache = cache
    return node


def _seen(value: Any) -> Any:
    """What a user's gate sees of an input: writing into it would change somebody else's array."""
    return read_only(value) if isinstance(value, np.ndarray) else value


def _own(z: Any) -> Any:
    """What the graph keeps of a user's result: the gate may hold it, too, and write to it at its next application."""
    return np.array(z) if isinstance(z, np.ndarray) else z


def _operand(x: Any) -> Any:
    return x if isinstance(x, (Array, *PLAIN_OPERANDS)) or hasattr(x, "__apply_gate__") else np.asarray(x)


def constant_result(gate: Any, operands: Sequence[Any], z: Any) -> Array:
    """The result of a gate through which no gradient flows: it lets go of its inputs, and remembers what it cut."""
    result = new_node(real(z), gate, (), False, user_site())
    mode = MODE.get()
    if mode.role != "forward":  # a recorded gradient or update: nobody will ask why no gradient flows through it
        return result
    live = [x for x in operands if isinstance(x, Array) and x.live]
    if live:
        how = gate.title if mode.gradients else "no_grad"
        result._cut = cut_off(how, result._site, live)
    else:
        merged = inherited(operands)
        if merged is not None:
            result._cut = merged
    return result


def _unpacked(gate: Any, z: Any) -> tuple[Any, Any]:
    """The value and the cache of a gate that returned a Python number, or both."""
    if isinstance(z, (int, float)):
        return np.asarray(z), None
    if isinstance(z, tuple) and hasattr(gate, "recall"):
        return z
    if isinstance(z, Array):
        raise TypeError(
            f"{gate.title}.forward sees plain ndarrays and returns one, not an Array: pass a Parameter in as an input, "
            "or read its .value"
        )
    raise TypeError(f"{gate.title}.forward must return one number or ndarray, not {describe(z)}")

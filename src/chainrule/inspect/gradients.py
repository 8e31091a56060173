"""The gradients that ``draw`` and ``explain`` show: those of one output, whatever other passes have written since."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.array import Array, changed_input, circuit
from chainrule.graph.backward import FREED, flow, last_output
from chainrule.graph.edge import Edge
from chainrule.graph.mode import switched
from chainrule.inspect.naming import Names


def gradients(output: Array) -> dict[Array, Any]:
    """dL/dx for the arrays x behind ``output``, from the dL/d(output) of its backward pass; empty before that pass.

    ``x.grad`` is what the last pass through x wrote, and that pass may have started elsewhere. So the engine's pass is
    run again, writing nothing. Where it can't be (an input was changed by an optimiser's step, or a part of the circuit
    was freed), ``.grad`` still tells as long as no other pass has followed; otherwise only dL/d(output) is known.

    >>> import chainrule as cr
    >>> x, y = cr.array(-2.0), cr.array(5.0)
    >>> f, g = x * y, x + y
    >>> f.backward()
    >>> g.backward()
    >>> x.grad.item(), gradients(f)[x].item()
    (1.0, 5.0)
    """
    start = output.grad
    if start is None:
        return {}
    nodes = circuit(output)
    if not any(node.gate is FREED or changed_input(node) is not None for node in nodes):
        with switched(stop_at_nonfinite=False), np.errstate(all="ignore"):  # backward() has warned; this is to look
            return dict(flow(output, start))
    if last_output() is output:
        return {node: node.grad for node in nodes if node.grad is not None}
    return {output: start}


def part(edge: Edge, known: dict[Array, Any]) -> Any:
    """What an edge adds to its input's gradient; None where its upstream gradient is not among those ``known``."""
    dz = known.get(edge.node)
    return None if dz is None or not edge.live else edge.pullback(dz)


def loss_name(output: Array, names: Names) -> str:
    """What the gradients are gradients of: the output if its own is 1, else a loss that lies further on."""
    grad = output.grad
    itself = output.ndim == 0 if grad is None else grad.ndim == 0 and bool(np.equal(grad, 1))
    return names[output] if itself else names.unused("L", "loss")

"""``cr.why``: why a gradient is zero, or missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graph.array import Array, ancestors, changed_input, raw
from chainrule.graph.backward import FREED, last_output
from chainrule.graph.edge import Edge, edges, outgoing
from chainrule.graph.provenance import Cut
from chainrule.graph.site import Site, at
from chainrule.graph.state import Parameter
from chainrule.inspect.naming import number

SQUASHING = {"sigmoid", "tanh", "erf", "arctan", "softplus", "exp"}
MASKING = {"where", "clip", "multiply", "set_item"}
SELECTING = {"maximum", "minimum", "fmax", "fmin"}
RELU = {"relu"}
TINY = 1e-3
"""A squashing gate whose local gradients are all below this is saturated."""
VANISHED = 1e-4
"""A gradient this small beside the upstream gradient at the output is worth an explanation."""


@dataclass(frozen=True)
class Why:
    """The answer of ``cr.why``.

    Attributes:
        reason: 'constant', 'frozen', 'integer', 'no backward', 'not reached', 'cut', 'freed', 'dead relu', 'masked',
            'saturated', 'upstream zero', 'cancelled', 'not finite' or 'fine'.
        text: one to three lines in words, also ``str()`` of the answer.
        gate: the title of the gate to blame, if any.
        site: the user's line that applied it.
    """

    reason: str
    text: str
    gate: str | None = None
    site: Site | None = None

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def why(x: Array, output: Array | None = None) -> Why:
    """Explain the gradient of ``x``: why it is zero, tiny, or not there.

    Where it became zero further on, the gate where that happened is named: the weights of a layer whose ReLU is dead
    get 'dead relu', and the ReLU's line.

    Args:
        x: the array whose gradient is in question.
        output: what ``backward()`` was called on; by default that of this thread's last backward pass, as long as
            something else keeps it alive.

    Raises TypeError if ``x`` or ``output`` is not an Array.

    >>> import numpy as np, chainrule as cr
    >>> x = cr.array([-1.0, -2.0], name="x")
    >>> y = np.sum(np.maximum(x, 0.0))
    >>> y.backward()
    >>> answer = cr.why(x, y)
    >>> answer.reason, answer.gate
    ('dead relu', 'maximum')
    """
    for array in (x, output):
        if not isinstance(array, Array) and (array is x or array is not None):
            raise TypeError(f"why needs Arrays, not {type(array).__name__}")
    if x.dtype.kind != "f":
        return Why("integer", f"{x.label()} is {x.dtype}: only floating-point arrays carry gradients (3.0, not 3).")
    if isinstance(x, Parameter) and x.frozen:
        return Why(
            "frozen", f"{x.label()} is frozen: it is held still (.unfreeze(), or .frozen = False).", None, x.site
        )
    if not x.live:
        return _constant(x)
    if output is None:
        output = last_output()
    if output is None:
        return _no_output(x)
    if output.gate is FREED or x.gate is FREED:
        return _freed(x, output)
    behind = ancestors(output)
    if x not in set(behind):
        return _not_reached(x, output, behind)
    if getattr(output, "_grad", None) is None:
        return Why("no backward", f"{_named(output, 'the output')}.backward() has not been called yet.")
    if x.grad is None:
        return _not_written(x, output, behind)
    return _of_gradient(x, output, behind)


# ---- no gradient


def _constant(x: Array) -> Why:
    cut: Cut | None = getattr(x, "_cut", None)
    if cut is not None:
        return Why("constant", f"{x.label()} is a constant: {_cut_by(cut)}.", cut.how, cut.site)
    how = "it was made as one" if x.gate is None else f"nothing that {x.gate.title} was applied to carries a gradient"
    return Why("constant", f"{x.label()} is a constant: {how}. Variables come from cr.array.", None, x.site)


def _no_output(x: Array) -> Why:
    text = "No backward pass has run in this thread, or what it started from is gone."
    if x.grad is not None:
        text += f"\n{x.label()}.grad is there ({_range(x.grad)})."
    return Why("no backward", text + "\nPass the output: cr.why(x, output).")


def _freed(x: Array, output: Array) -> Why:
    return Why(
        "freed",
        f"The circuit behind {_named(output, 'the output')} was freed by backward(keep=False): gradients reached the "
        "leaves only, and how can no longer be seen.\nRun the forward pass again and keep it (keep=True, the default).",
    )


def _not_reached(x: Array, output: Array, behind: list[Array]) -> Why:
    name, f = x.label(), _named(output, "the output")
    cuts = [cut for node in behind if (cut := getattr(node, "_cut", None)) is not None]
    for cut in cuts:
        if x.number in cut.behind:
            text = f"{f} was computed from {name}, but without its gradient: {_cut_by(cut)}."
            return Why("cut", text, cut.how, cut.site)
    text = f"{f} does not depend on {name}: it was not computed from it."
    if x.number > output.number:
        text += f"\n{name} was made or changed after {f}."
    for cut in cuts:
        if not cut.complete:
            text += f"\nOr it lies far behind a cut: {_cut_by(cut)}."
            break
    return Why("not reached", text)


def _cut_by(cut: Cut) -> str:
    line = at(cut.site)
    if cut.how == "detach":
        return f"it was cut off by detach(){line}"
    if cut.how == "no_grad":
        return f"it was computed under cr.no_grad(){line}"
    return f"it went through {cut.how}{line}, which has no derivative"


def _not_written(x: Array, output: Array, behind: list[Array]) -> Why:
    f = _named(output, "the output")
    for edge in outgoing(behind)[x]:
        if getattr(edge.node, "_grad", None) is not None and _refuses(edge):
            gate = edge.node.gate.title
            text = f"{gate} at {edge.node.site} hands {x.label()} no gradient (its backward returns None for it)."
            return Why("cut", text, gate, edge.node.site)
    return Why(
        "no backward", f"The backward pass from {f} did not reach {x.label()}: call {f}.backward() after computing it."
    )


def _refuses(edge: Edge) -> bool:
    node = edge.node
    rule = node.gate.rules(node, False)[edge.index]
    return rule(node.gate, node, np.asarray(node._grad), node.inputs) is None


# ---- a gradient that is zero, or nearly


def _of_gradient(x: Array, output: Array, behind: list[Array]) -> Why:
    name, grad = x.label(), np.asarray(x.grad)
    if not np.isfinite(grad).all():
        text = f"The gradient of {name} is not finite; run the step inside cr.nonfinite() to see where that began."
        return Why("not finite", text)
    largest = float(np.max(np.abs(grad), initial=0.0))
    start = float(np.max(np.abs(np.asarray(output.grad)), initial=0.0))
    if largest > VANISHED * start:
        zeros = int(grad.size - np.count_nonzero(grad))
        some = f", {zeros} of {grad.size} elements are zero" if zeros else ""
        return Why("fine", f"The gradient of {name} is not zero: {_range(grad)}{some}.")
    if largest > 0:
        return _nearly_zero(x, grad, behind)
    return _zero(x, output, behind)


def _zero(x: Array, output: Array, behind: list[Array]) -> Why:
    """Follow the zero towards the output, to the gate whose upstream gradient is not zero but whose part is."""
    consumers = outgoing(behind)
    node = x
    while node is not output:
        wires = consumers[node]
        fed = [edge for edge in wires if np.any(np.asarray(getattr(edge.node, "_grad", 0.0)))]
        for edge in fed:
            if changed_input(edge.node) is not None:
                return _changed(edge.node)
        parts = [edge.contribution for edge in fed]
        if any(np.any(part) for part in parts if part is not None):
            return _cancelled(x, node, fed)
        if fed:
            return _blocked(x, node, fed[0])
        if not wires:
            return Why("no backward", f"The last backward pass through {x.label()} was not this output's.")
        node = max((edge.node for edge in wires), key=lambda z: z.number)
    f = _named(output, "the output")
    text = f"The backward pass started with an upstream gradient of zero at {f}, so every gradient is zero."
    return Why("upstream zero", text, None if output.gate is None else output.gate.title, output.site)


def _changed(node: Array) -> Why:
    x = changed_input(node)
    name = "one of its inputs" if x is None else x.label()
    text = (
        f"{name} was changed after {node.gate.title} at {node.site} had used it (by an optimiser's step?), so how "
        "gradients came about can no longer be seen.\nAsk before the step, or run the forward pass again."
    )
    return Why("freed", text, node.gate.title, node.site)


def _cancelled(x: Array, node: Array, wires: list[Edge]) -> Why:
    parts = ", ".join(f"{edge.node.gate.title} at {edge.node.site}: {_range(edge.contribution)}" for edge in wires)
    text = f"{node.label()} branches out, and the gradients that come back cancel: {parts}."
    if node is not x:
        text += f"\nSo the gradient of {x.label()}, on the way to it, is zero too."
    first = wires[0].node
    return Why("cancelled", text, first.gate.title, first.site)


def _blocked(x: Array, node: Array, edge: Edge) -> Why:
    """The gate of ``edge`` has an upstream gradient but hands ``node`` none."""
    z = edge.node
    title, line = z.gate.title, at(z.site)
    reason, what = _how_blocked(edge)
    text = f"{title}{line} {what}."
    if node is not x:
        text += f"\nFrom there back to {x.label()} all gradients are zero."
    return Why(reason, text, title, z.site)


def _how_blocked(edge: Edge) -> tuple[str, str]:
    node, x = edge.node, edge.input
    title, name = node.gate.title, x.label()
    others = [other.input for other in edges(node) if other.index != edge.index]
    if title in RELU:
        return "dead relu", f"is dead: {name} is negative or zero in every element, where its local gradient is 0"
    if title in SELECTING:
        other = others[0]
        if not (isinstance(other, Array) and other.live) and title in ("maximum", "fmax"):
            return "dead relu", f"is dead: {name} loses against the constant {_short(other)} in every element"
        return "masked", f"routes the gradient to its other input, {_short(other)}, in every element"
    if title == "multiply" and not np.any(raw(others[0])):
        return "masked", f"multiplies by zero: its other input, {_short(others[0])}, is 0 everywhere"
    if title == "where":
        return "masked", f"takes the other branch wherever there is an upstream gradient, never {name}"
    if title == "clip":
        return "masked", f"clips {name} in every element: outside its bounds the local gradient is 0"
    if title in SQUASHING:
        return "saturated", f"is saturated: {name} is {_range(raw(x))}, where its local gradient is 0 in floating point"
    if title in MASKING:
        return (
            "masked",
            f"lets no gradient through to {name}: its other input is zero where the upstream gradient is not",
        )
    if edge.diagonal and np.any(edge.local_gradient):
        return "masked", "has a local gradient of 0 wherever its upstream gradient is not, or their product underflows"
    return "masked", f"has a local gradient of zero for {name} here"


def _nearly_zero(x: Array, grad: Any, behind: list[Array]) -> Why:
    """Go along the largest contributions and look for a squashing gate that is saturated."""
    consumers = outgoing(behind)
    node, name = x, x.label()
    while wires := consumers[node]:
        edge = max(wires, key=lambda wire: float(np.max(np.abs(_part(wire)), initial=0.0)))
        z = edge.node
        if z.gate.title in SQUASHING and edge.diagonal:
            local = float(np.max(np.abs(edge.local_gradient), initial=0.0))
            if local < TINY:
                text = (
                    f"{z.gate.title}{at(z.site)} is saturated: its input is {_range(raw(edge.input))}, where its local "
                    f"gradient is at most {number(local)}.\nSo the gradient of {name} is only {_range(grad)}."
                )
                return Why("saturated", text, z.gate.title, z.site)
        node = z
    return Why("fine", f"The gradient of {name} is small but not zero: {_range(grad)}.")


def _part(edge: Edge) -> Any:
    part = edge.contribution if changed_input(edge.node) is None else None
    return np.zeros(()) if part is None else part


# ---- words


def _named(x: Array, otherwise: str) -> str:
    return x.name or otherwise


def _short(x: Any) -> str:
    if isinstance(x, Array) and x.name:
        return x.name
    value = np.asarray(raw(x))
    return number(value.reshape(())[()]) if value.size == 1 else f"an array of shape {value.shape}"


def _range(value: Any) -> str:
    value = np.asarray(value)
    if value.size == 1:
        return number(value.reshape(())[()])
    if value.size == 0:
        return "empty"
    return f"between {number(value.min())} and {number(value.max())}"

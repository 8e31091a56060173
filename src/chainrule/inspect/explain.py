"""``cr.explain``: the chain rule, gate by gate, with symbols and numbers."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graph.array import Array, changed_input, circuit, raw
from chainrule.graph.backward import FREED
from chainrule.graph.edge import Edge, edges, outgoing
from chainrule.inspect.formula import forward_text, local_symbol, product_symbol
from chainrule.inspect.gradients import gradients, loss_name, part
from chainrule.inspect.naming import Names, number, summary
from chainrule.inspect.patterns import pattern
from chainrule.inspect.symbols import PRODUCT, SUM, written

NOT_COMPUTED = "not computed yet"
WIDTH = 118
NUMBER_WIDTH = 24


@dataclass(frozen=True)
class Explanation:
    """What ``cr.explain`` found: ``text`` (also ``str()`` of it), shown as such in terminals and notebooks."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text)}</pre>"


def explain(output: Array, *, limit: int = 60, digits: int = 2) -> Explanation:
    """The circuit behind ``output`` gate by gate: the forward pass, then the backward pass, newest gate first.

    Each edge is shown with its local gradient in symbols and numbers, the upstream gradient and their product; where a
    value branches out, the contributions and their sum. Before ``backward()`` the local gradients are there already;
    upstream gradients are then 'not computed yet', which is not zero.

    Args:
        output: the array to explain.
        limit: how many gates to show at most, the ones nearest to the output; a line says how many were left out.
        digits: how many decimals numbers have.

    Raises TypeError if ``output`` is not an Array, ValueError for a limit below 1.

    >>> import chainrule as cr
    >>> x = cr.array(3.0, name="x")
    >>> f = x * x
    >>> f.backward()
    >>> print(cr.explain(f))
    f = 9.00
    <BLANKLINE>
    Forward pass: from the inputs to f
      x = 3.00
      f = x * x = 3.00 * 3.00 = 9.00
    <BLANKLINE>
    Backward pass: from f to the inputs
      df/df = 1.00, where the backward pass starts
    <BLANKLINE>
      f = x * x: multiply swaps its inputs and scales them by its upstream gradient
        local gradient df/dx = x = 3.00    x * df/df = 3.00 * 1.00 = 3.00, the 1st of 2 parts of df/dx
        local gradient df/dx = x = 3.00    x * df/df = 3.00 * 1.00 = 3.00, the 2nd of 2 parts of df/dx
    <BLANKLINE>
      x branches out into 2 edges: its gradients add
        df/dx = 3.00 + 3.00 = 6.00
    """
    if not isinstance(output, Array):
        raise TypeError(f"explain needs an Array, the output of a circuit, not {type(output).__name__}")
    if limit < 1:
        raise ValueError(f"limit is how many gates to show, at least 1, not {limit}")
    return Explanation("\n".join(_Explainer(output, limit, digits).lines()))


class _Explainer:
    """One explanation in the making: the circuit, its names, and what is shown of it."""

    def __init__(self, output: Array, limit: int, digits: int) -> None:
        self.output, self.limit, self.digits = output, limit, digits
        nodes = circuit(output)
        self.names = Names(nodes)
        self.total = sum(bool(node.inputs) for node in nodes)
        gates = [node for node in nodes if node.inputs][-limit:]
        shown = set(gates) | {x for gate in gates for x in gate.inputs if isinstance(x, Array)} | {output}
        self.shown = sorted((node for node in nodes if node in shown), key=lambda node: bool(node.inputs))
        self.gates = set(gates)
        self.out = {node: [e for e in wires if e.live] for node, wires in outgoing(nodes).items()}
        self.gradients = gradients(output)
        self.loss = loss_name(output, self.names)
        self.parts: dict[Array, int] = {}
        """How many contributions to each array were shown so far."""

    # ---- words

    def gradient_of(self, x: Any) -> str:
        return f"d{self.loss}/d{self.names[x]}"

    def show(self, value: Any) -> str:
        return summary(value, self.digits)

    # ---- paragraphs

    def lines(self) -> list[str]:
        f = self.names[self.output]
        lines = [f"{f} = {self.show(self.output._value)}"]
        if self.output.gate is FREED:
            return [*lines, f"The circuit behind {f} was freed by backward(keep=False): run the forward pass again."]
        if not self.output.live:
            return [*lines, f"{f} is a constant: no gradient flows through it (cr.why({f}) says why)."]
        lines += ["", f"Forward pass: from the inputs to {f}", *self._left_out("earlier"), *self._forward()]
        lines += ["", f"Backward pass: from {f} to the inputs"]
        if self.output not in self.gradients:
            lines.append(f"  Upstream gradients are {NOT_COMPUTED}: they come with {f}.backward().")
            lines.append("  The local gradients below exist since the forward pass.")
        else:
            grad = self.show(self.gradients[self.output])
            lines.append(f"  {self.gradient_of(self.output)} = {grad}, where the backward pass starts")
        self.rows = self._rows()
        for node in reversed(self.shown):
            lines += [line.rstrip() for line in self._backward(node)]
        return lines + (["", *self._left_out("further")] if self.total > self.limit else [])

    def _left_out(self, which: str) -> list[str]:
        if self.total <= self.limit:
            return []
        call = f"cr.explain({self.names[self.output]}, limit={self.total})"
        return [f"  ... {self.total - self.limit} {which} gates of {self.total} left out: {call} shows all"]

    def _forward(self) -> list[str]:
        rows = []
        for node in self.shown:
            value = self.show(node._value)
            if node in self.gates:
                texts = [forward_text(node, self.names)]
                if all(np.size(raw(x)) == 1 for x in node.inputs) and changed_input(node) is None:
                    texts.append(self._with_numbers(node))
                rows.append((node, " = ".join([*texts, value])))
            else:
                rows.append((node, value + self._kind(node)))
        width = max(len(self.names[node]) for node, _ in rows)
        return [f"  {self.names[node]:<{width}} = {text}" for node, text in rows]

    def _with_numbers(self, node: Array) -> str:
        """``-2.00 + 5.00``: the formula with its inputs' values; what a minus would run into in parentheses."""
        texts = [number(np.asarray(raw(x)).reshape(())[()], self.digits) for x in node.inputs]
        notation = str(getattr(node.gate, "notation", ""))
        for i, text in enumerate(texts):
            negated = notation == f"-{{{i}}}"  # '-2.00 = -2.00' would not show that anything was done
            if negated or (text.startswith("-") and re.search(rf"- \{{{i}\}}|\{{{i}\}} \*\*", notation)):
                texts[i] = f"({text})"
        return written(node.gate, texts)

    def _kind(self, node: Array) -> str:
        if not node.live:
            return " (constant)" if node.gate is None else f" (constant, made by {node.gate.title})"
        if node.gate is FREED:
            return " (its circuit was freed)"
        return "" if node.gate is None else " (computed by a gate that is left out)"

    def _backward(self, node: Array) -> list[str]:
        lines = []
        if node.live and len(self.out.get(node, ())) > 1:
            lines += self._branch(node)
        if node in self.gates:
            heading, way = f"  {self.names[node]} = {forward_text(node, self.names)}", pattern(node.gate)
            lines += [
                "",
                *([f"{heading}: {way}"] if len(heading) + len(way) < WIDTH else [f"{heading}:", f"    {way}"]),
            ]
            lines += [f"    {row}" for row in self.rows.get(node) or [self._changed(node)]]
        return lines

    def _changed(self, node: Array) -> str:
        x = changed_input(node)
        return f"{self.names[x]} was changed after this gate had used it, so its local gradients can't be seen any more"

    def _rows(self) -> dict[Array, list[str]]:
        """The edges of each gate, newest gate first: in two columns if all of them fit the width of a page."""
        table = {
            node: [(self._local(edge), self._chain(edge)) for edge in edges(node) if edge.live]
            for node in reversed(self.shown)
            if node in self.gates and changed_input(node) is None
        }
        columns = {
            node: (_aligned([local for local, _ in rows]), _aligned([chain for _, chain in rows]))
            for node, rows in table.items()
        }
        if all(4 + len(a) + 4 + len(b) <= WIDTH for pair in columns.values() for a, b in zip(*pair, strict=True)):
            return {node: [f"{a}    {b}" for a, b in zip(*pair, strict=True)] for node, pair in columns.items()}
        return {
            node: [line.rstrip() for a, b in zip(*pair, strict=True) for line in (a, f"  {b}")]
            for node, pair in columns.items()
        }

    def _local(self, edge: Edge) -> tuple[str, ...]:
        z, x = self.names[edge.node], self.names[edge.input]
        symbol = local_symbol(edge, self.names)
        formula = f"local gradient d{z}/d{x}"
        if symbol is not None and symbol.number is None:
            formula += f" = {symbol.within(SUM)}"
        if edge.diagonal:
            return formula, self.show(edge.local_gradient)
        return formula, f"a Jacobian of shape {edge.node.shape} by {edge.input.shape}"

    def _chain(self, edge: Edge) -> tuple[str, ...]:
        """Local gradient times upstream gradient in symbols and numbers, and what comes of it."""
        node, x = edge.node, edge.input
        total, branches = self.gradient_of(x), len(self.out[x])
        product = self._product(edge)
        dz, share = self.gradients.get(node), part(edge, self.gradients)
        if share is None:
            numbers = [NOT_COMPUTED]
        elif edge.diagonal and node.size == 1 and x.size == 1:
            numbers = [f"{self.show(edge.local_gradient)} * {self.show(dz)}", self.show(share)]
        else:
            numbers = [self.show(share)]
        if branches < 2:
            return f"{total} = {product}", *numbers
        k = self.parts[x] = self.parts.get(x, 0) + 1
        numbers[-1] += f", the {_ordinal(k)} of {branches} parts of {total}"
        return product, *numbers

    def _product(self, edge: Edge) -> str:
        """``dq/dx * df/dq``; where the Jacobian is no diagonal, the rule itself: ``x.T @ dL/dz``."""
        node, x = edge.node, edge.input
        upstream = self.gradient_of(node)
        if not edge.diagonal:
            rule = product_symbol(edge, self.names, upstream)
            return f"the Jacobian applied to {upstream}" if rule is None else rule.text
        factor = f"d{self.names[node]}/d{self.names[x]}"
        symbol = local_symbol(edge, self.names)
        if node is self.output and self.loss == self.names[node] and symbol is not None:
            factor = symbol.within(PRODUCT)  # beside df/df, 'df/dx' could be the local gradient or the result
        broadcast = ", summed over what was broadcast" if node.shape != x.shape else ""
        return f"{factor} * {upstream}{broadcast}"

    def _branch(self, node: Array) -> list[str]:
        wires = sorted(self.out[node], key=lambda edge: (-edge.node.number, edge.index))
        lines = ["", f"  {self.names[node]} branches out into {len(wires)} edges: its gradients add"]
        total = self.gradient_of(node)
        if any(changed_input(edge.node) is not None for edge in wires):
            held = self.show(self.gradients[node]) if node in self.gradients else NOT_COMPUTED
            return [*lines, f"    {total} = {held}; its parts can't be seen any more"]
        parts = [part(edge, self.gradients) for edge in wires]
        if any(share is None for share in parts):
            return [*lines, f"    {total} = {NOT_COMPUTED}"]
        known = [np.asarray(share) for share in parts[:8]]
        more = f" + ... ({len(wires) - 8} more)" if len(wires) > 8 else ""
        sum_of = sum(np.asarray(share, np.float64) for share in parts)
        if all(share.size == 1 for share in known):
            terms = " + ".join(self.show(share) for share in known) + more
            lines.append(f"    {total} = {terms} = {self.show(sum_of)}")
        else:
            lines += [f"    {'+' if i else ' '} {self.show(share)}" for i, share in enumerate(known)]
            lines.append(f"    {total} = {self.show(sum_of)}")
        grad = node.grad
        if grad is None or not np.allclose(grad, sum_of, rtol=1e-3, atol=1e-6, equal_nan=True):
            held = NOT_COMPUTED if grad is None else self.show(grad)
            lines.append(f"    ({self.names[node]}.grad holds {held}: another pass wrote it, or was accumulated)")
        return lines


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Cells joined by equals signs that stand below each other, short ones (numbers) flush right."""
    lines = [""] * len(rows)
    for k in range(max(map(len, rows), default=0)):
        width = max(len(row[k]) for row in rows if k < len(row))
        for i, row in enumerate(rows):
            if k < len(row):
                cell = row[k].rjust(width) if k and width <= NUMBER_WIDTH else row[k].ljust(width)
                lines[i] += f" = {cell}" if k else cell
    width = max(map(len, lines), default=0)
    return [line.ljust(width) for line in lines]


def _ordinal(k: int) -> str:
    return f"{k}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(k if k < 20 else k % 10, 'th') }"

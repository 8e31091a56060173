"""``cr.draw``: the circuit as in the course notes, activations above the wires, gradients below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from chainrule.compiler import Bound, Compiled
from chainrule.graph.array import Array, changed_input, circuit, raw
from chainrule.graph.edge import Edge, edges, outgoing
from chainrule.graph.state import Parameter
from chainrule.inspect.draw_model import NetDrawing, draw_model
from chainrule.inspect.folding import Fold, folds
from chainrule.inspect.formula import forward_text, local_symbol
from chainrule.inspect.gradients import gradients, loss_name, part
from chainrule.inspect.layout import Box, Port, Wire, arrange
from chainrule.inspect.naming import Names, elements, mean_and_spread, summary
from chainrule.inspect.patterns import pattern, sign
from chainrule.inspect.picture import Picture
from chainrule.inspect.svg import LINE, render, size_of, text_width
from chainrule.native.target import unavailable
from chainrule.nn import Module
from chainrule.program.program import Program

DASH = "–"
"""Stands for a gradient that is not computed yet, which is not zero."""
BETWEEN_PORTS = 36.0
BETWEEN_OUTPUTS = 58.0
RADIUS = 22.0


@dataclass(frozen=True, repr=False)
class Drawing(Picture):
    """The drawing of a circuit."""

    gates: int
    """How many gates the circuit has."""

    def _told(self) -> str:
        return _gates(self.gates)


@overload
def draw(
    output: Module,
    file: str | Path | None = ...,
    *,
    limit: int | None = ...,
    weights: bool = ...,
    input_shape: int | Sequence[int] | None = ...,
) -> NetDrawing: ...
@overload
def draw(
    output: Array | Compiled | Bound,
    file: str | Path | None = ...,
    *,
    unfold: bool | str | Iterable[str] = ...,
    limit: int | None = ...,
    digits: int = ...,
) -> Drawing: ...
def draw(
    output: Array | Compiled | Bound | Module,
    file: str | Path | None = None,
    *,
    unfold: bool | str | Iterable[str] = False,
    limit: int | None = None,
    digits: int = 2,
    weights: bool = False,
    input_shape: int | Sequence[int] | None = None,
) -> Picture:
    """Draw the circuit behind an array, the Program of a compiled function, or the layers of a net, left to right.

    In a circuit activations stand above the wires, gradients below (a dash where there is none yet), and at each input
    of a gate the local gradient by which the upstream gradient is multiplied. Each argument has a wire of its own.
    Where a value branches out, each wire shows its part of the gradient. Constants are muted. Tooltips have the full
    values and the user's line.

    A net is drawn as columns of neurons, as in the lecture: the inputs, the hidden layers, the output layer, with their
    sizes, names and what follows each. Where a layer reads others than the one before it, an arc leads there.

    Args:
        output: the array to draw the circuit of; or a compiled function, of whose last Program the kernels are drawn,
            and with ``unfold`` the gates that they were fused of; or a module.
        file: where to write it, too: ``.svg`` or ``.html``.
        unfold: layers of a net are drawn as one box each; True opens all, a label (or several) opens that one.
        limit: how many gates to draw at most, 150 by default, the ones nearest to the output; the drawing says what it
            left out. For a net, how many neurons of a layer, 10 by default.
        digits: how many decimals numbers have.
        weights: for a net, draw each connection as thick as its weight is large.
        input_shape: for a net, the shape of one example, if its first layer does not tell.

    Raises TypeError if ``output`` is none of these, ValueError for an unknown layer, file type or limit, and for a net
    if it has no layers of neurons or ``input_shape`` is needed.

    >>> import chainrule as cr
    >>> x = cr.array(3.0, name="x")
    >>> cr.draw(x * x).svg[:4]
    '<svg'
    >>> cr.draw(cr.nn.Sequential(cr.nn.Linear(3, 4), cr.nn.ReLU(), cr.nn.Linear(4, 2)))
    <Drawing of Sequential: 6 neurons, 26 parameters; .save("Sequential.svg") writes it>
    """
    drawing: Picture
    if isinstance(output, Module):
        drawing = draw_model(output, 10 if limit is None else limit, weights=weights, input_shape=input_shape)
    elif weights or input_shape is not None:
        raise TypeError(f"weights and input_shape are for drawings of nets, not of {type(output).__name__}")
    else:
        drawing = _of_circuit(output, unfold, 150 if limit is None else limit, digits)
    if file is not None:
        drawing.save(file)
    return drawing


def _of_circuit(
    output: Array | Compiled | Bound, unfold: bool | str | Iterable[str], limit: int, digits: int
) -> Drawing:
    if limit < 1:
        raise ValueError(f"limit is how many gates to draw, at least 1, not {limit}")
    if isinstance(output, (Compiled, Bound)):
        return _of_program(output.last, unfold, limit)
    if isinstance(output, Array):
        return _Plan(output, unfold, limit, digits).drawing()
    raise TypeError(
        f"draw needs an Array, the output of a circuit, a compiled function, or a module, not {type(output).__name__}"
    )


def _of_program(program: Program | None, unfold: bool | str | Iterable[str], limit: int) -> Drawing:
    from chainrule.inspect.draw_program import draw_program  # which builds on this module

    if program is None:
        raise ValueError("the compiled function has not been called yet: there is no Program to draw")
    return draw_program(program, fused=not unfold and unavailable() is None, limit=limit)


class _Plan:
    """One drawing in the making: which boxes and wires there are, and what is written on them."""

    def __init__(self, output: Array, unfold: bool | str | Iterable[str], limit: int, digits: int) -> None:
        self.output, self.digits = output, digits
        nodes = circuit(output)
        self.names = Names(nodes)
        self.gradients = gradients(output)
        gates = [node for node in nodes if node.inputs]
        self.total, self.left_out = len(gates), max(len(gates) - limit, 0)
        self.drawn = set(gates[-limit:])
        self.folds = {node: fold for node, fold in folds(nodes, unfold).items() if node in self.drawn}
        self.out = outgoing(nodes)
        self.boxes: dict[Any, Box] = {}  # by Array, Fold, (data, id) of an ndarray, (gate, argument) of a number
        self.ports: dict[Array, int] = {}  # the output port of each array
        self.wires: list[Wire] = []
        for node in nodes:
            if node in self.drawn:
                self._add_gate(node)
        if output not in self.drawn:
            self._add_leaf(output)

    # ---- boxes

    def _add_gate(self, node: Array) -> None:
        fold = self.folds.get(node)
        for edge in edges(node):
            self._source(edge, fold)
        if fold is None:
            box = Box(self.names[node], "gate", [_sign(node.gate)], title=self._tooltip(node))
            box.data = {"gate": node.gate.title, **self._place(node)}
            box.inputs = [Port(y) for y in spaced(len(node.inputs), BETWEEN_PORTS)]
            box.outputs = [self._output(node)]
            self.boxes[node] = box
        elif fold not in self.boxes:
            self.boxes[fold] = self._layer(fold)
        box = self.boxes[node if fold is None else fold]
        self.ports.setdefault(node, 0)
        for edge in edges(node):
            source = self._box_of(edge)
            if source is not None and source is not box:
                self._connect(edge, source, box)

    def _layer(self, fold: Fold) -> Box:
        inside = set(fold.gates)
        leaving = [z for z in fold.gates if z is self.output or any(e.node not in inside for e in self.out[z])]
        used = dict.fromkeys(x for gate in fold.gates for x in gate.inputs if isinstance(x, Parameter))
        parameters = [p for p in used if self._belongs_to(p, fold)]  # others have boxes of their own
        lines = [("cr-name cr-title", fold.label)]
        for p in parameters:
            name = self.names[p].removeprefix(f"{fold.label}.")
            lines.append(("cr-name", f"{name} {_shape(p.shape)}"))
            lines += self._gradient(self.gradients.get(p), "cr-part")
        made_by = ", ".join(gate.gate.title for gate in fold.gates)
        box = Box(fold.label, "layer", lines, title=f"{fold.label}: {made_by}")
        box.title += "".join(f"\n\n{self._tooltip(p)}" for p in parameters)
        box.data = {"gates": str(len(fold.gates))}
        box.outputs = [self._output(z) for z in leaving]
        for port, y in zip(box.outputs, spaced(len(leaving), BETWEEN_OUTPUTS), strict=True):
            port.y = y
        self.ports.update({z: i for i, z in enumerate(leaving)})
        return box

    def _source(self, edge: Edge, fold: Fold | None) -> None:
        """The box of what flows in along an edge, if it is a leaf that has none yet."""
        x = edge.input
        if isinstance(x, Array):
            if x not in self.boxes and x not in self.drawn and not (fold and self._belongs_to(x, fold)):
                self._add_leaf(x)
        elif np.ndim(x) and ("data", id(x)) not in self.boxes:
            box = Box(self.names[x], "constant", [("cr-name", self.names[x])], late=True, title=_full(x))
            box.outputs = [Port(above=self._texts(x, "", "cr-value"))]
            self.boxes["data", id(x)] = box
        elif not np.ndim(x) and fold is None:
            text = self.names[x]
            box = Box(
                f"{self.names[edge.node]}.{edge.argument}",
                "constant",
                [("cr-name", text)],
                late=True,
                title=f"constant {text}",
            )
            box.outputs = [Port()]
            self.boxes[edge.node, edge.index] = box

    def _belongs_to(self, x: Array, fold: Fold) -> bool:
        """Whether a parameter or constant is used in that layer only, and so is part of its box."""
        return (isinstance(x, Parameter) or not x.live) and all(
            self.folds.get(edge.node) is fold for edge in self.out[x]
        )

    def _add_leaf(self, x: Array) -> None:
        missing = x.gate is not None and bool(x.inputs)
        kind = "more" if missing else "leaf" if x.live else "constant"
        label = f"… {self.names[x]}" if missing else self.names[x]
        late = not x.live or isinstance(x, Parameter) or missing
        box = Box(self.names[x], kind, [("cr-name", label)], late=late, title=self._tooltip(x), data=self._place(x))
        box.outputs = [self._output(x, named=False)]
        self.boxes[x] = box
        self.ports[x] = 0

    def _box_of(self, edge: Edge) -> Box | None:
        x = edge.input
        if isinstance(x, Array):
            fold = self.folds.get(x)
            return self.boxes.get(x if fold is None else fold)
        return self.boxes.get(("data", id(x))) if np.ndim(x) else self.boxes.get((edge.node, edge.index))

    def _connect(self, edge: Edge, source: Box, target: Box) -> None:
        x, index = edge.input, edge.index
        if target.kind == "layer":
            index = len(target.inputs)
            target.inputs.append(Port())
            for port, y in zip(target.inputs, spaced(index + 1, BETWEEN_PORTS), strict=True):
                port.y = y
        port = target.inputs[index]
        seen = edge.live and changed_input(edge.node) is None
        if seen:
            if target.kind == "gate":
                port.above = self._local(edge)
            if sum(e.live for e in self.out[x]) > 1:
                port.below = self._gradient(part(edge, self.gradients), "cr-part")
        wire = Wire(source, self.ports.get(x, 0) if isinstance(x, Array) else 0, target, index, edge.live)
        z, name = self.names[edge.node], self.names[x]
        wire.data = {"edge": f"{name}->{z}", "argument": edge.argument, "index": str(edge.index)}
        wire.title = f"{name} into {edge.node.gate.title} as {edge.argument}"
        if seen and edge.diagonal:
            wire.title += f"\nlocal gradient d{z}/d{name} = {summary(edge.local_gradient, self.digits)}"
        self.wires.append(wire)

    # ---- texts

    def _output(self, x: Array, *, named: bool = True) -> Port:
        name = self.names[x] if named and x in self.names.own else ""
        port = Port(above=self._texts(x._value, name, "cr-value"))
        if x.live:
            port.below = self._gradient(self.gradients.get(x), "cr-grad")
        return port

    def _gradient(self, grad: Any, style: str) -> list[tuple[str, str]]:
        return [("cr-missing", DASH)] if grad is None else self._texts(grad, "", style, shaped=False)

    def _texts(self, value: Any, name: str, style: str, *, shaped: bool = True) -> list[tuple[str, str]]:
        """One line for a number or a few elements; for arrays mean ± deviation, and above it the shape."""
        value = np.asarray(raw(value))
        if value.size and value.size <= 3 and value.ndim < 2:
            text = elements(value, self.digits)
            return [(style, f"{name} = {text}" if name else text)]
        if value.dtype.kind == "f" and value.size and np.isfinite(value).all():
            text = mean_and_spread(value, self.digits)
        elif value.dtype.kind == "f" and value.size:
            text = f"{int((~np.isfinite(value)).sum())} not finite"
        else:
            text = ""
        kind = "" if value.dtype.kind == "f" else f" {value.dtype}"
        shape = [("cr-shape", f"{name} {_shape(value.shape)}{kind}".strip())] if shaped else []
        return ([(style, text)] if text else []) + shape

    def _local(self, edge: Edge) -> list[tuple[str, str]]:
        if not edge.diagonal:
            return []
        if edge.node.size <= 3 and edge.node.ndim < 2:
            return [("cr-local", f"× {elements(edge.local_gradient, self.digits)}")]
        symbol = local_symbol(edge, self.names)
        return [] if symbol is None or len(symbol.text) > 18 else [("cr-local", f"× {symbol.text}")]

    def _tooltip(self, x: Array) -> str:
        name = self.names[x]
        text = f" = {forward_text(x, self.names)}" if x.inputs else ""
        lines = [f"{name}{text}", f"value: {_full(x._value)}"]
        if x.live:
            grad = self.gradients.get(x)
            lines.append("gradient: not computed yet" if grad is None else f"gradient: {_full(grad)}")
        if x.inputs and pattern(x.gate):
            lines.append(pattern(x.gate))
        if x.site is not None:
            lines.append(f"{x.site}: {x.site.text}")
        return "\n".join(lines)

    def _place(self, x: Array) -> dict[str, str]:
        return {} if x.site is None else {"line": str(x.site)}

    # ---- sizes

    def drawing(self) -> Drawing:
        order = [self.boxes[key] for key in self.boxes]
        for box in order:
            measure(box)
        f = self.names[self.output]
        layout = arrange(order, self.wires)
        notes = [
            "above a wire: activation",
            f"below: gradient of {loss_name(self.output, self.names)}",
            "× local gradient",
            f"{DASH} not computed yet",
        ]
        if any("±" in text for box in order for port in box.outputs for _, text in port.above):
            notes.append("arrays: mean ± standard deviation")
        if self.left_out:
            notes[:0] = [f"{self.left_out} of {self.total} gates left out: cr.draw({f}, limit={self.total}) shows all"]
        end = (self.boxes[self.folds.get(self.output, self.output)], self.ports[self.output])
        what = f"The computation of {f} in {_gates(self.total)}"
        svg = render(layout, self.wires, end, f"Circuit of {f}", what, " · ".join(notes))
        return Drawing(svg, f, self.total)


def _gates(count: int) -> str:
    return f"{count} gate{'s' * (count != 1)}"


def measure(box: Box) -> None:
    """The size of the body, and the room that wires and texts need on either side of it."""
    widest = max(text_width(line, size_of(style)) for style, line in box.lines)
    if box.kind == "gate" and widest <= 2 * RADIUS - 8 and len(box.inputs) <= 2:
        box.width = box.height = 2 * RADIUS
    else:
        box.width = max(widest + 22, 40.0)
        box.height = 30.0 if box.kind != "gate" else 2 * RADIUS
        box.height = max(box.height, 14 + LINE * len(box.lines), BETWEEN_PORTS * len(box.inputs))
    if len(box.outputs) > 1:
        box.height = max(box.height, BETWEEN_OUTPUTS * len(box.outputs))
    box.left = max((_room(port) for port in box.inputs), default=0.0)
    box.right = max((_room(port) for port in box.outputs), default=0.0)
    box.up = max([box.height / 2] + [_reach(port.above) - port.y for port in [*box.inputs, *box.outputs]])
    box.down = max([box.height / 2] + [_reach(port.below) + port.y for port in [*box.inputs, *box.outputs]])


def _sign(gate: Any) -> tuple[str, str]:
    text = sign(gate)
    return "cr-sign" if len(text) < 3 else "cr-word", text


def _room(port: Port) -> float:
    return 16.0 + max((text_width(text, size_of(style)) for style, text in [*port.above, *port.below]), default=0.0)


def _reach(texts: list[tuple[str, str]]) -> float:
    return 5.0 + sum(size_of(style) + 4.0 for style, _ in texts)


def spaced(count: int, distance: float) -> list[float]:
    return [(k - (count - 1) / 2) * distance for k in range(count)]


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) if shape else "number"


def _full(value: Any) -> str:
    return np.array2string(np.asarray(value), precision=6, threshold=60, edgeitems=3)

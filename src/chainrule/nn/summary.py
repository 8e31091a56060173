"""``model.summary()``: the layers of a net with their sizes, and what a step costs, counted as the course counts.

The net is recorded on two examples of zeros, forward and backward, and what was recorded is counted: so the numbers are
those of the code that runs, for modules of one's own, too. Recording leaves nothing behind.
"""

from __future__ import annotations

import html
import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graph.array import Array
from chainrule.graph.state import Parameter
from chainrule.nn.layers import Embedding
from chainrule.nn.module import Module
from chainrule.program.call import take_apart
from chainrule.program.cost import multiply_adds, operations
from chainrule.program.explain import table
from chainrule.program.passes import optimise
from chainrule.program.program import Instruction
from chainrule.program.recording import ModuleCall, Recording, recording

EXAMPLES = 2
"""What the net is recorded on: two, because batch normalisation needs a variance."""


@dataclass(frozen=True)
class LayerSummary:
    """One line of a summary. The numbers are the layer's own, without those of the modules in it.

    Attributes:
        path: where the model has it, ``layers.0``.
        layer: its repr; only its type if it is opened.
        depth: in how many other lines it lies.
        opened: whether the modules in it follow in lines of their own.
        output_shape: for one example; None if it is not known, or no array.
        neurons, parameters, frozen: how many there are, and how many of the parameters are frozen. A layer that is
            called twice has them in its first line only.
        multiply_adds: in one forward pass of one example; None if not known.
        activations: numbers in its output, for one example; 0 for one that is opened.
    """

    path: str
    layer: str
    depth: int
    opened: bool
    output_shape: tuple[int, ...] | None
    neurons: int
    parameters: int
    frozen: int
    multiply_adds: int | None
    activations: int


@dataclass(frozen=True)
class Summary:
    """What ``model.summary()`` found: prints as a table, in notebooks as HTML.

    Attributes:
        model: the model's type.
        rows: one LayerSummary for each call of a layer, in order.
        input_shape: of one example; None if it is not known, and with it all that depends on it.
        neurons, parameters, frozen: of the whole net. Inputs are no neurons; parameters are weights and biases.
        multiply_adds: of one example, forward.
        operations: floating-point operations of one example, forward: two for each multiply-add, one for each element
            of other gates.
        step_operations: forward and backward, without the optimiser's.
        activations: numbers that one example makes: its own and the outputs of all layers.
        parameter_bytes: of weights and biases.
        activation_bytes: of the activations of one example.
    """

    model: str
    rows: tuple[LayerSummary, ...]
    input_shape: tuple[int, ...] | None
    neurons: int
    parameters: int
    frozen: int
    multiply_adds: int | None
    operations: int | None
    step_operations: int | None
    activations: int | None
    parameter_bytes: int
    activation_bytes: int | None

    def training_bytes(self, batch: int = 1, slots: int = 0) -> int:
        """The memory of a training step, as the course counts it.

        Parameters, their gradients, and ``slots`` more numbers for each that the optimiser keeps (momentum 1, Adam 2);
        activations and their gradients for each example of the batch. Compiled steps need less: what is used at once
        is never written out. Raises ValueError if the input's shape is not known.

        >>> import chainrule as cr
        >>> cr.nn.Linear(100, 10).summary().training_bytes(batch=32, slots=1)
        40280
        """
        if self.activation_bytes is None:
            raise ValueError("how much memory activations take depends on the input: summary(input_shape=...)")
        return (2 + slots) * self.parameter_bytes + 2 * batch * self.activation_bytes

    def __str__(self) -> str:
        body = table(list(_HEAD), [*self._lines(), self._total()])
        rule = "-" * max(map(len, body.splitlines()))
        head, *lines, total = body.splitlines()
        return "\n".join([head, rule, *lines, rule, total, *self._notes()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        lines = [("th", list(_HEAD)), *(("td", row) for row in self._lines()), ("th", self._total())]
        rows = (f"<tr>{''.join(_cell(tag, k, text) for k, text in enumerate(row))}</tr>" for tag, row in lines)
        return f"<table>{''.join(rows)}</table><p>{'<br>'.join(map(html.escape, self._notes()))}</p>"

    def _lines(self) -> Iterator[list[str]]:
        if self.input_shape is not None:
            yield ["input", str(self.input_shape), "", "", ""]
        for row in self.rows:
            yield [
                "  " * row.depth + row.path.rpartition(".")[2] + " " * bool(row.path) + row.layer,
                "" if row.output_shape is None else str(row.output_shape),
                *(f"{n:,}" if n else "" for n in (row.neurons, row.parameters, row.multiply_adds)),
            ]

    def _total(self) -> list[str]:
        counted = (self.neurons, self.parameters, self.multiply_adds)
        return [self.model, "", *("" if n is None else f"{n:,}" for n in counted)]

    def _notes(self) -> Iterator[str]:
        if self.frozen:
            yield f"parameters: {self.parameters - self.frozen:,} to learn, {self.frozen:,} frozen"
        size = in_bytes(self.parameter_bytes)
        yield f"memory: {size} of parameters, {size} of gradients, {size} of momentum (for Adam twice that)"
        if self.operations is None or self.activation_bytes is None:
            yield "summary(input_shape=...), the shape of one example, tells shapes, operations and activations, too"
            return
        with_backward = "" if self.step_operations is None else f", {self.step_operations:,} with backward"
        yield f"one example: {in_bytes(self.activation_bytes)} of activations, as much of their gradients"
        yield f"one example: {self.operations:,} operations forward{with_backward}"


_HEAD = ("layer", "output", "neurons", "parameters", "multiply-adds")


def _cell(tag: str, column: int, text: str) -> str:
    side = "right" if column else "left"
    return f'<{tag} style="text-align: {side}; white-space: pre">{html.escape(text)}</{tag}>'


def in_bytes(n: int) -> str:
    """A number of bytes as people read it: ``318 kB``.

    >>> in_bytes(0), in_bytes(999), in_bytes(318_040), in_bytes(2_500_000)
    ('0 B', '999 B', '318 kB', '2.5 MB')
    """
    size, unit = float(n), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "B" or size >= 99.5 else f"{size:.3g} {unit}"


def summarise(model: Module, input_shape: int | Sequence[int] | None = None) -> Summary:
    """See ``Module.summary``."""
    made = recorded_on_zeros(model, input_shape)
    return _uncounted(model) if made is None else _counted(model, *made)


def recorded_on_zeros(
    model: Module, input_shape: int | Sequence[int] | None = None
) -> tuple[tuple[int, ...], Recording] | None:
    """The shape of an example, and the model recorded on two examples: forward, then backward if it can learn.

    None if the shape is neither given nor told by the first layer. Raises what ``forward`` raises.
    """
    if input_shape is not None:
        shape = tuple(operator.index(n) for n in np.atleast_1d(input_shape))
        return shape, _recorded(model, shape)
    features = model._features_in()
    if features is None:
        return None
    try:
        return (features,), _recorded(model, (features,))
    except Exception as error:
        error.add_note(f"({features},) was taken for the shape of an example: tell it by input_shape=...")
        raise


def _recorded(model: Module, shape: tuple[int, ...]) -> Recording:
    def step(examples: Any) -> Any:
        z = model(examples)
        if isinstance(z, Array) and z.live:
            z.backward(upstream=np.ones(z.shape, z.dtype))
        return z

    zeros = np.zeros((EXAMPLES, *shape), _dtype(model))
    with np.errstate(all="ignore"):  # the numbers do not matter, even if the weights are not finite
        return recording(step, take_apart((zeros,), {}), keep_grads=True)


def _dtype(model: Module) -> Any:
    """The dtype of inputs: that of the first parameters, but integers if they are an embedding's."""
    for part in model.named_modules().values():
        if isinstance(part, Embedding):
            return np.int64
        for parameter in _own_parameters(part):
            return parameter.dtype
    return np.float32


def _counted(model: Module, shape: tuple[int, ...], made: Recording) -> Summary:
    rows = _Rows(model)
    for call in made.calls:
        rows.add_call(call, made.program.instructions)
    rows.add_rest()
    program = optimise(made.program)
    work = {
        role: sum(operations(i) for i in program.instructions if i.role == role) for role in ("forward", "backward")
    }
    inputs = math.prod(shape)
    return _summary(
        model,
        rows,
        input_shape=shape,
        multiply_adds=sum(row.multiply_adds or 0 for row in rows),
        operations=work["forward"] // EXAMPLES,
        step_operations=sum(work.values()) // EXAMPLES if made.gradients else None,
        activations=inputs + sum(row.activations for row in rows),
        activation_bytes=inputs * np.dtype(_dtype(model)).itemsize + rows.activation_bytes,
    )


def _uncounted(model: Module) -> Summary:
    """Of a net whose input is not known."""
    rows = _Rows(model)
    rows.add_rest()
    unknown = dict.fromkeys(
        ("input_shape", "multiply_adds", "operations", "step_operations", "activations", "activation_bytes")
    )
    return _summary(model, rows, **unknown)


def _summary(model: Module, rows: Sequence[LayerSummary], **counted: Any) -> Summary:
    return Summary(
        model=type(model).__name__,
        rows=tuple(rows),
        neurons=model.neuron_count,
        parameters=model.parameter_count,
        frozen=sum(p.size for p in model.parameters() if p.frozen),
        parameter_bytes=sum(p.nbytes for p in model.parameters()),
        **counted,
    )


class _Rows(list[LayerSummary]):
    """The lines of a summary in the making: neurons and parameters are counted where they are met first."""

    def __init__(self, model: Module) -> None:
        super().__init__()
        self.model = model
        self.paths = {id(part): path for path, part in model.named_modules().items()}
        self.met: set[int] = set()
        self.activation_bytes = 0

    def add_call(self, call: ModuleCall, instructions: Sequence[Instruction], depth: int = 0) -> None:
        """A line for a call, and lines for the calls that it makes, unless they make one layer."""
        module = call.module
        inner = [] if module._is_one_layer else call.inner
        within = {k for part in inner for k in range(part.first, part.end)}
        work = sum(multiply_adds(instructions[k]) for k in range(call.first, call.end) if k not in within)
        shape = None if call.output is None else _of_one(call.output.shape)
        row = self._row(module, bool(inner), depth, shape, work // EXAMPLES)
        shown = self._add(row)
        self.activation_bytes += row.activations * (0 if call.output is None else call.output.dtype.itemsize)
        for part in inner:
            self.add_call(part, instructions, depth + shown)

    def add_rest(self) -> None:
        """Lines for the modules that were not called."""
        for part in self.model.named_modules().values():
            if id(part) not in self.met:
                inside = [p for p in part.named_modules().values() if p is not part]
                path = self.paths[id(part)]
                depth = sum(path.startswith(f"{above}.") or above == "" for above in {row.path for row in self})
                self._add(self._row(part, bool(inside) and not part._is_one_layer, depth, None, None))

    def _add(self, row: LayerSummary) -> bool:
        """Whether the line was worth adding: a whole net stands in the last line anyway."""
        shown = bool(row.path) or not row.opened or bool(row.neurons or row.parameters or row.multiply_adds)
        if shown:
            self.append(row)
        return shown

    def _row(
        self, module: Module, opened: bool, depth: int, shape: tuple[int, ...] | None, work: int | None
    ) -> LayerSummary:
        new = [p for p in (_own_parameters(module) if opened else module.parameters()) if id(p) not in self.met]
        parts = [module] if opened else module.named_modules().values()
        neurons = sum(part._neurons for part in parts if id(part) not in self.met)
        self.met.update(map(id, (*new, *parts)))
        return LayerSummary(
            path=self.paths.get(id(module), ""),
            layer=type(module).__name__ if opened else repr(module),
            depth=depth,
            opened=opened,
            output_shape=shape,
            neurons=neurons,
            parameters=sum(p.size for p in new),
            frozen=sum(p.size for p in new if p.frozen),
            multiply_adds=work,
            activations=0 if opened or shape is None else math.prod(shape),
        )


def _own_parameters(module: Module) -> list[Parameter]:
    """Those that are not in modules in it."""
    inner = {id(p) for part in module.named_modules().values() if part is not module for p in part.parameters()}
    return [p for p in module.parameters() if id(p) not in inner]


def _of_one(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape for one example."""
    return shape[1:] if shape[:1] == (EXAMPLES,) else shape

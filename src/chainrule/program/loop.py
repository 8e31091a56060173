"""The gate behind ``cr.scan``: a step that was recorded once, applied to element after element.

What the step gives is packed into one flat array for each dtype, as an engine with one output a gate wants it, and
sliced apart again. Where gradients are wanted, the packed array has the carry before each step, too. The rule of the
gate is a scan in the other direction: its step runs the step once more, from the carry that was kept, and pulls the
gradients back. It is recorded like every other step, so derivatives of any order are scans.
"""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from chainrule.gates.primitive import Primitive
from chainrule.graph.array import Array, raw
from chainrule.graph.mode import MODE
from chainrule.program.pullback import Pullback, pullback
from chainrule.program.step import Leaves, Step

A_FEW = 10
"""How many steps are computed while a function is recorded."""
_at_most: ContextVar[int] = ContextVar("chainrule_steps", default=sys.maxsize)


@dataclass(frozen=True)
class Part:
    """Where in the packed array a value of the step lies: ``rows`` of it, from element ``start``."""

    kind: str
    number: int
    start: int
    rows: int
    shape: tuple[int, ...]

    @property
    def stop(self) -> int:
        return self.start + self.rows * math.prod(self.shape)

    def of(self, packed: Any) -> Any:
        """The rows, as one array."""
        return packed[self.start : self.stop].reshape(self.rows, *self.shape)


@dataclass(frozen=True, repr=False)
class Scan(Primitive):
    """z = all that a step gives of one dtype, when it is applied to element after element, packed into a flat array

    For each value of the carry: the last one, or with ``history`` the one before each step and the last, in the order
    of the elements (``reverse`` begins at the last element). For each given value one row an element. Then the sums.
    """

    step: Step
    length: int
    reverse: bool
    dtype: Any
    history: bool

    title = "scan"  # these without annotations, which would make them fields
    arguments = ("xs",)
    variadic = True
    needs = {}  # noqa: RUF012

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Where everything lies."""
        rows = {"carry": self.length + 1 if self.history else 1, "given": self.length, "sum": 1}
        parts: list[Part] = []
        for kind, number, value in self.step.values:
            if value.dtype == self.dtype:
                parts.append(Part(kind, number, parts[-1].stop if parts else 0, rows[kind], value.shape))
        return tuple(parts)

    @property
    def size(self) -> int:
        """The elements of the packed array."""
        return self.parts[-1].stop if self.parts else 0

    def stretched(self, packed: Any, longer: Scan) -> Any:
        """The packed array of a longer scan with the values of this one, repeated."""
        rows = [(mine.of(packed), other.rows) for mine, other in zip(self.parts, longer.parts, strict=True)]
        return np.concatenate([np.resize(x, (n, *x.shape[1:])).reshape(-1) for x, n in rows])

    @property
    def last(self) -> int:
        """The row of the last carry."""
        return self.length if self.history and not self.reverse else 0

    def split(self, operands: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """The operands: the first carry, the arrays, what is captured."""
        first, second = self.step.carried, self.step.carried + self.step.taken
        return operands[:first], operands[first:second], operands[second:]

    def forward(self, *operands: Any) -> Any:
        steps = _at_most.get()
        with np.errstate(all="ignore"):
            if self.length <= steps:
                return loop(self.step.run, operands, *self._told)
            few = replace(self, length=steps)
            first, xs, fixed = self.split(operands)
            return few.stretched(loop(self.step.run, (*first, *(x[:steps] for x in xs), *fixed), *few._told), self)

    def applied(self, operands: Sequence[Any]) -> Any:
        """The application. While a function is recorded, values are only examples: a few steps are enough."""
        if MODE.get().recorder is None:
            return self(*operands)
        token = _at_most.set(A_FEW)
        try:
            return self(*operands)
        finally:
            _at_most.reset(token)

    @property
    def _told(self) -> tuple[Any, ...]:
        """What ``loop`` wants to know."""
        counts = self.step.carried, self.step.taken, self.step.given
        parts = tuple((p.kind, p.number, p.start, p.stop, (p.rows, *p.shape)) for p in self.parts)
        return counts, parts, self.length, self.reverse, self.history, self.size, self.dtype

    def text(self, texts: Any, operands: list[ast.expr]) -> ast.expr:
        """The application as NumPy that runs: the step as a function, and the loop."""
        from chainrule.program.source import source_of  # which asks gates for their text
        from chainrule.program.text import is_docstring, literal, reading

        def definition(name: str) -> ast.stmt:
            body = [s for s in ast.parse(source_of(self.step.flat)).body if ast.unparse(s) != "import numpy as np"]
            function: Any = body[-1]
            function.body = [s for s in function.body if not is_docstring(s)]
            made: Any = ast.parse(f"def {name}():\n    return step").body[0]
            made.body = [*body, *made.body]
            return made  # type: ignore[no-any-return]

        step = texts.named(self.step, "step_of_scan", definition)
        function = texts.function(loop, "loop")
        arguments = [ast.Call(reading(step), [], []), ast.Tuple(operands, ast.Load()), *map(literal, self._told)]
        return ast.Call(reading(function), arguments, [])

    # ---- derivatives

    def rules(self, node: Array, recorded: bool) -> Sequence[Callable[..., Any]]:
        """One backward scan serves all operands."""
        gradients: dict[int, Any] = {}

        def rule(_gate: Any, node: Array, dz: Any, inputs: tuple[Any, ...], i: int) -> Any:
            if not gradients:
                gradients.update(self._gradients(node, dz, inputs, recorded))
            return gradients.get(i)

        return [partial(rule, i=i) for i in range(len(node.inputs))]

    def _gradients(self, node: Array, dz: Any, inputs: tuple[Any, ...], recorded: bool) -> dict[int, Any]:
        wanted = tuple(i for i, x in enumerate(inputs) if isinstance(x, Array) and x.live)
        backwards = pullback(self.step, self.dtype, wanted)
        operands = inputs if recorded else tuple(map(raw, inputs))
        history = self._history(operands, node if recorded else node._value)
        dcarry, upstream = self._upstream(dz, backwards)
        taken = [*history, *self.split(operands)[1], *upstream]
        made = repeated(backwards.backward, dcarry, taken, self.length, not self.reverse, plain=not recorded)
        return backwards.by_operand(taken, *made)

    def _upstream(self, dz: Any, backwards: Pullback) -> tuple[Leaves, Leaves]:
        """The gradients of the last carry, and those of what each step gave; of earlier carries, too."""
        slices = {(part.kind, part.number): part.of(dz) for part in self.parts}
        dcarry, rows = [], []
        for k in backwards.floating:
            value = self.step.program.inputs[k]
            d = slices.get(("carry", k))
            dcarry.append(np.zeros(value.shape, value.dtype) if d is None else d[self.last, ...])
        for kind, k, value in backwards.upstream:
            d = slices[kind, k]
            if kind == "carry":
                d = d[1:] if self.reverse else d[:-1]
            elif kind == "sum":
                d = np.broadcast_to(d[0, ...], (self.length, *value.shape))
            rows.append(d)
        return dcarry, rows

    def _history(self, operands: tuple[Any, ...], packed: Any) -> list[Any]:
        """The carry before each step; parts of another dtype are in the results of the scans for that dtype."""
        of_dtype = {self.dtype: (self, packed)}
        rows = []
        for k, value in enumerate(self.step.program.outputs[: self.step.carried]):
            if value.dtype not in of_dtype:
                other = replace(self, dtype=value.dtype)
                of_dtype[value.dtype] = other, other.applied(operands)
            gate, held = of_dtype[value.dtype]
            part = next(p for p in gate.parts if (p.kind, p.number) == ("carry", k))
            rows.append(part.of(held)[1:] if self.reverse else part.of(held)[:-1])
        return rows


def loop(
    step: Any, operands: Any, counts: Any, parts: Any, length: Any, reverse: Any, history: Any, size: Any, dtype: Any
) -> Any:
    """Apply a step to element after element; what it gives, packed into one array."""
    carried, taken, given = counts
    carry, xs, fixed = operands[:carried], operands[carried : carried + taken], operands[carried + taken :]
    packed = np.zeros(size, dtype)
    rows = [(kind, k, packed[start:stop].reshape(shape)) for kind, k, start, stop, shape in parts]
    for t in reversed(range(length)) if reverse else range(length):
        for kind, k, place in rows:
            if kind == "carry" and history:
                place[t + reverse] = carry[k]
        made = step(*carry, *(x[t, ...] for x in xs), *fixed)
        made = made if isinstance(made, tuple) else (made,)
        carry = made[:carried]
        for kind, k, place in rows:
            if kind == "given":
                place[t] = made[carried + k]
            elif kind == "sum":
                place[0] += made[carried + given + k]
    for kind, k, place in rows:
        if kind == "carry":
            place[length if history and not reverse else 0] = carry[k]
    return packed


def repeated(
    step: Step, carry: Sequence[Any], xs: Sequence[Any], length: int, reverse: bool, *, plain: bool = False
) -> tuple[Leaves, ...]:
    """Apply the step to each of the elements: the last carry, what was given, stacked, and the sums.

    ``plain``: on ndarrays alone, in a backward pass that nobody differentiates.
    """
    operands = (*carry, *xs, *(map(raw, step.captured) if plain else step.captured))
    values = step.values
    live = MODE.get().gradients and any(isinstance(x, Array) and x.live for x in operands)
    history = live and any(value.dtype.kind == "f" for _, _, value in values)
    found: dict[tuple[str, int], Any] = {}
    for dtype in dict.fromkeys(value.dtype for _, _, value in values):
        gate = Scan(step, length, reverse, dtype, history)
        packed = gate.applied(operands)
        for part in gate.parts:
            rows = part.of(packed)
            whole = part.kind == "given"
            found[part.kind, part.number] = rows if whole else rows[gate.last if part.kind == "carry" else 0, ...]
    made: dict[str, Leaves] = {"carry": [], "given": [], "sum": []}
    for kind, number, _ in values:
        made[kind].append(found[kind, number])
    return tuple(made.values())

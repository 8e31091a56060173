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
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from chainrule.calculus.derivative import between, variable
from chainrule.gates.primitive import Primitive
from chainrule.graph.array import Array, new_leaf, noted, raw
from chainrule.graph.backward import flow
from chainrule.graph.errors import GraphError
from chainrule.graph.mode import MODE, switched
from chainrule.graph.number import Number
from chainrule.graph.state import State
from chainrule.program.identity import program_identity
from chainrule.program.passes import optimise
from chainrule.program.program import Program, Value
from chainrule.program.recording import Recorder
from chainrule.program.recording import _recording as recorded_by

A_FEW = 10
"""How many steps are computed while a function is recorded."""
_at_most: ContextVar[int] = ContextVar("chainrule_steps", default=sys.maxsize)

Leaves = list[Any]
Function = Callable[[Leaves, Leaves], tuple[Leaves, Leaves, Leaves]]
"""A step on Arrays: the carry and what is taken to the next carry, what is given, and what is summed over all steps."""


@dataclass(frozen=True, eq=False)
class Step:
    """A recorded step.

    The inputs of its Program are the carry and one element of each of the ``taken`` arrays; its outputs are the next
    carry, the ``given`` values and terms of sums. What it captures are operands of the scan.
    """

    function: Function
    program: Program
    carried: int
    taken: int
    given: int
    samples: tuple[Leaves, Leaves]
    """A carry and an element: what the step was recorded on."""
    recorded_as: Any
    """The identity of the recording before any pass."""
    pullbacks: dict[Any, Pullback] = field(default_factory=dict)

    @cached_property
    def _identity(self) -> Any:
        """Steps of the same identity compute the same bits of the same operands."""
        return program_identity(self.program), self.carried, self.taken, self.given

    @property
    def captured(self) -> tuple[Any, ...]:
        """What the step reads from outside: the operands of the scan behind the carry and the arrays."""
        return tuple(source for _, source in self.program.captures)

    @property
    def values(self) -> list[tuple[str, int, Value]]:
        """The outputs: each with what it is (``carry``, ``given``, ``sum``) and its number among these."""
        ends = (0, self.carried, self.carried + self.given, len(self.program.outputs))
        parts = zip(("carry", "given", "sum"), ends, ends[1:], strict=False)
        return [(kind, k - start, self.program.outputs[k]) for kind, start, end in parts for k in range(start, end)]

    @cached_property
    def flat(self) -> Program:
        """The Program with what is captured as further inputs."""
        captured = tuple(value for value, _ in self.program.captures)
        return replace(self.program, inputs=self.program.inputs + captured, captures=(), name="step")

    @cached_property
    def run(self) -> Callable[..., Any]:
        """The Program as a function of ndarrays."""
        from chainrule.program.interpreter import Interpreter  # which prints Programs, and so knows this gate

        function: Callable[..., Any] = Interpreter(self.flat).function
        return function

    def pullback(self, dtype: Any, wanted: tuple[int, ...]) -> Pullback:
        """The step of the backward pass, for gradients of the operands ``wanted`` from results of one dtype."""
        key = dtype, wanted
        if key not in self.pullbacks:
            if _recording(self.function, *self.samples).identity != self.recorded_as:
                raise GraphError(
                    "the function given to scan does something else in the backward pass than in the forward pass, so "
                    "its gradient would be wrong: it reads a variable that was changed in between"
                )
            self.pullbacks[key] = Pullback(self, dtype, wanted)
        return self.pullbacks[key]


# ---- recording


@dataclass(frozen=True)
class _Recorded:
    program: Program
    counts: tuple[int, int]
    identity: Any


class StepRecorder(Recorder):
    """Writes down a step. What it reads from outside is an operand of the scan, circuits and all."""

    def __init__(self) -> None:
        self.outer = MODE.get().recorder
        super().__init__({} if self.outer is None else self.outer.names)

    def value_of(self, x: Array) -> Value:
        """As of every recorder; an Array from outside is captured, whatever it was computed from."""
        mine = getattr(x, "_record", (None,))[0] is self
        return super().value_of(x) if mine or x.number > self.start else self.captured(x, x._value)

    def captured(self, owner: Any, value: Any) -> Value:
        """As of every recorder; a number of run time stays one."""
        if isinstance(owner, Number) and id(owner) not in self.captures:
            self.captures[id(owner)] = Value((), owner.dtype, True, self.name_of(owner)), owner
        return super().captured(owner, value)

    def store(self, state: State, value: Any) -> None:
        """Refused: States are assigned once, at the end of everything."""
        raise GraphError(
            f"the function given to scan assigns {state.label()}, which would have to change at every step: put it "
            "into the carry, and assign the last one afterwards"
        )

    def gradients(self, output: Array, upstream: Any, accumulate: bool, keep: bool) -> Any:
        """Refused: there would be one gradient for each step."""
        raise GraphError(
            "backward() inside the function given to scan would write a gradient at every step: use cr.grad there, or "
            "call backward() on what scan returns"
        )

    def leave(self, x: Array, how: str) -> None:
        """Python may look at what was there before; an outer recording notes that."""
        if getattr(x, "_record", (None,))[0] is self or x.number > self.start:
            super().leave(x, how)
        elif self.outer is not None:
            self.outer.leave(x, how)

    def calls(self, module: Any) -> None:
        """An outer recording depends on the module, too."""
        super().calls(module)
        if self.outer is not None:
            self.outer.calls(module)


def _recording(function: Function, carry: Leaves, element: Leaves) -> _Recorded:
    recorder = StepRecorder()
    names = _numbered("carry", len(carry)), _numbered("x", len(element))
    # The same in forward and backward passes, whether or not gradients are recorded around it.
    with recorded_by(recorder), switched(gradients=True, role="forward"), np.errstate(all="ignore"):
        arguments = [
            [
                recorder.input(np.asarray(x), name if len(xs) > 1 else name[:-2])
                for x, name in zip(xs, each, strict=True)
            ]
            for xs, each in zip((carry, element), names, strict=True)
        ]
        inputs = [recorder.value_of(x) for xs in arguments for x in xs]
        made = function(*arguments)
        outputs = [_placed(recorder, x) for xs in made for x in xs]
    captures = tuple(recorder.captures.values())
    program = Program(tuple(inputs), captures, tuple(recorder.instructions), tuple(outputs), (), "step")
    return _Recorded(program, (len(made[0]), len(made[1])), program_identity(program))


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}_{k}" for k in range(count)]


def _placed(recorder: Recorder, x: Any) -> Value:
    if isinstance(x, Number):
        x = recorder.as_float64(x)
    return recorder.value_of(x) if isinstance(x, Array) else recorder.captured(x, np.asarray(x))


def recorded(function: Function, carry: Leaves, element: Leaves) -> Step:
    """The step that ``function`` is, recorded on a carry and an element."""
    made = _recording(function, carry, element)
    program = optimise(made.program)
    samples = [np.array(x) for x in carry], [np.array(x) for x in element]
    return Step(function, program, len(carry), len(element), made.counts[1], samples, made.identity)


# ---- the packed result


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

    title: ClassVar[str] = "scan"
    arguments: ClassVar[tuple[str, ...]] = ("xs",)
    variadic: ClassVar[bool] = True
    needs: ClassVar[dict[str, tuple[str, ...]]] = {}

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
        pullback = self.step.pullback(self.dtype, wanted)
        operands = inputs if recorded else tuple(map(raw, inputs))
        history = self._history(operands, node if recorded else node._value)
        upstream = {(p.kind, p.number): p.of(dz) for p in self.parts}
        carried, given, sums = pullback.scanned(self, operands, history, upstream, plain=not recorded)
        return pullback.by_operand(carried, given, sums)

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


# ---- the step of the backward pass


class Pullback:
    """A step backwards: from gradients with respect to what a step gave to those with respect to what it took.

    It carries the gradient of the carry; it takes the carry before the step, the element, and the gradients of what the
    step gave (of one dtype); it gives the gradients of elements, and sums up those of what is captured.
    """

    def __init__(self, step: Step, dtype: Any, wanted: tuple[int, ...]) -> None:
        self.step, self.dtype = replace(step, pullbacks={}), dtype  # without a cycle: it goes when the circuit goes
        inputs, outputs = step.program.inputs, step.values
        self.floating = [k for k in range(step.carried) if inputs[k].dtype.kind == "f"]
        self.elements = [i - step.carried for i in wanted if step.carried <= i < step.carried + step.taken]
        self.captures = [i - step.carried - step.taken for i in wanted if i >= step.carried + step.taken]
        self.upstream = [(kind, k, value) for kind, k, value in outputs if value.dtype == dtype]
        self.used: list[int] = []
        """Which of the captures have a gradient."""
        carry, element = step.samples
        dcarry = [np.ones(inputs[k].shape, inputs[k].dtype) for k in self.floating]
        upstream = [np.ones(value.shape, value.dtype) for _, _, value in self.upstream if value]
        self.backward = recorded(self._apply, dcarry, [*carry, *element, *upstream])

    def _apply(self, dcarry: Leaves, taken: Leaves) -> tuple[Leaves, Leaves, Leaves]:
        step = self.step
        carry, element = taken[: step.carried], taken[step.carried : step.carried + step.taken]
        upstream = dict(
            zip(((kind, k) for kind, k, _ in self.upstream), taken[step.carried + step.taken :], strict=True)
        )
        before = {("carry", k): upstream.pop(("carry", k)) for k in range(step.carried) if ("carry", k) in upstream}
        upstream.update((("carry", k), dc) for k, dc in zip(self.floating, dcarry, strict=True))
        with switched(gradients=True):
            carry = [variable(x) if k in self.floating else x for k, x in enumerate(carry)]
            element = [variable(x) if k in self.elements else x for k, x in enumerate(element)]
            made = dict(
                zip(
                    (key[:2] for key in step.values),
                    (x for xs in step.function(carry, element) for x in xs),
                    strict=True,
                )
            )
            paired: Any = 0.0
            for key, d in upstream.items():
                if isinstance(made[key], Array) and made[key].live:
                    paired = paired + np.sum(made[key] * d)
            sources = [step.captured[k] for k in self.captures]
            targets = [*(carry[k] for k in self.floating), *(element[k] for k in self.elements), *sources]
            pulled = _pulled(paired, targets)
            dcarry = [_sum(pulled.get(carry[k]), before.get(("carry", k)), carry[k]) for k in self.floating]
        given = [_sum(pulled.get(element[k]), None, element[k]) for k in self.elements]
        self.used = [k for k, source in zip(self.captures, sources, strict=True) if source in pulled]
        return dcarry, given, [pulled[step.captured[k]] for k in self.used]

    def scanned(
        self, gate: Scan, operands: Sequence[Any], history: Leaves, upstream: dict[Any, Any], plain: bool
    ) -> Any:
        """The backward scan: the gradients of the first carry, of the elements, of what is captured."""
        _, xs, _ = gate.split(operands)
        n = gate.length
        dcarry, rows = [], []
        for k in self.floating:
            value = self.step.program.inputs[k]
            d = upstream.get(("carry", k))
            dcarry.append(np.zeros(value.shape, value.dtype) if d is None else d[gate.last, ...])
        for kind, k, value in self.upstream:
            d = upstream[kind, k]
            if kind == "carry":
                d = d[1:] if gate.reverse else d[:-1]
            elif kind == "sum":
                d = np.broadcast_to(d[0, ...], (n, *value.shape))
            rows.append(d)
        return repeated(self.backward, dcarry, [*history, *xs, *rows], n, not gate.reverse, plain=plain)

    def by_operand(self, carried: Leaves, given: Leaves, sums: Leaves) -> dict[int, Any]:
        """The gradients by the number of the operand."""
        step = self.step
        found = dict(zip(self.floating, carried, strict=True))
        found.update((step.carried + k, d) for k, d in zip(self.elements, given, strict=True))
        found.update((step.carried + step.taken + k, d) for k, d in zip(self.used, sums, strict=True))
        return found


def _pulled(paired: Any, targets: Leaves) -> dict[Array, Any]:
    """The gradients of ``paired`` with respect to those targets that it depends on."""
    if not isinstance(paired, Array) or not paired.live:
        return {}
    relevant, _ = between(targets, paired)
    one = noted(new_leaf(Array, np.ones((), paired.dtype), False), 1.0)
    wanted = set(targets)
    with switched(role="backward"):
        return {x: d for x, d in flow(paired, one, relevant.__contains__) if x in wanted} if relevant else {}


def _sum(one: Any, other: Any, like: Array) -> Any:
    """The sum of gradients, as far as there are any."""
    there = [d for d in (one, other) if d is not None]
    return sum(there[1:], start=there[0]) if there else np.zeros(like.shape, like.dtype)

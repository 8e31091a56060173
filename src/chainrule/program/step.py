"""The step of a scan: a function that is recorded once, as a Program of its own.

What the function reads from outside becomes an operand of the scan, so that gradients reach it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.graph.array import Array
from chainrule.graph.errors import GraphError
from chainrule.graph.mode import MODE, switched
from chainrule.graph.number import Number
from chainrule.graph.state import State
from chainrule.program.identity import program_identity
from chainrule.program.passes import optimise
from chainrule.program.program import Program, Value
from chainrule.program.recording import Recorder
from chainrule.program.recording import _recording as recorded_by

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
    pullbacks: dict[Any, Any] = field(default_factory=dict)
    """What ``program.pullback`` has made of it."""

    def __repr__(self) -> str:
        return f"<{len(self.program.instructions)} gates>"

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

    def depends(self, module: Any) -> None:
        """An outer recording depends on the module, too."""
        super().depends(module)
        if self.outer is not None:
            self.outer.depends(module)


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


def identity_of(function: Function, carry: Leaves, element: Leaves) -> Any:
    """What ``Step.recorded_as`` is, of the function as it is by now."""
    return _recording(function, carry, element).identity


def recorded(function: Function, carry: Leaves, element: Leaves) -> Step:
    """The step that ``function`` is, recorded on a carry and an element."""
    made = _recording(function, carry, element)
    program = optimise(made.program)
    samples = [np.array(x) for x in carry], [np.array(x) for x in element]
    return Step(function, program, len(carry), len(element), made.counts[1], samples, made.identity)

"""Recording: a function is run once on real values, and every gate that is applied writes itself down.

The run computes eagerly, so shapes, dtypes and errors are those of eager code and need no second set of rules. What is
written down is a Program. The run leaves nothing behind: whatever it wrote to States, gradients and optimisers is in a
journal and is put back at the end, also if the function raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from chainrule.calculus.trees import map_leaves
from chainrule.gates import arithmetic
from chainrule.gates.constant import PiecewiseConstant
from chainrule.gates.shape import BroadcastTo, Cast
from chainrule.graph.apply import PLAIN_OPERANDS, apply, constant_result
from chainrule.graph.array import Array, new_leaf, new_node, next_number, real
from chainrule.graph.backward import flow, seed
from chainrule.graph.errors import GraphError, describe
from chainrule.graph.mode import MODE, switched
from chainrule.graph.number import Number, number
from chainrule.graph.site import Site, at, user_site
from chainrule.graph.state import Parameter, State
from chainrule.program.call import Call, argument_names, take_apart
from chainrule.program.naming import below, labelled, reachable_from, state_names
from chainrule.program.program import Instruction, Operand, Program, Value

LITERALS = (bool, int, float)
OF_PYTHON = (
    arithmetic.Add, arithmetic.Subtract, arithmetic.Multiply, arithmetic.Divide, arithmetic.Negative,
    arithmetic.Absolute, arithmetic.Square, arithmetic.Power, arithmetic.PowerOf, arithmetic.Remainder,
)  # fmt: skip
"""The gates of Python's own operators: applied to Python numbers they give Python numbers."""


def _of_python(gate: Any) -> bool:
    return isinstance(gate, OF_PYTHON) or (isinstance(gate, PiecewiseConstant) and gate.function is np.floor_divide)


class Result(int):
    """In a recorded function's result, the place of an output of the Program: its number."""


@dataclass(eq=False, slots=True)
class ModuleCall:
    """A module that was called while a function was recorded, and which instructions that gave."""

    module: Any
    first: int
    """The number of the first instruction."""
    end: int
    """The number behind that of the last instruction."""
    output: Value | None = None
    """The shape and dtype of what it returned, if that was an Array."""
    inner: list[ModuleCall] = field(default_factory=list)
    """The calls of modules that it made."""


@dataclass(frozen=True, eq=False)
class Recording:
    """What one run of a function gave: its Program, and what ties the Program to the function."""

    program: Program
    result: Any
    """The function's result with a ``Result`` in place of each array."""
    guards: dict[Array, int]
    """What was read as Python numbers, with its creation number: the Program holds as long as these are the same."""
    arrays: dict[Array, int]
    """Arrays from outside that are no States, with their creation number: ``x[i] = v`` makes them other values."""
    modules: dict[Any, int]
    """The modules that were called, with the creation number of their last change; that must be the same, too."""
    calls: tuple[ModuleCall, ...]
    """The calls of modules that were not made by other modules."""
    frozen: dict[Parameter, bool]
    """The parameters that were read, and whether they were held still: then no gradient of theirs is in the Program."""
    gradients: tuple[tuple[Array, int | None, int], ...]
    """If gradients are kept, the leaves from outside whose gradient was written: the leaf, the number of the output
    that the gradient is (None if it was taken away again), and the number of the backward pass."""
    steps: tuple[tuple[Any, int], ...]
    """Optimisers that made a step, each with the number of the last backward pass whose gradients it used."""


class Recorder:
    """Writes down the gates that are applied while it is in the mode."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self.start = next_number()
        self.names = names
        self._place: tuple[Any, int] | None = None  # the user's line whose gate the backward pass is at
        self.instructions: list[Instruction] = []
        self.captures: dict[int, tuple[Value, Any]] = {}  # by the identity of what is captured
        self.stores: dict[State, Value] = {}
        self.guards: dict[Array, int] = {}
        self.arrays: dict[Array, int] = {}
        self.labels: dict[Value, str] = {}
        self.gradients_of: list[tuple[Value, Value | str]] = []  # each with the value whose gradient it is, or its name
        self.modules: dict[Any, int] = {}
        self.module_calls: list[ModuleCall] = []
        self._open: list[ModuleCall] = []  # those that go on, outermost first
        self._made: set[int] = set()  # the identities of modules made while recording
        self._journal: dict[tuple[int, str], tuple[Any, Any]] = {}

    # ---- gates

    def apply(self, gate: Any, operands: tuple[Any, ...]) -> Any:
        """``graph.apply.apply`` while recording: compute eagerly, and write down what was applied to what."""
        if not any(isinstance(x, Array) for x in operands):  # constants of the function: what they give is captured
            with switched(recorder=None):
                return apply(gate, operands)
        operands = tuple(x if isinstance(x, (Array, *PLAIN_OPERANDS)) else np.asarray(x) for x in operands)
        if not gate.builtin:
            return self._apply_own(gate, operands)
        if hasattr(gate, "dissolved"):
            return self._node(gate, operands, gate.dissolved(*map(self._as_constant, operands)))
        written = tuple(map(self.operand, operands))
        with switched(recorder=None):
            z = apply(gate, operands)
        weak = _of_python(gate) and all(x.weak if isinstance(x, Value) else isinstance(x, LITERALS) for x in written)
        if weak:
            z = number(float(z._value))
        return self._write(gate, written, z, weak)

    def _write(self, gate: Any, operands: tuple[Operand, ...], z: Array, weak: bool = False) -> Array:
        value, role = Value(z.shape, z.dtype, weak), MODE.get().role
        site = self._place if role == "backward" and self._place is not None else z._site
        self.instructions.append(Instruction(gate, operands, value, role, site))
        z._record = (self, value)
        return z

    def _apply_own(self, gate: Any, operands: tuple[Any, ...]) -> Array:
        """A user's gate: what its forward does to Arrays is recorded, and its backward rule is kept."""
        z = gate.forward(*operands)
        node = self._node(gate, operands, z)
        for name, cached in vars(gate).items():
            if cached is z:
                setattr(gate, name, node)
        return node

    def _node(self, gate: Any, operands: tuple[Any, ...], z: Any) -> Array:
        """The result of a gate that was written down in other gates' words: the node has the gate and its own rules."""
        if not isinstance(z, Array):
            z = self._constant(z)
        live = MODE.get().gradients and z.dtype.kind == "f" and any(x.live for x in operands if isinstance(x, Array))
        if live:
            node = new_node(z._value, gate, operands, True, user_site())
        else:
            node = constant_result(gate, operands, np.asarray(z._value))
        node._record = (self, self.value_of(z))
        return node

    def _as_constant(self, x: Any) -> Any:
        """An Array that stands for the same as ``x`` and carries no gradient."""
        if not isinstance(x, Array) or not x.live:
            return x
        twin = new_leaf(Array, x._value, False)
        twin._record = (self, self.value_of(x))
        return twin

    # ---- what gates are applied to

    def operand(self, x: Any) -> Operand:
        """What stands for ``x`` in an instruction."""
        if isinstance(x, Array):
            return self.value_of(x)
        return x if isinstance(x, LITERALS) and not isinstance(x, np.generic) else self.captured(x, x)

    def value_of(self, x: Array) -> Value:
        """The Value of an Array: recorded, stored, or captured from outside."""
        if isinstance(x, State):
            stored = self.stores.get(x)
            return self.captured(x, x._value) if stored is None else stored
        recorder, value = getattr(x, "_record", (None, None))
        if recorder is self:
            return cast(Value, value)
        if x.number <= self.start:
            if x.live and x.gate is not None:
                raise GraphError(
                    f"{x.label()} is part of a circuit outside of the recorded function, which a compiled step cannot "
                    "keep up with: pass it as an argument, compute it inside, or .detach() it"
                )
            self.arrays[x] = x.number
            return self.captured(x, x._value)
        raise GraphError(
            f"internal error: {x.label()}{at(x.site)} was made without a gate, so its value would be frozen"
        )

    def captured(self, owner: Any, value: Any) -> Value:
        """The Value that stands for what ``owner``, an Array or an ndarray from outside, holds at each run."""
        known = self.captures.get(id(owner))
        if known is None:
            if not np.asarray(value).flags.aligned:
                raise GraphError(
                    f"an array from outside, {describe(value)}, whose elements are not aligned in memory, cannot be "
                    "read by compiled code: pass it as an argument, or copy it first (np.array(x))"
                )
            name = self.name_of(owner) if isinstance(owner, Array) else None
            known = Value(np.shape(value), real(np.asarray(value)).dtype, name=name), owner
            self.captures[id(owner)] = known
        return known[0]

    def _constant(self, value: Any) -> Array:
        leaf = new_leaf(Array, real(np.asarray(value)), False)
        leaf._record = (self, self.captured(value if isinstance(value, np.ndarray) else leaf._value, leaf._value))
        return leaf

    def input(self, value: Any, name: str | None) -> Array:
        """An Array that stands for an argument of the function."""
        weak = type(value) is float
        leaf: Array = number(value, name) if weak else new_leaf(Array, real(np.asarray(value)), False, name)
        leaf._record = (self, Value(leaf.shape, leaf.dtype, weak, name))
        return leaf

    def leaf(self, leaf: Array, source: Any) -> None:
        """``leaf`` was just made of the data in ``source``."""
        if isinstance(source, (Array, np.ndarray)):
            value = self.operand(source)
            if isinstance(value, Value) and (value.dtype != leaf.dtype or value.weak):
                made = Value(leaf.shape, leaf.dtype)
                self.instructions.append(Instruction(Cast.of(leaf.dtype), (value,), made, MODE.get().role, leaf._site))
                value = made
        elif type(source) in LITERALS:
            value = Value(leaf.shape, leaf.dtype)
            self.instructions.append(Instruction(Cast.of(leaf.dtype), (source,), value, MODE.get().role, leaf._site))
        else:
            value = self.captured(leaf._value, leaf._value)
        leaf._record = (self, value)

    def rebind(self, x: Array) -> None:
        """``x[i] = v`` is about to make a new value of the object ``x``."""
        if x.number <= self.start:
            raise GraphError(
                f"writing into {x.label()}, which was made outside of the recorded function, would happen once, while "
                "it is recorded: make it a cr.State and .assign to it, or write into a copy"
            )

    def as_number(self, x: Array) -> Number:
        """The only element of a State, or of what was computed, as a Python number of run time."""
        if x.dtype.kind not in "fiu" or x.size != 1:
            raise TypeError(f"as_number is for what holds one number, not for {describe(x)}")
        made = number(float(x._value.item()), x.name)
        self._write(Cast.of(made.dtype), (self.value_of(x),), made, weak=True)
        return made

    def as_float64(self, x: Number) -> Array:
        """A Python number of run time as an array of NumPy's."""
        return self._write(Cast.of(x.dtype), (self.value_of(x),), new_leaf(Array, np.asarray(x._value), False))

    def name_of(self, x: Array) -> str | None:
        """What the user's code calls an Array."""
        return self.names.get(id(x)) or x.name

    # ---- gradients

    def gradients(self, output: Array, upstream: Any, accumulate: bool, keep: bool) -> list[tuple[Array, Any]]:
        """The arrays behind ``output`` with what a backward pass from there writes into their gradients."""
        with switched(gradients=False, role="backward"):
            if upstream is None and output.shape == ():
                dz = self._write(Cast.of(output.dtype), (1.0,), new_leaf(Array, np.ones((), output.dtype), False))
            else:
                dz = seed(output, upstream)
            gradients = [(node, self._written(node, dx, accumulate)) for node, dx in flow(output, dz, free=not keep)]
        self.passed()
        return gradients

    def passes(self, node: Array, dx: Any) -> None:
        """A backward pass is at ``node``, whose gradient is ``dx``.

        The rules of its gate, which run next, belong to the line that applied it.
        """
        name = self.name_of(node) if node.gate is None else getattr(node, "_name", None)
        if isinstance(dx, Array):
            self.gradients_of.append((self.value_of(dx), name or self.value_of(node)))
        self._place = node._site

    def passed(self) -> None:
        """A backward pass is over."""
        self._place = None

    def _written(self, node: Array, dx: Any, accumulate: bool) -> Array:
        """What a backward pass writes into the gradient of ``node``."""
        dx = dx if isinstance(dx, Array) else self._constant(dx)
        if accumulate and getattr(node, "_grad", None) is not None:
            dx = self.gradient(node) + dx
        elif accumulate and self._from_outside(node):
            raise GraphError(
                f"backward(accumulate=True) would add to the gradient of {node.label()} that the call before has left, "
                "and a compiled function leaves none: add the losses and call backward() once"
            )
        if node.gate is None:
            self.remember(node, "_grad")
            self.remember(node, "_write")
        self.passes(node, dx)
        return dx  # type: ignore[no-any-return]

    def gradient(self, x: Array) -> Any:
        """The gradient of ``x``, which must have been computed in this recording."""
        grad = x._grad
        if not isinstance(grad, Array) or getattr(grad, "_record", (None,))[0] is not self:
            raise GraphError(
                f"the gradient of {x.label()} was computed outside of the recorded function and would be frozen: call "
                "backward() inside, or pass the gradient as an argument"
            )
        return grad

    # ---- state

    def store(self, state: State, value: Any) -> None:
        """``state`` holds ``value`` from here on; the States themselves are written after the run."""
        if state in self.guards:
            raise GraphError(
                f"{state.label()} was read as a Python number before, so the number is part of the recording, and now "
                "it is assigned: keep to Arrays (use the State itself, or .as_number())"
            )
        with switched(gradients=False):
            z = value if isinstance(value, Array) else self._constant(value)
            if z.dtype != state.dtype or isinstance(z, Number):
                z = Cast.of(state.dtype)(z)
            if z.shape != state.shape:
                z = BroadcastTo.of(state.shape)(z)
        self.remember(state, "_value")
        self.remember(state, "number")
        state._value, state.number = np.array(z._value), next_number()
        self.stores[state] = self.value_of(z)

    def leave(self, x: Array, how: str) -> None:
        """A value is about to be used outside of gates: fine, but guarded, for what is not computed here."""
        if x in self.stores or getattr(x, "_record", (None,))[0] is self or isinstance(x, Number):
            raise GraphError(_frozen(x, how))
        if x.number > self.start:
            raise GraphError(f"internal error: {x.label()}{at(x.site)} was made without a gate")
        self.guards.setdefault(x, x.number)

    def begins(self, module: Any) -> None:
        """``module`` is being made: its attributes may be written."""
        self._made.add(id(module))

    def depends(self, module: Any) -> None:
        """What the function computes depends on the attributes of ``module``."""
        self.modules.setdefault(module, module._changed)

    def call(self, module: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """What ``module.forward`` gives; it is called by the module's path."""
        self.depends(module)
        now = len(self.instructions)
        call = ModuleCall(module, now, now)
        (self._open[-1].inner if self._open else self.module_calls).append(call)
        self._open.append(call)
        try:
            output = module.forward(*inputs, **options)
        finally:
            self._open.pop()
            call.end = len(self.instructions)
        if isinstance(output, Array):
            call.output = Value(output.shape, output.dtype)
            path = self.names.get(id(module))
            if path is not None:
                self.labels.setdefault(self.value_of(output), path)
        return output

    def changes(self, module: Any, name: str) -> None:
        """An attribute of ``module`` is about to be written."""
        if id(module) not in self._made:
            raise GraphError(
                f"writing {type(module).__name__}.{name} would happen once, while the function is recorded, and not "
                "when it runs compiled: return the value, or keep it in a cr.State and .assign to it"
            )

    def remember(self, owner: Any, attribute: str) -> None:
        """Put ``attribute`` back when the recording ends: it is about to be written."""
        key = (id(owner), attribute)
        if key not in self._journal:
            self._journal[key] = (owner, getattr(owner, attribute, None))

    def written_attributes(self, attribute: str) -> list[Any]:
        """What had this attribute written and was there before."""
        owners = [owner for (_, name), (owner, _) in self._journal.items() if name == attribute]
        return [owner for owner in owners if not isinstance(owner, Array) or self._from_outside(owner)]

    def _from_outside(self, x: Array) -> bool:
        """Whether ``x`` was there before the recording began; a State that was assigned has a newer number by now."""
        _, number = self._journal.get((id(x), "number"), (x, x.number))
        return bool(number <= self.start)

    def undo(self) -> None:
        """Put back everything that was written."""
        for (_, attribute), (owner, before) in self._journal.items():
            setattr(owner, attribute, before)
        self._journal.clear()


def _frozen(x: Array, how: str) -> str:
    place = user_site()
    where = at(None if place is None else Site(*place))
    return (
        f"{how}{where} would freeze what {x.label()} was in this one call into the compiled function. Stay with Arrays "
        "(np.where instead of if, np.exp instead of math.exp), return it and look at it outside, or make the argument "
        "static=(...)"
    )


def modules_in(thing: Any) -> Iterator[Any]:
    """The modules that an object holds."""
    return (part for _, part in below(thing) if hasattr(type(part), "_changed"))


@contextmanager
def _recording(recorder: Recorder) -> Iterator[None]:
    try:
        with switched(recorder=recorder):
            yield
    finally:
        recorder.undo()


def recording(function: Callable[..., Any], call: Call, *, keep_grads: bool = False) -> Recording:
    """Run ``function`` once on the arguments of ``call`` and write down what it does.

    The inputs of the call become the inputs of the Program, in the same order; with ``keep_grads`` the gradients of
    leaves from outside are its last outputs. Raises GraphError where a recorded value would be frozen, and whatever the
    function raises.
    """
    reachable = reachable_from(function, {**dict(zip(call.names, call.args, strict=False)), **call.kwargs})
    recorder = Recorder(state_names(reachable))
    for _, thing in reachable:  # one may read a module's attributes without calling it
        for module in modules_in(thing):
            recorder.depends(module)
    inputs: list[Value] = []
    outputs: list[Value] = []

    values = iter(call.inputs)  # as the Program will get them: in the machine's byte order

    def stand_in(x: Any, name: str) -> Array:
        array = recorder.input(next(values), name)
        inputs.append(recorder.value_of(array))
        return array

    def placed(x: Any) -> Any:
        if not isinstance(x, (Array, np.ndarray, np.generic)):
            return x
        outputs.append(recorder.value_of(x) if isinstance(x, Array) else recorder.captured(x, x))
        return Result(len(outputs) - 1)

    with _recording(recorder):
        args, kwargs = call.with_inputs(stand_in)
        result = map_leaves(placed, function(*args, **kwargs))
        written = recorder.written_attributes("_grad") if keep_grads else []
        gradients = tuple((leaf, None if leaf._grad is None else placed(leaf._grad), leaf._write) for leaf in written)
        steps = tuple((owner, owner._last_write) for owner in recorder.written_attributes("_last_write"))
    program = Program(
        tuple(inputs),
        tuple(recorder.captures.values()),
        tuple(recorder.instructions),
        tuple(outputs),
        tuple(recorder.stores.items()),
        getattr(function, "__name__", type(function).__name__),
        recorder.labels,
    )
    program = replace(program, labels=labelled(program, recorder.gradients_of))
    frozen = {source: source.frozen for _, source in program.captures if isinstance(source, Parameter)}
    return Recording(
        program, result, recorder.guards, recorder.arrays, recorder.modules, tuple(recorder.module_calls), frozen,
        gradients, steps,
    )  # fmt: skip


def record(function: Callable[..., Any], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Program:
    """The Program of one run of ``function`` on these arguments (see ``recording``)."""
    return recording(function, take_apart(args, kwargs or {}, names=argument_names(function))).program

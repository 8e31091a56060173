"""``cr.compile``: a function is recorded once for each kind of call, and from then on run as a Program."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import update_wrapper
from inspect import isroutine
from operator import attrgetter
from typing import TYPE_CHECKING, Any, overload
from warnings import warn_explicit

import numpy as np

from chainrule.calculus.trees import leaves, map_leaves
from chainrule.graph.array import raw
from chainrule.graph.backward import next_write
from chainrule.graph.errors import CompileWarning, GraphError, NonFiniteError
from chainrule.graph.mode import MODE, PLAIN, Changes
from chainrule.graph.site import Site, user_site
from chainrule.native.target import unavailable
from chainrule.program.call import Call, argument_names, static_places, take_apart
from chainrule.program.comparison import difference
from chainrule.program.explain import explain
from chainrule.program.interpreter import Interpreter, captured
from chainrule.program.minibatches import Minibatches, over
from chainrule.program.passes import optimise
from chainrule.program.program import Program, Value
from chainrule.program.recording import Recording, Result, recording
from chainrule.program.source import source_of

MISSED: Any = object()

if TYPE_CHECKING:
    from chainrule.native.profile import Profile


class Interpreted:
    """A Program run from its printed source: what there is where nothing is compiled."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._interpreter = Interpreter(program)

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """The outputs for these ndarrays and floats, as fresh ndarrays. States are assigned last."""
        outputs, stored = self._interpreter.run(inputs, captured(self.program))
        fresh = [np.array(x) for x in outputs]
        states = [state for state, _ in self.program.stores]
        # A value may be a view of a State that is about to be written.
        stored = [np.array(x) if any(np.may_share_memory(x, s._value) for s in states) else x for x in stored]
        for state, value in zip(states, stored, strict=True):
            np.copyto(state.writable(), value)
        return fresh

    def attempt(self, args: tuple[Any, ...]) -> None:
        """Nothing here is worth a short cut."""

    def many(self, inputs: Sequence[Any], steps: Minibatches, count: int, last: frozenset[int]) -> Any:
        """As ``native.executor.Executor.many``, but one step at a time."""
        return [x if k in last else x[None] for k, x in enumerate(self.run(inputs))], 1


def executor(program: Program, backend: str | None) -> Any:
    """What runs a Program: ``native`` code, its printed ``source``, or for None the better one that is there.

    Processors have no long doubles worth the name: a Program with any runs with NumPy. Raises ValueError for another
    name, ImportError for native code without llvmlite.
    """
    if backend not in (None, "native", "source"):
        raise ValueError(f"backend is 'native' or 'source', not {backend!r}")
    values = (*program.sources(), *(i.result for i in program.instructions))
    if backend == "source" or (backend is None and unavailable() is not None) or any(_is_long(x) for x in values):
        return Interpreted(program)
    from chainrule.native.executor import Executor  # with llvmlite, which importing chainrule must not wait for

    return Executor(program)


def _is_long(value: Value) -> bool:
    return value.dtype.kind == "f" and value.dtype.itemsize > np.dtype(np.float64).itemsize


class _Variant:
    """A function compiled for one kind of call."""

    def __init__(self, call: Call, made: Recording, runner: Any) -> None:
        self.key, self.recording, self.executor = call.key, made, runner
        self.compared = False
        self._lock = threading.Lock()
        self._seen = {x: np.array(raw(x)) for x in made.guards}
        self._looked_at = 0  # what Changes.last was
        self._flat, self._places = call.flat, call.input_places
        self._fixed = [(i, x) for i, x in enumerate(call.args) if i not in self._places] if call.flat else []

    def untouched(self) -> bool:
        """Whether nothing was written that could be part of the Program without being its argument."""
        numbered = [*self.recording.guards.items(), *self.recording.arrays.items()]
        return self._looked_at == Changes.last and all(x.number == number for x, number in numbered)

    def holds(self) -> bool:
        """Whether all that is part of the Program without being its argument is still the same."""
        if self._looked_at != Changes.last:
            looked_at = Changes.last
            if any(module._changed != changed for module, changed in self.recording.modules.items()):
                return False
            self._looked_at = looked_at
        if any(x.number != number for x, number in self.recording.arrays.items()):
            return False
        guards = self.recording.guards
        for x, number in guards.items():
            if x.number != number:
                if not np.array_equal(raw(x), self._seen[x], equal_nan=True):
                    return False
                guards[x] = x.number
        return True

    def compare(self, again: Recording, function: Any) -> None:
        """Refuse to go on with a Program if recording the function once more gives another one."""
        found = difference(self.recording, again)
        if found is not None:
            raise GraphError(
                f"{_name(function)} was recorded twice, and this was not the same: {found}. A compiled function would "
                "keep what the first call saw; numbers that change (random ones, the time, a schedule) must come in as "
                "arguments or from a cr.State"
            )
        self.compared = True

    def shortcut(self) -> Callable[[tuple[Any, ...]], Any]:
        """A function of the positional arguments that gives the result, or MISSED if it may not or cannot be so simple.

        This is what a call in a training loop comes to, so all it needs is at hand: it takes half a microsecond.
        """
        looked_at, lock = self._looked_at, self._lock
        numbered = (*self.recording.guards.items(), *self.recording.arrays.items())
        attempt, result = self.executor.attempt, self._result
        alone = isinstance(self.recording.result, Result) and not self.recording.gradients

        def shortcut(args: tuple[Any, ...]) -> Any:
            if Changes.last != looked_at or MODE.get() is not PLAIN:
                return MISSED
            for x, number in numbered:
                if x.number != number:
                    return MISSED
            with lock:
                outputs = attempt(args)
            if outputs is None:
                return MISSED
            return outputs[0] if alone else result(outputs)

        return (self._past_fixed(shortcut) if self._fixed else shortcut) if self._flat else _missed

    def _past_fixed(self, shortcut: Callable[[tuple[Any, ...]], Any]) -> Callable[[tuple[Any, ...]], Any]:
        """``shortcut`` for a call that has other arguments besides its inputs: a method's object, an integer."""
        places, fixed, number = self._places, self._fixed, len(self._places) + len(self._fixed)

        def past_fixed(args: tuple[Any, ...]) -> Any:
            if len(args) != number:
                return MISSED
            for i, x in fixed:
                if args[i] is not x:
                    return MISSED
            return shortcut(tuple([args[i] for i in places]))

        return past_fixed

    def run(self, inputs: Sequence[Any]) -> Any:
        with self._lock:
            return self._result(self.executor.run(inputs))

    def run_checked(self, inputs: Sequence[Any], replay: Callable[[], Any]) -> Any:
        """Run; if a result or a State comes out not finite, put the States back and ``replay`` the call gate by gate.

        The replay raises NonFiniteError, which names the first gate that went wrong.
        """
        states = [state for state, _ in self.executor.program.stores]
        with self._lock:
            before = [np.array(state._value) for state in states]
            outputs = self.executor.run(inputs)
            if all(np.isfinite(x).all() for x in (*outputs, *map(raw, states))):
                return self._result(outputs)
            self._put_back(states, before)
            try:
                replay()
            finally:
                self._put_back(states, before)
        raise NonFiniteError("the compiled step gave a value that is not finite; run gate by gate it does not")

    @staticmethod
    def _put_back(states: Sequence[Any], before: Sequence[Any]) -> None:
        for state, value in zip(states, before, strict=True):
            state.assign(value)

    def run_many(self, inputs: Sequence[Any], steps: Minibatches) -> tuple[Any, int]:
        """The next steps, as many as there should be at once: their results, stacked, and how many they were."""
        count = max(1, min(steps.at_once, steps.full - steps.done)) if self.compared else 1
        last = frozenset(index for _, index, _ in self.recording.gradients if index is not None)
        with self._lock:
            outputs, done = self.executor.many(inputs, steps, count, last)
            return self._result(outputs), done

    def result_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the arrays in the result."""
        outputs = self.executor.program.outputs
        return [outputs[x].shape for x in leaves(self.recording.result) if isinstance(x, Result)]

    def _result(self, outputs: Sequence[Any]) -> Any:
        if self.recording.gradients:
            self._write_gradients(outputs)
        return map_leaves(lambda x: outputs[x] if isinstance(x, Result) else x, self.recording.result)

    def _write_gradients(self, outputs: Sequence[Any]) -> None:
        """What the backward passes wrote; it is numbered, so that optimisers know what they have used."""
        numbers = {write: next_write() for write in sorted({write for _, _, write in self.recording.gradients})}
        for leaf, index, write in self.recording.gradients:
            leaf._grad, leaf._write = None if index is None else outputs[index], numbers[write]
        for optimizer, write in self.recording.steps:
            optimizer._last_write = numbers[write]


def _missed(args: tuple[Any, ...]) -> Any:
    """The shortcut where there is none: the arguments must be taken apart first."""
    return MISSED


class Compiled:
    """What ``cr.compile`` makes of a function; call it like the function.

    >>> import numpy as np, chainrule as cr
    >>> compiled = cr.compile(lambda x: np.sum(x * x))
    >>> compiled(np.array([1.0, 2.0]))
    array(5.)
    >>> compiled.last.inputs
    (x: float64[2],)
    """

    __wrapped__: Callable[..., Any]

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        keep_grads: bool = False,
        static: Sequence[str | int] = (),
        limit: int = 8,
        backend: str | None = None,
        debug: bool = False,
    ) -> None:
        if not callable(function):
            raise TypeError(f"compile takes a function, not {type(function).__name__}")
        if limit < 1:
            raise ValueError(f"limit is the number of Programs that are kept, at least 1, not {limit}")
        update_wrapper(self, function, updated=("__dict__",) if isroutine(function) else ())
        self._options = {
            "keep_grads": keep_grads, "static": static, "limit": limit, "backend": backend, "debug": debug
        }  # fmt: skip
        self._keep_grads, self._limit, self._backend, self._debug = keep_grads, limit, backend, debug
        self._names = argument_names(function)
        self._static = static_places(static, function)
        self._variants: list[_Variant] = []  # the one used last is the first
        self._shortcut: Callable[[tuple[Any, ...]], Any] = _missed
        self._lock = threading.RLock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            result = self._shortcut(args)
            if result is not MISSED:
                return result
        mode = MODE.get()
        if mode.recorder is not None:
            return self.__wrapped__(*args, **kwargs)
        call = self._call(args, kwargs)
        if call.live:
            return self.__wrapped__(*args, **kwargs)
        variant = self._variant(call)
        if mode.stop_at_nonfinite:
            return variant.run_checked(call.inputs, lambda: self.__wrapped__(*args, **kwargs))
        return variant.run(call.inputs)

    def over(
        self,
        *args: Any,
        batch: int,
        order: Any = None,
        progress: Callable[[int, int], Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call the function for one minibatch after the other; the results of all steps, stacked.

        It gives what calls in a Python loop would give, to the bit, but native steps have no Python between them. They
        come back about every 50 ms, so that an interrupt ends them; States have by then what the steps before it left.

        Args:
            args: the function's arguments. Minibatches are rows of the arrays among them, which have a leading axis of
                the same length; numbers and all else are passed as they are.
            batch: rows in a minibatch. The last one has what is left.
            order: row numbers in the order in which they are taken, or a seed or generator that shuffles them; by
                default the rows as they are.
            progress: called with the steps done and all steps, at most every 50 ms and at the end.
            kwargs: passed to the function as they are.

        Returns the function's result with one more axis in front of each array. Raises ValueError where lengths differ,
        or where the results of a short last batch do not stack with the others; IndexError for a row that is not there.

        >>> import numpy as np, chainrule as cr
        >>> w = cr.Parameter(0.0, dtype=float)
        >>> optimizer = cr.optim.SGD([w], lr=0.25)
        >>> @cr.compile
        ... def step(x, y):
        ...     loss = np.mean((w * x - y) ** 2)
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
        >>> x = np.ones(6)
        >>> step.over(x, 2 * x, batch=2)
        array([4.  , 1.  , 0.25])
        """
        return over(self, Minibatches(args, self._static, batch, order, progress), kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Compiled | Bound:
        return self if instance is None else Bound(self, instance)

    @property
    def programs(self) -> tuple[Program, ...]:
        """The Programs made so far, the one used last first."""
        return tuple(variant.executor.program for variant in self._variants)

    @property
    def last(self) -> Program | None:
        """The Program used last; None before the first call."""
        return self._variants[0].executor.program if self._variants else None

    def program(self, *args: Any, **kwargs: Any) -> Program:
        """The Program for a call with these arguments, recorded now if there is none yet. It is not run."""
        program: Program = self._variant(self._call(args, kwargs)).executor.program
        return program

    def source(self, *args: Any, **kwargs: Any) -> str:
        """The Program as readable NumPy: of a call with these arguments, or the one used last if there are none."""
        program = self.program(*args, **kwargs) if args or kwargs or not self._variants else self.last
        return source_of(program)  # type: ignore[arg-type]

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """What the passes did to the recording, what memory it takes, and which line costs how many gates: a table."""
        if args or kwargs or not self._variants:
            return explain(self._variant(self._call(args, kwargs)).recording.program)
        return explain(self._variants[0].recording.program)

    def profile(self, *args: Any, **kwargs: Any) -> Profile:
        """How long each kernel of this call takes, its operations and bytes, against the roofline: prints as a table.

        The call is run, many times over, and States are put back afterwards. RuntimeError where nothing is native.
        """
        call = self._call(args, kwargs)
        runner = self._native(call)
        from chainrule.native.profile import profile  # with llvmlite, too

        return profile(runner, call.inputs)

    def llvm(self, *args: Any, **kwargs: Any) -> str:
        """The LLVM IR of the kernels of this call, each once. RuntimeError where nothing is native."""
        text: str = self._native(self._call(args, kwargs)).llvm()
        return text

    def _native(self, call: Call) -> Any:
        runner = self._variant(call).executor
        if isinstance(runner, Interpreted):
            raise RuntimeError(f"{_name(self.__wrapped__)} runs with NumPy: {unavailable() or 'backend is source'}")
        return runner

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        call = take_apart(args, kwargs, self._static, self._names)
        call.key = (("no_grad", not MODE.get().gradients), *call.key)
        return call

    def _variant(self, call: Call) -> _Variant:
        for latest in self._variants[:1]:
            if latest.key == call.key and latest.compared and latest.untouched():
                return latest
        with self._lock:
            variant = next((each for each in self._variants if each.key == call.key and each.holds()), None)
            self._shortcut = _missed
            if variant is None:
                variant = self._made(call)
            else:
                self._variants.remove(variant)
                if not variant.compared:
                    variant.compare(self._recorded(call), self.__wrapped__)
                if MODE.get() is PLAIN:
                    self._shortcut = variant.shortcut()
            self._variants.insert(0, variant)
            if len(self._variants) > self._limit:
                place = user_site()
                file, line = (Site(*place).file, Site(*place).line) if place else ("<unknown>", 0)
                warn_explicit(self._too_many(), CompileWarning, file, line)
                self._variants.pop()
            return variant

    def _recorded(self, call: Call) -> Recording:
        return recording(self.__wrapped__, call, keep_grads=self._keep_grads)

    def _made(self, call: Call) -> _Variant:
        made = self._recorded(call)
        program = optimise(made.program, debug=self._debug, inputs=call.inputs)
        return _Variant(call, made, executor(program, self._backend))

    def _too_many(self) -> str:
        """Which argument keeps changing, in words."""
        kinds: dict[int | str, set[Any]] = {}
        for variant in self._variants:
            for place, kind in variant.key:
                kinds.setdefault(place, set()).add(kind)
        place = max(kinds, key=lambda place: len(kinds[place]))
        many = f"{_name(self.__wrapped__)} was compiled for more than {self._limit} kinds of calls"
        if len(kinds[place]) == 1:
            return f"{many}: a module that it calls, or a State that it reads as a Python number, keeps changing"
        argument = self._names[place] if isinstance(place, int) and place < len(self._names) else place
        seen = ", ".join(sorted(map(_in_words, kinds[place]))[:4])
        return (
            f"{many}: {argument!r} keeps changing ({seen}, ...). Pass numbers as floats or arrays, pad arrays to few "
            "shapes, or allow more Programs with limit="
        )

    def __reduce__(self) -> Any:
        name = _name(self.__wrapped__)
        with suppress(AttributeError, KeyError):
            if attrgetter(name)(sys.modules[self.__module__]) is self:  # a decorated function is found by its name
                return name
        return _again, (self.__wrapped__, self._options)

    def __repr__(self) -> str:
        kinds = len(self._variants)
        return f"<compiled {_name(self.__wrapped__)}: {kinds} {'Program' if kinds == 1 else 'Programs'}>"


class Bound:
    """A compiled method of one object."""

    def __init__(self, compiled: Compiled, instance: Any) -> None:
        self._compiled, self.__self__, self.__doc__ = compiled, instance, compiled.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._compiled(self.__self__, *args, **kwargs)

    def over(self, *args: Any, **kwargs: Any) -> Any:
        """As ``Compiled.over``."""
        return self._compiled.over(self.__self__, *args, **kwargs)

    def program(self, *args: Any, **kwargs: Any) -> Program:
        """As ``Compiled.program``."""
        return self._compiled.program(self.__self__, *args, **kwargs)

    def source(self, *args: Any, **kwargs: Any) -> str:
        """As ``Compiled.source``, for a call with these arguments."""
        return self._compiled.source(self.__self__, *args, **kwargs)

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """As ``Compiled.explain``, for a call with these arguments."""
        return self._compiled.explain(self.__self__, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)

    def __reduce__(self) -> Any:
        return getattr, (self.__self__, self._compiled.__wrapped__.__name__)

    def __repr__(self) -> str:
        return f"{self._compiled!r} of {self.__self__!r}"


def _again(function: Callable[..., Any], options: dict[str, Any]) -> Compiled:
    return Compiled(function, **options)


def _in_words(kind: Any) -> str:
    """What is fixed of an argument, as a warning shows it: ``int 3``, ``(64, 10) float32``."""
    if isinstance(kind, tuple) and len(kind) == 2:
        first, second = kind
        if isinstance(first, type):
            return f"{first.__name__} {second!r}"
        if isinstance(second, np.dtype):
            return f"{first} {second}"
    return getattr(kind, "__name__", "a nested structure")


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))


@overload
def compile(function: Callable[..., Any], **options: Any) -> Compiled: ...
@overload
def compile(function: None = None, **options: Any) -> Callable[[Callable[..., Any]], Compiled]: ...
def compile(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a function run as one Program: forward pass, backward pass and update, without Python in between.

    The first call runs the function on its arguments while every gate writes itself down; what it did is undone, and
    the Program runs in its place. Later calls of the same kind run the Program alone. (The second is recorded, too, and
    compared: a random number or the time of day would be frozen otherwise.)

    Args:
        function: computes with arrays; may read and assign States, call ``backward`` and optimisers. Arguments are
            ndarrays, Arrays and numbers, also nested in lists, tuples, dicts and dataclasses. Arrays (their shapes and
            dtypes are fixed) and Python floats may differ from call to call; for each other value of an integer,
            string or object there is a Program of its own.
        keep_grads: write ``.grad`` as the function's ``backward`` would; otherwise a call leaves gradients alone.
        static: names or positions of arguments whose arrays and floats are fixed, too.
        limit: how many Programs are kept. Where more are needed, the oldest is given up, with a ``CompileWarning``.
        backend: ``"native"`` code, or NumPy gate by gate (``"source"``); by default native where llvmlite is installed.
        debug: check each pass over the Program by running it before and after.

    Returns a ``Compiled``. Its results are fresh ndarrays in the structure that the function returns. Called with
    Arrays that carry gradients it runs the function itself; inside ``cr.nonfinite()`` a result or State that is not
    finite has the call replayed gate by gate, from the States before it.

    Raises GraphError where a value would be frozen, with the line and what to do; TypeError for arguments that do not
    hash. A function that raises leaves everything as it was.

    >>> import numpy as np, chainrule as cr
    >>> w = cr.Parameter([1.0, 2.0])
    >>> optimizer = cr.optim.SGD([w], lr=0.1)
    >>> @cr.compile
    ... def step(x):
    ...     loss = np.sum((w * x) ** 2)
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> [f"{step(np.ones(2, np.float32)):.3f}" for _ in range(3)]
    ['5.000', '3.200', '2.048']
    """
    return (lambda f: Compiled(f, **options)) if function is None else Compiled(function, **options)

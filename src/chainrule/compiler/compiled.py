"""``cr.compile``: a function is recorded once for each kind of call, and from then on run as a Program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial, update_wrapper
from inspect import isroutine
from operator import attrgetter
from typing import TYPE_CHECKING, Any, overload
from warnings import warn_explicit

import numpy as np

from chainrule.compiler.execution import Interpreted, executor
from chainrule.compiler.fork import lock, wait_in_forks
from chainrule.compiler.variant import MISSED, Variant, missed
from chainrule.graph.errors import CompileWarning
from chainrule.graph.mode import MODE, PLAIN
from chainrule.graph.site import Site, user_site
from chainrule.native.target import unavailable
from chainrule.program.call import Call, argument_names, static_places, take_apart
from chainrule.program.explain import explain
from chainrule.program.minibatches import Minibatches, over, pieces
from chainrule.program.passes import optimise
from chainrule.program.program import Program
from chainrule.program.recording import Recording, recording
from chainrule.program.source import source_of

if TYPE_CHECKING:
    from chainrule.native.profile import Profile


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
        self._variants: list[Variant] = []  # the one used last is the first
        self._shortcut: Callable[[tuple[Any, ...]], Any] = missed
        self._lock = lock()

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

    def pieces(self, *args: Any, batch: int, order: Any = None, **kwargs: Any) -> Iterator[Any]:
        """As ``over``, but results are handed out as they come: those of about 50 ms of steps at a time, stacked.

        Between two pieces no step runs, and States are what the steps so far have left. Results of a short last
        minibatch that do not stack with the others are a piece of their own.

        >>> import numpy as np, chainrule as cr
        >>> total = cr.State(0.0)
        >>> @cr.compile
        ... def step(x):
        ...     total.assign(total + np.sum(x))
        ...     return np.sum(x)
        >>> [float(x) for piece in step.pieces(np.arange(6.0), batch=2) for x in piece]
        [1.0, 5.0, 9.0]
        """
        return pieces(self, Minibatches(args, self._static, batch, order, None), kwargs)

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

    def watch(self, *labels: str) -> Callable[..., tuple[Any, dict[str, Any]]]:
        """The function with a look inside: called alike, it returns the result and a dict of the values named.

        Labels are those of ``source()`` and ``explain()``: variables (``hidden``), module paths (``layers.1``),
        gradients (``dL/dW1``, or ``dL_dW1`` as it is printed), or gates by number (``relu_1``). ValueError for others,
        when it is called. A Program of its own is made for them; the function itself stays as fast as it is.

        >>> import numpy as np, chainrule as cr
        >>> @cr.compile
        ... def f(x):
        ...     hidden = np.exp(x)
        ...     return np.sum(hidden * hidden)
        >>> total, seen = f.watch("hidden")(np.array([0.0, 0.0]))
        >>> total, seen["hidden"]
        (array(2.), array([1., 1.]))
        """
        if not labels:
            raise ValueError("watch takes the labels of values, as source() and explain() show them")

        def watching(*args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
            call = self._call(args, kwargs)
            if call.live:
                raise TypeError("arguments that carry gradients are not compiled: pass ndarrays, or .detach() them")
            variant = self._variant(call)
            return variant.run_watched(call.inputs, labels, lambda program: executor(program, self._backend))

        return watching

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

    def _variant(self, call: Call) -> Variant:
        for latest in self._variants[:1]:
            if latest.key == call.key and latest.compared and latest.untouched():
                return latest
        with self._lock:
            variant = next((each for each in self._variants if each.key == call.key and each.holds()), None)
            self._shortcut = missed
            if variant is None:
                variant = self._made(call)
            else:
                self._variants.remove(variant)
                if not variant.compared:
                    variant.compare(self._recorded(call), _name(self.__wrapped__))
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

    def _made(self, call: Call) -> Variant:
        made = self._recorded(call)
        program = optimise(made.program, debug=self._debug, inputs=call.inputs)
        runner = executor(program, self._backend)
        wait_in_forks()
        return Variant(call, made, runner, self._lock)

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

    def pieces(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """As ``Compiled.pieces``."""
        return self._compiled.pieces(self.__self__, *args, **kwargs)

    def program(self, *args: Any, **kwargs: Any) -> Program:
        """As ``Compiled.program``."""
        return self._compiled.program(self.__self__, *args, **kwargs)

    def source(self, *args: Any, **kwargs: Any) -> str:
        """As ``Compiled.source``, for a call with these arguments."""
        return self._compiled.source(self.__self__, *args, **kwargs)

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """As ``Compiled.explain``, for a call with these arguments."""
        return self._compiled.explain(self.__self__, *args, **kwargs)

    def profile(self, *args: Any, **kwargs: Any) -> Profile:
        """As ``Compiled.profile``."""
        return self._compiled.profile(self.__self__, *args, **kwargs)

    def llvm(self, *args: Any, **kwargs: Any) -> str:
        """As ``Compiled.llvm``."""
        return self._compiled.llvm(self.__self__, *args, **kwargs)

    def watch(self, *labels: str) -> Callable[..., tuple[Any, dict[str, Any]]]:
        """As ``Compiled.watch``."""
        return partial(self._compiled.watch(*labels), self.__self__)

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

    What Python reads besides arguments, States, arrays and modules is kept as it was: a global, an attribute of a plain
    object, an item of a list or dict. The second recording notices only what has changed by then. Make it a
    ``cr.State`` or an argument where it changes later. Arrays are values: ``x += 1`` on an argument leaves the caller's
    array alone.

    Args:
        function: computes with arrays; may read and assign States, call ``backward`` and optimisers. Arguments are
            ndarrays, Arrays and numbers, also nested in lists, tuples, dicts and dataclasses. Arrays (their shapes and
            dtypes are fixed) and Python floats may differ from call to call; for each other value of an integer,
            string or object there is a Program of its own.
        keep_grads: write ``.grad`` as the function's ``backward`` would; otherwise a call leaves gradients alone.
        static: names or positions of arguments whose arrays and floats are fixed, too.
        limit: how many Programs are kept. Where more are needed, the oldest is given up, with a ``CompileWarning``.
        backend: ``"native"`` code, or its printed ``"source"`` with NumPy; by default native where llvmlite is there.
        debug: check each pass over the Program by running it before and after.

    Returns a ``Compiled``. Its results are fresh ndarrays in the structure that the function returns. Called with
    Arrays that carry gradients it runs the function itself; inside ``cr.nonfinite()`` a result or State that is not
    finite has the call replayed gate by gate, from the States before it. Several threads may call it, one at a time
    goes on; code that changes the same States in another way must not run meanwhile.

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

"""A function compiled for one kind of call: its Program, what must stay the same for it, and the ways to run it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from chainrule.calculus.trees import leaves, map_leaves
from chainrule.graph.array import raw
from chainrule.graph.backward import next_write
from chainrule.graph.errors import GraphError, NonFiniteError
from chainrule.graph.mode import MODE, PLAIN, Changes
from chainrule.program.call import Call
from chainrule.program.comparison import difference
from chainrule.program.minibatches import Minibatches
from chainrule.program.program import Program
from chainrule.program.recording import Recording, Result
from chainrule.program.watching import watched

MISSED: Any = object()
"""What a shortcut gives where it may not be taken: then nothing was done."""


class Variant:
    """A function compiled for one kind of call.

    ``lock`` is one with that of the other variants: while one of them is recorded, and States are written that will be
    put back, none may run.
    """

    def __init__(self, call: Call, made: Recording, runner: Any, lock: threading.RLock) -> None:
        self.key, self.recording, self.executor = call.key, made, runner
        self.compared = False
        self.watching: dict[tuple[str, ...], Any] = {}
        """What runs the Program with further outputs, by their labels."""
        self.at_once = 1  # how many steps over minibatches take a while
        self._lock = lock
        self._assemble = assembler(made.result)
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
            if any(parameter.frozen != frozen for parameter, frozen in self.recording.frozen.items()):
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

    def compare(self, again: Recording, name: str) -> None:
        """Refuse to go on with a Program if recording the function of that name once more gives another one."""
        found = difference(self.recording, again)
        if found is not None:
            raise GraphError(
                f"{name} was recorded twice, and this was not the same: {found}. A compiled function would "
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

        return (self._past_fixed(shortcut) if self._fixed else shortcut) if self._flat else missed

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

    def run_watched(
        self, inputs: Sequence[Any], labels: tuple[str, ...], make: Callable[[Program], Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Run, and return the values of these labels beside the result. ``make`` gives what runs a Program."""
        with self._lock:
            runner = self.watching.get(labels)
            if runner is None:
                program = watched(self.recording.program, self.executor.program, labels)
                runner = self.watching[labels] = make(program)
            outputs = runner.run(inputs)
            count = len(self.executor.program.outputs)
            return self._result(outputs[:count]), dict(zip(labels, outputs[count:], strict=True))

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
        count = steps.at_once(self.at_once) if self.compared else 1
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
        return self._assemble(outputs)

    def _write_gradients(self, outputs: Sequence[Any]) -> None:
        """What the backward passes wrote; it is numbered, so that optimisers know what they have used."""
        numbers = {write: next_write() for write in sorted({write for _, _, write in self.recording.gradients})}
        for leaf, index, write in self.recording.gradients:
            leaf._grad, leaf._write = None if index is None else outputs[index], numbers[write]
        for optimizer, write in self.recording.steps:
            optimizer._last_write = numbers[write]


def assembler(result: Any) -> Callable[[Sequence[Any]], Any]:
    """What makes the function's result from the outputs of the Program. Two arrays or more in a tuple are frequent."""
    if type(result) is tuple and len(result) > 1 and all(isinstance(x, Result) for x in result):
        return itemgetter(*result)
    return lambda outputs: map_leaves(lambda x: outputs[x] if isinstance(x, Result) else x, result)


def missed(args: tuple[Any, ...]) -> Any:
    """The shortcut where there is none: the arguments must be taken apart first."""
    return MISSED

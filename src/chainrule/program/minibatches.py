"""One pass over arrays in minibatches: which rows are in which step, and what all steps together have given."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.calculus.trees import leaves, map_leaves
from chainrule.graph.array import Array, raw
from chainrule.graph.errors import describe
from chainrule.graph.mode import MODE
from chainrule.program.call import is_input
from chainrule.random.generator import Generator

A_WHILE = 0.05
"""Seconds after which steps come up to Python for air: for progress, and for an interrupt."""
GROWTH = 8
"""By what factor the number of steps in one go grows at most."""
LARGE = 1 << 26
"""Bytes of an array from which only the rows of one go are copied, where native code cannot read it as it lies."""


@dataclass(frozen=True)
class Source:
    """An array of whose rows minibatches are made, C-contiguous, aligned and in the machine's byte order."""

    values: NDArray[Any]


@dataclass(frozen=True)
class Reading:
    """What some steps read.

    Attributes:
        sources: for each input in the arguments the array whose rows it is; None for a number.
        order: the rows of the sources, one minibatch after the other; None for the rows as they are.
        first: which minibatch of these is that of the first step.
    """

    sources: list[Source | None]
    order: NDArray[np.int64] | None
    first: int


class Minibatches:
    """One pass: ``done`` of ``total`` steps. See ``Compiled.over`` for the arguments."""

    def __init__(
        self,
        args: tuple[Any, ...],
        static: Collection[int | str],
        batch: int,
        order: Any,
        progress: Callable[[int, int], Any] | None,
    ) -> None:
        self.args, self.static, self.batch, self.progress = args, static, batch, progress
        if batch < 1:
            raise ValueError(f"a batch has at least one row, not {batch}")
        self.rows: int = self._rows()
        self.order = _checked(order, self.rows)
        many = self.rows if self.order is None else len(self.order)
        if not many:
            raise ValueError("there are no rows to go over")
        self.total = -(-many // batch)
        self.full = many // batch
        """How many minibatches are of full length; the last one may be short."""
        self.done = 0
        self._steps, self._took = 1, 0.0  # of the latest go
        self._begun = self._told = time.perf_counter()

    def _rows(self) -> int:
        batched: list[Any] = [
            x for i, arg in enumerate(self.args) if i not in self.static for x in leaves(arg) if is_batched(x)
        ]
        lengths: dict[int, Any] = {len(x): x for x in batched}
        if len(lengths) > 1:
            told = " and ".join(describe(raw(x)) for x in list(lengths.values())[:2])
            raise ValueError(f"minibatches are rows of arrays of one length, and there are {told}")
        if not lengths:
            raise ValueError("over() goes over the rows of arrays, and there is none among the positional arguments")
        (n,) = lengths
        return n

    def arguments(self, step: int) -> tuple[Any, ...]:
        """The arguments of one step."""
        chosen: Any = slice(step * self.batch, (step + 1) * self.batch)
        if self.order is not None:
            chosen = self.order[chosen]

        def part(x: Any) -> Any:
            return x[chosen] if is_batched(x) else x

        return tuple(x if i in self.static else map_leaves(part, x) for i, x in enumerate(self.args))

    @cached_property
    def _inputs(self) -> list[NDArray[Any] | None]:
        """For each input in the arguments the array of all rows; None for a number. Only small arrays are copied."""
        inputs = [x for i, arg in enumerate(self.args) if i not in self.static for x in leaves(arg) if is_input(x)]
        arrays: list[Any] = [np.asarray(raw(x)) if is_batched(x) else None for x in inputs]
        return [None if x is None else laid_out(x) for x in arrays]

    @cached_property
    def _large(self) -> int:
        """The bytes of one step's rows, if they must be copied go by go; else 0."""
        arrays = [x for x in self._inputs if x is not None]
        if all(map(_is_readable, arrays)):
            return 0
        return self.batch * sum(x.nbytes // max(len(x), 1) for x in arrays)

    def at_once(self, wanted: int) -> int:
        """How many full steps to do in one go, of those that are wanted."""
        fitting = max(1, LARGE // self._large) if self._large else wanted
        return max(1, min(wanted, fitting, self.full - self.done))

    def reading(self, count: int) -> Reading:
        """What the next ``count`` steps read: the arrays where they lie, or copies of just the rows of these steps."""
        if not self._large:
            return Reading([None if x is None else Source(x) for x in self._inputs], self.order, self.done)
        chosen: Any = slice(self.done * self.batch, (self.done + count) * self.batch)
        if self.order is not None:
            chosen = self.order[chosen]
        return Reading([None if x is None else Source(_readable(x[chosen])) for x in self._inputs], None, 0)

    # ---- what was done

    def begin(self) -> None:
        """Note that the next steps begin."""
        self._begun = time.perf_counter()

    def add(self, steps: int) -> None:
        """Note that so many more steps are done."""
        self.done += steps
        now = time.perf_counter()
        self._steps, self._took = steps, now - self._begun
        if self.progress is not None and (self.done == self.total or now - self._told >= A_WHILE):
            self._told = now
            self.progress(self.done, self.total)

    def in_a_while(self, before: int) -> int:
        """How many steps to do in one go, by how long the latest ones took; ``before`` is what it was so far."""
        fitting = int(self._steps * A_WHILE / max(self._took, 1e-9))
        return max(1, min(GROWTH * before, fitting)) if self._steps == before else max(1, min(before, fitting))

    @staticmethod
    def results(pieces: list[Any]) -> Any:
        """The results of all steps, stacked; what is no array is as in the first step."""
        return map_leaves(lambda *xs: np.concatenate(xs) if is_result(xs[0]) else xs[0], *pieces)


def over(compiled: Any, steps: Minibatches, kwargs: dict[str, Any]) -> Any:
    """Call a ``compiler.Compiled`` for all minibatches: see its method of this name."""
    if _is_plain():
        _check_short(compiled, steps, kwargs)
    return steps.results(list(_goes(compiled, steps, kwargs)))


def pieces(compiled: Any, steps: Minibatches, kwargs: dict[str, Any]) -> Iterator[Any]:
    """The stacked results of the next steps, as many as take a while, until all minibatches are done."""
    held: list[Any] = []
    begun = time.perf_counter()
    for results in _goes(compiled, steps, kwargs):
        if held and _shapes(results) != _shapes(held[-1]):  # of a short last minibatch
            yield steps.results(held)
            held = []
        held.append(results)
        if steps.done == steps.total or time.perf_counter() - begun >= A_WHILE / 2:
            yield steps.results(held)
            held, begun = [], time.perf_counter()


def _shapes(stacked: Any) -> list[tuple[int, ...]]:
    return [x.shape[1:] for x in leaves(stacked) if is_result(x)]


def _goes(compiled: Any, steps: Minibatches, kwargs: dict[str, Any]) -> Iterator[Any]:
    """The stacked results of steps that are done in one go, again and again."""
    while steps.done < steps.total:
        steps.begin()
        arguments = steps.arguments(steps.done)
        call = compiled._call(arguments, kwargs)
        if _is_plain() and not call.live:
            variant = compiled._variant(call)
            results, count = variant.run_many(call.inputs, steps)
            steps.add(count)
            variant.at_once = steps.in_a_while(variant.at_once)
        else:
            results = map_leaves(lambda x: x[None] if is_result(x) else x, compiled(*arguments, **kwargs))
            steps.add(1)
        yield results


def _is_plain() -> bool:
    """Whether steps may follow each other without a look at each of them."""
    mode = MODE.get()
    return mode.recorder is None and not mode.stop_at_nonfinite


def _check_short(compiled: Any, steps: Minibatches, kwargs: dict[str, Any]) -> None:
    """Refuse results that do not stack before anything has changed."""
    if not 0 < steps.full < steps.total:
        return
    calls = [compiled._call(steps.arguments(k), kwargs) for k in (steps.total - 1, 0)]
    if any(call.live for call in calls):
        return
    short, full = [compiled._variant(call).result_shapes() for call in calls]
    if short != full:
        raise ValueError(
            f"the last minibatch is short, and results of the shapes {short} do not stack with {full}: leave it out, "
            "or return means"
        )


def is_batched(x: Any) -> bool:
    """Whether a leaf of the arguments is an array of rows."""
    return is_input(x) and np.ndim(raw(x)) > 0


def laid_out(x: NDArray[Any]) -> NDArray[Any]:
    """An array as native code can read it, copied if need be; a large one as it is: its rows are copied go by go."""
    return x if x.nbytes > LARGE else _readable(x)


def _is_readable(x: NDArray[Any]) -> bool:
    return x.flags.c_contiguous and x.flags.aligned and x.dtype.isnative


def _readable(x: NDArray[Any]) -> NDArray[Any]:
    return x if _is_readable(x) else np.array(x, x.dtype.newbyteorder("="), order="C")


def is_result(x: Any) -> bool:
    return isinstance(x, (Array, np.ndarray, np.generic))


def _checked(order: Any, rows: int) -> NDArray[np.int64] | None:
    """The order as row numbers from 0: drawn, or given."""
    if order is None:
        return None
    if isinstance(order, int) and not isinstance(order, bool):
        order = Generator(order)
    if isinstance(order, (Generator, np.random.Generator)):
        return np.ascontiguousarray(order.permutation(rows), np.int64)
    given: Any = np.asarray(raw(order))
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise TypeError(f"order is a list of row numbers, a seed or a generator, not {describe(given)}")
    bad = np.flatnonzero((given < -rows) | (given >= rows))
    if len(bad):
        raise IndexError(f"order[{bad[0]}] is {given[bad[0]]}, and there are {rows} rows")
    made: NDArray[np.int64] = np.where(given < 0, given + rows, given).astype(np.int64)
    return made

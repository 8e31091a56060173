"""Loop nests: what a fused group of gates computes, before it becomes machine code.

A nest runs over *kept* axes and, inside them, *reduced* axes. Its steps are loads, gates applied to scalars, and
reductions over the reduced axes; what reads a reduction runs once for each index of the kept axes. So one nest can be a
chain of elementwise gates, a sum together with what feeds it and what is done with it, or a small matrix product with
bias and activation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.native.views import Buffer, View, row_major

Ref = int
"""The position of a step in its nest."""


Bounds = tuple[tuple[int, int] | None, ...]
"""For each axis of a nest from which index to before which one; None for all of them. Empty for no bounds at all."""


@dataclass(frozen=True)
class Access:
    """Which element of a buffer belongs to each index: an offset, a stride for each axis of the nest (kept axes, then
    reduced ones), and strides for computed indices.

    ``computed`` has (step that gives the index, stride, length of the indexed axis); an index below 0 counts from
    the end, one out of range is an error that the kernel reports.
    """

    buffer: Buffer
    offset: int
    strides: tuple[int, ...]
    computed: tuple[tuple[Ref, int, int], ...] = ()
    bounds: Bounds = ()
    """Outside of these indices nothing is read, and the element is 0."""

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.buffer.dtype


@dataclass(frozen=True)
class Load:
    access: Access
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Literal:
    """A Python number from the user's code, in the dtype in which it is used."""

    number: bool | int | float
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Inside:
    """Whether the index lies within bounds: what is padded is 0 elsewhere."""

    bounds: Bounds
    dtype: np.dtype[Any] = np.dtype(np.bool_)  # noqa: RUF009  dtypes do not change


@dataclass(frozen=True)
class Apply:
    """An elementwise gate, or a conversion to another dtype (gate None)."""

    gate: Any
    refs: tuple[Ref, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Reduce:
    """``sum``, ``prod``, ``max`` or ``min`` of a step over the reduced axes."""

    kind: str
    ref: Ref
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Running:
    """``sum`` or ``prod`` of a step from the first index of the one reduced axis up to this one."""

    kind: str
    ref: Ref
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Search:
    """How many elements of a sorted sequence come before a number: smaller ones, and equal ones if ``side`` is right.

    The sequence lies along the one computed index of ``access``, whose step gives the number. NaN comes after all else.
    """

    access: Access
    side: str
    dtype: np.dtype[Any] = np.dtype(np.int64)  # noqa: RUF009  dtypes do not change


Step = Load | Literal | Inside | Apply | Reduce | Running | Search


@dataclass(frozen=True)
class Store:
    """Write a step's value; ``adding`` adds it to what is there, one element after the other."""

    access: Access
    ref: Ref
    adding: bool = False


@dataclass(frozen=True)
class Nest:
    """Steps and stores over kept and reduced axes. ``fixed``: the axes keep their order (a product calls it)."""

    kept: tuple[int, ...]
    reduced: tuple[int, ...]
    steps: tuple[Step, ...]
    stores: tuple[Store, ...]
    fixed: bool = False
    serial: bool = False
    """Whether elements must be handled one by one, in order, because stores may meet."""
    across: bool = False
    """Whether vectors lie along the last reduced axis, not along the last kept one."""

    @property
    def extents(self) -> tuple[int, ...]:
        return self.kept + self.reduced

    @property
    def running(self) -> bool:
        """Whether something is handed on from one index of the reduced axis to the next."""
        return any(isinstance(step, Running) for step in self.steps)

    def accesses(self) -> Iterator[Access]:
        for step in self.steps:
            if isinstance(step, (Load, Search)):
                yield step.access
        for store in self.stores:
            yield store.access

    def bounds(self) -> Iterator[Bounds]:
        """All bounds that there are."""
        for step in self.steps:
            if isinstance(step, Inside):
                yield step.bounds
            elif isinstance(step, Load) and step.access.bounds:
                yield step.access.bounds

    def remade(self, axes: Any, kept: tuple[int, ...], reduced: tuple[int, ...]) -> Nest:
        """The same nest over other axes: ``axes`` turns a tuple of strides into the new one."""

        def moved(access: Access) -> Access:
            bounds = axes(access.bounds) if access.bounds else ()
            return replace(access, strides=axes(access.strides), bounds=bounds)

        def again(step: Step) -> Step:
            if isinstance(step, (Load, Search)):
                return replace(step, access=moved(step.access))
            return replace(step, bounds=axes(step.bounds)) if isinstance(step, Inside) else step

        steps = tuple(map(again, self.steps))
        stores = tuple(replace(s, access=moved(s.access)) for s in self.stores)
        return replace(self, kept=kept, reduced=reduced, steps=steps, stores=stores)


def reads(step: Step) -> tuple[Ref, ...]:
    """The steps that a step reads."""
    if isinstance(step, Apply):
        return step.refs
    if isinstance(step, (Reduce, Running)):
        return (step.ref,)
    return tuple(ref for ref, _, _ in step.access.computed) if isinstance(step, (Load, Search)) else ()


def late_steps(nest: Nest) -> set[Ref]:
    """The reductions, and what is computed from them: they run once for each index of the kept axes."""
    late: set[Ref] = set()
    for ref, step in enumerate(nest.steps):
        if isinstance(step, Reduce) or any(r in late for r in reads(step)):
            late.add(ref)
    return late


def arranged(nest: Nest, lanes: int) -> Nest:
    """The nest with its axes in the order in which they are best walked: vectors of ``lanes`` elements lie along the
    last kept or the last reduced axis, and axes that can be walked as one are joined.
    """
    if nest.fixed or nest.serial:
        return nest
    kept = list(range(len(nest.kept)))
    reduced = list(range(len(nest.kept), len(nest.extents)))
    vector = _best_axis(nest, lanes)
    order_kept = _outer_first(nest, kept, vector)
    order_reduced = _outer_first(nest, reduced, vector)
    order = order_kept + order_reduced
    extents = nest.extents
    nest = nest.remade(
        lambda strides: tuple(strides[a] for a in order),
        tuple(extents[a] for a in order_kept),
        tuple(extents[a] for a in order_reduced),
    )
    return replace(_joined(nest), across=vector in reduced)


def cost(nest: Nest, lanes: int) -> float:
    """About how many vectors the nest reads, writes and computes, at best."""
    vector = _best_axis(nest, lanes)
    return 0.0 if vector is None else math.prod(nest.kept) * _cost_along(nest, vector, lanes) / lanes


def _best_axis(nest: Nest, lanes: int) -> int | None:
    """The axis along which vectors should lie; None where there is none."""
    axes = range(len(nest.kept if nest.running else nest.extents))
    return min(axes, key=lambda axis: _cost_along(nest, axis, lanes), default=None)


APART = 10.0
"""What it costs to access elements that do not lie side by side, compared with a whole vector."""


def _cost_along(nest: Nest, axis: int, lanes: int) -> float:
    """What vectors along ``axis`` cost: strided accesses are slow, half-empty vectors are wasted."""
    inner = math.prod(nest.reduced)
    innermost = len(nest.kept)

    def cost(access: Access) -> float:
        """For each index of the kept axes: once, or as often as there are reduced ones."""
        times = inner if any(access.strides[innermost:]) or access.computed else 1
        if access.strides[axis] == 0:
            return 0.25 * times
        apart = access.strides[axis] != 1 and not is_packable(nest, access)
        return times * ((APART if apart else 1.0) + APART * len(access.computed))

    total = inner + sum(cost(access) for access in nest.accesses())
    if axis >= innermost:
        total += 2 * lanes  # the partial sums must be added up in the end
    n = max(nest.extents[axis], 1)
    return total * (-(-n // lanes) * lanes) / n


REREAD, REREAD_FEW, FEW = 8, 3, 1024
"""How often elements must be read for a copy of them, in order, to pay; few elements, whose copy stays in the nearest
cache, less often."""


def is_packable(nest: Nest, access: Access) -> bool:
    """Whether elements are read so often that it pays to copy them first into the order in which they are read."""
    elements = math.prod(n for n, s in zip(nest.extents, access.strides, strict=True) if s)
    return (
        any(access.strides[len(nest.kept) :])
        and not access.computed
        and not access.bounds
        and any(step.access is access for step in nest.steps if isinstance(step, Load))
        and (REREAD_FEW if elements <= FEW else REREAD) * elements <= math.prod(nest.extents)
    )


def _outer_first(nest: Nest, axes: list[int], vector: int | None) -> list[int]:
    """Axes by falling strides, so that memory is walked in order; the vector axis last."""
    weight = {a: sum(abs(access.strides[a]) for access in nest.accesses()) for a in axes}
    return sorted(axes, key=lambda a: (a == vector, -weight[a]))


def _joined(nest: Nest) -> Nest:
    """Neighbouring axes that every access walks as one long axis become one."""
    for first in range(len(nest.extents) - 1):
        second = first + 1
        if second == len(nest.kept):
            continue
        if any(b[first] or b[second] for b in nest.bounds()):
            continue
        if all(a.strides[first] == a.strides[second] * nest.extents[second] for a in nest.accesses()):
            extents = list(nest.extents)
            extents[second] *= extents[first]
            del extents[first]
            kept = len(nest.kept) - (first < len(nest.kept))
            joined = nest.remade(lambda s, k=first: s[:k] + s[k + 1 :], tuple(extents[:kept]), tuple(extents[kept:]))
            return _joined(joined)
    return nest


def whole(view: View) -> Access:
    """The access of a nest whose axes are the view's own."""
    return Access(view.buffer, view.offset, view.strides)


def packed(nest: Nest) -> tuple[list[Nest], Nest]:
    """Copies that bring what is read often into order, and the nest that reads the copies instead."""
    vector = len(nest.extents) - 1 if nest.across else len(nest.kept) - 1
    if vector < 0:
        return [], nest
    copies: list[Nest] = []
    steps = list(nest.steps)
    for ref, step in enumerate(steps):
        if not isinstance(step, Load) or step.access.strides[vector] in (0, 1) or not is_packable(nest, step.access):
            continue
        access = step.access
        axes = [a for a, s in enumerate(access.strides) if s and a != vector] + [vector]
        shape = tuple(nest.extents[a] for a in axes)
        copy = Buffer(math.prod(shape), access.dtype)
        place = dict(zip(axes, row_major(shape), strict=True))
        strides = tuple(place.get(a, 0) for a in range(len(nest.extents)))
        load = Load(Access(access.buffer, access.offset, tuple(access.strides[a] for a in axes)), access.dtype)
        store = Store(Access(copy, 0, row_major(shape)), 0)
        copies.append(Nest(shape, (), (load,), (store,)))
        steps[ref] = replace(step, access=Access(copy, 0, strides))
    return copies, replace(nest, steps=tuple(steps))


def pruned(nest: Nest) -> Nest:
    """A nest without the steps that no store needs."""
    needed: set[int] = {s.ref for s in nest.stores}
    needed |= {ref for s in nest.stores for ref, _, _ in s.access.computed}
    for ref in range(len(nest.steps) - 1, -1, -1):
        if ref in needed:
            needed.update(reads(nest.steps[ref]))
    number = {ref: k for k, ref in enumerate(sorted(needed))}

    def moved(access: Access) -> Access:
        return replace(access, computed=tuple((number[r], s, n) for r, s, n in access.computed))

    steps: list[Any] = []
    for ref in sorted(needed):
        step = nest.steps[ref]
        if isinstance(step, (Load, Search)):
            steps.append(replace(step, access=moved(step.access)))
        elif isinstance(step, Apply):
            steps.append(replace(step, refs=tuple(number[r] for r in step.refs)))
        elif isinstance(step, (Literal, Inside)):
            steps.append(step)
        else:
            steps.append(replace(step, ref=number[step.ref]))
    stores = tuple(replace(s, ref=number[s.ref], access=moved(s.access)) for s in nest.stores)
    return replace(nest, steps=tuple(steps), stores=stores)

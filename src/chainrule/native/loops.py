"""A loop nest as LLVM IR: loops, vectors with masked tails, and at which of them each step runs.

The text depends on the structure of the nest alone: which strides are 0 or 1, the steps, the dtypes. Extents, strides
and pointers are read at run time from the arguments, so nests of equal structure share one compiled kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.ir as ir
import numpy as np

from chainrule.native.accesses import I1, I64, POINTER, Operand, Place, memory_type
from chainrule.native.lanes import Lane, Lanes
from chainrule.native.nest import (
    Apply,
    Inside,
    Literal,
    Load,
    Nest,
    Reduce,
    Ref,
    Running,
    Search,
    Store,
    late_steps,
    reads,
)
from chainrule.native.reductions import Reductions, Sums
from chainrule.native.structure import ITERATIONS_AT_ONCE, interval, is_rounded, row_axis, tile


def kernel_text(nest: Nest, vector_bytes: int, name: str = "nest") -> str:
    """The IR of a module with the nest as its one function."""
    return str(_Emitter(nest, vector_bytes, name).emit())


class _Emitter(Reductions):
    def __init__(self, nest: Nest, vector_bytes: int, name: str) -> None:
        super().__init__(nest, vector_bytes, name)
        self.interval = interval(nest, vector_bytes)
        self.rows_at_once, self.vectors_at_once = tile(nest, vector_bytes)
        self.early = self._early()

    def _early(self) -> set[Ref]:
        """The steps that run before the reductions are complete."""
        steps = self.nest.steps
        if not self.nest.reduced:
            return set(range(len(steps)))
        late = late_steps(self.nest)
        early = {s.ref for s in steps if isinstance(s, Reduce)}
        early |= {s.ref for s in self.nest.stores if s.ref not in late and self._in_full_space(s)}
        for s in self.nest.stores:
            if s.ref in early:
                early |= {r for r, _, _ in s.access.computed}
        for ref in range(len(steps) - 1, -1, -1):
            if ref in early:
                early.update(reads(steps[ref]))
        return early - late

    def _in_full_space(self, store: Store) -> bool:
        """Whether a store is made for each index of the reduced axes, too."""
        kept = len(self.nest.kept)
        return any(store.access.strides[kept:]) or any(a >= kept for a in self.depends[store.ref])

    def emit(self) -> ir.Module:
        places = [Place({}, {})]
        self._steps(places, frozenset())
        self._kept_loops(places, 0)
        self.b.ret_void()
        return self.module

    def _range(self, axis: int) -> tuple[Any, Any]:
        """The part of an axis that this call works on."""
        last = len(self.nest.kept) - 1
        if axis == last and (last > 0 or axis == self.vector):
            return self.j0, self.j1
        if axis == 0 and last >= 0:
            return self.i0, self.i1
        return I64(0), self.extents[axis]

    def _kept_loops(self, places: list[Place], axis: int) -> None:
        if axis == len(self.nest.kept):
            self._reduced_loops(places)
            return
        along = self._vectors if axis == self.vector else self._rows
        for low, high in self._stretches(axis):
            for inner in along(places, axis, low, high):
                self._steps(inner, frozenset(range(axis + 1)))
                self._kept_loops(inner, axis + 1)

    def _stretches(self, axis: int) -> Iterator[tuple[Any, Any]]:
        """The range of a kept axis. Where steps have bounds along the vectors, what lies within all of them is a
        stretch of its own, in which nothing is asked.
        """
        b = self.b
        low, high = self._range(axis)
        bounds = [ends[axis] for ends in self.ends.values() if axis in ends]
        if axis != self.vector or not bounds:
            yield low, high
            return
        begin, end = low, high
        for first, last in bounds:
            begin, end = self._of_two("smax", begin, first), self._of_two("smin", end, last)
        begin = b.add(low, b.and_(b.add(b.sub(begin, low), I64(self.lanes - 1)), I64(-self.lanes)))  # by whole vectors
        empty = b.icmp_signed(">=", begin, end)
        begin, end = b.select(empty, low, begin), b.select(empty, low, end)
        yield low, begin
        self.within = True
        yield begin, end
        self.within = False
        yield end, high

    def _of_two(self, name: str, x: Any, y: Any) -> Any:
        return self.b.call(self._intrinsic(f"llvm.{name}.i64", I64, [I64, I64]), [x, y])

    def _reduced_loops(self, places: list[Place]) -> None:
        """The reduced axes for some elements or vectors at once; then what follows the reductions."""
        if not self.nest.reduced:
            self._stores(places, late=False)
            return
        reductions = {r: s for r, s in enumerate(self.nest.steps) if isinstance(s, (Reduce, Running))}
        rounded = {r: s for r, s in reductions.items() if isinstance(s, Reduce) and is_rounded(s)}
        across = self.nest.across
        parts = self.vectors_at_once if across else 1
        sums = [[self._accumulators(reductions) for _ in range(parts)] for _ in places]
        self.aside = [self._accumulators(rounded) for _ in places] if across or self.interval else []
        self._reduce_along(places, sums, len(self.nest.kept))
        if across:
            for number, place in enumerate(places):
                place.values.update(self._combined(sums[number], self.aside[number]))
        else:
            self._put_aside(sums)
            for number, place in enumerate(places):
                for ref, variable in (sums[number][0] | (self.aside[number] if self.aside else {})).items():
                    place.values[ref] = self._loaded(variable, self.nest.steps[ref].dtype)
        self._late_steps(places)
        self._stores(places, late=True)

    def _reduce_along(self, places: list[Place], sums: list[list[Sums]], axis: int) -> None:
        """``sums`` are those of each place: one, or one for each of the vectors that are taken at a time."""
        if axis == len(self.nest.extents):
            for place, (accumulators,) in zip(places, sums, strict=True):
                for ref, accumulator in accumulators.items():
                    self._accumulate(place, ref, accumulator)
            self._stores(places, late=False)
            return
        known = frozenset(range(axis + 1))
        if axis == self.vector:
            for vectors in self._vectors(places, axis, I64(0), self.extents[axis]):
                self._steps(vectors, known)
                each = len(vectors) // len(places)
                self._reduce_along(vectors, [[one] for parts in sums for one in parts[:each]], axis + 1)
                if vectors[0].mask is None:
                    step = self.vectors_at_once * self.lanes
                    self._now_and_then_put_aside(vectors[0].index[axis], step, ITERATIONS_AT_ONCE, sums)
            return
        with self._loop(I64(0), self.extents[axis]) as index:
            inner = [place.inside(axis, index) for place in places]
            self._steps(inner, known)
            self._reduce_along(inner, sums, axis + 1)
            if self.interval and self.interval[0] == axis:
                self._now_and_then_put_aside(index, 1, self.interval[1], sums)

    @contextmanager
    def _loop(self, low: Any, high: Any, step: int = 1) -> Iterator[Any]:
        """A loop from ``low`` while index + step - 1 < high; afterwards ``self.reached`` is where it ended."""
        b = self.b
        before = b.block
        head, body, after = (self.function.append_basic_block(n) for n in ("head", "body", "after"))
        b.branch(head)
        b.position_at_end(head)
        index = b.phi(I64)
        index.add_incoming(low, before)
        end = index if step == 1 else b.add(index, I64(step - 1))
        b.cbranch(b.icmp_signed("<", end, high), body, after)
        b.position_at_end(body)
        yield index
        following = b.add(index, I64(step), flags=("nsw",))
        index.add_incoming(following, b.block)
        b.branch(head)
        b.position_at_end(after)
        self.reached = index

    def _rows(self, places: list[Place], axis: int, low: Any, high: Any) -> Iterator[list[Place]]:
        """Loops over an axis: several indices at a time, if it is the one next to the vectors, then one."""
        most = self.rows_at_once if axis == row_axis(self.nest) else 1
        for count in sorted({most, 1}, reverse=True):
            with self._loop(low, high, count) as index:
                indices = [self._plus(index, k) for k in range(count)]
                yield [place.inside(axis, i) for place in places for i in indices]
            low = self.reached

    def _vectors(self, places: list[Place], axis: int, low: Any, high: Any) -> Iterator[list[Place]]:
        """Loops over an axis by vectors: several at a time, then the rest, masked; one alone where many would be."""
        b, lanes, most = self.b, self.lanes, self.vectors_at_once
        with self._loop(low, high, most * lanes) as index:
            indices = [self._plus(index, k * lanes) for k in range(most)]
            yield [place.inside(axis, i) for place in places for i in indices]
        low = self.reached
        left = b.sub(high, low)
        one, some = b.icmp_signed("<=", left, I64(lanes)), b.icmp_signed(">", left, I64(0))
        cases = {most: b.and_(some, b.not_(one)), 1: b.and_(some, one)} if most > 2 else {most: some}
        for count, here in cases.items():
            with b.if_then(here):
                lefts = self._splat(left)
                rest = []
                for k in range(count):
                    numbers = ir.Constant(ir.VectorType(I64, lanes), list(range(k * lanes, (k + 1) * lanes)))
                    rest.append((self._plus(low, k * lanes), b.icmp_signed("<", numbers, lefts)))
                yield [place.inside(axis, i, mask) for place in places for i, mask in rest]

    def _plus(self, index: Any, distance: int) -> Any:
        return index if distance == 0 else self.b.add(index, I64(distance), flags=("nsw",))

    def _steps(self, places: list[Place], known: frozenset[int]) -> None:
        """Every early step that varies along known axes only and has not run yet: at the outermost loop possible."""
        for ref in sorted(self.early):
            running = isinstance(self.nest.steps[ref], Running)
            if ref in places[0].values or running or self._fused_away(ref) or not self.depends[ref] <= known:
                continue
            self._everywhere(ref, places)

    def _late_steps(self, places: list[Place]) -> None:
        for ref in range(len(self.nest.steps)):
            if ref not in places[0].values and ref not in self.early:
                self._everywhere(ref, places)

    def _everywhere(self, ref: Ref, places: list[Place]) -> None:
        """The values of a step; places that differ along other axes than it does have the same one."""
        made: dict[Any, Lane] = {}
        for place in places:
            where = tuple(place.index[axis] for axis in sorted(self.depends[ref]))
            if where not in made:
                made[where] = self._value(ref, place)
            place.values[ref] = made[where]

    def _value(self, ref: Ref, place: Place) -> Lane:
        step = self.nest.steps[ref]
        width = self._width(ref)
        b = self._lanes(width)
        if isinstance(step, Load):
            inside = self._inside(ref, place, width)
            return b.cast(self._load(self.operand_of[ref], place, width, inside), step.dtype)
        if isinstance(step, Inside):
            inside = self._inside(ref, place, width)
            return b.constant(True, step.dtype) if inside is None else Lane(inside, step.dtype)
        if isinstance(step, Search):
            return self._searched(step, self.operand_of[ref], place, width)
        if isinstance(step, Literal):
            return b.constant(step.number, step.dtype)
        assert isinstance(step, Apply)  # noqa: S101  reductions get their value from their accumulators
        operands = [self._widened(place.values[r], r, width) for r in step.refs]
        if step.gate is None:
            return b.cast(operands[0], step.dtype)
        return b.cast(step.gate.lower(b, *operands), step.dtype)

    def _stores(self, places: list[Place], *, late: bool) -> None:
        for place in places:
            for store, operand in zip(self.nest.stores, self.target_of, strict=True):
                is_late = bool(self.nest.reduced) and not (store.ref in self.early and self._in_full_space(store))
                if is_late == late:
                    self._store(store, operand, place)

    def _searched(self, step: Search, operand: Operand, place: Place, width: int) -> Lane:
        """How many elements come before each number: a binary search from large strides to small ones.

        The count grows by a power of two wherever the element that far on comes before the number, too.
        """
        ((ref, stride, extent),) = operand.computed
        b, lanes, dtype = self.b, self._lanes(width), operand.access.dtype
        number = self._widened(place.values[ref], ref, width)
        with b.goto_entry_block():
            count = b.alloca(lanes.type(np.dtype(np.int64)))
        b.store(lanes.constant(0, np.int64).value, count)
        zeros = self._intrinsic("llvm.ctlz.i64", I64, [I64, I1])
        bits = b.sub(I64(64), b.call(zeros, [extent, I1(0)]))
        with self._loop(I64(0), bits) as k:
            far = lanes.spread(b.shl(I64(1), b.sub(b.sub(bits, I64(1)), k)), np.int64)
            so_far = self._loaded(count, np.dtype(np.int64))
            reach, length = lanes.add(so_far, far), lanes.spread(extent, np.int64)
            there = lanes.le(reach, length)
            at = lanes.sub(lanes.select(there, reach, lanes.like(reach, 1)), lanes.like(reach, 1))
            size = lanes.spread(b.mul(stride, I64(dtype.itemsize)), np.int64)
            start = lanes.spread(b.ptrtoint(operand.base, I64), np.int64)
            address = lanes.add(start, lanes.mul(at, size)).value
            if width == 1:
                value = b.load(b.inttoptr(address, POINTER), typ=memory_type(dtype), align=dtype.itemsize)
            else:
                address = b.inttoptr(address, ir.VectorType(POINTER, width))
                value = self._masked_load(address, dtype, width, None, apart=True)
            element = lanes.cast(lanes.loaded(value, dtype), number.dtype)
            right = step.side == "right"
            before = (
                lanes.not_(_sorts_before(lanes, number, element)) if right else _sorts_before(lanes, element, number)
            )
            b.store(lanes.select(lanes.and_(there, before), reach, so_far).value, count)
        return self._loaded(count, np.dtype(np.int64))


def _sorts_before(b: Lanes, x: Lane, y: Lane) -> Lane:
    """x < y, where NaN is larger than all else."""
    smaller = b.lt(x, y)
    return b.or_(smaller, b.and_(b.isnan(y), b.not_(b.isnan(x)))) if x.floating else smaller

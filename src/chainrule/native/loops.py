"""A loop nest as LLVM IR: loops, vectors with masked tails, accumulators.

The text depends on the structure of the nest alone: which strides are 0 or 1, the steps, the dtypes. Extents, strides
and pointers are read at run time from the arguments, so nests of equal structure share one compiled kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import llvmlite.ir as ir
import numpy as np

from chainrule.native.lanes import Lane, Lanes
from chainrule.native.nest import (
    Access,
    Apply,
    Bounds,
    Inside,
    Literal,
    Load,
    Nest,
    Reduce,
    Ref,
    Running,
    Search,
    Step,
    Store,
    late_steps,
    reads,
)
from chainrule.native.views import Buffer

I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
POINTER = ir.PointerType()
VECTORS_AT_ONCE = 4
"""How many vectors a reduction takes at a time: independent sums hide the latency of an addition."""
ROWS_AT_ONCE = 4
"""How many rows a reduction takes at a time, at most, of those that read the same: it is then loaded once for all."""
WORTH_A_TILE = 16_384
"""How often the steps of such a nest run at least: the code for several at a time takes long to make."""
FEW_STEPS = 8
"""Only reductions of so many steps take several rows at a time: longer ones would run out of registers."""
ITERATIONS_AT_ONCE = 128
"""After so many additions, a power of two, partial sums of floats are put aside and begun anew: the error of a sum
grows with the number of additions in a row, and so it stays at some units in the last place for millions of numbers."""
MOST_IN_A_ROW = 1024
"""The same where an addition in a row is an iteration of a loop around the vectors."""
BAD_INDEX = 1
"""The error code of an index that is out of range."""


@dataclass(frozen=True)
class Pointer:
    """An argument of a kernel: the address of an element, known once the buffer has memory."""

    buffer: Buffer
    offset: int


def kernel_text(nest: Nest, vector_bytes: int, name: str = "nest") -> str:
    """The IR of a module with the nest as its one function."""
    return str(_Emitter(nest, vector_bytes, name).emit())


def structure(nest: Nest, vector_bytes: int) -> Any:
    """What the text of the nest depends on: nests of equal structure share a kernel."""

    def pattern(access: Access) -> Any:
        classes = tuple(_stride_class(nest, axis, s) for axis, s in enumerate(access.strides))
        return access.dtype.str, classes, tuple(ref for ref, _, _ in access.computed), _bounded(access.bounds)

    steps = tuple(
        ("load", pattern(s.access), s.dtype.str)
        if isinstance(s, Load)
        else ("literal", repr(s.number), s.dtype.str)
        if isinstance(s, Literal)
        else ("apply", _gate_key(s.gate), s.refs, s.dtype.str)
        if isinstance(s, Apply)
        else ("inside", _bounded(s.bounds))
        if isinstance(s, Inside)
        else ("search", pattern(s.access), s.side)
        if isinstance(s, Search)
        else (type(s).__name__, s.kind, s.ref, s.dtype.str)
        for s in nest.steps
    )
    stores = tuple((pattern(s.access), s.ref, s.adding) for s in nest.stores)
    lanes = lanes_of(nest, vector_bytes)
    sizes = len(nest.kept), len(nest.reduced), lanes, tile(nest, vector_bytes)
    return sizes, nest.across, nest.serial, steps, stores, _interval(nest, vector_bytes)


def tile(nest: Nest, vector_bytes: int) -> tuple[int, int]:
    """How many rows, and how many vectors of each, the nest takes at a time."""
    if not nest.reduced:
        return 1, 1
    if math.prod(nest.extents) < WORTH_A_TILE:
        return 1, VECTORS_AT_ONCE // 2
    axis, inner = _row_axis(nest), _reduced_steps(nest)
    if axis is None or len(inner) > FEW_STEPS:
        return 1, VECTORS_AT_ONCE
    if not any(isinstance(step, Load) and not step.access.strides[axis] for step in inner):
        return 1, VECTORS_AT_ONCE
    n, most = nest.extents[axis], ROWS_AT_ONCE if vector_bytes == 64 else ROWS_AT_ONCE // 2
    rows = min(range(most, 0, -1), key=lambda rows: n // rows + n % rows)
    return rows, VECTORS_AT_ONCE if rows <= 2 else VECTORS_AT_ONCE // 2


def _reduced_steps(nest: Nest) -> list[Step]:
    """The steps that run for each index of the reduced axes."""
    made: set[Ref] = set()
    for ref, step in enumerate(nest.steps):
        access = step.access.strides[len(nest.kept) :] if isinstance(step, Load) else ()
        if any(access) or (isinstance(step, (Apply, Load)) and not made.isdisjoint(reads(step))):
            made.add(ref)
    return [nest.steps[ref] for ref in made]


def _interval(nest: Nest, vector_bytes: int) -> tuple[int, int] | None:
    """Where a loop around the vectors is too long for its sums to be added up in a row: which axis it runs along, and
    after how many iterations, a power of two, sums are put aside.
    """
    if not any(isinstance(step, Reduce) and _is_rounded(step) for step in nest.steps):
        return None
    vectors = nest.extents[-1] // (tile(nest, vector_bytes)[1] * 16) if nest.across else 0
    inner = max(vectors, 1)
    for axis in reversed(range(len(nest.kept), len(nest.extents) - nest.across)):
        if inner * nest.extents[axis] > MOST_IN_A_ROW:
            return axis, 1 << max(MOST_IN_A_ROW // inner, 1).bit_length() - 1
        inner *= max(nest.extents[axis], 1)
    return None


def _bounded(bounds: Bounds) -> tuple[int, ...]:
    """The axes that have bounds."""
    return tuple(axis for axis, b in enumerate(bounds) if b)


def _gate_key(gate: Any) -> Any:
    if gate is None:
        return None
    fields = tuple((name, repr(value)) for name, value in sorted(vars(gate).items()))
    return type(gate).__qualname__, fields


def _stride_class(nest: Nest, axis: int, stride: int) -> str:
    if stride == 0:
        return "0"
    return "1" if stride == 1 and axis == _vector_axis(nest) else "s"


def _vector_axis(nest: Nest) -> int | None:
    if nest.serial or not nest.extents:
        return None
    if nest.across:
        return len(nest.extents) - 1
    last = len(nest.kept) - 1
    if nest.running and any(access.strides[last] not in (0, 1) for access in nest.accesses()):
        return None  # rows at once would compete for the same places in the cache
    return last if nest.kept else None


def _row_axis(nest: Nest) -> int | None:
    """The kept axis next to the vectors, of which several indices are taken at a time."""
    axis = len(nest.kept) - (1 if nest.across else 2)
    return axis if axis >= 0 and _vector_axis(nest) is not None else None


def lanes_of(nest: Nest, vector_bytes: int) -> int:
    """How many elements a vector has: as many of the narrowest floats as a register holds."""
    if _vector_axis(nest) is None:
        return 1
    sizes = [s.dtype.itemsize for s in nest.steps if s.dtype.kind == "f"] or [8]
    return vector_bytes // max(min(sizes), 4)


def arguments(nest: Nest) -> list[int | Pointer]:
    """What the kernel reads: the extents, then for each access its pointer and the strides that are not 0 or 1."""
    made: list[int | Pointer] = list(nest.extents)
    for access in nest.accesses():
        made.append(Pointer(access.buffer, access.offset))
        made.extend(s for axis, s in enumerate(access.strides) if _stride_class(nest, axis, s) == "s")
        for _, stride, extent in access.computed:
            made.extend((stride, extent))
    for bounds in nest.bounds():
        made.extend(end for b in bounds if b for end in b)
    return made


_Sums = dict[Ref, Any]
"""Reductions so far: the variable of each."""


@dataclass
class _Place:
    """One iteration, or one vector of them: the index along each axis, the values so far, the lanes in use."""

    index: dict[int, Any]
    values: dict[Ref, Lane]
    mask: Any = None

    def inside(self, axis: int, index: Any, mask: Any = None) -> _Place:
        return _Place({**self.index, axis: index}, dict(self.values), mask if mask is not None else self.mask)


@dataclass
class _Operand:
    """An access as the kernel sees it: base pointer and strides in registers."""

    access: Access
    base: Any
    strides: dict[int, Any]
    computed: list[tuple[Ref, Any, Any]]


class _Emitter:
    def __init__(self, nest: Nest, vector_bytes: int, name: str) -> None:
        self.nest, self.lanes, self.avx512 = nest, lanes_of(nest, vector_bytes), vector_bytes == 64
        self.vector = _vector_axis(nest)
        self.interval = _interval(nest, vector_bytes)
        self.rows_at_once, self.vectors_at_once = tile(nest, vector_bytes)
        self.within = False  # whether the index along the vectors lies within all bounds
        self.depends = self._dependences()
        self.early = self._early()
        self.module = ir.Module(name)
        kind = ir.FunctionType(ir.VoidType(), [POINTER, I64, I64, I64, I64, POINTER])
        self.function = ir.Function(self.module, kind, name)
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))

    # ---- what depends on what

    def _dependences(self) -> list[frozenset[int]]:
        """For each step the axes along which it varies."""
        made: list[frozenset[int]] = []
        kept = frozenset(range(len(self.nest.kept)))
        for step in self.nest.steps:
            if isinstance(step, Load):
                axes = frozenset(a for a, s in enumerate(step.access.strides) if s).union(_bounded(step.access.bounds))
                made.append(axes.union(*(made[ref] for ref, _, _ in step.access.computed)))
            elif isinstance(step, Search):
                made.append(made[step.access.computed[0][0]])
            elif isinstance(step, Running):
                made.append(made[step.ref].union({len(self.nest.kept)}))
            elif isinstance(step, Apply):
                made.append(frozenset().union(*(made[ref] for ref in step.refs)))
            elif isinstance(step, Reduce):
                made.append(made[step.ref] & kept)
            elif isinstance(step, Inside):
                made.append(frozenset(_bounded(step.bounds)))
            else:
                made.append(frozenset())
        return made

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

    # ---- the function

    def emit(self) -> ir.Module:
        arguments, self.i0, self.i1, self.j0, self.j1, self.context = self.function.args
        self._read_arguments(arguments)
        places = [_Place({}, {})]
        self._steps(places, frozenset())
        self._kept_loops(places, 0)
        self.b.ret_void()
        return self.module

    def _read_arguments(self, arguments: Any) -> None:
        position = 0

        def following() -> Any:
            nonlocal position
            position += 1
            return self.b.load(self.b.gep(arguments, [I64(position - 1)], source_etype=I64), typ=I64)

        self.extents = [following() for _ in self.nest.extents]
        self.operands: dict[int, _Operand] = {}
        for number, access in enumerate(self.nest.accesses()):
            base = self.b.inttoptr(following(), POINTER)
            strides = {}
            for axis, s in enumerate(access.strides):
                kind = _stride_class(self.nest, axis, s)
                if kind != "0":
                    strides[axis] = I64(1) if kind == "1" else following()
            computed = [(ref, following(), following()) for ref, _, _ in access.computed]
            self.operands[number] = _Operand(access, base, strides, computed)
        self.ends: dict[Ref, dict[int, tuple[Any, Any]]] = {}
        """For each step with bounds, by axis, where they begin and end."""
        for ref, step in enumerate(self.nest.steps):
            bounds = step.bounds if isinstance(step, Inside) else step.access.bounds if isinstance(step, Load) else ()
            if bounds:
                self.ends[ref] = {axis: (following(), following()) for axis in _bounded(bounds)}
        loads = [r for r, s in enumerate(self.nest.steps) if isinstance(s, (Load, Search))]
        self.operand_of = {ref: self.operands[k] for k, ref in enumerate(loads)}
        self.target_of = [self.operands[len(loads) + k] for k in range(len(self.nest.stores))]

    def _range(self, axis: int) -> tuple[Any, Any]:
        """The part of an axis that this call works on."""
        last = len(self.nest.kept) - 1
        if axis == last and (last > 0 or axis == self.vector):
            return self.j0, self.j1
        if axis == 0 and last >= 0:
            return self.i0, self.i1
        return I64(0), self.extents[axis]

    def _kept_loops(self, places: list[_Place], axis: int) -> None:
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

    def _reduced_loops(self, places: list[_Place]) -> None:
        """The reduced axes for some elements or vectors at once; then what follows the reductions."""
        if not self.nest.reduced:
            self._stores(places, late=False)
            return
        reductions = {r: s for r, s in enumerate(self.nest.steps) if isinstance(s, (Reduce, Running))}
        rounded = {r: s for r, s in reductions.items() if isinstance(s, Reduce) and _is_rounded(s)}
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

    def _reduce_along(self, places: list[_Place], sums: list[list[_Sums]], axis: int) -> None:
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

    # ---- loops

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

    def _rows(self, places: list[_Place], axis: int, low: Any, high: Any) -> Iterator[list[_Place]]:
        """Loops over an axis: several indices at a time, if it is the one next to the vectors, then one."""
        most = self.rows_at_once if axis == _row_axis(self.nest) else 1
        for count in sorted({most, 1}, reverse=True):
            with self._loop(low, high, count) as index:
                indices = [self._plus(index, k) for k in range(count)]
                yield [place.inside(axis, i) for place in places for i in indices]
            low = self.reached

    def _vectors(self, places: list[_Place], axis: int, low: Any, high: Any) -> Iterator[list[_Place]]:
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

    def _lanes(self, width: int) -> Lanes:
        return Lanes(self.b, width, self.avx512)

    def _splat(self, scalar: Any, lanes: int | None = None) -> Any:
        return self._lanes(lanes or self.lanes).spread(scalar, np.int64).value

    # ---- steps

    def _steps(self, places: list[_Place], known: frozenset[int]) -> None:
        """Every early step that varies along known axes only and has not run yet: at the outermost loop possible."""
        for ref in sorted(self.early):
            running = isinstance(self.nest.steps[ref], Running)
            if ref in places[0].values or running or self._fused_away(ref) or not self.depends[ref] <= known:
                continue
            self._everywhere(ref, places)

    def _late_steps(self, places: list[_Place]) -> None:
        for ref in range(len(self.nest.steps)):
            if ref not in places[0].values and ref not in self.early:
                self._everywhere(ref, places)

    def _everywhere(self, ref: Ref, places: list[_Place]) -> None:
        """The values of a step; places that differ along other axes than it does have the same one."""
        made: dict[Any, Lane] = {}
        for place in places:
            where = tuple(place.index[axis] for axis in sorted(self.depends[ref]))
            if where not in made:
                made[where] = self._value(ref, place)
            place.values[ref] = made[where]

    def _width(self, ref: Ref) -> int:
        """Whether a step varies along the vectors, or is the same for all their lanes."""
        return self.lanes if self.vector is not None and self.vector in self.depends[ref] else 1

    def _value(self, ref: Ref, place: _Place) -> Lane:
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

    def _widened(self, lane: Lane, ref: Ref, width: int) -> Lane:
        if width == 1 or self._width(ref) == width:
            return lane
        if lane.number is not None:  # stays known: gates are simpler for numbers
            return self._lanes(width).constant(lane.number, lane.dtype)
        return self._lanes(width).spread(lane.value, lane.dtype)

    # ---- memory

    def _address(self, operand: _Operand, place: _Place, width: int) -> tuple[Any, bool]:
        """The address of the first lane, or of each lane where they do not lie side by side."""
        b = self.b
        at: Any = I64(0)
        apart = bool(operand.computed) and width > 1
        for axis, stride in operand.strides.items():
            if axis == self.vector and not (isinstance(stride, ir.Constant) and stride.constant == 1):
                apart = apart or width > 1
            at = b.add(at, b.mul(place.index[axis], stride))
        if not apart:
            for ref, stride, extent in operand.computed:
                at = b.add(at, b.mul(self._checked(ref, extent, place, 1), stride))
            return b.gep(operand.base, [at], source_etype=_memory(operand.access.dtype)), False
        every = self._splat(at, width)
        if self.vector in operand.strides:
            numbers = ir.Constant(ir.VectorType(I64, width), list(range(width)))
            every = b.add(every, b.mul(numbers, self._splat(operand.strides[self.vector], width)))
        for ref, stride, extent in operand.computed:
            index = self._checked(ref, extent, place, width)
            every = b.add(every, b.mul(index, self._splat(stride, width)))
        size = self._splat(I64(operand.access.dtype.itemsize), width)
        start = self._splat(b.ptrtoint(operand.base, I64), width)
        return b.inttoptr(b.add(start, b.mul(every, size)), ir.VectorType(POINTER, width)), True

    def _checked(self, ref: Ref, extent: Any, place: _Place, width: int) -> Any:
        """A computed index brought into range: negative ones count from the end; bad ones are noted and become 0."""
        b = self.b
        lanes = Lanes(b, width)
        index = lanes.cast(self._widened(place.values[ref], ref, width), np.dtype(np.int64)).value
        if width > 1:
            extent = self._splat(extent, width)
        zero = lanes.constant(0, np.int64).value
        index = b.select(b.icmp_signed("<", index, zero), b.add(index, extent), index)
        good = b.icmp_unsigned("<", index, extent)
        bad = b.not_(good)
        if width > 1:
            if place.mask is not None:
                bad = b.and_(bad, place.mask)
            bad = b.icmp_unsigned("!=", b.bitcast(bad, ir.IntType(width)), ir.Constant(ir.IntType(width), 0))
        with b.if_then(bad, likely=False):
            b.store(I64(BAD_INDEX), self.context)
        return b.select(good, index, zero)

    def _inside(self, ref: Ref, place: _Place, width: int) -> Any:
        """Whether the index, or that of each lane, lies within the bounds of a step; None where it surely does."""
        b = self.b
        inside: Any = None
        for axis, (low, high) in self.ends.get(ref, {}).items():
            if axis == self.vector and self.within:
                continue
            index = place.index[axis]
            if width > 1:
                index, low, high = (self._splat(x, width) for x in (index, low, high))
                if axis == self.vector:
                    index = b.add(index, ir.Constant(ir.VectorType(I64, width), list(range(width))))
            here = b.and_(b.icmp_signed(">=", index, low), b.icmp_signed("<", index, high))
            inside = here if inside is None else b.and_(inside, here)
        return inside

    def _load(self, operand: _Operand, place: _Place, width: int, inside: Any = None) -> Lane:
        """The elements of an access; 0 where they are not ``inside``."""
        dtype = operand.access.dtype
        kind = _memory(dtype)
        address, apart = self._address(operand, place, width)
        if width == 1:
            if inside is not None:  # an address that is surely there, so that nothing else is read
                address = self.b.select(inside, address, self._zero(kind))
            value = self.b.load(address, typ=kind, align=dtype.itemsize)
            return self._lanes(1).loaded(value, dtype)
        vector = ir.VectorType(kind, width)
        mask = place.mask
        if inside is not None:
            mask = inside if mask is None else self.b.and_(mask, inside)
        if apart or mask is not None:
            value = self._masked_load(address, dtype, width, mask, apart)
        else:
            value = self.b.load(address, typ=vector, align=dtype.itemsize)
        return self._lanes(width).loaded(value, dtype)

    def _masked_load(self, address: Any, dtype: np.dtype[Any], width: int, mask: Any, apart: bool) -> Any:
        """Elements that lie side by side, or each at its own address; 0 beside the mask."""
        kind = _memory(dtype)
        vector = ir.VectorType(kind, width)
        mask = mask if mask is not None else ir.Constant(ir.VectorType(I1, width), [1] * width)
        name = "gather" if apart else "load"
        where = f".v{width}p0" if apart else ".p0"
        zeros = ir.Constant(vector, [0] * width)
        intrinsic = self._intrinsic(
            f"llvm.masked.{name}.v{width}{_suffix(kind)}{where}", vector, [address.type, I32, mask.type, vector]
        )
        return self.b.call(intrinsic, [address, I32(dtype.itemsize), mask, zeros])

    def _searched(self, step: Search, operand: _Operand, place: _Place, width: int) -> Lane:
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
                value = b.load(b.inttoptr(address, POINTER), typ=_memory(dtype), align=dtype.itemsize)
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

    def _zero(self, kind: Any) -> Any:
        """The address of a 0 of this type."""
        with self.b.goto_entry_block():
            zero = self.b.alloca(kind)
            self.b.store(kind(0), zero)
        return self.b.bitcast(zero, POINTER)

    def _stores(self, places: list[_Place], *, late: bool) -> None:
        for place in places:
            for store, operand in zip(self.nest.stores, self.target_of, strict=True):
                is_late = bool(self.nest.reduced) and not (store.ref in self.early and self._in_full_space(store))
                if is_late == late:
                    self._store(store, operand, place)

    def _store(self, store: Store, operand: _Operand, place: _Place) -> None:
        dtype = operand.access.dtype
        varies = self.vector in operand.strides or any(self._width(r) > 1 for r, _, _ in operand.computed)
        width = self.lanes if self.vector is not None and varies else 1
        lane = self._lanes(self._width(store.ref)).cast(place.values[store.ref], dtype)
        lane = self._widened(lane, store.ref, width)
        address, apart = self._address(operand, place, width)
        kind = _memory(dtype)
        if width == 1:
            b = self._lanes(1)
            if store.adding:
                lane = b.add(b.loaded(self.b.load(address, typ=kind, align=dtype.itemsize), dtype), lane)
            self.b.store(b.stored(lane), address, align=dtype.itemsize)
            return
        value = self._lanes(width).stored(lane)
        vector = ir.VectorType(kind, width)
        if not apart and place.mask is None:
            self.b.store(value, address, align=dtype.itemsize)
            return
        mask = place.mask if place.mask is not None else ir.Constant(ir.VectorType(I1, width), [1] * width)
        name = "scatter" if apart else "store"
        where = f".v{width}p0" if apart else ".p0"
        intrinsic = self._intrinsic(
            f"llvm.masked.{name}.v{width}{_suffix(kind)}{where}",
            ir.VoidType(),
            [vector, address.type, I32, mask.type],
        )
        self.b.call(intrinsic, [value, address, I32(dtype.itemsize), mask])

    def _intrinsic(self, name: str, result: Any, operands: list[Any]) -> Any:
        known = self.module.globals.get(name)
        return known or ir.Function(self.module, ir.FunctionType(result, operands), name)

    # ---- reductions

    def _sum_width(self, ref: Ref) -> int:
        """How many partial results a reduction has: one for each lane if vectors lie along a reduced axis."""
        return self.lanes if self.nest.across else self._width(ref)

    def _accumulators(self, reductions: Mapping[Ref, Reduce | Running]) -> _Sums:
        """Variables that hold reductions so far; LLVM keeps them in registers."""
        made = {}
        for ref, step in reductions.items():
            first = -0.0 if isinstance(step, Running) and _is_rounded(step) else _IDENTITY[step.kind](step.dtype)
            start = self._lanes(self._sum_width(ref)).constant(first, step.dtype)  # 0.0 + -0.0 would be 0.0
            with self.b.goto_entry_block():
                made[ref] = self.b.alloca(start.value.type)
            self.b.store(start.value, made[ref])
        return made

    def _loaded(self, variable: Any, dtype: np.dtype[Any]) -> Lane:
        return Lane(self.b.load(variable, typ=variable.allocated_type), dtype)

    def _accumulate(self, place: _Place, ref: Ref, variable: Any) -> None:
        step = self.nest.steps[ref]
        assert isinstance(step, (Reduce, Running))  # noqa: S101
        width = self._sum_width(ref)
        b = self._lanes(width)
        so_far = self._loaded(variable, step.dtype)
        if self._fused_away(step.ref):
            x, y = (self._widened(place.values[r], r, width) for r in self.nest.steps[step.ref].refs)  # type: ignore[union-attr]
            after = b.fma(x, y, so_far)
        else:
            x = self._lanes(self._width(step.ref)).cast(place.values[step.ref], step.dtype)
            after = _COMBINE[step.kind](b, so_far, self._widened(x, step.ref, width))
        value = after.value
        if place.mask is not None and self.nest.across:  # the unused lanes of the rest must not count
            value = self.b.select(place.mask, value, so_far.value)
        self.b.store(value, variable)
        if isinstance(step, Running):
            place.values[ref] = after

    def _now_and_then_put_aside(self, index: Any, step: int, iterations: int, sums: list[list[_Sums]]) -> None:
        """Put sums aside after so many iterations, a power of two, of a loop by ``step`` that has come to ``index``."""
        if not any(self.aside):
            return
        end = self.b.and_(self.b.add(index, I64(step)), I64(step * iterations - 1))
        with self.b.if_then(self.b.icmp_signed("==", end, I64(0)), likely=False):
            self._put_aside(sums)

    def _put_aside(self, sums: list[list[_Sums]]) -> None:
        """Add the sums so far to those put aside, and begin them anew."""
        for parts, totals in zip(sums, self.aside, strict=False):
            for ref, aside in totals.items():
                dtype = self.nest.steps[ref].dtype
                b = self._lanes(self._sum_width(ref))
                self.b.store(b.add(self._loaded(aside, dtype), self._added_up(ref, parts)).value, aside)
                for accumulators in parts:
                    self.b.store(b.constant(0, dtype).value, accumulators[ref])

    def _fused_away(self, ref: Ref) -> bool:
        """Whether a product is only ever added up: then it is one fused multiply-add."""
        step = self.nest.steps[ref]
        if not isinstance(step, Apply) or type(step.gate).__name__ != "Multiply" or step.dtype.kind != "f":
            return False
        readers = [s for s in self.nest.steps if ref in reads(s)]
        only = readers[0] if len(readers) == 1 else None
        return (
            isinstance(only, Reduce)
            and only.kind == "sum"
            and only.dtype == step.dtype
            and all(self.nest.steps[r].dtype == step.dtype for r in step.refs)
            and not any(s.ref == ref for s in self.nest.stores)
        )

    def _combined(self, parts: list[_Sums], aside: _Sums) -> dict[Ref, Lane]:
        """The accumulators of vectors along a reduced axis, added up in a fixed order."""
        totals: dict[Ref, Lane] = {}
        for ref in parts[0]:
            step = self.nest.steps[ref]
            assert isinstance(step, Reduce)  # noqa: S101
            total = self._added_up(ref, parts)
            if ref in aside:
                total = self._lanes(self.lanes).add(self._loaded(aside[ref], step.dtype), total)
            totals[ref] = self._folded(total, _COMBINE[step.kind], step.dtype)
        return totals

    def _added_up(self, ref: Ref, sums: list[_Sums]) -> Lane:
        step = self.nest.steps[ref]
        assert isinstance(step, Reduce)  # noqa: S101
        parts = [self._loaded(accumulators[ref], step.dtype) for accumulators in sums]
        while len(parts) > 1:
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [_COMBINE[step.kind](self._lanes(self.lanes), x, y) for x, y in pairs]
        return parts[0]

    def _folded(self, lane: Lane, combine: Callable[..., Lane], dtype: np.dtype[Any]) -> Lane:
        value, width = lane.value, self.lanes
        while width > 1:
            width //= 2
            low, high = (
                self.b.shuffle_vector(value, value, ir.Constant(ir.VectorType(I32, width), list(range(k, k + width))))
                for k in (0, width)
            )
            if width == 1:
                low, high = (self.b.extract_element(x, I32(0)) for x in (low, high))
                return combine(self._lanes(1), Lane(low, dtype), Lane(high, dtype))
            value = combine(self._lanes(width), Lane(low, dtype), Lane(high, dtype)).value
        return lane


def _is_rounded(step: Reduce | Running) -> bool:
    return step.kind == "sum" and step.dtype.kind == "f"


def _sorts_before(b: Lanes, x: Lane, y: Lane) -> Lane:
    """x < y, where NaN is larger than all else."""
    smaller = b.lt(x, y)
    return b.or_(smaller, b.and_(b.isnan(y), b.not_(b.isnan(x)))) if x.floating else smaller


def _memory(dtype: np.dtype[Any]) -> Any:
    """The LLVM type of an element in memory; booleans are bytes there."""
    if dtype.kind == "f":
        return {2: ir.HalfType(), 4: ir.FloatType(), 8: ir.DoubleType()}[dtype.itemsize]
    return ir.IntType(8 * dtype.itemsize)


def _suffix(kind: Any) -> str:
    names = {"half": "f16", "float": "f32", "double": "f64"}
    return names.get(str(kind), str(kind))


def _extreme(dtype: np.dtype[Any], largest: bool) -> Any:
    if dtype.kind == "f":
        return float("inf") if largest else -float("inf")
    if dtype.kind == "b":
        return largest
    return int(np.iinfo(dtype).max if largest else np.iinfo(dtype).min)


_IDENTITY: dict[str, Callable[[np.dtype[Any]], Any]] = {
    "sum": lambda dtype: 0,
    "prod": lambda dtype: 1,
    "max": lambda dtype: _extreme(dtype, largest=False),
    "min": lambda dtype: _extreme(dtype, largest=True),
}
_COMBINE: dict[str, Callable[..., Lane]] = {
    "sum": lambda b, x, y: b.add(x, y),
    "prod": lambda b, x, y: b.mul(x, y),
    "max": lambda b, x, y: b.maximum(x, y),
    "min": lambda b, x, y: b.minimum(x, y),
}

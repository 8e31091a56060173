"""The elements of a loop nest in memory, as LLVM IR: addresses, loads and stores of single elements and of vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import llvmlite.ir as ir
import numpy as np

from chainrule.native.lanes import Lane, Lanes
from chainrule.native.nest import Access, Apply, Inside, Load, Nest, Reduce, Ref, Running, Search, Store
from chainrule.native.structure import bounded, lanes_of, stride_class, vector_axis

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
POINTER = ir.PointerType()
BAD_INDEX = 1
"""The error code of an index that is out of range."""


@dataclass
class Place:
    """One iteration, or one vector of them: the index along each axis, the values so far, the lanes in use."""

    index: dict[int, Any]
    values: dict[Ref, Lane]
    mask: Any = None

    def inside(self, axis: int, index: Any, mask: Any = None) -> Place:
        return Place({**self.index, axis: index}, dict(self.values), mask if mask is not None else self.mask)


@dataclass
class Operand:
    """An access as the kernel sees it: base pointer and strides in registers."""

    access: Access
    base: Any
    strides: dict[int, Any]
    computed: list[tuple[Ref, Any, Any]]


class Accesses:
    """A function that is being written for a nest, its arguments, and what it does with memory."""

    def __init__(self, nest: Nest, vector_bytes: int, name: str) -> None:
        self.nest, self.lanes, self.avx512 = nest, lanes_of(nest, vector_bytes), vector_bytes == 64
        self.vector = vector_axis(nest)
        self.within = False  # whether the index along the vectors lies within all bounds
        self.depends = self._dependences()
        self.module = ir.Module(name)
        kind = ir.FunctionType(ir.VoidType(), [POINTER, I64, I64, I64, I64, POINTER])
        self.function = ir.Function(self.module, kind, name)
        arguments, self.i0, self.i1, self.j0, self.j1, self.context = self.function.args
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))
        self._read_arguments(arguments)

    def _dependences(self) -> list[frozenset[int]]:
        """For each step the axes along which it varies."""
        made: list[frozenset[int]] = []
        kept = frozenset(range(len(self.nest.kept)))
        for step in self.nest.steps:
            if isinstance(step, Load):
                axes = frozenset(a for a, s in enumerate(step.access.strides) if s).union(bounded(step.access.bounds))
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
                made.append(frozenset(bounded(step.bounds)))
            else:
                made.append(frozenset())
        return made

    def _read_arguments(self, arguments: Any) -> None:
        position = 0

        def following() -> Any:
            nonlocal position
            position += 1
            return self.b.load(self.b.gep(arguments, [I64(position - 1)], source_etype=I64), typ=I64)

        self.extents = [following() for _ in self.nest.extents]
        self.operands: dict[int, Operand] = {}
        for number, access in enumerate(self.nest.accesses()):
            base = self.b.inttoptr(following(), POINTER)
            strides = {}
            for axis, s in enumerate(access.strides):
                kind = stride_class(self.nest, axis, s)
                if kind != "0":
                    strides[axis] = I64(1) if kind == "1" else following()
            computed = [(ref, following(), following()) for ref, _, _ in access.computed]
            self.operands[number] = Operand(access, base, strides, computed)
        self.ends: dict[Ref, dict[int, tuple[Any, Any]]] = {}
        """For each step with bounds, by axis, where they begin and end."""
        for ref, step in enumerate(self.nest.steps):
            bounds = step.bounds if isinstance(step, Inside) else step.access.bounds if isinstance(step, Load) else ()
            if bounds:
                self.ends[ref] = {axis: (following(), following()) for axis in bounded(bounds)}
        loads = [r for r, s in enumerate(self.nest.steps) if isinstance(s, (Load, Search))]
        self.operand_of = {ref: self.operands[k] for k, ref in enumerate(loads)}
        self.target_of = [self.operands[len(loads) + k] for k in range(len(self.nest.stores))]

    def _lanes(self, width: int) -> Lanes:
        return Lanes(self.b, width, self.avx512)

    def _splat(self, scalar: Any, lanes: int | None = None) -> Any:
        return self._lanes(lanes or self.lanes).spread(scalar, np.int64).value

    def _width(self, ref: Ref) -> int:
        """Whether a step varies along the vectors, or is the same for all their lanes."""
        return self.lanes if self.vector is not None and self.vector in self.depends[ref] else 1

    def _widened(self, lane: Lane, ref: Ref, width: int) -> Lane:
        if width == 1 or self._width(ref) == width:
            return lane
        if lane.number is not None:  # stays known: gates are simpler for numbers
            return self._lanes(width).constant(lane.number, lane.dtype)
        return self._lanes(width).spread(lane.value, lane.dtype)

    def _address(self, operand: Operand, place: Place, width: int) -> tuple[Any, bool]:
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
            return b.gep(operand.base, [at], source_etype=memory_type(operand.access.dtype)), False
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

    def _checked(self, ref: Ref, extent: Any, place: Place, width: int) -> Any:
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

    def _inside(self, ref: Ref, place: Place, width: int) -> Any:
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

    def _load(self, operand: Operand, place: Place, width: int, inside: Any = None) -> Lane:
        """The elements of an access; 0 where they are not ``inside``."""
        dtype = operand.access.dtype
        kind = memory_type(dtype)
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
        kind = memory_type(dtype)
        vector = ir.VectorType(kind, width)
        mask = mask if mask is not None else ir.Constant(ir.VectorType(I1, width), [1] * width)
        name = "gather" if apart else "load"
        where = f".v{width}p0" if apart else ".p0"
        zeros = ir.Constant(vector, [0] * width)
        intrinsic = self._intrinsic(
            f"llvm.masked.{name}.v{width}{_suffix(kind)}{where}", vector, [address.type, I32, mask.type, vector]
        )
        return self.b.call(intrinsic, [address, I32(dtype.itemsize), mask, zeros])

    def _zero(self, kind: Any) -> Any:
        """The address of a 0 of this type."""
        with self.b.goto_entry_block():
            zero = self.b.alloca(kind)
            self.b.store(kind(0), zero)
        return self.b.bitcast(zero, POINTER)

    def _store(self, store: Store, operand: Operand, place: Place) -> None:
        dtype = operand.access.dtype
        varies = self.vector in operand.strides or any(self._width(r) > 1 for r, _, _ in operand.computed)
        width = self.lanes if self.vector is not None and varies else 1
        lane = self._lanes(self._width(store.ref)).cast(place.values[store.ref], dtype)
        lane = self._widened(lane, store.ref, width)
        address, apart = self._address(operand, place, width)
        kind = memory_type(dtype)
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


def memory_type(dtype: np.dtype[Any]) -> Any:
    """The LLVM type of an element in memory; booleans are bytes there."""
    if dtype.kind == "f":
        return {2: ir.HalfType(), 4: ir.FloatType(), 8: ir.DoubleType()}[dtype.itemsize]
    return ir.IntType(8 * dtype.itemsize)


def _suffix(kind: Any) -> str:
    names = {"half": "f16", "float": "f32", "double": "f64"}
    return names.get(str(kind), str(kind))

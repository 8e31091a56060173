"""Fusion: which gates run together in one loop nest.

Each instruction joins a group that already makes what it reads, if it runs over the same axes; so chains of elementwise
gates, the reduction they feed, and what is done with a matrix product become one nest each. Views (transposes,
broadcasts, slices, reshapes) are no work at all: they are read where their elements lie. Cheap gates on values that lie
in memory anyway are computed again wherever they are read, which costs less than storing their results.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.gates.arithmetic import Multiply
from chainrule.gates.convolution import Convolve
from chainrule.gates.indexing import GetItem, ScatterAdd, SetItem
from chainrule.gates.product import Matmul
from chainrule.gates.reduction import Cumprod, Cumsum, Max, Min, Prod, Sum
from chainrule.gates.selection import Where
from chainrule.gates.shape import BroadcastTo, Concatenate, Pad, Reshape, Transpose
from chainrule.graph.array import raw
from chainrule.native.axes import (
    Axes,
    Padding,
    broadcast_axes,
    moved,
    own_axes,
    padding,
    sliced_axes,
    slices_by_ones,
    space,
)
from chainrule.native.group import Alias, Group, Read, Within
from chainrule.native.indexing import pieces_of, placement, spelled_out
from chainrule.native.lowered import NATIVE, cheap, in_native_dtypes, pointwise, told
from chainrule.native.nest import Apply, Literal, Reduce, Ref
from chainrule.native.sequences import place_convolution, place_running, place_search
from chainrule.native.views import Buffer, View, element_strides, row_major
from chainrule.program.program import Instruction, Program, Value

SMALL_PRODUCT = 16_384
"""A matrix product of fewer multiplications is a plain loop nest."""
THIN = 4
"""So is one with a side that is no longer than this."""
LARGE = 32_768
"""Elements above which a group is not tied to a reduction to a single number, which cannot be split among threads."""
LOOK_BACK = 6
"""How many of the latest groups are asked whether they read the same values."""
LONGEST_CHAIN = 12
"""How many gates are applied again, at most, rather than their result stored."""


class Fusion:
    """The groups of a Program, in an order in which each reads only what earlier ones have made."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.groups: list[Group] = []
        self.strides = {v: element_strides(np.asarray(raw(source))) for v, source in program.captures}
        """How captures lie in memory; everything else that is reshaped lies in the order of its elements."""
        self.aliases: dict[Value, Alias] = {}
        self.maker: dict[Value, Instruction] = {i.result: i for i in program.instructions}
        self.home: dict[Value, int] = {}
        self.deferred: set[Value] = set()
        self.again: dict[Value, int] = {}
        self.row_major: set[Value] = set()
        """Values that are read in the order of their elements, so they must lie in it."""
        self.in_memory = self._in_memory()
        for instruction in program.instructions:
            self._place(instruction)
        for value in program.results():
            self._settle(value)

    # ---- views

    def root(self, value: Value) -> Value:
        """The value whose memory this one shares."""
        while value in self.aliases:
            value = self.aliases[value].base
        return value

    def view(self, value: Value, root: View) -> View:
        """Where the elements of ``value`` lie, given where its root's do."""
        alias = self.aliases.get(value)
        if alias is None:
            return root
        made = alias.view(self.view(alias.base, root))
        assert made is not None  # noqa: S101  the fusion tried it
        return made

    def _alias_of(self, i: Instruction) -> Alias | None:
        gate = i.gate
        base = i.operands[0] if i.operands else None
        if not isinstance(base, Value):
            return None
        if isinstance(gate, Transpose):
            return _transposed(base, gate.axes)
        if isinstance(gate, BroadcastTo):
            shape = gate.shape
            return Alias(base, lambda v: v.broadcast(shape), lambda axes: broadcast_axes(base.shape, shape, axes))
        if isinstance(gate, Reshape):
            return self._reshaped(base, i.result.shape)
        if isinstance(gate, GetItem) and gate.basic:
            parts = spelled_out(gate.parts, len(base.shape))
            return Alias(base, lambda v: v.sliced(parts), sliced_axes(base.shape, parts, i.result.shape))
        return None

    def _reshaped(self, base: Value, shape: tuple[int, ...]) -> Alias | None:
        if space(shape) == space(base.shape):

            def axes(mine: Axes) -> Axes:
                return own_axes(base.shape, [along for along, n in zip(mine, shape, strict=True) if n != 1])

            return Alias(base, lambda v: v.reshaped(shape), axes)
        root = self.root(base)
        strides = self.strides.get(root, row_major(root.shape))
        if self.view(base, View(Buffer(0, root.dtype), 0, root.shape, strides)).reshaped(shape) is None:
            return None
        self.row_major.add(root)
        return Alias(base, lambda v: v.reshaped(shape), None)

    # ---- what must lie in memory

    def _in_memory(self) -> set[Value]:
        """Values that are certain to be stored: results, and operands of all that is not elementwise."""
        certain = set(self.program.results()) | set(self.program.sources())
        for i in reversed(self.program.instructions):
            if isinstance(i.gate, (BroadcastTo, Transpose)) or _unit_reshape(i) or slices_by_ones(i) or padding(i):
                if i.result in certain:
                    certain.update(i.reads())
            elif not (pointwise(i) or isinstance(i.gate, (Sum, Max, Min, Prod, Cumsum, Cumprod))):
                certain.update(i.reads())
        return certain

    def _deferrable(self, i: Instruction) -> bool:
        """Whether a gate is rather applied wherever its result is read; ``again`` counts the gates of such a chain."""
        padded = padding(i) is not None
        if not (padded or (pointwise(i) and cheap(i.gate))) or i.result in self.in_memory:
            return False
        gates = sum(self.again.get(self.root(x), 0) for x in i.reads())
        if padded:
            self.again[i.result] = gates + 2
            return True
        gates += 1
        if gates > LONGEST_CHAIN or not all(self._reachable(x, i.result) for x in i.reads()):
            return False
        self.again[i.result] = gates
        self.in_memory.update(root for x in i.reads() if (root := self.root(x)) not in self.deferred)
        return True

    def _reachable(self, x: Value, result: Value) -> bool:
        """Whether a value can be read, or computed again, wherever ``result`` is.

        What was computed over another space has to be read from memory anyway.
        """
        root = self.root(x)
        if root in self.in_memory or root in self.deferred:
            return True
        return math.prod(root.shape) < math.prod(result.shape)

    # ---- placing instructions

    def _place(self, i: Instruction) -> None:
        alias = self._alias_of(i)
        if alias is not None:
            if alias.axes is None:
                self._settle(alias.base)
            self.aliases[i.result] = alias
            return
        if self._deferrable(i):
            self.deferred.add(i.result)
        elif pointwise(i):
            self._place_pointwise(i)
        elif isinstance(i.gate, (Sum, Max, Min, Prod)) and in_native_dtypes(i):
            self._place_reduction(i)
        elif isinstance(i.gate, (Cumsum, Cumprod)) and in_native_dtypes(i):
            place_running(self, i)
        elif isinstance(i.gate, Convolve) and in_native_dtypes(i) and i.result.dtype.kind != "b":
            place_convolution(self, i)
        elif isinstance(i.gate, Matmul) and in_native_dtypes(i):
            self._place_product(i)
        elif padding(i) is not None:
            self._place_pointwise(i)
        elif isinstance(i.gate, Reshape):
            self._place_copy(i)
        elif not (self._place_gather(i) or place_search(self, i) or self._place_pieces(i)):
            self._place_library(i)

    def _new(self, full: tuple[int, ...], **kw: Any) -> Group:
        group = Group(full, **kw)
        group.number = len(self.groups)
        self.groups.append(group)
        return group

    def _finish(self, i: Instruction, group: Group, ref: Ref, axes: Axes) -> None:
        group.made[i.result] = ref, axes
        group.refs[i.result, axes] = ref
        group.instructions.append(i)
        self.home[i.result] = group.number

    def _place_pointwise(self, i: Instruction) -> None:
        wanted = space(i.result.shape)
        needs = self._needs(i, own_axes(i.result.shape))
        group, late = self._group_for(i, wanted, needs)
        among = group.kept if late else None
        axes = own_axes(i.result.shape, among)
        self._finish(i, group, self._computed(group, i, axes, late), axes)

    def _group_for(
        self,
        i: Instruction,
        wanted: tuple[int, ...],
        needs: list[tuple[Value, Axes]],
        from_memory: Sequence[Value] = (),
    ) -> tuple[Group, bool]:
        """The group that makes what an instruction reads, or else one that reads the same, or else a new one."""
        first = self._first_possible(needs)
        first = max([first, *(self._made_in(x) + 1 for x in from_memory)])
        for group in self._candidates(first):
            if not group.open or (group.number != first and not self._akin(group, i, needs)):
                continue
            for late in (False, True) if group.reduced else (False,):
                among = group.kept if late else tuple(range(len(group.full)))
                if tuple(group.full[a] for a in among) != wanted:
                    continue
                if all(self._readable(group, x, moved(axes, among), late) for x, axes in needs):
                    return group, late
        return self._new(wanted), False

    def _candidates(self, first: int) -> list[Group]:
        """Groups to join, the one that makes what is read before all others; looking far would take long."""
        return self.groups[max(first, 0) :][:1] + self.groups[max(first + 1, len(self.groups) - LOOK_BACK) :]

    def _first_possible(self, needs: list[tuple[Value, Axes]]) -> int:
        """The number of the last group that makes any of what is read; -1 if all lies in memory beforehand."""
        return max((self._made_in(x) for x, _ in needs), default=-1)

    def _made_in(self, x: Value) -> int:
        root = self.root(x)
        if root in self.deferred:
            return max((self._made_in(y) for y in self.maker[root].reads()), default=-1)
        return self.home.get(root, -1)

    def _akin(self, group: Group, i: Instruction, needs: list[tuple[Value, Axes]]) -> bool:
        """Whether a group that makes nothing of what is read is worth joining: it reads the same, or is small."""
        if group.product is not None:
            return False
        read = {self.root(v) for v in group.reads()}
        return any(self.root(x) in read for x, _ in needs)

    def _readable(self, group: Group, x: Value, axes: Axes, late: bool) -> bool:
        """Whether a step of ``group`` can have the elements of ``x`` along ``axes``."""
        ref = group.refs.get((x, axes))
        if ref is not None and x in group.made:
            return self._meets(group, ref, late)
        alias = self.aliases.get(x)
        if alias is not None and alias.axes is not None:
            return self._readable(group, alias.base, alias.axes(axes), late)
        if x in group.made:
            return False
        if x in self.deferred:
            return all(self._readable(group, y, along, late) for y, along in self._needs(self.maker[x], axes))
        return self._made_in(x) < group.number

    def _needs(self, i: Instruction, axes: Axes) -> list[tuple[Value, Axes]]:
        """What a gate reads, and along which axes, if its result lies along ``axes``."""
        pad = padding(i)
        if pad is not None:
            return [(pad.source, pad.axes(axes))]
        return [(x, broadcast_axes(x.shape, i.result.shape, axes)) for x in i.reads()]

    @staticmethod
    def _meets(group: Group, ref: Ref, late: bool) -> bool:
        """Early steps read early ones; after the reductions only what does not vary along the reduced axes is there."""
        return not group.reduced or (ref in group.late) == late

    def _computed(self, group: Group, i: Instruction, axes: Axes, late: bool) -> Ref:
        """The step that applies a pointwise gate, with the conversions that NumPy would make."""
        pad = padding(i)
        if pad is not None:
            return self._padded(group, i, pad, axes, late)
        dtypes = i.gate.computes_in(*map(told, i.operands))
        refs = []
        for x, dtype in zip(i.operands, dtypes, strict=True):
            if not isinstance(x, Value):
                refs.append(group.add(Literal(x, dtype), late))
                continue
            ref = self._ref(group, x, broadcast_axes(x.shape, i.result.shape, axes), late)
            refs.append(ref if group.steps[ref].dtype == dtype else group.add(Apply(None, (ref,), dtype), late))
        return group.add(Apply(i.gate, tuple(refs), i.result.dtype), late)

    def _padded(self, group: Group, i: Instruction, pad: Padding, axes: Axes, late: bool) -> Ref:
        """The step that has the source's elements where they lie, and 0 around them."""
        if pad.misses(axes):
            return group.add(Literal(0, i.result.dtype), late)
        ref = self._ref(group, pad.source, pad.axes(axes), late)
        if group.steps[ref].dtype != i.result.dtype:
            ref = group.add(Apply(None, (ref,), i.result.dtype), late)
        bounds = pad.bounds(axes)
        if not bounds:
            return ref
        inside = group.add(Within(bounds), late)
        zero = group.add(Literal(0, i.result.dtype), late)
        return group.add(Apply(Where(), (inside, ref, zero), i.result.dtype), late)

    def _ref(self, group: Group, x: Value, axes: Axes, late: bool) -> Ref:
        """The step that has the elements of ``x``: made here, computed again, or loaded."""
        ref = group.refs.get((x, axes))
        if ref is not None and (x in group.made or self._meets(group, ref, late)):
            return ref
        alias = self.aliases.get(x)
        if alias is not None and alias.axes is not None:
            return self._ref(group, alias.base, alias.axes(axes), late)
        if x in self.deferred:
            ref = self._computed(group, self.maker[x], axes, late)
        else:
            ref = group.add(Read(x, axes, (), x.dtype), late)
        group.refs[x, axes] = ref
        return ref

    def _place_reduction(self, i: Instruction) -> None:
        (x,) = i.operands
        assert isinstance(x, Value)  # noqa: S101
        gate = i.gate
        own = own_axes(x.shape)
        along = (
            range(len(x.shape)) if gate.axis is None else (gate.axis if isinstance(gate.axis, tuple) else (gate.axis,))
        )
        reduced = frozenset(a for d in along if isinstance(a := own[d], int))
        full = space(x.shape)
        group = self._group_to_reduce(x, own, full, reduced)
        if group is None:
            group = self._new(full)
        if not group.reduced:
            group.reduced = reduced
        ref = self._ref(group, x, own, late=False)
        if group.steps[ref].dtype != i.result.dtype:
            ref = group.add(Apply(None, (ref,), i.result.dtype), late=False)
        if reduced:
            ref = group.add(Reduce(type(gate).__name__.lower(), ref, i.result.dtype), late=True)
        self._finish(i, group, ref, own_axes(i.result.shape, group.kept))

    def _group_to_reduce(self, x: Value, own: Axes, full: tuple[int, ...], reduced: frozenset[int]) -> Group | None:
        first = self._first_possible([(x, own)])
        for group in self._candidates(first):
            if not group.open or group.product is not None or group.full != full:
                continue
            if group.reduced and group.reduced != reduced:
                continue
            if not group.reduced and len(reduced) == len(full) and np.prod(full) > LARGE:
                continue
            if group.number != first and not any(self.root(x) is self.root(v) for v in group.reads()):
                continue
            if self._readable(group, x, own, late=False):
                return group
        return None

    def _place_product(self, i: Instruction) -> None:
        x, y = i.operands
        if not (isinstance(x, Value) and isinstance(y, Value)):
            self._place_library(i)
            return
        self._settle(x)
        self._settle(y)
        m, k, n = x.shape[-2], x.shape[-1], y.shape[-1]
        work = m * k * n
        floats = x.dtype == y.dtype == i.result.dtype and x.dtype.kind == "f" and x.dtype.itemsize >= 4
        batch = math.prod(i.result.shape[:-2])
        if batch > 1 and math.prod(y.shape[:-2]) == 1:  # more rows for one matrix
            m, work = batch * m, batch * work
        if not floats or work <= SMALL_PRODUCT or min(m, k, n) <= THIN:
            self._place_small_product(i, x, y)
        elif len(i.result.shape) == 2:
            group = self._new((m, n), product=(x, y, i.result))
            ref = group.add(Read(i.result, (0, 1), (), i.result.dtype), late=False)
            self._finish(i, group, ref, (0, 1))
        else:
            group = self._new(space(i.result.shape), product=(x, y, i.result), closed=True)
            group.instructions.append(i)
            self.row_major.add(i.result)
            self.home[i.result] = group.number

    def _place_small_product(self, i: Instruction, x: Value, y: Value) -> None:
        """A matrix product as a nest: multiply, and sum over the axis that the factors share."""
        shape = i.result.shape
        full = (*space(shape), *space((x.shape[-1],)))
        group = self._new(full)
        k = len(full) - 1 if x.shape[-1] != 1 else None
        group.reduced = frozenset() if k is None else frozenset({k})
        axes = own_axes(shape)
        rows = (*broadcast_axes(x.shape[:-1], shape[:-1], axes[:-1]), k)
        columns = (*broadcast_axes(y.shape[:-2], shape[:-2], axes[:-2]), k, axes[-1])
        dtype = i.result.dtype
        refs = []
        for value, along in ((x, rows), (y, columns)):
            ref = self._ref(group, value, along, late=False)
            refs.append(ref if value.dtype == dtype else group.add(Apply(None, (ref,), dtype), late=False))
        ref = group.add(Apply(Multiply(), tuple(refs), dtype), late=False)
        if k is not None:
            ref = group.add(Reduce("sum", ref, dtype), late=True)
        self._finish(i, group, ref, own_axes(shape, group.kept))

    def _place_gather(self, i: Instruction) -> bool:
        """``x[rows, labels]``: an elementwise read at computed places. False for what only NumPy can do."""
        if not isinstance(i.gate, GetItem):
            return False
        x, *indices = i.operands
        if not isinstance(x, Value) or x.dtype not in NATIVE:
            return False
        place = placement(i.gate.parts, x.shape, indices)
        if place is None:
            return False
        self._settle(x)
        base = Value(place.sliced_shape, x.dtype)
        self.aliases[base] = Alias(x, lambda v: v.sliced(place.slices), None)
        axes = own_axes(i.result.shape)
        within = tuple(i.result.shape[d] for d in place.array_axes), tuple(axes[d] for d in place.array_axes)
        needs = [(k, broadcast_axes(k.shape, *within)) for k in place.arrays.values()]
        group, late = self._group_for(i, space(i.result.shape), needs, [x])
        if late:
            group = self._new(space(i.result.shape))
        refs = [self._ref(group, k, along, late=False) for k, along in needs]
        along = tuple(None if d is None else axes[d] for d in place.axes)
        ref = group.add(Read(base, along, tuple(zip(place.arrays, refs, strict=True)), x.dtype), late=False)
        self._finish(i, group, ref, axes)
        return True

    def _place_pieces(self, i: Instruction) -> bool:
        pieces = pieces_of(i) if isinstance(i.gate, (ScatterAdd, SetItem, Concatenate, Pad)) else None
        if pieces is None or not in_native_dtypes(i):
            return False
        for x in i.reads():
            self._settle(x)
        group = self._new(space(i.result.shape), pieces=(i.result, pieces))
        group.instructions.append(i)
        self.row_major.add(i.result)
        self.home[i.result] = group.number
        return True

    def _place_copy(self, i: Instruction) -> None:
        """A reshape that no strides express: the elements are copied into order, and then seen in the new shape."""
        (x,) = i.operands
        assert isinstance(x, Value)  # noqa: S101
        copy = Value(x.shape, x.dtype, name=x.name)
        self._settle(x)
        group = self._new(space(x.shape))
        axes = own_axes(x.shape)
        ref = group.add(Apply(None, (self._ref(group, x, axes, late=False),), x.dtype), late=False)
        group.made[copy] = ref, axes
        group.refs[copy, axes] = ref
        group.instructions.append(i)
        self.home[copy] = group.number
        self.row_major.add(copy)
        shape = i.result.shape
        self.aliases[i.result] = Alias(copy, lambda v: v.reshaped(shape), None)

    def _place_library(self, i: Instruction) -> None:
        for x in i.reads():
            self._settle(x)
        group = self._new((), library=i)
        group.instructions.append(i)
        self.row_major.add(i.result)
        self.home[i.result] = group.number

    def _settle(self, value: Value) -> None:
        """Make sure that a value is computed by some group, and its elements will lie in memory."""
        root = self.root(value)
        if root in self.deferred:
            self.deferred.discard(root)
            self.in_memory.add(root)
            self._place_pointwise(self.maker[root])


def _transposed(base: Value, order: tuple[int, ...]) -> Alias:
    def axes(mine: Axes) -> Axes:
        place = {axis: k for k, axis in enumerate(order)}
        return tuple(mine[place[d]] for d in range(len(order)))

    return Alias(base, lambda v: v.transposed(order), axes)


def _unit_reshape(i: Instruction) -> bool:
    return isinstance(i.gate, Reshape) and all(space(x.shape) == space(i.result.shape) for x in i.reads())

"""The plan of a Program: its kernels in order, and where every value lies.

Groups are ordered so that States can be updated in place: what still reads the old value runs before. Values that only
live inside the step share one arena by their lifetimes; inputs, States and results lie in memory of their own.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np

from chainrule.graph.array import raw
from chainrule.native.arena import LINE, lay_out
from chainrule.native.axes import Axes, Shifted, broadcast_axes, own_axes, space
from chainrule.native.fusion import Fusion
from chainrule.native.group import Group, Read, Sought, Within
from chainrule.native.indexing import Piece
from chainrule.native.nest import (
    Access,
    Apply,
    Inside,
    Literal,
    Load,
    Nest,
    Search,
    Store,
    arranged,
    cost,
    packed,
    pruned,
)
from chainrule.native.products import better_transposed
from chainrule.native.repeat import repeat_of
from chainrule.native.views import Buffer, View, element_strides, row_major, stored
from chainrule.native.work import Kernel, Library, Output, Plan, Product, batch
from chainrule.program.loop import Scan
from chainrule.program.program import Operand, Program, Value

SHORT = 16
"""A last axis shorter than this would leave vectors half empty: a longer one is stored innermost instead."""
WORTH_TURNING = 0.95
"""So much of what they cost at most may kernels still cost for other values to be stored like that, too."""


def plan(program: Program) -> Plan:
    """Fuse, order, lay out."""
    return _Planner(program).plan()


class _Planner:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.fusion = Fusion(program)
        self.groups = list(self.fusion.groups)
        self.views: dict[Value, View] = {}
        self.capture_of = {id(source): value for value, source in program.captures}
        self.sources = {v: Buffer(int(np.prod(v.shape)), v.dtype, v) for v in program.inputs}
        for value, source in program.captures:
            held = np.asarray(raw(source))
            self.sources[value] = Buffer(held.size, held.dtype, value)
            self.views[value] = View(self.sources[value], 0, held.shape, element_strides(held))
        self.outputs = [Buffer(int(np.prod(v.shape)), v.dtype, Output(k)) for k, v in enumerate(program.outputs)]
        self.states: dict[Any, Buffer] = {}
        self.extra: dict[Group, list[tuple[Value, View]]] = {}
        """Stores to results and States, besides those to the arena."""
        self.turned: set[Value] = set()
        """Values that are stored with their longest axis innermost."""
        self.after: dict[Group, set[Group]] = {g: set() for g in self.groups}
        """For each group the groups that must run later."""

    def plan(self) -> Plan:
        self._find_readers()
        for group in self.groups:
            for value in group.reads():
                maker = self.maker(value)
                if maker is not None and maker is not group:
                    self.after[maker].add(group)
        for value, buffer in zip(self.program.outputs, self.outputs, strict=True):
            self._deliver(value, View(buffer, 0, value.shape, row_major(value.shape)))
        for state, value in self.program.stores:
            self._store_state(state, value)
        order = self._ordered()
        self._find_readers()
        self._choose_layouts()
        kernels = [kernel for group in order for kernel in self._kernels(group)]
        arena = lay_out(kernels)
        return Plan(kernels, arena, self.outputs, self.states)

    # ---- who reads and makes what

    def maker(self, value: Value) -> Group | None:
        """The group that computes a value (None for an input or a capture)."""
        number = self.fusion.home.get(self.fusion.root(value))
        return None if number is None else self.groups[number]

    def _find_readers(self) -> None:
        self.readers: dict[Value, set[Group]] = {}
        for group in self.groups:
            for value in group.reads():
                self.readers.setdefault(self.fusion.root(value), set()).add(group)

    def _computed_in(self, value: Value) -> Group | None:
        """The group that has a value in a register, so that it can store it anywhere."""
        group = self.maker(value)
        return group if group is not None and value in group.made else None

    # ---- results and States

    def _deliver(self, value: Value, target: View) -> None:
        group = self._computed_in(value)
        if value not in self.views and (group is not None or self._is_product(value)):
            self.views[value] = target  # it lies there, for all that read it
        elif group is None:
            self._copy(value, target)
        else:
            self.extra.setdefault(group, []).append((value, target))

    def _is_product(self, value: Value) -> bool:
        group = self.maker(value)
        return group is not None and group.product is not None and group.product[2] is value

    def _copy(self, value: Value, target: View) -> Group:
        """A group that copies a value from where it lies to a view."""
        group, copy = self._copied(value)
        self.extra[group] = [(copy, target)]
        return group

    def _copied(self, value: Value) -> tuple[Group, Value]:
        """A group that reads a value from where it lies, and what it is called there."""
        group = Group(space(value.shape), number=len(self.groups))
        axes = own_axes(value.shape)
        copy = Value(value.shape, value.dtype, name=value.name)
        group.made[copy] = group.add(Read(value, axes, (), value.dtype), late=False), axes
        self.groups.append(group)
        self.after[group] = set()
        maker = self.maker(value)
        if maker is not None:
            self.after[maker].add(group)
        self.readers.setdefault(self.fusion.root(value), set()).add(group)
        return group, copy

    def _store_state(self, state: Any, value: Value) -> None:
        old = self.capture_of.get(id(state))
        if old is None:
            old = Value(value.shape, state.dtype, name=value.name)
            self.sources[old] = Buffer(int(np.prod(old.shape)), old.dtype, old)
            self.views[old] = View(self.sources[old], 0, old.shape, element_strides(state._value))
            self.capture_of[id(state)] = old
        self.states[state] = self.sources[old]
        group = self._computed_in(value)
        if group is not None and value.shape == old.shape and self._can_overwrite(group, value, old):
            earlier = (self.readers.get(old, set()) | self._checked) - {group}
            if not any(self._reaches(group, g) for g in earlier):
                for g in earlier:
                    self.after[g].add(group)
                self.extra.setdefault(group, []).append((value, self.views[old]))
                return
        self._store_at_the_end(value, old)

    def _store_at_the_end(self, value: Value, old: Value) -> None:
        """Where the new value cannot be written at once it is kept, and copied when nothing needs the old one."""
        if self.fusion.root(value) in self.sources:  # another State's old value, say: keep it before it is overwritten
            value = self._kept(value)
        copy = self._copy(value, self.views[old])
        for g in (self.readers.get(old, set()) | self._checked) - {copy}:
            self.after[g].add(copy)

    def _kept(self, value: Value) -> Value:
        group, kept = self._copied(value)
        self.fusion.home[kept] = group.number
        for written in self.states.values():
            if written is self.sources.get(self.fusion.root(value)):
                for other, extra in self.extra.items():
                    if other is not group and any(view.buffer is written for _, view in extra):
                        self.after[group].add(other)
        return kept

    def _can_overwrite(self, group: Group, value: Value, old: Value) -> bool:
        """Whether the group reads the old value only where it writes the new one, or not at all."""
        if group.product is not None and any(self.fusion.root(v) is old for v in group.product[:2]):
            return False
        if any(isinstance(step, Sought) and self.fusion.root(step.value) is old for step in group.steps):
            return False
        _, axes = group.made[value]
        return all(
            step.value is old and step.axes == axes and not step.computed
            for step in group.steps
            if isinstance(step, Read) and self.fusion.root(step.value) is old
        )

    @cached_property
    def _checked(self) -> set[Group]:
        """Groups that can fail, by a bad index for example: they run before anything is overwritten."""
        return {g for g in self.groups if g.can_fail}

    def _reaches(self, start: Group, goal: Group) -> bool:
        seen, todo = {start}, [start]
        for group in todo:
            if group is goal:
                return True
            fresh = self.after[group] - seen
            seen |= fresh
            todo.extend(fresh)
        return False

    def _ordered(self) -> list[Group]:
        """Every group after all that must come before it, otherwise in the Program's order."""
        waiting = dict.fromkeys(self.groups, 0)
        for followers in self.after.values():
            for follower in followers:
                waiting[follower] += 1
        ready = [g.number for g in self.groups if not waiting[g]]
        heapify(ready)
        order = []
        while ready:
            group = self.groups[heappop(ready)]
            order.append(group)
            for follower in self.after[group]:
                waiting[follower] -= 1
                if not waiting[follower]:
                    heappush(ready, follower.number)
        if len(order) < len(self.groups):
            raise RuntimeError("internal error: groups wait for each other")
        return order

    # ---- where values lie

    def view(self, value: Value) -> View:
        root = self.fusion.root(value)
        return self.fusion.view(value, self._root_view(root))

    def _root_view(self, root: Value) -> View:
        made = self.views.get(root)
        if made is None:
            if root in self.sources:
                made = View(self.sources[root], 0, root.shape, row_major(root.shape))
            else:
                made = stored(root.shape, self._order(root), Buffer(int(np.prod(root.shape)), root.dtype))
            self.views[root] = made
        return made

    def _order(self, root: Value) -> tuple[int, ...]:
        """The order of a value's axes in memory, outermost first."""
        axes = tuple(range(len(root.shape)))
        if root in self.fusion.row_major or len(axes) < 2:
            return axes
        group = self.maker(root)
        if group is not None and group.product is not None and len(axes) == 2:
            m, k = group.product[0].shape
            n = group.product[1].shape[1]
            transposed = n < 2 * SHORT and not self.extra.get(group) and better_transposed(m, n, k, root.dtype)
            return (1, 0) if transposed else axes
        longest = max(axes, key=lambda a: root.shape[a])
        if (root in self.turned or root.shape[-1] < SHORT) and root.shape[longest] > root.shape[-1]:
            return (*(a for a in axes if a != longest), longest)
        return axes

    def _choose_layouts(self) -> None:
        """Turn values where the nests that touch them have less to do if their longest axis is innermost.

        What a nest touches together is turned together, or else it would walk across one of them.
        """
        touched = {g: set(g.made).union(map(self.fusion.root, g.reads())) for g in self.groups}
        free = {v for values in touched.values() for v in values if self._can_be_turned(v)}
        free -= {v for g, values in touched.items() if not g.is_nest for v in values}
        family = {v: {v} for v in free}
        groups: dict[Value, list[Group]] = {v: [] for v in free}
        for group, values in touched.items():
            together = set().union(*(family[v] for v in values & free))
            family.update(dict.fromkeys(together, together))
            for value in values & free:
                groups[value].append(group)
        for together in {id(values): values for values in family.values()}.values():
            nests = sorted({g for v in together for g in groups[v]}, key=lambda g: g.number)
            usual = self._cost(nests)
            self._turn(together, self.turned | together)
            if self._cost(nests) > WORTH_TURNING * usual:
                self._turn(together, self.turned - together)

    def _can_be_turned(self, root: Value) -> bool:
        return (
            len(root.shape) > 1
            and SHORT <= root.shape[-1] < max(root.shape)
            and root in self.fusion.home
            and root not in self.views
            and root not in self.fusion.row_major
        )

    def _turn(self, values: set[Value], turned: set[Value]) -> None:
        self.turned = turned
        for value in values:
            self.views.pop(value, None)

    def _cost(self, groups: list[Group]) -> float:
        return sum(cost(self._nest(g), LINE // 4) for g in groups)

    # ---- kernels

    def _kernels(self, group: Group) -> list[Kernel]:
        if group.library is not None:
            i = group.library
            operands = tuple(self.view(x) if isinstance(x, Value) else x for x in i.operands)
            if isinstance(i.gate, Scan):
                native = repeat_of(i, operands, self.view(i.result), plan)
                if native is not None:
                    before, loop = native
                    checked = any(kernel.checked for kernel in loop.plan.every())
                    return [Kernel(nest, group, checked=False) for nest in before] + [Kernel(loop, group, checked)]
            return [Kernel(Library(i, operands, self.view(i.result)), group, checked=True)]
        if group.pieces is not None:
            whole, pieces = group.pieces
            return [Kernel(self._piece(whole, piece), group, checked=piece.place is not None) for piece in pieces]
        if group.product is not None:
            if group.closed:
                return [Kernel(work, group, checked=False) for work in batch(*map(self.view, group.product))]
            return [Kernel(self._product(group), group, checked=False)]
        nest = self._nest(group)
        checked = any(access.computed for access in nest.accesses())
        copies, nest = packed(arranged(nest, LINE // 4))
        return [Kernel(copy, group, checked=False) for copy in copies] + [Kernel(nest, group, checked)]

    def _stores(self, group: Group) -> list[tuple[Value, View]]:
        """What a group writes: values that others read, results, States."""
        stores = []
        for value in group.made:
            others = self.readers.get(self.fusion.root(value), set()) - {group}
            given = value in self.views and isinstance(self.views[value].buffer.source, Output)
            if others or given or (group.product is not None and value is group.product[2]):
                stores.append((value, self.view(value)))
        return stores + self.extra.get(group, [])

    def _nest(self, group: Group) -> Nest:
        order = (*group.kept, *sorted(group.reduced))
        steps = tuple(self._step(step, order) for step in group.steps)
        stores = tuple(
            Store(self._access(view, group.made[value][1], (), order), group.made[value][0])
            for value, view in self._stores(group)
        )
        kept = tuple(group.full[a] for a in group.kept)
        return pruned(Nest(kept, tuple(group.full[a] for a in sorted(group.reduced)), steps, stores))

    def _step(self, step: Any, order: tuple[int, ...]) -> Any:
        if isinstance(step, Within):
            return Inside(tuple(step.bounds.get(axis) for axis in order))
        if isinstance(step, Sought):
            view = self.view(step.value)
            place = Access(
                view.buffer, view.offset, (0,) * len(order), ((step.number, view.strides[0], view.shape[0]),)
            )
            return Search(place, step.side)
        if not isinstance(step, Read):
            return step
        return Load(self._access(self.view(step.value), step.axes, step.computed, order), step.dtype)

    def _access(self, view: View, axes: Axes, computed: tuple[tuple[int, int], ...], order: tuple[int, ...]) -> Access:
        strides, offset = dict.fromkeys(order, 0), view.offset
        bounds: dict[int, tuple[int, int]] = {}
        for d, along in enumerate(axes):
            axis, by = (along.axis, along.by) if isinstance(along, Shifted) else (along, 0)
            offset -= by * view.strides[d]
            if axis is None:
                continue
            strides[axis] += view.strides[d]
            if isinstance(along, Shifted) and not (by <= 0 and along.extent <= by + view.shape[d]):
                low, high = bounds.get(axis, (by, by + view.shape[d]))
                bounds[axis] = max(low, by), min(high, by + view.shape[d])
        places = tuple((ref, view.strides[d], view.shape[d]) for d, ref in computed)
        within = tuple(bounds.get(a) if strides[a] else None for a in order)
        within = within if any(within) else ()
        return Access(view.buffer, offset, tuple(strides[a] for a in order), places, within)

    def _product(self, group: Group) -> Product:
        assert group.product is not None  # noqa: S101
        a, b, c = (self.view(v) for v in group.product)
        nest = self._nest(group)
        own = next(s for s in nest.stores if s.access.buffer is c.buffer)
        nest = replace(nest, stores=tuple(s for s in nest.stores if s is not own), fixed=True)
        if c.strides[1] != 1 and c.shape[1] != 1:  # stored by columns: the transposed product
            a, b, c = b.transposed((1, 0)), a.transposed((1, 0)), c.transposed((1, 0))
            nest = nest.remade(lambda strides: (strides[1], strides[0]), nest.kept[::-1], ())
        return Product(a, b, c, pruned(nest) if nest.stores else None)

    def _piece(self, whole: Value, piece: Piece) -> Nest:
        target = piece.view(self.view(whole))
        shape = target.shape if piece.place is None else piece.place.shape
        axes = tuple(range(len(shape)))
        steps: list[Any] = [self._source(piece.source, whole.dtype, shape), Apply(None, (0,), whole.dtype)]
        if piece.place is None:
            store = Store(self._access(target, axes, (), axes), 1, piece.adding)
            return arranged(Nest(shape, (), tuple(steps), (store,)), LINE // 4)
        computed = []
        for dim, array in piece.place.arrays.items():
            along = broadcast_axes(array.shape, tuple(shape[d] for d in piece.place.array_axes), piece.place.array_axes)
            steps.append(Load(self._access(self.view(array), along, (), axes), array.dtype))
            computed.append((dim, len(steps) - 1))
        store = Store(self._access(target, piece.place.axes, tuple(computed), axes), 1, piece.adding)
        return Nest(shape, (), tuple(steps), (store,), serial=True)  # in order: places may meet

    def _source(self, source: Operand, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
        """What is written to a piece of this shape: a number, or a value that NumPy would broadcast to it."""
        if not isinstance(source, Value):
            return Literal(source, dtype)
        view = self.view(source)
        extra = max(len(view.shape) - len(shape), 0)  # leading axes of length 1, which assignments drop
        view = view.sliced((0,) * extra).broadcast(shape)
        axes = tuple(range(len(shape)))
        return Load(self._access(view, axes, (), axes), view.buffer.dtype)

"""What the text of a loop nest depends on, and what it reads at run time: nests of equal structure share a kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

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
    reads,
)
from chainrule.native.views import Buffer

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


@dataclass(frozen=True)
class Pointer:
    """An argument of a kernel: the address of an element, known once the buffer has memory."""

    buffer: Buffer
    offset: int


def structure(nest: Nest, vector_bytes: int) -> Any:
    """What the text of the nest depends on: nests of equal structure share a kernel."""

    def pattern(access: Access) -> Any:
        classes = tuple(stride_class(nest, axis, s) for axis, s in enumerate(access.strides))
        return access.dtype.str, classes, tuple(ref for ref, _, _ in access.computed), bounded(access.bounds)

    steps = tuple(
        ("load", pattern(s.access), s.dtype.str)
        if isinstance(s, Load)
        else ("literal", repr(s.number), s.dtype.str)
        if isinstance(s, Literal)
        else ("apply", _gate_key(s.gate), s.refs, s.dtype.str)
        if isinstance(s, Apply)
        else ("inside", bounded(s.bounds))
        if isinstance(s, Inside)
        else ("search", pattern(s.access), s.side)
        if isinstance(s, Search)
        else (type(s).__name__, s.kind, s.ref, s.dtype.str)
        for s in nest.steps
    )
    stores = tuple((pattern(s.access), s.ref, s.adding) for s in nest.stores)
    lanes = lanes_of(nest, vector_bytes)
    sizes = len(nest.kept), len(nest.reduced), lanes, tile(nest, vector_bytes)
    return sizes, nest.across, nest.serial, steps, stores, interval(nest, vector_bytes)


def tile(nest: Nest, vector_bytes: int) -> tuple[int, int]:
    """How many rows, and how many vectors of each, the nest takes at a time."""
    if not nest.reduced:
        return 1, 1
    if math.prod(nest.extents) < WORTH_A_TILE or any(nest.bounds()):
        return 1, VECTORS_AT_ONCE // 2
    axis, inner = row_axis(nest), _reduced_steps(nest)
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


def interval(nest: Nest, vector_bytes: int) -> tuple[int, int] | None:
    """Where a loop around the vectors is too long for its sums to be added up in a row: which axis it runs along, and
    after how many iterations, a power of two, sums are put aside.
    """
    if not any(isinstance(step, Reduce) and is_rounded(step) for step in nest.steps):
        return None
    vectors = nest.extents[-1] // (tile(nest, vector_bytes)[1] * 16) if nest.across else 0
    inner = max(vectors, 1)
    for axis in reversed(range(len(nest.kept), len(nest.extents) - nest.across)):
        if inner * nest.extents[axis] > MOST_IN_A_ROW:
            return axis, 1 << max(MOST_IN_A_ROW // inner, 1).bit_length() - 1
        inner *= max(nest.extents[axis], 1)
    return None


def bounded(bounds: Bounds) -> tuple[int, ...]:
    """The axes that have bounds."""
    return tuple(axis for axis, b in enumerate(bounds) if b)


def _gate_key(gate: Any) -> Any:
    if gate is None:
        return None
    fields = tuple((name, repr(value)) for name, value in sorted(vars(gate).items()))
    return type(gate).__qualname__, fields


def stride_class(nest: Nest, axis: int, stride: int) -> str:
    if stride == 0:
        return "0"
    return "1" if stride == 1 and axis == vector_axis(nest) else "s"


def vector_axis(nest: Nest) -> int | None:
    if nest.serial or not nest.extents:
        return None
    if nest.across:
        return len(nest.extents) - 1
    last = len(nest.kept) - 1
    if nest.running and any(access.strides[last] not in (0, 1) for access in nest.accesses()):
        return None  # rows at once would compete for the same places in the cache
    return last if nest.kept else None


def row_axis(nest: Nest) -> int | None:
    """The kept axis next to the vectors, of which several indices are taken at a time."""
    axis = len(nest.kept) - (1 if nest.across else 2)
    return axis if axis >= 0 and vector_axis(nest) is not None else None


def lanes_of(nest: Nest, vector_bytes: int) -> int:
    """How many elements a vector has: as many of the narrowest floats as a register holds."""
    if vector_axis(nest) is None:
        return 1
    sizes = [s.dtype.itemsize for s in nest.steps if s.dtype.kind == "f"] or [8]
    return vector_bytes // max(min(sizes), 4)


def arguments(nest: Nest) -> list[int | Pointer]:
    """What the kernel reads: the extents, then for each access its pointer and the strides that are not 0 or 1."""
    made: list[int | Pointer] = list(nest.extents)
    for access in nest.accesses():
        made.append(Pointer(access.buffer, access.offset))
        made.extend(s for axis, s in enumerate(access.strides) if stride_class(nest, axis, s) == "s")
        for _, stride, extent in access.computed:
            made.extend((stride, extent))
    for bounds in nest.bounds():
        made.extend(end for b in bounds if b for end in b)
    return made


def is_rounded(step: Reduce | Running) -> bool:
    return step.kind == "sum" and step.dtype.kind == "f"

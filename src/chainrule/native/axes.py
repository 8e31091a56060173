"""Where the elements of a value lie along the axes of a group: along some of them, shifted, or within zeros.

Axes of length 1 do not count: a group runs over the other axes of a shape, its *space*. Slices and paddings are no
work: an index is shifted, and read within bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chainrule.gates.indexing import GetItem, ScatterAdd
from chainrule.gates.shape import Pad
from chainrule.native.indexing import spelled_out
from chainrule.native.lowered import NATIVE
from chainrule.program.program import Instruction, Value


@dataclass(frozen=True)
class Shifted:
    """A value's axis that begins later along an axis of the group: its index is that of the group, less ``by``.

    Without an axis it is the one index ``-by``. ``extent`` is the length of the group's axis.
    """

    axis: int | None
    by: int
    extent: int


Axes = tuple[int | Shifted | None, ...]
"""For each axis of a value the axis of the group along which it lies, None where it is repeated or has length 1."""


def space(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes that count."""
    return tuple(n for n in shape if n != 1)


def own_axes(shape: tuple[int, ...], among: Sequence[int | Shifted | None] | None = None) -> Axes:
    """The axes of a value over its own space (or over those axes of a larger one)."""
    numbers = iter(among if among is not None else range(len(shape)))
    return tuple(None if n == 1 else next(numbers) for n in shape)


def broadcast_axes(shape: tuple[int, ...], result: tuple[int, ...], axes: Axes) -> Axes:
    """The axes of an operand of ``shape`` whose result of shape ``result`` has ``axes``."""
    missing = len(result) - len(shape)
    return tuple(None if n == 1 else axes[missing + d] for d, n in enumerate(shape))


def moved(axes: Axes, among: tuple[int, ...]) -> Axes:
    """Axes of a result's own space as axes of the group it joins."""

    def one(along: int | Shifted | None) -> int | Shifted | None:
        if isinstance(along, Shifted):
            return along if along.axis is None else replace(along, axis=among[along.axis])
        return None if along is None else among[along]

    return tuple(map(one, axes))


def shifted(along: int | Shifted | None, by: int, extent: int) -> int | Shifted | None:
    """An axis of a value that begins ``by`` later."""
    if isinstance(along, Shifted):
        return replace(along, by=along.by + by)
    return along if by == 0 else Shifted(along, by, extent)


def sliced_axes(shape: tuple[int, ...], parts: tuple[Any, ...], result: tuple[int, ...]) -> Any:
    """The axes of what a basic index slices, from those of the slice; None unless it goes by steps of one."""
    if not by_ones(parts):
        return None

    def axes(mine: Axes) -> Axes:
        along, lengths, made = iter(mine), iter(result), []
        dims = iter(shape)
        for part in parts:
            if part is None:
                next(along), next(lengths)
                continue
            n = next(dims)
            if isinstance(part, slice):
                start = part.indices(n)[0]
                made.append(shifted(next(along), -start, next(lengths)))
            else:
                made.append(shifted(None, -(int(part) % n), 1))
        return tuple(made)

    return axes


def by_ones(parts: tuple[Any, ...]) -> bool:
    """Whether every slice of an index goes by steps of one."""
    return all(p.step in (None, 1) for p in parts if isinstance(p, slice))


def slices_by_ones(i: Instruction) -> bool:
    """Whether a gate is a basic index whose slices go by steps of one."""
    return isinstance(i.gate, GetItem) and i.gate.basic and by_ones(i.gate.parts)


@dataclass(frozen=True)
class Padding:
    """A source within zeros: for each axis of the result, the source's axis (None: a single index) and its begin."""

    source: Value
    shape: tuple[int, ...]
    dims: tuple[int | None, ...]
    lows: tuple[int, ...]

    def axes(self, axes: Axes) -> Axes:
        """The axes of the source from those of the result."""
        made: list[int | Shifted | None] = [None] * len(self.source.shape)
        for along, dim, low, n in zip(axes, self.dims, self.lows, self.shape, strict=True):
            if dim is not None and self.source.shape[dim] != 1:
                partly = isinstance(along, int) and self.source.shape[dim] != n
                made[dim] = Shifted(along, low, n) if partly else shifted(along, low, n)  # type: ignore[arg-type]
        return tuple(made)

    def bounds(self, axes: Axes) -> dict[int, tuple[int, int]]:
        """Where the source lies, by axis of the group."""
        made: dict[int, tuple[int, int]] = {}
        for axis, by, low, length, n in self._places(axes):
            if axis is not None and (low, length) != (0, n):
                made[axis] = by + low, by + low + length
        return made

    def misses(self, axes: Axes) -> bool:
        """Whether a single index is read along some axis, and it lies beside the source."""
        return any(axis is None and not low <= -by < low + length for axis, by, low, length, _ in self._places(axes))

    def _places(self, axes: Axes) -> Iterator[tuple[int | None, int, int, int, int]]:
        """For each axis: that of the group, its shift, where the source begins, its length and that of the result."""
        for along, dim, low, n in zip(axes, self.dims, self.lows, self.shape, strict=True):
            axis, by = (along.axis, along.by) if isinstance(along, Shifted) else (along, 0)
            yield axis, by, low, 1 if dim is None else self.source.shape[dim], n


def padding(i: Instruction) -> Padding | None:
    """What a gate that writes its operand into zeros, by steps of one, comes to; None for any other gate."""
    gate = i.gate
    if not isinstance(gate, (Pad, ScatterAdd)) or not isinstance(i.operands[0], Value):
        return None
    source, shape = i.operands[0], i.result.shape
    if 0 in source.shape or source.dtype not in NATIVE or i.result.dtype not in NATIVE:
        return None
    if isinstance(gate, Pad):
        return Padding(source, shape, tuple(range(len(shape))), tuple(low for low, _ in gate.widths))
    if not gate.basic:
        return None
    parts = spelled_out(gate.parts, len(shape))
    if None in parts or not by_ones(parts):
        return None
    numbers = iter(range(len(source.shape)))
    dims = tuple(next(numbers) if isinstance(p, slice) else None for p in parts)
    lows = tuple(p.indices(n)[0] if isinstance(p, slice) else int(p) % n for p, n in zip(parts, shape, strict=True))
    return Padding(source, shape, dims, lows)

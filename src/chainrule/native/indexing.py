"""Indexing in native code: which elements an index means, and what values are put together of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.gates.indexing import ScatterAdd
from chainrule.gates.shape import Concatenate, Pad
from chainrule.native.views import Buffer, View, row_major
from chainrule.program.program import Instruction, Operand, Value


@dataclass(frozen=True)
class Placement:
    """An index with arrays: a basic index is taken first, then the arrays pick along some of the axes left.

    ``axes`` has for each axis left the axis of the result along which it lies, None where an array or a number picks;
    ``arrays`` the arrays by the axes where they pick; ``array_axes`` the axes of the result along which the (broadcast)
    arrays lie. An axis where a number picks is sliced to its one index.
    """

    slices: tuple[Any, ...]
    sliced_shape: tuple[int, ...]
    axes: tuple[int | None, ...]
    arrays: dict[int, Value]
    array_axes: tuple[int, ...]
    shape: tuple[int, ...]
    """The shape of what is read or written."""


@dataclass(frozen=True)
class Piece:
    """Part of a value that is put together: a source (or a number) written to some of its elements."""

    source: Operand
    view: Callable[[View], View]
    place: Placement | None = None
    adding: bool = False

    def reads(self) -> list[Value]:
        """The values that are read."""
        arrays = list(self.place.arrays.values()) if self.place else []
        return [x for x in (self.source, *arrays) if isinstance(x, Value)]


def spelled_out(parts: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    """An index with one part for each axis: the ellipsis, or the axes left out, as full slices."""
    used = sum(1 for p in parts if p is not None and p is not Ellipsis)
    rest = (slice(None),) * (ndim - used)
    for at, part in enumerate(parts):
        if part is Ellipsis:
            return (*parts[:at], *rest, *parts[at + 1 :])
    return (*parts, *rest)


def placement(parts: tuple[Any, ...], shape: tuple[int, ...], indices: Sequence[Operand]) -> Placement | None:
    """What an index with arrays of integers means for an array of ``shape``; None for what only NumPy reads."""
    arrays = [k for k in indices if isinstance(k, Value) and k.dtype.kind in "iu"]
    parts = spelled_out(parts, len(shape))
    if len(arrays) < len(indices) or any(isinstance(p, bool) for p in parts):
        return None
    at = [k for k, p in enumerate(parts) if p is np.ndarray]
    picking = [k for k, p in enumerate(parts) if p is np.ndarray or isinstance(p, int)]  # a number counts as an array
    slices = _as_slices(parts, shape)
    sliced_shape = View(Buffer(0, np.dtype(np.int8)), 0, shape, row_major(shape)).sliced(slices).shape
    together = np.broadcast_shapes(*(k.shape for k in arrays))
    neighbours = picking == list(range(picking[0], picking[-1] + 1))
    first = picking[0] if neighbours else 0  # arrays apart from each other: their axes come first
    array_axes = tuple(range(first, first + len(together)))
    others = [n for k, n in enumerate(sliced_shape) if k not in picking]
    result = (*others[:first], *together, *others[first:])
    rest = iter(d for d in range(len(result)) if d not in array_axes)
    axes = tuple(None if k in picking else next(rest) for k in range(len(parts)))
    return Placement(slices, sliced_shape, axes, dict(zip(at, arrays, strict=True)), array_axes, result)


def _as_slices(parts: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """An index that keeps every axis: whole where an array picks, of length 1 where a number does."""
    lengths = iter(shape)
    made: list[Any] = []
    for part in parts:
        n = None if part is None else next(lengths)
        if part is np.ndarray:
            part = slice(None)
        elif isinstance(part, int) and n is not None:
            part = slice(part % n, part % n + 1)
        made.append(part)
    return tuple(made)


def pieces_of(i: Instruction) -> tuple[Piece, ...] | None:
    """What a value is put together of, in order; None for what only NumPy can do."""
    gate, operands = i.gate, i.operands

    def same(v: View) -> View:
        return v

    if isinstance(gate, Concatenate):
        return _concatenated(i)
    if isinstance(gate, Pad):
        (x,) = i.reads()
        inner = tuple(slice(a, a + n) for (a, _), n in zip(gate.widths, x.shape, strict=True))
        return Piece(0, same), Piece(x, lambda v: v.sliced(inner))
    adding = isinstance(gate, ScatterAdd)
    before, source, indices = (0, operands[0], operands[1:]) if adding else (operands[0], operands[1], operands[2:])
    if gate.basic:
        parts = spelled_out(gate.parts, len(i.result.shape))
        return Piece(before, same), Piece(source, lambda v: v.sliced(parts))
    place = placement(gate.parts, i.result.shape, indices)
    if place is None:
        return None
    return Piece(before, same), Piece(source, lambda v: v.sliced(place.slices), place, adding)


def _concatenated(i: Instruction) -> tuple[Piece, ...]:
    axis = i.gate.axis % len(i.result.shape)
    pieces, start = [], 0
    for x in i.reads():
        part = (slice(None),) * axis + (slice(start, start + x.shape[axis]),)
        pieces.append(Piece(x, lambda v, part=part: v.sliced(part)))  # type: ignore[misc]
        start += x.shape[axis]
    return tuple(pieces)

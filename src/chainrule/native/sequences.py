"""Running sums and products, convolutions and binary searches: how fusion places them, as loop nests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from chainrule.gates.arithmetic import Multiply
from chainrule.gates.constant import PiecewiseConstant
from chainrule.gates.selection import Where
from chainrule.native.axes import own_axes, slices_by_ones, space
from chainrule.native.group import Alias, Read, Sought
from chainrule.native.indexing import Piece
from chainrule.native.lowered import NATIVE
from chainrule.native.nest import Apply, Literal, Reduce, Running
from chainrule.native.views import View
from chainrule.program.program import Instruction, Operand, Value

if TYPE_CHECKING:
    from chainrule.native.fusion import Fusion


def place_running(fusion: Fusion, i: Instruction) -> None:
    """A running sum or product: a nest of its own, since what goes from index to index holds up everything else."""
    (x,) = i.operands
    assert isinstance(x, Value)  # noqa: S101
    axes = own_axes(x.shape)
    group = fusion._new(space(x.shape), closed=True)
    ref = fusion._ref(group, x, axes, late=False)
    along = axes[i.gate.axis]
    if isinstance(along, int):
        group.reduced = frozenset({along})
        ref = group.add(Running(type(i.gate).__name__.lower()[3:], ref, i.result.dtype), late=False)
    else:
        ref = group.add(Apply(None, (ref,), i.result.dtype), late=False)
    fusion._finish(i, group, ref, axes)


def place_convolution(fusion: Fusion, i: Instruction) -> None:
    """z[k] = the sum of y[j] x[k - j], where y is the shorter sequence: a nest that reads x through windows."""
    x, y = sorted(i.reads(), key=lambda v: -v.shape[0])
    n, m = x.shape[0], y.shape[0]
    fusion._settle(x)
    fusion._settle(y)
    first, last = _part_read(fusion, i.result)
    beyond = first < m - 1 or last > n  # windows that reach over the ends of x: there is nothing, not even 0 * inf
    padded = _within_zeros(fusion, x, x, m - 1) if beyond else x
    start, shape = first + (m - 1 if beyond else 0), (last - first, m)
    _new_windows(fusion, padded, windows := Value(shape, x.dtype), start)
    group = fusion._new(space(shape), closed=True)
    axes = own_axes(shape)
    operands = [(windows, axes), (y, (axes[1],))]
    refs = [group.add(Read(v, along, (), v.dtype), late=False) for v, along in operands]
    refs = [group.add(Apply(None, (ref,), i.result.dtype), late=False) for ref in refs]
    ref = group.add(Apply(Multiply(), tuple(refs), i.result.dtype), late=False)
    if beyond:
        there = _within_zeros(fusion, True, x, m - 1)
        _new_windows(fusion, there, inside := Value(shape, there.dtype), start)
        zero = group.add(Literal(0, i.result.dtype), late=False)
        where = group.add(Read(inside, axes, (), there.dtype), late=False)
        ref = group.add(Apply(Where(), (where, ref, zero), i.result.dtype), late=False)
    if isinstance(axes[1], int):
        group.reduced = frozenset({axes[1]})
        ref = group.add(Reduce("sum", ref, i.result.dtype), late=True)
    part = Value((last - first,), i.result.dtype, name=i.result.name)
    fusion._finish(replace(i, result=part), group, ref, own_axes(part.shape, group.kept))
    length = i.result.shape
    fusion.aliases[i.result] = Alias(
        part, lambda v: View(v.buffer, v.offset - first * v.strides[0], length, v.strides), None
    )


def _part_read(fusion: Fusion, value: Value) -> tuple[int, int]:
    """The part of a sequence that anything reads."""
    readers = [i for i in fusion.program.instructions if value in i.reads()]
    sliced = all(slices_by_ones(i) and isinstance(i.gate.parts[0], slice) for i in readers)
    if value in fusion.program.results() or not sliced:
        return 0, value.shape[0]
    bounds = [i.gate.parts[0].indices(value.shape[0])[:2] for i in readers]
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def _within_zeros(fusion: Fusion, source: Operand, like: Value, margin: int) -> Value:
    """``source`` where a sequence is, and zeros around it."""
    n = like.shape[0]
    whole = Value((n + 2 * margin,), like.dtype if isinstance(source, Value) else np.dtype(np.bool_))
    pieces = Piece(0, lambda v: v), Piece(source, lambda v: v.sliced((slice(margin, margin + n),)))
    group = fusion._new(space(whole.shape), pieces=(whole, pieces))
    fusion.home[whole] = group.number
    fusion.row_major.add(whole)
    return whole


def _new_windows(fusion: Fusion, sequence: Value, windows: Value, start: int) -> None:
    """Row k of ``windows`` is the sequence from ``start + k`` on, backwards."""

    def view(v: View) -> View:
        (step,) = v.strides
        return View(v.buffer, v.offset + start * step, windows.shape, (step, -step))

    fusion.aliases[windows] = Alias(sequence, view, None)


def place_search(fusion: Fusion, i: Instruction) -> bool:
    """``np.searchsorted(a, v)``: an elementwise gate of v. False for what only NumPy can do."""
    gate = i.gate
    if not (isinstance(gate, PiecewiseConstant) and gate.function is np.searchsorted and gate.args is None):
        return False
    options = dict(gate.kwargs)
    a, number = (*i.operands, options.pop("v", None))[:2]
    side = options.pop("side", "left")
    if options.pop("sorter", None) is not None or options or not isinstance(a, Value) or side not in ("left", "right"):
        return False
    told = number.dtype if isinstance(number, Value) else np.asarray(number).dtype
    dtype = np.result_type(a.dtype, told)
    if not NATIVE.issuperset((a.dtype, told, dtype)):
        return False
    fusion._settle(a)
    axes = own_axes(i.result.shape)
    needs = [(number, axes)] if isinstance(number, Value) else []
    group, late = fusion._group_for(i, space(i.result.shape), needs, [a])
    if late:
        group = fusion._new(space(i.result.shape))
    if isinstance(number, Value):
        ref = group.add(Apply(None, (fusion._ref(group, number, axes, late=False),), dtype), late=False)
    else:
        ref = group.add(Literal(number, dtype), late=False)
    fusion._finish(i, group, group.add(Sought(a, ref, side), late=False), axes)
    return True

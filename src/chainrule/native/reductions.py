"""The reductions of a loop nest as LLVM IR: accumulators, their partial sums, and how these are combined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import llvmlite.ir as ir
import numpy as np

from chainrule.native.accesses import I32, I64, Accesses, Place
from chainrule.native.lanes import Lane
from chainrule.native.nest import Apply, Reduce, Ref, Running, reads
from chainrule.native.structure import is_rounded

Sums = dict[Ref, Any]
"""Reductions so far: the variable of each."""


class Reductions(Accesses):
    """A nest with accumulators: variables that LLVM keeps in registers."""

    aside: list[Sums]
    """For each place the sums that were put aside; empty where none are."""

    def _sum_width(self, ref: Ref) -> int:
        """How many partial results a reduction has: one for each lane if vectors lie along a reduced axis."""
        return self.lanes if self.nest.across else self._width(ref)

    def _accumulators(self, reductions: Mapping[Ref, Reduce | Running]) -> Sums:
        """Variables that hold reductions so far; LLVM keeps them in registers."""
        made = {}
        for ref, step in reductions.items():
            first = -0.0 if isinstance(step, Running) and is_rounded(step) else _IDENTITY[step.kind](step.dtype)
            start = self._lanes(self._sum_width(ref)).constant(first, step.dtype)  # 0.0 + -0.0 would be 0.0
            with self.b.goto_entry_block():
                made[ref] = self.b.alloca(start.value.type)
            self.b.store(start.value, made[ref])
        return made

    def _loaded(self, variable: Any, dtype: np.dtype[Any]) -> Lane:
        return Lane(self.b.load(variable, typ=variable.allocated_type), dtype)

    def _accumulate(self, place: Place, ref: Ref, variable: Any) -> None:
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

    def _now_and_then_put_aside(self, index: Any, step: int, iterations: int, sums: list[list[Sums]]) -> None:
        """Put sums aside after so many iterations, a power of two, of a loop by ``step`` that has come to ``index``."""
        if not any(self.aside):
            return
        end = self.b.and_(self.b.add(index, I64(step)), I64(step * iterations - 1))
        with self.b.if_then(self.b.icmp_signed("==", end, I64(0)), likely=False):
            self._put_aside(sums)

    def _put_aside(self, sums: list[list[Sums]]) -> None:
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

    def _combined(self, parts: list[Sums], aside: Sums) -> dict[Ref, Lane]:
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

    def _added_up(self, ref: Ref, sums: list[Sums]) -> Lane:
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

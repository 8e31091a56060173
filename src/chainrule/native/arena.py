"""The arena: memory for the values that live only inside a step, shared by their lifetimes."""

from __future__ import annotations

from chainrule.native.views import Buffer
from chainrule.native.work import Kernel, buffers_of

LINE = 64
"""Buffers begin at multiples of this many bytes: of a vector, and of a cache line."""


def lay_out(kernels: list[Kernel]) -> int:
    """Give each buffer of the arena an offset. Those that are never needed at the same time may share bytes.

    Returns the bytes of all.
    """
    first: dict[Buffer, int] = {}
    last: dict[Buffer, int] = {}
    for position, kernel in enumerate(kernels):
        for buffer in buffers_of(kernel.work):
            if buffer.source is None:
                first.setdefault(buffer, position)
                last[buffer] = position
    placed: list[Buffer] = []
    size = 0
    for buffer in sorted(first, key=lambda b: (-b.nbytes, first[b])):
        rivals = sorted(
            (p for p in placed if first[p] <= last[buffer] and first[buffer] <= last[p]), key=lambda p: p.offset
        )
        offset = 0
        for rival in rivals:
            if offset + buffer.nbytes <= rival.offset:
                break
            offset = max(offset, -(-(rival.offset + rival.nbytes) // LINE) * LINE)
        buffer.offset = offset
        placed.append(buffer)
        size = max(size, offset + buffer.nbytes)
    return size

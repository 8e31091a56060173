"""What every generator of native code here writes its LLVM IR with: integers, loops and branches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

INT = ir.IntType(64)
BIT = ir.IntType(1)
POINTER = ir.PointerType()
KERNEL = ir.FunctionType(ir.VoidType(), [POINTER, INT, INT, INT, INT, POINTER])
"""``kernel(args, i0, i1, j0, j1, context)``: what every kernel looks like, loop nest or product."""

Value = Any
"""A value of the IR. (llvmlite has no type hints.)"""


def integer(n: int) -> Value:
    return ir.Constant(INT, n)


def element(b: Any, pointer: Value, index: Value, kind: Any) -> Value:
    """The address of ``pointer[index]``, whose elements are of type ``kind``."""
    return b.gep(pointer, [index], source_etype=kind)


def smaller(b: Any, x: Value, y: Value) -> Value:
    return b.select(b.icmp_signed("<", x, y), x, y)


def larger(b: Any, x: Value, y: Value) -> Value:
    return b.select(b.icmp_signed(">", x, y), x, y)


def ceil_div(b: Any, x: Value, y: Value) -> Value:
    """x / y rounded up, of positive integers."""
    return b.udiv(b.add(x, b.sub(y, integer(1))), y)


def repeat(
    b: Any,
    carried: Sequence[Value],
    condition: Callable[..., Value],
    body: Callable[..., Sequence[Value]],
) -> list[Value]:
    """``while condition(*carried): carried = body(*carried)``; the last ``carried``."""
    before, head = b.block, b.append_basic_block("head")
    inside, after = b.append_basic_block("body"), b.append_basic_block("after")
    b.branch(head)
    b.position_at_end(head)
    phis = [b.phi(x.type) for x in carried]
    for phi, x in zip(phis, carried, strict=True):
        phi.add_incoming(x, before)
    b.cbranch(condition(*phis), inside, after)
    b.position_at_end(inside)
    for phi, x in zip(phis, body(*phis), strict=True):
        phi.add_incoming(x, b.block)
    b.branch(head)
    b.position_at_end(after)
    return phis


def loop(
    b: Any,
    start: Value,
    stop: Value,
    step: Value,
    body: Callable[..., Sequence[Value] | None],
    carried: Sequence[Value] = (),
) -> list[Value]:
    """``for i in range(start, stop, step): carried = body(i, *carried)``; the next index and the last ``carried``.

    ``step`` is positive; the next index is the first one that is not below ``stop``.
    """

    def once(i: Value, *carried: Value) -> list[Value]:
        new = body(i, *carried) or ()
        return [b.add(i, step, flags=("nsw",)), *new]

    return repeat(b, [start, *carried], lambda i, *_: b.icmp_signed("<", i, stop), once)


def choose(
    b: Any, condition: Value, then: Callable[[], Sequence[Value]], other: Callable[[], Sequence[Value]]
) -> list[Value]:
    """``then() if condition else other()``, of which only one is run."""
    blocks = b.append_basic_block("then"), b.append_basic_block("else")
    after = b.append_basic_block("after")
    b.cbranch(condition, *blocks)
    ends = []
    for block, branch in zip(blocks, (then, other), strict=True):
        b.position_at_end(block)
        ends.append((branch(), b.block))
        b.branch(after)
    b.position_at_end(after)
    phis = []
    for x, y in zip(ends[0][0], ends[1][0], strict=True):
        phi = b.phi(x.type)
        phi.add_incoming(x, ends[0][1])
        phi.add_incoming(y, ends[1][1])
        phis.append(phi)
    return phis

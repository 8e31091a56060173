"""Copies of parts of A and B in the order in which the micro-kernels read them."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from chainrule.native.emission import INT, POINTER, Value, element, integer, loop, smaller
from chainrule.native.microkernel import Words


def pack(words: Words) -> Any:
    """Emit a function that copies one panel, for vectors of ``words.width`` numbers.

    ``pack(source, k_stride, x_stride, depth, count, width, panel)``: panel[k * width + x] = source[k * k_stride + x *
    x_stride] for k < depth and x < count. ``width`` is count, rounded up to a multiple of the vector width; what lies
    in between is filled with anything, as are up to a vector width of further rows of the panel (they must be there).
    A panel of B has x along its columns; a panel of A has x along its rows.
    """
    function = ir.Function(
        words.module, ir.FunctionType(ir.VoidType(), [POINTER, INT, INT, INT, INT, INT, POINTER]), f"pack{words.width}"
    )
    function.linkage = "internal"
    function.attributes.add("noinline")
    source, k_stride, x_stride, depth, count, width, panel = function.args
    b = ir.IRBuilder(function.append_basic_block())
    scalar, zero, one, lanes = words.scalar, integer(0), integer(1), integer(words.width)

    def at(k: Value, x: Value) -> Value:
        return element(b, source, b.add(b.mul(k, k_stride), b.mul(x, x_stride)), scalar)

    def to(k: Value, x: Value) -> Value:
        return element(b, panel, b.add(b.mul(k, width), x), scalar)

    def rows(k: Value) -> None:
        """x is contiguous: vectors are copied as they are."""

        def part(x: Value) -> None:
            words.store(b, words.load(b, at(k, x), words.first_lanes(b, b.sub(count, x))), to(k, x))

        loop(b, zero, width, lanes, part)

    def blocks(x: Value) -> None:
        """k is contiguous: square blocks are transposed in registers. A row beyond the last one is the last one."""
        last = b.sub(count, one)

        def block(k: Value) -> None:
            mask = words.first_lanes(b, b.sub(depth, k))
            square = [words.load(b, at(k, smaller(b, b.add(x, integer(n)), last)), mask) for n in range(words.width)]
            for n, vector in enumerate(transposed(b, square)):
                words.store(b, vector, to(b.add(k, integer(n)), x))

        loop(b, zero, depth, lanes, block)

    def numbers(k: Value) -> None:
        """Nothing is contiguous."""

        def number(x: Value) -> None:
            b.store(b.load(at(k, x), typ=scalar), to(k, x))

        loop(b, zero, count, one, number)

    with b.if_else(b.icmp_signed("==", x_stride, one)) as (contiguous, otherwise):
        with contiguous:
            loop(b, zero, depth, one, rows)
        with otherwise, b.if_else(b.icmp_signed("==", k_stride, one)) as (transpose, strided):
            with transpose:
                loop(b, zero, width, lanes, blocks)
            with strided:
                loop(b, zero, depth, one, numbers)
    b.ret_void()
    return function


def transposed(b: Any, square: list[Value]) -> list[Value]:
    """The transpose of a square block, one vector a row.

    At each stage rows that are ``half`` apart exchange blocks of ``half`` columns.
    """
    size = len(square)
    rows, half = list(square), size // 2
    while half:
        low = [j if not j & half else size + j - half for j in range(size)]
        high = [j + half if not j & half else size + j for j in range(size)]
        for i in range(size):
            if not i & half:
                x, y = rows[i], rows[i + half]
                rows[i], rows[i + half] = (b.shuffle_vector(x, y, _lanes(order)) for order in (low, high))
        half //= 2
    return rows


def _lanes(order: list[int]) -> Value:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)

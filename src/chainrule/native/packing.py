"""Copies of parts of A and B in the order in which the micro-kernels read them."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from chainrule.native.emission import INT, POINTER, Value, element, integer, larger, loop, smaller
from chainrule.native.microkernel import Words


def pack(words: Words, block: Words) -> Any:
    """Emit a function that copies one panel, by vectors or by square blocks of ``block.width``.

    ``pack(source, k_stride, x_stride, depth, count, width, panel)``: panel[k * width + x] = source[k * k_stride + x *
    x_stride] for k < depth and x < count. ``width`` is count, rounded up to a multiple of the vector or block width;
    what lies in between is filled with anything, as are up to a vector or a block of rows behind the panel (they must
    be there). A panel of B has x along its columns; a block of A, packed as one panel, has x along its rows.
    """
    kinds = [POINTER, INT, INT, INT, INT, INT, POINTER]
    function = ir.Function(words.module, ir.FunctionType(ir.VoidType(), kinds), "pack")
    function.linkage = "internal"
    function.attributes.add("noinline")
    source, k_stride, x_stride, depth, count, width, panel = function.args
    b = ir.IRBuilder(function.append_basic_block())
    scalar, zero, one, side = words.scalar, integer(0), integer(1), integer(block.width)

    def by_vectors() -> None:
        """x is contiguous: vectors are copied as they are, the last one as far as there is something."""
        whole = b.sub(width, integer(words.width))
        last = larger(b, whole, zero)
        mask = words.first_lanes(b, b.sub(count, last))

        def row(_: Value, start: Value, to: Value) -> list[Value]:
            def vector(x: Value) -> None:
                words.store(b, words.load(b, element(b, start, x, scalar)), element(b, to, x, scalar))

            loop(b, zero, whole, integer(words.width), vector)
            words.store(b, words.load(b, element(b, start, last, scalar), mask), element(b, to, last, scalar))
            return [element(b, start, k_stride, scalar), element(b, to, width, scalar)]

        loop(b, zero, depth, one, row, [source, panel])

    def by_blocks() -> None:
        """k is contiguous: square blocks are transposed in registers. A row beyond the last one is the last one."""

        def column(x: Value) -> None:
            starts = [
                element(b, source, b.mul(smaller(b, b.add(x, integer(n)), b.sub(count, one)), x_stride), scalar)
                for n in range(block.width)
            ]

            def square(k: Value, to: Value) -> list[Value]:
                mask = block.first_lanes(b, b.sub(depth, k))
                rows = [block.load(b, element(b, start, k, scalar), mask) for start in starts]
                for vector in transposed(b, rows):
                    block.store(b, vector, to)
                    to = element(b, to, width, scalar)
                return [to]

            loop(b, zero, depth, side, square, [element(b, panel, x, scalar)])

        loop(b, zero, width, side, column)

    def by_numbers() -> None:
        """Nothing is contiguous."""

        def row(_: Value, start: Value, to: Value) -> list[Value]:
            def number(x: Value) -> None:
                value = b.load(element(b, start, b.mul(x, x_stride), scalar), typ=scalar)
                b.store(value, element(b, to, x, scalar))

            loop(b, zero, count, one, number)
            return [element(b, start, k_stride, scalar), element(b, to, width, scalar)]

        loop(b, zero, depth, one, row, [source, panel])

    with b.if_else(b.icmp_signed("==", x_stride, one)) as (contiguous, otherwise):
        with contiguous:
            by_vectors()
        with otherwise, b.if_else(b.icmp_signed("==", k_stride, one)) as (transpose, strided):
            with transpose:
                by_blocks()
            with strided:
                by_numbers()
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

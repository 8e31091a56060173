"""Matrix products for the caches: blocks, panels, and micro-kernels on strips of C.

The loops are those of Goto and van de Geijn (Anatomy of high-performance matrix multiplication, ACM Transactions on
Mathematical Software 34, 2008): columns of C in blocks, K in blocks, rows of C in blocks; a block of A stays in the
second-level cache while panels of B go by, each of which stays in the first-level cache while tiles of C are computed.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from chainrule.native.emission import (
    INT,
    KERNEL,
    POINTER,
    Value,
    ceil_div,
    choose,
    element,
    integer,
    larger,
    loop,
    repeat,
    smaller,
)
from chainrule.native.microkernel import UNITS, Words, strip
from chainrule.native.packing import pack
from chainrule.native.products import (
    A_COL,
    A_ROW,
    ARGS_LENGTH,
    B_COL,
    B_ROW,
    C_ROW,
    COLUMN_BLOCK,
    COLUMNS,
    DEPTH,
    DEPTH_BLOCK,
    EPILOGUE,
    EPILOGUE_ARGS,
    FINISHED_COLUMNS,
    IN_PLACE_ROWS,
    IN_PLACE_ROWS_APART,
    PACK_A_COLUMNS,
    ROW_BLOCK,
    ROWS,
    SCRATCH,
    A,
    B,
    C,
)


def even_block(b: Any, extent: Value, most: int, grain: int) -> Value:
    """The size of blocks at most ``most`` long that divide ``extent`` evenly, but for the grain: no tiny last one."""
    some = larger(b, extent, integer(1))
    blocks = ceil_div(b, some, integer(most))
    return b.mul(ceil_div(b, ceil_div(b, some, blocks), integer(grain)), integer(grain))


class Product:
    """Emits the product kernel of one dtype for one vector unit, and the kernel that calls it for many products."""

    def __init__(self, name: str, itemsize: int, vector_bytes: int) -> None:
        self.unit = unit = UNITS[vector_bytes]
        self.name = name
        self.module = ir.Module(self.name)
        width = unit.vector_bytes // itemsize
        self.words = Words(self.module, itemsize, width)
        self.strips = [strip(self.words, self.unit, n + 1) for n in range(self.unit.vectors)]
        self.pack = pack(self.words, Words(self.module, itemsize, unit.rows))

    def emit(self) -> tuple[str, str]:
        function = ir.Function(self.module, KERNEL, self.name)
        args, self.i0, self.i1, self.j0, self.j1, self.context = function.args
        self.b = b = ir.IRBuilder(function.append_basic_block())
        kinds = [POINTER] * 3 + [INT] * 8 + [INT, POINTER]
        self.args = [b.load(element(b, args, integer(n), INT), typ=kind) for n, kind in enumerate(kinds)]
        self.a_scratch = b.load(element(b, self.context, integer(SCRATCH), INT), typ=POINTER)
        self.b_scratch = element(b, self.a_scratch, integer(DEPTH_BLOCK * ROW_BLOCK), self.words.scalar)
        rows, columns = b.sub(self.i1, self.i0), b.sub(self.j1, self.j0)
        self.depth_block = even_block(b, self.args[DEPTH], DEPTH_BLOCK, 8)
        self.b_in_place = self.read_in_place(rows)
        self.a_packed = b.and_(
            b.icmp_signed("!=", self.args[A_COL], integer(1)), b.icmp_signed(">=", columns, integer(PACK_A_COLUMNS))
        )
        # With one block of rows every panel of B is used once: the same memory, warm in the cache, does for all.
        one_block = b.icmp_signed("<=", rows, integer(ROW_BLOCK))
        self.panel_distance = b.select(one_block, integer(0), integer(1))
        self.row_block = even_block(b, rows, ROW_BLOCK, self.unit.rows)
        column_block = even_block(b, columns, COLUMN_BLOCK, self.words.width)
        loop(b, self.j0, self.j1, column_block, lambda j: self.columns(j, column_block))
        b.ret_void()
        self.batch(function)
        return str(self.module), self.name

    def batch(self, product: Value) -> None:
        """Products i0 to i1 of a batch: the args of the first one, and the distances to the next one behind them."""
        function = ir.Function(self.module, KERNEL, f"{self.name}_batch")
        args, i0, i1, _, _, context = function.args
        b = ir.IRBuilder(function.append_basic_block())
        own = b.alloca(INT, ARGS_LENGTH)

        def word(block: Value, n: int) -> Value:
            return b.load(element(b, block, integer(n), INT), typ=INT)

        for n in range(ARGS_LENGTH):
            b.store(word(args, n), element(b, own, integer(n), INT))

        def one(i: Value) -> None:
            for k, n in enumerate((A, B, C)):
                place = b.add(word(args, n), b.mul(i, word(args, ARGS_LENGTH + k)))
                b.store(place, element(b, own, integer(n), INT))
            b.call(product, [own, integer(0), word(args, ROWS), integer(0), word(args, COLUMNS), context])

        loop(b, i0, i1, integer(1), one)
        b.ret_void()

    def read_in_place(self, rows: Value) -> Value:
        """Whether B is read where it is: its rows are contiguous, and those of C too few for packing to pay.

        Rows of B that are a multiple of a page apart compete for the same few places in the caches. Many of them are
        therefore packed sooner.
        """
        b, page = self.b, 4096 // self.words.itemsize
        pages_apart = b.icmp_signed("==", b.and_(self.args[B_ROW], integer(page - 1)), integer(0))
        many = b.icmp_signed(">", self.depth_block, integer(DEPTH_BLOCK // 2))
        most = b.select(b.and_(pages_apart, many), integer(IN_PLACE_ROWS_APART), integer(IN_PLACE_ROWS))
        contiguous = b.icmp_signed("==", self.args[B_COL], integer(1))
        return b.and_(contiguous, b.icmp_signed("<=", rows, most))

    def columns(self, j: Value, block: Value) -> None:
        """A block of columns, for K in blocks. (One empty block where K is 0.)"""
        b, depth = self.b, self.args[DEPTH]
        j_end = smaller(b, b.add(j, block), self.j1)

        def part(k: Value) -> None:
            here = smaller(b, self.depth_block, b.sub(depth, k))
            last = b.icmp_signed(">=", b.add(k, here), depth)
            loop(b, self.i0, self.i1, self.row_block, lambda i: self.rows(i, j, j_end, k, here, last))

        loop(b, integer(0), larger(b, depth, integer(1)), self.depth_block, part)

    def rows(self, i: Value, j: Value, j_end: Value, k: Value, depth: Value, last: Value) -> None:
        """A block of rows times a block of columns, for one block of K; ``last`` if no more of K is to come."""
        b, args, scalar = self.b, self.args, self.words.scalar
        count = smaller(b, self.row_block, b.sub(self.i1, i))
        a = self.a_block(i, count, k, depth)
        finish = b.and_(last, b.icmp_signed("!=", args[EPILOGUE], integer(0)))

        def panel(here: Value, done: Value) -> list[Value]:
            vectors = self.vectors(b.sub(j_end, here))
            width = b.mul(vectors, integer(self.words.width))
            columns = smaller(b, width, b.sub(j_end, here))
            source, b_row = self.b_panel(i, j, here, k, depth, columns, width)
            c = element(b, args[C], b.add(b.mul(i, args[C_ROW]), here), scalar)
            function = self.strips[0]
            for n in range(1, self.unit.vectors):
                function = b.select(b.icmp_signed("==", vectors, integer(n + 1)), self.strips[n], function)
            first = b.icmp_signed("==", k, integer(0))
            b.call(function, [*a, source, b_row, c, args[C_ROW], count, depth, columns, first])
            there = b.add(here, columns)
            ready = b.or_(
                b.icmp_signed("==", there, j_end), b.icmp_signed(">=", b.sub(there, done), integer(FINISHED_COLUMNS))
            )
            with b.if_then(b.and_(finish, ready)):
                epilogue = b.inttoptr(args[EPILOGUE], KERNEL.as_pointer())
                b.call(epilogue, [args[EPILOGUE_ARGS], i, b.add(i, count), done, there, self.context])
            return [there, b.select(ready, there, done)]

        repeat(b, [j, j], lambda here, _: b.icmp_signed("<", here, j_end), panel)

    def a_block(self, i: Value, count: Value, k: Value, depth: Value) -> list[Value]:
        """Rows of A from i on, columns from k on, in place or packed: address, strides, distance of tiles."""
        b, args, scalar = self.b, self.args, self.words.scalar
        tile = integer(self.unit.rows)
        place = element(b, args[A], b.add(b.mul(i, args[A_ROW]), b.mul(k, args[A_COL])), scalar)

        def packed() -> list[Value]:
            width = b.mul(ceil_div(b, count, integer(self.words.width)), integer(self.words.width))
            b.call(self.pack, [place, args[A_COL], args[A_ROW], depth, count, width, self.a_scratch])
            return [self.a_scratch, integer(1), integer(2), integer(3), width, tile]

        def in_place() -> list[Value]:
            row = args[A_ROW]
            return [place, row, b.mul(row, integer(2)), b.mul(row, integer(3)), args[A_COL], b.mul(tile, row)]

        return choose(b, self.a_packed, packed, in_place)

    def b_panel(
        self, i: Value, j: Value, here: Value, k: Value, depth: Value, columns: Value, width: Value
    ) -> list[Value]:
        """Columns of B from ``here`` on, rows from k on, in place or packed: address and distance of rows."""
        b, args, scalar = self.b, self.args, self.words.scalar
        place = element(b, args[B], b.add(b.mul(k, args[B_ROW]), b.mul(here, args[B_COL])), scalar)

        def packed() -> list[Value]:
            distance = b.mul(b.mul(b.sub(here, j), depth), self.panel_distance)
            panel = element(b, self.b_scratch, distance, scalar)
            with b.if_then(b.icmp_signed("==", i, self.i0)):
                b.call(self.pack, [place, args[B_ROW], args[B_COL], depth, columns, width, panel])
            return [panel, width]

        readable = self.b_in_place
        if not self.unit.masks:
            readable = b.and_(readable, b.icmp_signed("==", columns, width))
        return choose(b, readable, lambda: [place, args[B_ROW]], packed)

    def vectors(self, columns: Value) -> Value:
        """How many vectors wide the next panel is: 3, but 4 vectors are 2 + 2 rather than 3 + 1."""
        b = self.b
        left, most = ceil_div(b, columns, integer(self.words.width)), self.unit.vectors
        uneven = b.icmp_signed("==", left, integer(most + 1))
        return b.select(uneven, integer((most + 1) // 2), smaller(b, left, integer(most)))

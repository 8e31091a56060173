"""The inner loops of matrix products: a tile of the result is kept in registers while k runs.

For each k a tile of ``rows x vectors`` takes ``vectors`` vectors of a row of B, and multiplies each of them by ``rows``
numbers of a column of A. That is rows * vectors fused multiply-adds for rows + vectors loads, so the arithmetic and not
the memory is what takes time. How large a tile may be is decided by the number of registers.

For each block of k every element is one chain ``sum = fma(a[i, k], b[k, j], sum)`` with k ascending, which begins at
zero; the sum of the chain is added to C. Its bits are therefore the same for every tile shape, vector width and way to
split the work. Rounding errors grow with the length of a chain and with the number of chains, not with their product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from chainrule.native.emission import BIT, INT, POINTER, Value, choose, element, integer, loop


@dataclass(frozen=True)
class Unit:
    """A vector unit, and the tile that fills its registers: rows * vectors sums, one row of B, one number of A."""

    vector_bytes: int
    rows: int
    vectors: int
    masks: bool
    """Whether a masked load is as good as any other, and needs none of these registers."""


UNITS = {64: Unit(64, rows=8, vectors=3, masks=True), 32: Unit(32, rows=4, vectors=3, masks=False)}
"""By the bytes of a vector, AVX-512 and AVX2: 32 registers hold 24 + 3 + 1 vectors, 16 hold 12 + 3 + 1. The number of
rows is a power of two."""


class Words:
    """The types and the vector operations of one module: numbers of one dtype in vectors of one width."""

    def __init__(self, module: Any, itemsize: int, width: int) -> None:
        self.module, self.itemsize, self.width = module, itemsize, width
        self.scalar = ir.FloatType() if itemsize == 4 else ir.DoubleType()
        self.vector = ir.VectorType(self.scalar, width)
        self.mask = ir.VectorType(BIT, width)
        self.zero = ir.Constant(self.vector, None)

    def _intrinsic(self, name: str, result: Any, operands: list[Any]) -> Any:
        name += f".v{self.width}f{8 * self.itemsize}" + (".p0" if "masked" in name else "")
        if name in self.module.globals:
            return self.module.globals[name]
        return ir.Function(self.module, ir.FunctionType(result, operands), name)

    def fma(self, b: Any, x: Value, y: Value, z: Value) -> Value:
        return b.call(self._intrinsic("llvm.fma", self.vector, [self.vector] * 3), [x, y, z])

    def load(self, b: Any, pointer: Value, mask: Value | None = None) -> Value:
        """A vector; lanes outside of the mask are zero, and their memory is not touched."""
        if mask is None:
            return b.load(pointer, align=self.itemsize, typ=self.vector)
        masked = self._intrinsic("llvm.masked.load", self.vector, [POINTER, ir.IntType(32), self.mask, self.vector])
        return b.call(masked, [pointer, ir.Constant(ir.IntType(32), self.itemsize), mask, self.zero])

    def store(self, b: Any, x: Value, pointer: Value, mask: Value | None = None) -> None:
        if mask is None:
            b.store(x, pointer, align=self.itemsize)
            return
        masked = self._intrinsic("llvm.masked.store", ir.VoidType(), [self.vector, POINTER, ir.IntType(32), self.mask])
        b.call(masked, [x, pointer, ir.Constant(ir.IntType(32), self.itemsize), mask])

    def splat(self, b: Any, x: Value) -> Value:
        """The scalar in every lane."""
        kind = ir.VectorType(x.type, self.width)
        alone = b.insert_element(ir.Constant(kind, ir.Undefined), x, ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), self.width), None)
        return b.shuffle_vector(alone, ir.Constant(kind, ir.Undefined), lanes)

    def first_lanes(self, b: Any, count: Value) -> Value:
        """The mask of the first ``count`` lanes (all of them from ``width`` on; none if it is negative)."""
        lanes = ir.Constant(ir.VectorType(INT, self.width), list(range(self.width)))
        return b.icmp_signed("<", lanes, self.splat(b, count))


def strip(words: Words, unit: Unit, vectors: int) -> Any:
    """Emit a function that computes a strip of C: any number of rows, ``vectors`` vectors wide.

    ``strip(a, a_row, a_row2, a_row3, a_col, a_step, b, b_row, c, c_row, rows, depth, columns, first)``: C (rows x
    columns, with columns <= vectors * width) = (or += unless ``first``) A (rows x depth) @ B (depth x columns). C is
    written only up to ``columns``; B is read only so far by a unit with good masked loads, else in whole vectors.
    ``a_row2`` and ``a_row3`` are two and three times ``a_row`` (given, not computed: LLVM would otherwise make each
    row's address from the one before, a chain as long as the arithmetic); ``a_step`` is the distance from the first
    row of a tile of ``unit.rows`` rows to that of the next. Strides count elements.
    """
    kinds = [POINTER, INT, INT, INT, INT, INT, POINTER, INT, POINTER, INT, INT, INT, INT, BIT]
    function = ir.Function(words.module, ir.FunctionType(ir.VoidType(), kinds), f"strip{vectors}")
    function.linkage = "internal"
    function.attributes.add("noinline")
    a, a_row, a_row2, a_row3, a_col, a_step, b_start, b_row, c, c_row, rows, depth, columns, first = function.args
    b = ir.IRBuilder(function.append_basic_block())
    mask = words.first_lanes(b, b.sub(columns, integer((vectors - 1) * words.width)))
    b_masks = [None] * (vectors - 1) + [mask if unit.masks else None]
    a_row4 = b.add(a_row, a_row3)
    scalar, width = words.scalar, words.width

    def tile(height: int, left: Value, a: Value, c: Value) -> None:
        """``height`` rows of the strip, whose first row is at ``a`` and ``c``; ``left`` rows are still to be done.

        Where there are three, a tile of four computes the last one twice: quicker than two rows and then one.
        """
        groups = -(-height // 4)
        three = b.icmp_signed("==", left, integer(3))
        third = b.select(three, a_row2, a_row3) if height == 4 else a_row3
        c_last = b.select(three, integer(0), c_row) if height == 4 else c_row

        def places() -> Iterator[tuple[Value, Value | None]]:
            row = c
            for r in range(height):
                row = element(b, row, c_last if r == 3 else c_row, scalar) if r else row
                for v in range(vectors):
                    last = v == vectors - 1
                    yield element(b, row, integer(v * width), scalar) if v else row, mask if last else None

        def along_k(_: Value, b_here: Value, *carried: Value) -> list[Value]:
            row = [words.load(b, element(b, b_here, integer(v * width), scalar), b_masks[v]) for v in range(vectors)]
            fours, sums = carried[:groups], list(carried[groups:])
            for r in range(height):
                four = fours[r // 4]
                place = element(b, four, (a_row, a_row2, third)[r % 4 - 1], scalar) if r % 4 else four
                number = words.splat(b, b.load(place, typ=scalar))
                for v in range(vectors):
                    n = r * vectors + v
                    sums[n] = words.fma(b, number, row[v], sums[n])
            return [element(b, b_here, b_row, scalar), *(element(b, x, a_col, scalar) for x in fours), *sums]

        start = [words.zero] * (height * vectors)
        fours = [a] if groups == 1 else [a, element(b, a, a_row4, scalar)]
        sums = loop(b, integer(0), depth, integer(1), along_k, [b_start, *fours, *start])[2 + groups :]
        totals = choose(
            b,
            first,
            lambda: sums,
            lambda: [b.fadd(words.load(b, *place), x) for x, place in zip(sums, places(), strict=True)],
        )
        for x, place in zip(totals, places(), strict=True):
            words.store(b, x, *place)

    done = integer(0)
    height = unit.rows
    while height:
        a_next = a_step if height == unit.rows else {4: a_row4, 2: a_row2, 1: a_row}[height]
        c_next = b.mul(c_row, integer(height))
        least = 3 if height == 4 else height

        def tiles(
            done: Value, a: Value, c: Value, height: int = height, a_next: Value = a_next, c_next: Value = c_next
        ) -> list[Value]:
            tile(height, b.sub(rows, done), a, c)
            return [element(b, a, a_next, scalar), element(b, c, c_next, scalar)]

        done, a, c = loop(b, done, b.sub(rows, integer(least - 1)), integer(height), tiles, [a, c])
        height //= 2
    b.ret_void()
    return function

"""The inner loops of matrix products: a tile of the result is kept in registers while k runs.

For each k a tile of ``rows x vectors`` takes ``vectors`` vectors of a row of B, and multiplies each of them by ``rows``
numbers of a column of A. That is rows * vectors fused multiply-adds for rows + vectors loads, so the arithmetic and not
the memory is what takes time. How large a tile may be is decided by the number of registers.

Every element of the result is one chain ``c = fma(a[i, k], b[k, j], c)`` with k ascending from zero, whatever the tile
that it lies in. Its bits are therefore the same for every tile shape, vector width, block size and way to split the
work.
"""

from __future__ import annotations

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


UNITS = {64: Unit(64, rows=8, vectors=3), 32: Unit(32, rows=4, vectors=3)}
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

    ``strip(a, a_row, a_col, a_step, b, b_row, c, c_row, rows, depth, columns, first)``: C (rows x columns, with
    columns <= vectors * width) = (or += unless ``first``) A (rows x depth) @ B (depth x columns). B is read whole
    vectors at a time; C is written only up to ``columns``. ``a_step`` is the distance from the first row of a tile of
    ``unit.rows`` rows to that of the next. Strides count elements.
    """
    kinds = [POINTER, INT, INT, INT, POINTER, INT, POINTER, INT, INT, INT, INT, BIT]
    function = ir.Function(words.module, ir.FunctionType(ir.VoidType(), kinds), f"strip{vectors}")
    function.linkage = "internal"
    function.attributes.add("noinline")
    a, a_row, a_col, a_step, b_start, b_row, c, c_row, rows, depth, columns, first = function.args
    b = ir.IRBuilder(function.append_basic_block())
    mask = words.first_lanes(b, b.sub(columns, integer((vectors - 1) * words.width)))
    masks = [None] * (vectors - 1) + [mask]
    scalar, width = words.scalar, words.width

    def tile(height: int, a: Value, c: Value) -> None:
        """``height`` rows of the strip."""
        places = [
            (element(b, c, b.add(b.mul(c_row, integer(r)), integer(v * width)), scalar), masks[v])
            for r in range(height)
            for v in range(vectors)
        ]
        a_rows = [b.mul(a_row, integer(r)) for r in range(height)]

        def along_k(_: Value, a: Value, b_here: Value, *sums: Value) -> list[Value]:
            row = [words.load(b, element(b, b_here, integer(v * width), scalar)) for v in range(vectors)]
            new = list(sums)
            for r in range(height):
                number = words.splat(b, b.load(element(b, a, a_rows[r], scalar), typ=scalar))
                for v in range(vectors):
                    n = r * vectors + v
                    new[n] = words.fma(b, number, row[v], sums[n])
            return [element(b, a, a_col, scalar), element(b, b_here, b_row, scalar), *new]

        start = choose(b, first, lambda: [words.zero] * len(places), lambda: [words.load(b, *p) for p in places])
        _, _, _, *sums = loop(b, integer(0), depth, integer(1), along_k, [a, b_start, *start])
        for x, place in zip(sums, places, strict=True):
            words.store(b, x, *place)

    done = integer(0)
    height = unit.rows
    while height:
        step = a_step if height == unit.rows else b.mul(a_row, integer(height))

        def tiles(_: Value, a: Value, c: Value, height: int = height, step: Value = step) -> list[Value]:
            tile(height, a, c)
            return [element(b, a, step, scalar), element(b, c, b.mul(c_row, integer(height)), scalar)]

        done, a, c = loop(b, done, b.sub(rows, integer(height - 1)), integer(height), tiles, [a, c])
        height //= 2
    b.ret_void()
    return function

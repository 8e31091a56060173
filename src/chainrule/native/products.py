"""Matrix products C = A @ B in native code: the kernel's arguments, how to divide the work, and a plain call.

Sizes and strides are read at run time, so one kernel for each dtype and vector unit serves all shapes (blocking.py has
its loops, microkernel.py the innermost ones). Every element is the sum, in the order of k, of one chain of fused
multiply-adds for each block of k, and where those blocks end depends on K alone. A product's bits therefore do not
depend on how its rows and columns are divided among threads; they are the same with AVX2 and AVX-512, and for C
transposed as for B.T @ A.T. NaN and infinity go through as in NumPy: no zero is skipped.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.native.jit import Code, Recipe, compile_recipes
from chainrule.native.target import Target, current

Floats = NDArray[Any]

A, B, C, ROWS, COLUMNS, DEPTH, A_ROW, A_COL, B_ROW, B_COL, C_ROW, EPILOGUE, EPILOGUE_ARGS = range(13)
"""The args of a product kernel, 64-bit integers: three addresses, M, N, K, five strides in elements (C has unit column
stride), and the address of a kernel that is called with EPILOGUE_ARGS on each finished block of C, or 0."""
ARGS_LENGTH = 13
"""A batch of products (the kernel ``..._batch``) has three more: the bytes from one A, B, C to the next."""
SCRATCH = 1
"""Where in the context the address of the thread's scratch memory is."""

ROW_GRAIN = 8
COLUMN_GRAIN = 16
"""Divide rows and columns among threads at multiples of these. (Any other number gives the same bits, slower.)"""

DEPTH_BLOCK = 1024
ROW_BLOCK = 64
COLUMN_BLOCK = 512
"""The largest blocks of K, of the rows and of the columns of C. (Shorter blocks of K than this make no sum more exact:
a million terms are as many chains as each is long.)"""
FINISHED_COLUMNS = 192
"""How many columns of a block of rows are finished, at least, before the epilogue is called on them."""
IN_PLACE_ROWS = 128
"""Up to so many rows of C, B is read where it is, if its rows are contiguous; it is packed otherwise."""
IN_PLACE_ROWS_APART = 24
"""The same where many rows of B are a multiple of 4096 bytes apart."""
PACK_A_COLUMNS = 256
"""From so many columns of C on, A is packed, unless its rows are contiguous."""
WORTH_SPLITTING = 12_000.0
"""Cycles below which a product is left to one thread."""


def scratch_bytes(dtype: np.dtype[Any]) -> int:
    """The scratch memory that a thread needs for products of this dtype, at a multiple of 64 bytes."""
    return DEPTH_BLOCK * (ROW_BLOCK + COLUMN_BLOCK) * np.dtype(dtype).itemsize


@cache
def product_ir(dtype: np.dtype[Any], target: Target) -> tuple[str, str]:
    """The text of a module with one product kernel, and the kernel's name."""
    from chainrule.native.blocking import Product

    return Product(product_name(dtype, target), np.dtype(dtype).itemsize, target.vector_bytes).emit()


def product_name(dtype: np.dtype[Any], target: Target) -> str:
    return f"product_f{8 * np.dtype(dtype).itemsize}_{target.vector_bytes}"


def product_kernel(dtype: np.dtype[Any], batch: bool = False) -> tuple[int, Code]:
    """The address of the kernel for float32 or float64 and the present target, and what keeps it loaded."""
    recipe = product_recipe(dtype)
    (code,) = compile_recipes([recipe])
    return code.addresses[recipe.names[batch]], code


def product_recipe(dtype: np.dtype[Any]) -> Recipe:
    """The module with the kernels for float32 or float64 and the present target, one product and a batch of them."""
    target = current()
    name = product_name(dtype, target)
    return Recipe(name, lambda: product_ir(dtype, target)[0], [name, f"{name}_batch"], effort=1)


class Split(NamedTuple):
    """How the step table divides a product: over no axis, rows (1) or columns (2), at multiples of ``grain``."""

    axis: int
    grain: int


def choose_split(m: int, n: int, k: int, threads: int, dtype: np.dtype[Any]) -> Split:
    """The division of a product among threads that should take the least time."""
    whole = _cost(m, n, k, dtype)
    if threads == 1 or whole < WORTH_SPLITTING:
        return Split(0, ROW_GRAIN)
    rows = _cost(_share(m, threads, ROW_GRAIN), n, k, dtype)
    columns = _cost(m, _share(n, threads, COLUMN_GRAIN), k, dtype)
    best = min(rows, columns)
    if best > 0.8 * whole:
        return Split(0, ROW_GRAIN)
    return Split(1, ROW_GRAIN) if rows == best else Split(2, COLUMN_GRAIN)


def better_transposed(m: int, n: int, k: int, dtype: np.dtype[Any]) -> bool:
    """Whether C.T = B.T @ A.T is the faster way, where the layout of C is free: few columns leave vectors empty."""
    return _cost(n, m, k, dtype) < 0.9 * _cost(m, n, k, dtype)


def _share(extent: int, threads: int, grain: int) -> int:
    """The largest part, of ``extent`` divided among threads at multiples of ``grain``."""
    return min(extent, -(-extent // (threads * grain)) * grain)


def _cost(m: int, n: int, k: int, dtype: np.dtype[Any]) -> float:
    """About how many cycles a product takes with AVX-512: its tiles, and copying B where that is needed."""
    vectors = -(-n // (64 // np.dtype(dtype).itemsize))
    panels = [3] * (vectors // 3) + [vectors % 3] * (vectors % 3 > 0)
    rows = [8] * (m // 8) + {0: [], 1: [1], 2: [2], 3: [4], 4: [4], 5: [4, 1], 6: [4, 2], 7: [4, 4]}[m % 8]
    tiles = sum(rows.count(h) * panels.count(v) * _tile(h, v, k) for h in set(rows) for v in set(panels))
    return tiles + k * vectors * (2 if m > IN_PLACE_ROWS else 1)


def _tile(height: int, vectors: int, k: int) -> float:
    """Cycles of a tile: two fused multiply-adds a cycle, or two loads, or four cycles until a sum can go on; its edge
    takes about a cycle for each vector.
    """
    return k * max(height * vectors / 2, (height + vectors) / 2, 4.0) + height * vectors


class Bound:
    """A product of ndarrays, ready to be called: for tests and measurements. It keeps the arrays alive.

    ``a`` (M, K), ``b`` (K, N), ``c`` (M, N) of one dtype, float32 or float64; strides of a and b as they like, whole
    multiples of the item's size; c with contiguous rows. ``epilogue`` is (address of a kernel, address of its args).
    One thread at a time may call it, as it has one block of scratch memory.
    """

    def __init__(self, a: Floats, b: Floats, c: Floats, epilogue: tuple[int, int] = (0, 0)) -> None:
        (m, k), n = a.shape, b.shape[1]
        if b.shape[0] != k or c.shape != (m, n):
            raise ValueError(f"shapes {a.shape} @ {b.shape} -> {c.shape} do not fit")
        size = c.dtype.itemsize
        contiguous = c.size == 0 or n == 1 or c.strides[1] == size
        if c.dtype.char not in "fd" or not a.dtype == b.dtype == c.dtype or not contiguous:
            raise ValueError("float32 or float64 for all, and contiguous rows of c")
        if any(s % size for x in (a, b, c) for s in x.strides):
            raise ValueError("strides must be multiples of the item's size")
        self.rows, self.columns, self.arrays = m, n, (a, b, c)
        strides = [s // size for s in (*a.strides, *b.strides, c.strides[0])]
        pointers = [x.ctypes.data for x in self.arrays]
        self.args = np.array([*pointers, m, n, k, *strides, *epilogue], np.int64)
        scratch = np.empty(scratch_bytes(c.dtype) + 64, np.uint8)
        self.context = np.zeros(8, np.int64)
        self.context[1] = -(-scratch.ctypes.data // 64) * 64
        self.context[2] = scratch_bytes(c.dtype)
        self.address, code = product_kernel(c.dtype)
        self.owned = scratch, code
        number, pointer = ctypes.c_int64, ctypes.c_void_p
        self.kernel = ctypes.CFUNCTYPE(None, pointer, number, number, number, number, pointer)(self.address)
        self.pointers = self.args.ctypes.data, self.context.ctypes.data

    def __call__(self, i0: int = 0, i1: int | None = None, j0: int = 0, j1: int | None = None) -> None:
        """Compute rows i0 to i1 and columns j0 to j1 of c; all of them by default."""
        i1 = self.rows if i1 is None else i1
        j1 = self.columns if j1 is None else j1
        if not (0 <= i0 <= i1 <= self.rows and 0 <= j0 <= j1 <= self.columns):
            raise IndexError(f"rows {i0}:{i1} and columns {j0}:{j1} of a {self.rows} x {self.columns} product")
        self.kernel(self.pointers[0], i0, i1, j0, j1, self.pointers[1])


def multiply(a: Floats, b: Floats) -> Floats:
    """a @ b by our own kernel, two axes each.

    >>> multiply(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[1., 2.],
           [3., 4.]])
    """
    c = np.empty((a.shape[0], b.shape[1]), a.dtype)
    Bound(a, b, c)()
    return c

"""Loop nests against NumPy: each kind of loop, with odd lengths, strides, masks and computed indices."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from chainrule.gates.arithmetic import Add, Multiply
from chainrule.native.accesses import BAD_INDEX
from chainrule.native.jit import compile_ir
from chainrule.native.loops import kernel_text
from chainrule.native.nest import Access, Apply, Literal, Load, Nest, Reduce, Store, arranged
from chainrule.native.structure import Pointer, arguments, structure, tile
from chainrule.native.views import Buffer

F4, F8, I8 = np.dtype("f4"), np.dtype("f8"), np.dtype("i8")
LENGTHS = (0, 1, 3, 16, 17, 64, 100, 131)


def execute(nest: Nest, arrays: dict[Buffer, Any], vector_bytes: int = 64, cut: int = 0) -> int:
    """Compile and run a nest over its whole range, its rows in two parts if they are cut; the error code it left."""
    nest = arranged(nest, 16)
    addresses, keep = compile_ir(kernel_text(nest, vector_bytes), ["nest"])
    block = np.array(
        [
            arrays[a.buffer].ctypes.data + a.offset * a.buffer.dtype.itemsize if isinstance(a, Pointer) else a
            for a in arguments(nest)
        ],
        np.int64,
    )
    context = np.zeros(8, np.int64)
    kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 4, ctypes.c_void_p)(addresses["nest"])
    first = nest.kept[0] if nest.kept else 1
    last = nest.kept[-1] if nest.kept else 1
    for low, high in ((0, cut), (cut, first)):
        kernel(block.ctypes.data, low, high, 0, last, context.ctypes.data)
    assert keep is not None
    return int(context[0])


def buffer_of(x: Any) -> Buffer:
    return Buffer(x.size, x.dtype)


def access(buffer: Buffer, x: Any, **kw: Any) -> Access:
    return Access(buffer, 0, tuple(s // x.itemsize for s in x.strides), **kw)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("vector_bytes", [64, 32])
def test_elementwise_with_a_broadcast_row_and_a_literal(n: int, vector_bytes: int) -> None:
    rng = np.random.default_rng(0)
    x, row, z = rng.standard_normal((5, n), "f4"), rng.standard_normal(n, "f4"), np.zeros((5, n), "f4")
    bx, br, bz = map(buffer_of, (x, row, z))
    nest = Nest(
        (5, n),
        (),
        (
            Load(access(bx, x), F4),
            Load(Access(br, 0, (0, 1)), F4),
            Literal(2.5, F4),
            Apply(Multiply(), (0, 2), F4),
            Apply(Add(), (3, 1), F4),
        ),
        (Store(access(bz, z), 4),),
    )
    execute(nest, {bx: x, br: row, bz: z}, vector_bytes)
    np.testing.assert_array_equal(z, x * np.float32(2.5) + row)


@pytest.mark.parametrize("kind", ["sum", "max", "min", "prod"])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (100, 2), (17, 131), (64, 10), (300, 100), (1, 70), (70, 1)])
def test_reductions_along_either_axis(kind: str, axis: int, order: Any, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    x = np.asarray(rng.uniform(0.5, 1.5, shape), order=order)
    z = np.zeros(shape[1 - axis])
    bx, bz = buffer_of(x), buffer_of(z)
    own = tuple(s // 8 for s in x.strides)
    nest = Nest(
        (shape[1 - axis],),
        (shape[axis],),
        (Load(Access(bx, 0, (own[1 - axis], own[axis])), F8), Reduce(kind, 0, F8), Apply(Multiply(), (1, 1), F8)),
        (Store(Access(bz, 0, (1, 0)), 2),),
    )
    execute(nest, {bx: x, bz: z})
    expected = getattr(np, kind)(x, axis=axis) ** 2
    np.testing.assert_allclose(z, expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((200_000, 3), (0,)),
        ((70_000, 70), (0,)),
        ((400, 500, 5), (0, 1)),
        ((3, 200_000), (1,)),
        ((50_000, 20), (0, 1)),
        ((100_000, 3, 4), (0, 2)),
    ],
)
def test_errors_of_long_sums_do_not_add_up(shape: tuple[int, ...], axis: tuple[int, ...]) -> None:
    """Where all terms are positive each addition rounds at the size of the sum: in a row they would be off by more."""
    x = np.random.default_rng(3).random((*shape[:-1], 2 * shape[-1]), "f4")[..., : shape[-1]]
    kept = tuple(a for a in range(len(shape)) if a not in axis)
    own = tuple(s // 4 for s in x.strides)
    z = np.zeros(tuple(shape[a] for a in kept), "f4")
    held = x.base
    assert held is not None
    bx, bz = buffer_of(held), buffer_of(z)
    load = Load(Access(bx, 0, tuple(own[a] for a in (*kept, *axis))), F4)
    store = Store(Access(bz, 0, (*(1 for _ in kept), *(0 for _ in axis))), 1)
    nest = Nest(z.shape, tuple(shape[a] for a in axis), (load, Reduce("sum", 0, F4)), (store,))
    execute(nest, {bx: held, bz: z})
    assert np.all(np.abs(z / x.sum(axis, np.float64) - 1) <= 16 * np.finfo("f4").eps)


SMALL = [(4, 3, 2), (100, 2, 6), (2, 100, 6), (17, 33, 5), (3, 0, 4)]
TILED = [(300, 2, 100), (41, 130, 5), (7, 100, 131), (131, 60, 3)]


@pytest.mark.parametrize(("shape", "vector_bytes"), [*((s, 64) for s in SMALL + TILED), *((s, 32) for s in TILED)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_small_matrix_products_with_bias(shape: tuple[int, int, int], order: Any, vector_bytes: int) -> None:
    m, k, n = shape
    rng = np.random.default_rng(2)
    x = np.asarray(rng.standard_normal((m, k)), order=order).astype("f4", order="A")
    w, b = rng.standard_normal((k, n), "f4"), rng.standard_normal(n, "f4")
    z = np.zeros((m, n), "f4", order=order)
    bx, bw, bb, bz = map(buffer_of, (x, w, b, z))
    sx, sz = (tuple(s // 4 for s in a.strides) for a in (x, z))
    nest = Nest(
        (m, n),
        (k,),
        (
            Load(Access(bx, 0, (sx[0], 0, sx[1])), F4),
            Load(Access(bw, 0, (0, 1, n)), F4),
            Apply(Multiply(), (0, 1), F4),
            Reduce("sum", 2, F4),
            Load(Access(bb, 0, (0, 1, 0)), F4),
            Apply(Add(), (3, 4), F4),
        ),
        (Store(Access(bz, 0, (*sz, 0)), 5),),
    )
    assert (tile(arranged(nest, 16), vector_bytes)[0] > 1) == (shape in TILED)
    execute(nest, {bx: x, bw: w, bb: b, bz: z}, vector_bytes)
    np.testing.assert_allclose(z, x @ w + b, rtol=2e-5, atol=2e-5)
    whole = z.copy()
    execute(nest, {bx: x, bw: w, bb: b, bz: z}, vector_bytes, cut=1)
    np.testing.assert_array_equal(z, whole)


@pytest.mark.parametrize("n", [1, 5, 16, 37])
def test_a_gather_checks_its_indices(n: int) -> None:
    rng = np.random.default_rng(3)
    x, z = rng.standard_normal((n, 4), "f4"), np.zeros(n, "f4")
    labels, rows = rng.integers(-4, 4, n), np.arange(n)
    bx, bl, br, bz = map(buffer_of, (x, labels, rows, z))
    nest = Nest(
        (n,),
        (),
        (
            Load(Access(bl, 0, (1,)), I8),
            Load(Access(br, 0, (1,)), I8),
            Load(Access(bx, 0, (0,), ((1, 4, n), (0, 1, 4))), F4),
        ),
        (Store(Access(bz, 0, (1,)), 2),),
    )
    arrays = {bx: x, bl: labels, br: rows, bz: z}
    assert execute(nest, arrays) == 0
    np.testing.assert_array_equal(z, x[rows, labels])
    for wrong in (4, -5, 2**62, -(2**63)):
        labels[n // 2] = wrong
        assert execute(nest, arrays) == BAD_INDEX


def test_a_serial_scatter_adds_where_indices_meet() -> None:
    rng = np.random.default_rng(4)
    x, z, index = rng.standard_normal(50), np.zeros(7), rng.integers(0, 7, 50)
    bx, bz, bi = map(buffer_of, (x, z, index))
    nest = Nest(
        (50,),
        (),
        (Load(Access(bi, 0, (1,)), I8), Load(Access(bx, 0, (1,)), F8)),
        (Store(Access(bz, 0, (0,), ((0, 1, 7),)), 1, adding=True),),
        serial=True,
    )
    assert execute(nest, {bx: x, bz: z, bi: index}) == 0
    expected = np.zeros(7)
    np.add.at(expected, index, x)
    np.testing.assert_array_equal(z, expected)


def test_stores_for_each_element_beside_a_reduction() -> None:
    rng = np.random.default_rng(5)
    x, double, total = rng.standard_normal((33, 21), "f4"), np.zeros((33, 21), "f4"), np.zeros(21, "f4")
    bx, bd, bt = map(buffer_of, (x, double, total))
    nest = Nest(
        (21,),
        (33,),
        (Load(Access(bx, 0, (1, 21)), F4), Apply(Add(), (0, 0), F4), Reduce("sum", 1, F4)),
        (Store(Access(bd, 0, (1, 21)), 1), Store(Access(bt, 0, (1, 0)), 2)),
    )
    execute(nest, {bx: x, bd: double, bt: total})
    np.testing.assert_array_equal(double, x + x)
    np.testing.assert_allclose(total, (x + x).sum(0), rtol=1e-5, atol=1e-5)


def test_equal_structures_share_a_kernel() -> None:
    def nest(n: int) -> Nest:
        b = Buffer(n, F4)
        loads = (Load(Access(b, 0, (1,)), F4), Apply(Add(), (0, 0), F4))
        return Nest((n,), (), loads, (Store(Access(b, 0, (1,)), 1),))

    assert structure(nest(5), 64) == structure(nest(500), 64)
    assert kernel_text(nest(5), 64) == kernel_text(nest(500), 64)
    assert structure(nest(5), 64) != structure(nest(5), 32)

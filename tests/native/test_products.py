"""Matrix products: right to the last bit for all layouts, however they are divided, within their operands' memory."""

from __future__ import annotations

import ctypes
import itertools
import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.native import target
from chainrule.native.products import (
    COLUMN_BLOCK,
    COLUMN_GRAIN,
    DEPTH_BLOCK,
    PACK_A_COLUMNS,
    ROW_BLOCK,
    ROW_GRAIN,
    Bound,
    Split,
    better_transposed,
    choose_split,
    multiply,
    scratch_bytes,
)

if target.unavailable():
    pytest.skip(str(target.unavailable()), allow_module_level=True)

TARGETS = [target.AVX2] + [target.host()] * (target.host().vector_bytes == 64)
DTYPES = [np.float32, np.float64]


@pytest.fixture(params=TARGETS, ids=lambda t: t.extension)
def unit(request):
    with target.use(request.param):
        yield request.param


def numbers(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def check(a, b, c):
    """c is a @ b up to the rounding of K products and sums, relative to the sum of their absolute values."""
    exact = a.astype(np.float64) @ b.astype(np.float64)
    scale = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    assert (np.abs(c - exact) <= (a.shape[1] + 1) * np.finfo(c.dtype).eps * scale).all()


LAYOUTS = {
    "plain": lambda rng, m, n, dtype: numbers(rng, (m, n), dtype),
    "transposed": lambda rng, m, n, dtype: numbers(rng, (n, m), dtype).T,
    "columns of a wider array": lambda rng, m, n, dtype: numbers(rng, (m, n + 3), dtype)[:, 1 : n + 1],
    "rows and columns backwards": lambda rng, m, n, dtype: numbers(rng, (m, n), dtype)[::-1, ::-1],
    "every other row and third column": lambda rng, m, n, dtype: numbers(rng, (2 * m, 3 * n), dtype)[::2, ::3],
    "transposed and backwards": lambda rng, m, n, dtype: numbers(rng, (n, 2 * m), dtype).T[::-2],
    "one row for all": lambda rng, m, n, dtype: np.broadcast_to(numbers(rng, (1, n), dtype), (m, n)),
    "one column for all": lambda rng, m, n, dtype: np.broadcast_to(numbers(rng, (m, 1), dtype), (m, n)),
}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    sizes=st.tuples(*[st.integers(0, 70)] * 3),
    layouts=st.tuples(*[st.sampled_from(sorted(LAYOUTS))] * 2),
    dtype=st.sampled_from(DTYPES),
    on=st.sampled_from(TARGETS),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_sizes_and_layouts(sizes, layouts, dtype, on, seed):
    m, n, k = sizes
    rng = np.random.default_rng(seed)
    a, b = LAYOUTS[layouts[0]](rng, m, k, dtype), LAYOUTS[layouts[1]](rng, k, n, dtype)
    with target.use(on):
        check(a, b, multiply(a, b))


LARGE = [
    (ROW_BLOCK + 9, 33, DEPTH_BLOCK + 1),
    (2 * ROW_BLOCK + 1, COLUMN_BLOCK + 17, 40),
    (20, 2 * COLUMN_BLOCK + 5, 2 * DEPTH_BLOCK + 3),
    (130, 500, 3 * DEPTH_BLOCK),
    (2 * ROW_BLOCK, PACK_A_COLUMNS, DEPTH_BLOCK),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("flips", ["nn", "nt", "tn", "tt"])
@pytest.mark.parametrize("sizes", LARGE, ids=str)
def test_more_than_one_block(unit, sizes, flips, dtype):
    m, n, k = sizes
    rng = np.random.default_rng(0)
    layout = {"n": LAYOUTS["plain"], "t": LAYOUTS["transposed"]}
    a, b = layout[flips[0]](rng, m, k, dtype), layout[flips[1]](rng, k, n, dtype)
    check(a, b, multiply(a, b))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_element_is_the_same_chains_of_fused_multiply_adds(dtype):
    """The bits do not depend on the unit, nor on the orientation, nor on where in C the element lies."""
    rng = np.random.default_rng(1)
    a, b = numbers(rng, (150, 1100), dtype), numbers(rng, (1100, 70), dtype)
    results = []
    for unit in TARGETS:
        with target.use(unit):
            results += [multiply(a, b), multiply(b.T, a.T).T, multiply(a[::-1], b[:, ::-1])[::-1, ::-1]]
            results.append(np.hstack([multiply(a, b[:, j : j + 1].copy()) for j in range(b.shape[1])]))
    for c in results[1:]:
        np.testing.assert_array_equal(c, results[0])


def test_the_chain_in_float32_step_by_step(unit):
    """A product of two float32 is exact in float64, and so is its sum with a float32 of about the same size."""
    rng = np.random.default_rng(2)
    a, b = (rng.integers(-1000, 1000, shape).astype(np.float32) for shape in ((9, 30), (30, 35)))
    expected = np.zeros((9, 35), np.float32)
    for k in range(30):
        expected = (a[:, k : k + 1].astype(float) * b[k].astype(float) + expected).astype(np.float32)
    np.testing.assert_array_equal(multiply(a, b), expected)


def test_errors_do_not_add_up_along_k(unit):
    """Where all terms are positive each addition rounds at the size of the sum: one chain would be off by hundreds."""
    rng = np.random.default_rng(9)
    a, b = rng.random((9, 200_000), np.float32), rng.random((200_000, 17), np.float32)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    assert (np.abs(multiply(a, b) / exact - 1) <= 10 * np.finfo(np.float32).eps).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("flips", ["nn", "tt"])
def test_bits_do_not_depend_on_the_split(unit, flips, dtype):
    rng = np.random.default_rng(3)
    m, n, k = 203, 331, 700
    layout = {"n": LAYOUTS["plain"], "t": LAYOUTS["transposed"]}
    a, b = layout[flips[0]](rng, m, k, dtype), layout[flips[1]](rng, k, n, dtype)
    whole = multiply(a, b)
    for rows in ([0, m], [0, ROW_GRAIN, 104, m], [0, 96, 200, m]):
        for columns in ([0, n], [0, COLUMN_GRAIN, 160, n]):
            c = np.full((m, n), np.nan, dtype)
            product = Bound(a, b, c)
            for i0, i1 in itertools.pairwise(rows):
                for j0, j1 in itertools.pairwise(columns):
                    product(i0, i1, j0, j1)
            np.testing.assert_array_equal(c, whole)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_depth_gives_zeros(unit, dtype):
    c = np.full((11, 37), np.nan, dtype)
    Bound(np.empty((11, 0), dtype), np.empty((0, 37), dtype), c)()
    assert (c == 0).all()


def test_nothing_is_written_for_an_empty_range(unit):
    c = np.full((8, 8), 7.0)
    Bound(np.ones((8, 8)), np.ones((8, 8)), c)(3, 3, 0, 8)
    Bound(np.ones((8, 8)), np.ones((8, 8)), c)(0, 8, 5, 5)
    assert (c == 7).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinity_go_through(unit, dtype):
    rng = np.random.default_rng(4)
    a, b = numbers(rng, (21, 33), dtype), numbers(rng, (33, 50), dtype)
    a[3, 5], a[7, 32], a[20, 0], b[12, 49], b[5, 3] = np.nan, np.inf, 0, -np.inf, np.inf
    a[:, 12] = 0
    with np.errstate(invalid="ignore"):
        expected = a @ b
    c = multiply(a, b)
    np.testing.assert_array_equal(np.isnan(c), np.isnan(expected))
    np.testing.assert_array_equal(c[np.isinf(expected)], expected[np.isinf(expected)])
    assert np.isnan(c).any()
    assert np.isinf(c).any()


KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_int64] * 4, ctypes.POINTER(ctypes.c_int64))


@pytest.mark.parametrize("sizes", [(20, 30, 10), (300, 1500, 40), (130, 200, 1200), (5, 7, 0)], ids=str)
def test_the_epilogue_sees_each_finished_element_once(unit, sizes):
    m, n, k = sizes
    rng = np.random.default_rng(5)
    a, b = numbers(rng, (m, k), np.float64), numbers(rng, (k, n), np.float64)
    c, calls = np.full((m, n), np.nan), np.zeros((m, n), int)
    expected = multiply(a, b)
    seen = []

    def epilogue(args, i0, i1, j0, j1, context):
        seen.append((args, bool((c[i0:i1, j0:j1] == expected[i0:i1, j0:j1]).all()), context[3]))
        calls[i0:i1, j0:j1] += 1
        c[i0:i1, j0:j1] = -1

    function = KERNEL(epilogue)
    product = Bound(a, b, c, epilogue=(ctypes.cast(function, ctypes.c_void_p).value, 4711))
    product.context[3] = 42
    half = n // 2 // COLUMN_GRAIN * COLUMN_GRAIN
    product(0, m, 0, half)
    product(0, m, half, n)
    assert (calls == 1).all()
    assert (c == -1).all()
    assert set(seen) == {(4711, True, 42)}


def guarded(shape, dtype, transposed=False):
    """An array whose last element is followed by a page that must not be touched."""
    page = mmap.PAGESIZE
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    pages = -(-size // page) * page
    memory = mmap.mmap(-1, pages + page)
    buffer = (ctypes.c_char * len(memory)).from_buffer(memory)
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    assert protect(ctypes.addressof(buffer) + pages, page, 0) == 0
    flat = np.frombuffer(buffer, dtype, int(np.prod(shape)), pages - size)
    return flat.reshape(shape[::-1]).T if transposed else flat.reshape(shape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("flips", ["nn", "nt", "tn", "tt"])
@pytest.mark.parametrize(
    "sizes", [(3, 5, 7), (9, 17, 33), (25, 100, 13), (12, 48, 20), (1, 16, 8), (40, 201, 530)], ids=str
)
def test_memory_behind_the_operands_is_not_touched(unit, sizes, flips, dtype):
    """Reading or writing one element too many would end the process."""
    m, n, k = sizes
    rng = np.random.default_rng(6)
    a, b = guarded((m, k), dtype, flips[0] == "t"), guarded((k, n), dtype, flips[1] == "t")
    c = guarded((m, n), dtype)
    a[...], b[...] = numbers(rng, (m, k), dtype), numbers(rng, (k, n), dtype)
    Bound(a, b, c)()
    check(a, b, c)


@pytest.mark.parametrize("dtype", DTYPES)
def test_only_the_range_is_written(unit, dtype):
    """Between the rows of c, around the range, and behind the scratch memory everything stays as it was."""
    rng = np.random.default_rng(7)
    room = np.full((30, 90), 5, dtype)
    c = room[2:27, 10:75]
    a, b = numbers(rng, (25, 40), dtype), numbers(rng, (40, 65), dtype)
    Bound(a, b, c)(8, 16, 16, 65)
    check(a[8:16], b[:, 16:], c[8:16, 16:])
    room[10:18, 26:75] = 5
    assert (room == 5).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [DEPTH_BLOCK - 1, DEPTH_BLOCK])
@pytest.mark.parametrize("flips", ["tn", "tt"])
def test_the_scratch_memory_is_enough(unit, flips, depth, dtype):
    """Blocks of the largest size, and a page behind the scratch memory that must not be touched."""
    m, n = 2 * ROW_BLOCK, COLUMN_BLOCK
    rng = np.random.default_rng(8)
    layout = {"n": LAYOUTS["plain"], "t": LAYOUTS["transposed"]}
    a, b = layout[flips[0]](rng, m, depth, dtype), layout[flips[1]](rng, depth, n, dtype)
    product = Bound(a, b, np.empty((m, n), dtype))
    scratch = guarded((scratch_bytes(dtype),), np.uint8)
    product.context[1] = scratch.ctypes.data
    product()
    check(a, b, product.arrays[2])


def test_splits_have_grains_and_small_products_are_not_split():
    assert choose_split(2048, 2048, 2048, 1, np.float32).axis == 0
    assert choose_split(16, 16, 16, 2, np.float32).axis == 0
    for m, n, k in [(256, 256, 256), (2048, 2048, 2048), (64, 1024, 784), (4096, 64, 256), (784, 100, 64)]:
        split = choose_split(m, n, k, 2, np.float32)
        assert split in (Split(1, ROW_GRAIN), Split(2, COLUMN_GRAIN))
    assert choose_split(8, 4096, 4096, 2, np.float32).axis == 2
    assert choose_split(4096, 8, 4096, 2, np.float32).axis == 1


def test_few_columns_are_better_rows():
    assert better_transposed(784, 3, 64, np.float32)
    assert not better_transposed(64, 784, 64, np.float32)
    assert not better_transposed(512, 512, 512, np.float32)


def test_what_does_not_fit_is_refused():
    a, b = np.ones((3, 4)), np.ones((4, 5))
    with pytest.raises(ValueError, match="do not fit"):
        Bound(a, b.T, np.empty((3, 5)))
    with pytest.raises(ValueError, match="float32 or float64"):
        Bound(a, b, np.empty((3, 5), np.float32))
    with pytest.raises(ValueError, match="contiguous rows"):
        Bound(a, b, np.empty((5, 3)).T)
    with pytest.raises(ValueError, match="multiples"):
        Bound(np.ndarray((3, 4), np.float64, bytes(400), 0, (33, 8)), b, np.empty((3, 5)))
    with pytest.raises(IndexError, match="rows 0:4"):
        Bound(a, b, np.empty((3, 5)))(0, 4)

"""Arguments and results of compiled functions: structures, layouts, dtypes, and how many Programs they take."""

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import CompileWarning


@dataclass
class Batch:
    x: Any
    labels: Any = None


Point = namedtuple("Point", "x y")


def test_nested_arguments_and_results():
    @cr.compile
    def f(data, scale, *, point):
        return {
            "sum": data["a"] + data["b"][0],
            "rest": (point.x * scale, [point], "text", None, 3, data["b"][1].labels),
            "batch": Batch(point.y * 2),
        }

    def call(k):
        return f(
            {"a": np.ones(2) * k, "b": [np.ones(2), Batch(np.ones(1), 7)]},
            0.5 * k,
            point=Point(k * 1.0, np.arange(3.0) * k),
        )

    for k in (1, 2, 3):
        z = call(k)
        np.testing.assert_array_equal(z["sum"], [k + 1, k + 1])
        scaled, (point,), *static = z["rest"]
        assert scaled.shape == ()
        assert scaled == 0.5 * k * k
        assert isinstance(point, Point)
        np.testing.assert_array_equal(point.y, np.arange(3) * k)
        assert static == ["text", None, 3, 7]
        assert isinstance(z["batch"], Batch)
        np.testing.assert_array_equal(z["batch"].x, np.arange(3) * 2 * k)
        assert z["batch"].labels is None
    assert len(f.programs) == 1


def test_inputs_are_named_after_the_arguments():
    f = cr.compile(lambda x, batch, **options: x * batch["a"][1] * options["scale"])
    f(np.ones(1), {"a": [np.ones(1), np.ones(1)]}, scale=2.0)
    assert [value.name for value in f.last.inputs] == ["x", "batch_a_0", "batch_a_1", "scale"]


def test_results_are_fresh():
    data = np.arange(3.0)
    f = cr.compile(lambda x: (x, x, x[1:], data, x * 1))
    x = np.arange(3.0)
    first = f(x)
    for i, a in enumerate(first):
        assert a.flags.writeable
        assert not np.shares_memory(a, x)
        assert not np.shares_memory(a, data)
        assert not any(np.shares_memory(a, b) for b in first[:i])
    first[4][:] = -1
    np.testing.assert_array_equal(f(x)[4], x)


@pytest.mark.parametrize(
    "x",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12.0).reshape(2, 6)[:, ::2],
        np.arange(6.0).reshape(2, 3)[::-1, ::-1],
        np.arange(6.0).reshape(3, 2).T,
        np.broadcast_to(np.arange(3.0), (2, 3)),
        np.arange(6.0).reshape(2, 3).astype(">f8"),
        np.frombuffer(b"\0" + np.arange(6.0).tobytes(), np.float64, offset=1).reshape(2, 3),
        np.lib.stride_tricks.as_strided(np.arange(6.0), (2, 3), (8, 8)),
        np.rec.array(np.arange(6.0).reshape(2, 3)),
        cr.constant(np.arange(6.0).reshape(2, 3)),
    ],
    ids=["C", "F", "strided", "reversed", "transposed", "broadcast", "swapped", "misaligned", "overlapping", "subclass",
         "Array"],
)  # fmt: skip
def test_arrays_of_every_layout(x):
    f = cr.compile(lambda x: np.sum(x * x, axis=1) + x[:, 0])
    plain = np.array(x, np.float64)
    for _ in range(3):
        z = f(x)
        assert type(z) is np.ndarray
        np.testing.assert_allclose(z, np.sum(plain * plain, axis=1) + plain[:, 0], rtol=1e-14)


def test_numpy_scalars_keep_their_dtype_and_python_floats_are_weak():
    f = cr.compile(lambda x, y: x * y)
    x = np.ones(2, np.float32)
    assert f(x, 2.0).dtype == np.float32
    assert f(x, np.float32(2)).dtype == np.float32
    assert f(x, np.float64(2)).dtype == np.float64
    assert f(x, 2).dtype == np.float32
    assert f(x, True).dtype == np.float32
    np.testing.assert_array_equal(f(x, 3.0), [3, 3])
    np.testing.assert_array_equal(f(x, np.float64(4)), [4, 4])


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.int8, np.uint64, np.bool_])
def test_every_dtype(dtype):
    x = np.array([0, 1, 1], dtype)
    f = cr.compile(lambda x: (x * x, np.sum(x), x + 0.5))
    for _ in range(3):
        for z, expected in zip(f(x), (x * x, np.sum(x), x + 0.5), strict=True):
            assert z.dtype == expected.dtype
            np.testing.assert_array_equal(z, expected)


@pytest.mark.parametrize("function", [np.add, np.multiply, np.divide, np.maximum, np.power, np.less])
@pytest.mark.parametrize("number", [2, 2.5, True, np.float32(1.5), np.float64(0.5), np.int8(3)])
def test_numbers_promote_as_they_do_in_numpy(function, number):
    compiled = cr.compile(lambda x: (function(x, number), function(number, x)), backend="source", limit=10)
    argument = cr.compile(lambda x, y: (function(x, y), function(y, x)), backend="source", limit=10)
    for dtype in (np.int8, np.uint8, np.int64, np.float32, np.float64):
        x = np.array([1, 2, 3], dtype)
        expected = function(x, number), function(number, x)
        eager = [z.value for z in (function(cr.constant(x), number), function(number, cr.constant(x)))]
        for found in (eager, compiled(x), argument(x, number)):
            for z, wanted in zip(found, expected, strict=True):
                assert z.dtype == wanted.dtype
                np.testing.assert_allclose(z, wanted, rtol=1e-6)


def test_one_program_for_each_kind_of_call():
    f = cr.compile(lambda x, n, flag=True: x * n if flag else x)
    f(np.ones(2), 1)
    f(np.zeros(2), 1)
    assert len(f.programs) == 1
    f(np.ones(3), 1)
    f(np.ones(2, np.float32), 1)
    f(np.ones(2), 2)
    f(np.ones(2), True)
    f(np.ones(2), 1, flag=False)
    f(np.ones(2), 1, False)
    assert len(f.programs) == 7
    np.testing.assert_array_equal(f(np.ones(2), 2), [2, 2])
    assert f.last is f.programs[0]


def test_fixed_arguments_between_inputs():
    f = cr.compile(lambda x, n, y, flag=None: (x * n, y, flag))
    for _ in range(2):
        for n, flag in [(1, ()), (1, (True,)), (2, ("a",)), (True, ("b",))]:
            for k in (1.0, 2.0, 3.0):
                z, y, returned = f(np.ones(2) * k, n, np.arange(3.0) * k, *flag)
                np.testing.assert_array_equal(z, [k * n, k * n])
                np.testing.assert_array_equal(y, np.arange(3) * k)
                assert returned == (flag[0] if flag else None)
    assert len(f.programs) == 4
    with pytest.raises(TypeError, match="missing 1 required"):
        f(np.ones(2), 1)


def test_a_structure_that_changes_inside_is_another_argument():
    f = cr.compile(lambda x, sizes: x * sizes[0])
    sizes = [1]
    for n in (1, 1, 1, 2, 2, 2, 1):
        sizes[0] = n
        np.testing.assert_array_equal(f(np.ones(2), sizes), [n, n])


def test_static_arguments():
    f = cr.compile(lambda x, p, names: x**p * len(names), static=("p", "names"))
    np.testing.assert_array_equal(f(np.array([2.0]), 3.0, ("a", "b")), [16])
    np.testing.assert_array_equal(f(np.array([2.0]), 2.0, names=("a",)), [4])
    np.testing.assert_array_equal(f(np.array([3.0]), 2.0, names=("a",)), [9])
    assert len(f.programs) == 2
    with pytest.raises(ValueError, match="'q', which is no argument"):
        cr.compile(lambda x, p: x, static=("x", "q"))
    cr.compile(lambda x, **options: x, static="q")
    g = cr.compile(lambda n, x: x * n, static=0)
    np.testing.assert_array_equal(g(2.0, np.ones(1)), [2])
    np.testing.assert_array_equal(g(3.0, np.ones(1)), [3])
    assert len(g.programs) == 2


def test_objects_are_fixed_and_states_captured():
    model, scale = cr.nn.Linear(2, 1, rng=0), cr.State(2.0)
    f = cr.compile(lambda model, scale, x: model(x) * scale)
    x = np.ones((3, 2), np.float32)
    for value in (2.0, 3.0):
        scale.assign(value)
        np.testing.assert_allclose(f(model, scale, x), (model(x) * scale).value, rtol=1e-6)
    assert len(f.programs) == 1


def test_what_does_not_hash_is_refused_with_advice():
    class Settings:
        __hash__ = None

    with pytest.raises(TypeError, match="does not hash: pass arrays"):
        cr.compile(lambda x: x)(Settings())
    with pytest.raises(TypeError, match="complex"):
        cr.compile(lambda x: x)(np.ones(2) * 1j)
    with pytest.raises(TypeError, match="masked"):
        cr.compile(lambda x: x)(np.ma.masked_array([1.0, 2.0], [True, False]))


def test_a_bounded_number_of_programs_and_a_warning_that_names_what_changes():
    f = cr.compile(lambda x, i: x * i, limit=3)
    for i in range(3):
        f(np.ones(2), i)
    with pytest.warns(CompileWarning, match=r"'i' keeps changing \(int 0, int 1, int 2, int 3, ...\)") as caught:
        f(np.ones(2), 3)
    assert caught[0].filename == __file__
    assert len(f.programs) == 3
    g = cr.compile(lambda x: x * 2, limit=1)
    g(np.ones((2, 3)))
    with pytest.warns(CompileWarning, match=r"'x' keeps changing \(\(2, 3\) float64, \(3,\) float64"):
        g(np.ones(3))
    with pytest.raises(ValueError, match="limit"):
        cr.compile(lambda x: x, limit=0)


def test_the_program_used_least_recently_goes():
    f = cr.compile(lambda x, i: x * i, limit=2)
    f(np.ones(2), 1)
    f(np.ones(2), 2)
    f(np.ones(2), 1)
    kept = f.last
    with pytest.warns(CompileWarning):
        f(np.ones(2), 3)
    assert f.programs[1] is kept

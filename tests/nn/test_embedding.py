"""Embedding and Flatten: what reads rows, and what makes rows."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import Embedding, Flatten, Linear, Sequential, Tanh
from tests.nn.agreement import WAYS, check_agreement

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,), (2, 0)])
@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.int32])
@pytest.mark.parametrize("compiled", [False, True])
def test_rows_are_read_by_number(shape, dtype, compiled):
    layer = Embedding(5, 3, rng=0)
    run = cr.compile(layer) if compiled else layer
    ids = RNG.integers(0, 5, shape).astype(dtype)
    z = run(ids)
    assert z.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(z.tolist(), np.float32).reshape(*shape, 3), layer.weight.value[ids])


def test_a_row_gets_the_sum_of_what_comes_back():
    layer = Embedding(5, 2, rng=0, dtype=np.float64)
    ids, dz = np.array([[3, 1], [3, 3]]), RNG.standard_normal((2, 2, 2))
    layer(ids).backward(upstream=dz)
    expected = np.zeros((5, 2))
    np.add.at(expected, ids, dz)
    np.testing.assert_allclose(layer.weight.grad, expected, rtol=1e-14)


def test_small_dtypes_read_large_tables():
    layer = Embedding(1000, 2, rng=0)
    for ids in (np.array([255], np.uint8), np.array([127], np.int8), [3, 999]):
        np.testing.assert_array_equal(layer(ids).value, layer.weight.value[np.asarray(ids, np.int64)])
    with pytest.raises(IndexError):
        layer(np.array([-1], np.int8))  # which cannot hold the 1000 that it is to be refused as


@pytest.mark.parametrize("ids", [np.array([0.0]), [True], np.array([1.5]), []])
def test_only_integers(ids):
    with pytest.raises(TypeError, match=r"Embedding\(5, 3\) is read by integers, not"):
        Embedding(5, 3)(ids)


@pytest.mark.parametrize("bad", [-1, 5, -5, 2**40])
@pytest.mark.parametrize("way", ["eager", "native", "source"])
def test_numbers_that_are_not_there(bad, way):
    layer = Embedding(5, 3, rng=0)
    run = layer if way == "eager" else cr.compile(layer, backend=way)
    for _ in range(2):
        run(np.array([0, 4]))
    with pytest.raises(IndexError):
        run(np.array([0, bad]))


def test_arguments():
    for n, size in ((0, 3), (3, 0)):
        with pytest.raises(ValueError, match="at least one row"):
            Embedding(n, size)
    layer = Embedding(400, 300, rng=0, scale=0.5)
    assert layer.weight.value.std() == pytest.approx(0.5, rel=0.02)
    assert (layer.parameter_count, layer.neuron_count) == (120_000, 0)
    assert repr(layer) == "Embedding(400, 300)"


def make(dtype):
    return Sequential(Embedding(7, 4, rng=0, dtype=dtype), Flatten(), Tanh(), Linear(12, 3, rng=1, dtype=dtype))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_is_the_same_eagerly_and_compiled(way, dtype):
    ids = RNG.integers(0, 7, (11, 3))
    check_agreement(lambda: make(dtype), ids, way, batch=4, rtol=1e-4 if dtype == np.float32 else 1e-10)


@pytest.mark.parametrize(
    ("shape", "flat"), [((5,), (5, 1)), ((5, 2), (5, 2)), ((5, 2, 3), (5, 6)), ((0, 2, 3), (0, 6)), ((2, 0, 3), (2, 0))]
)
def test_flatten_makes_each_example_a_row(shape, flat):
    x = RNG.standard_normal(shape)
    np.testing.assert_array_equal(Flatten()(x), x.reshape(flat))
    np.testing.assert_array_equal(cr.compile(Flatten())(x), x.reshape(flat))


def test_flatten_gives_gradients_their_shape_back():
    x = cr.array(RNG.standard_normal((2, 3, 4)))
    Flatten()(x).backward(upstream=np.arange(24.0).reshape(2, 12))
    np.testing.assert_array_equal(x.grad, np.arange(24.0).reshape(2, 3, 4))


def test_flatten_takes_lists_but_no_number():
    assert Flatten()([[1, 2], [3, 4]]).shape == (2, 2)
    with pytest.raises(ValueError, match="examples along the first axis"):
        Flatten()(np.array(1.0))

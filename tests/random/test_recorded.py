"""Draws in a compiled function: the same numbers as eagerly, others at each call, and the counter moves on."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError
from tests.random.test_generator import DRAWS, every_draw


@every_draw
@pytest.mark.parametrize("shape", [(), 5, (2, 3), (2, 0)])
def test_draws_are_those_of_eager_code(name, shape):
    _, draw = DRAWS[name]
    compiled_rng, rng = cr.random.Generator(3), cr.random.Generator(3)
    step = cr.compile(lambda: (draw(compiled_rng, shape), draw(compiled_rng, shape)))
    for _ in range(3):
        for drawn in step():
            expected = draw(rng, shape)
            assert (drawn.shape, drawn.dtype) == (expected.shape, expected.dtype)
            if "normal" in name:  # whose logarithm and cosine may differ in the last bits
                np.testing.assert_allclose(drawn, expected, rtol=1e-5, atol=1e-6)
            else:
                np.testing.assert_array_equal(drawn, expected)
        assert compiled_rng.counter.item() == rng.counter.item()


def test_permutations_and_masks():
    compiled_rng, rng = cr.random.Generator(5), cr.random.Generator(5)
    x = np.arange(6.0).reshape(2, 3)

    def dropped(x, rng):
        order = rng.permutation(3)
        return x[:, order] * rng.bernoulli(0.5, x.shape) / 0.5

    step = cr.compile(lambda x: dropped(x, compiled_rng))
    for k in range(3):
        np.testing.assert_array_equal(step(x + k), dropped(x + k, rng))


def test_two_generators_and_a_new_state():
    first, second = cr.random.Generator(0), cr.random.Generator(1)
    step = cr.compile(lambda: (first.bits(3), second.bits(3)))
    before = second.state
    once = step()
    second.state = before
    again = step()
    assert not np.array_equal(once[0], again[0])
    np.testing.assert_array_equal(once[1], again[1])


def test_the_end_of_the_stream():
    rng = cr.random.Generator(0)
    step = cr.compile(lambda: rng.bits(4))
    for _ in range(3):  # the third call is native alone
        step()
    rng.counter.assign(np.uint64(2**64 - 5))
    step()
    rng.counter.assign(np.uint64(2**64 - 4))
    with pytest.raises(OverflowError, match="4 words are not left"):
        step()
    assert rng.counter.item() == 2**64 - 4


def test_generators_are_made_before():
    rng = cr.random.Generator(0)
    with pytest.raises(GraphError, match="split before it"):
        cr.compile(lambda: rng.split(2)[0].bits())()
    assert rng.counter.item() == 0

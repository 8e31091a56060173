"""Matrix products and contractions of any shapes that fit."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import chainrule as cr
from tests.fuzz.cases import fuzz, numbers, seeds


def check(f, *args):
    np.testing.assert_allclose(f(*map(cr.array, args)).value, f(*args), rtol=1e-12, atol=1e-13)
    cr.check_grads(f, *args, order=2, directions=2)


@given(mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, max_side=3, min_side=0), seeds)
@fuzz(6)
def test_matmul(drawn, seed):
    left, right = drawn.input_shapes
    check(np.matmul, numbers(seed, left), numbers(seed + 1, right))


@given(st.data(), seeds, st.booleans())
@fuzz(6)
def test_einsum(data, seed, explicit):
    sizes = dict(zip("abcd", data.draw(st.lists(st.integers(1, 3), min_size=4, max_size=4)), strict=True))
    terms = data.draw(st.lists(st.text("abcd", max_size=3), min_size=1, max_size=3))
    letters = sorted(set("".join(terms)))
    subscripts = ",".join(terms)
    if explicit:
        subscripts += "->" + "".join(data.draw(st.lists(st.sampled_from(letters), unique=True)) if letters else [])
    args = [numbers(seed + i, tuple(sizes[c] for c in term)) for i, term in enumerate(terms)]
    check(lambda *xs: np.einsum(subscripts, *xs), *args)


@given(st.data(), seeds)
@fuzz(4)
def test_tensordot(data, seed):
    shared = data.draw(st.lists(st.integers(1, 3), max_size=2))
    left = data.draw(st.lists(st.integers(1, 3), max_size=2))
    right = data.draw(st.lists(st.integers(1, 3), max_size=2))
    x, y = numbers(seed, (*left, *shared)), numbers(seed + 1, (*shared, *right))
    check(lambda x, y: np.tensordot(x, y, len(shared)), x, y)

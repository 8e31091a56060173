"""Random expressions of elementwise functions whose operands broadcast."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import chainrule as cr
from tests.fuzz.cases import fuzz, numbers, seeds

UNARY = {
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "arctan": np.arctan,
    "exp": lambda x: np.exp(np.tanh(x)),
    "log": lambda x: np.log(2.0 + np.cos(x)),
    "log1p": lambda x: np.log1p(np.square(x)),
    "sqrt": lambda x: np.sqrt(1.5 + np.sin(x)),
    "square": np.square,
    "reciprocal": lambda x: np.reciprocal(3.0 + np.sin(x)),
    "sigmoid": cr.sigmoid,
    "softplus": cr.softplus,
    "abs": np.abs,
    "negative": np.negative,
    "cube": lambda x: np.tanh(x) ** 3,
    "power of 2": lambda x: 2.0 ** np.tanh(x),
    "clip": lambda x: np.clip(x, -0.7, 0.9),
    "arcsinh": np.arcsinh,
}
BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": lambda x, y: np.tanh(x) * y,
    "divide": lambda x, y: x / (2.5 + np.cos(y)),
    "power": lambda x, y: (1.5 + np.cos(x)) ** np.sin(y),
    "maximum": lambda x, y: np.maximum(np.sin(1.3 * x), 0.3 * y - 0.1),  # never of a value with itself
    "minimum": lambda x, y: np.minimum(np.sin(1.1 * x), 0.5 * y + 0.2),
    "logaddexp": np.logaddexp,
    "arctan2": lambda x, y: np.arctan2(x, 2.5 + np.sin(y)),
    "hypot": lambda x, y: np.hypot(x, 1.0 + np.square(y)),
    "where": lambda x, y: np.where(np.sin(3 * x) > 0, x, y),
    "remainder": lambda x, y: np.remainder(x, 3.5 + np.sin(y)),
    "fmin": lambda x, y: np.fmin(np.sin(1.7 * x), 0.7 * y - 0.3),
}


def trees(leaves):
    return st.recursive(
        st.integers(0, leaves - 1),
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(sorted(UNARY)), inner),
            st.tuples(st.sampled_from(sorted(BINARY)), inner, inner),
        ),
        max_leaves=6,
    )


def evaluated(tree, xs):
    if isinstance(tree, int):
        return xs[tree] * 1.0
    name, *operands = tree
    return (UNARY | BINARY)[name](*(evaluated(t, xs) for t in operands))


@given(st.data(), seeds)
@fuzz(20)
def test_expressions(data, seed):
    count = data.draw(st.integers(1, 3))
    drawn = data.draw(mutually_broadcastable_shapes(num_shapes=count, max_dims=3, max_side=3))
    tree = data.draw(trees(count))
    args = [numbers(seed + i, shape) for i, shape in enumerate(drawn.input_shapes)]

    def f(*xs):
        return evaluated(tree, xs)

    value = f(*map(cr.array, args))
    np.testing.assert_allclose(value.value, f(*args), rtol=1e-13)
    cr.check_grads(f, *args, order=2, directions=2)

"""Random functions of arrays, with gradients, for hypothesis to draw.

A function is a list of steps; each applies something to values that are there already. Steps that choose (a maximum, a
comparison) choose between inputs: these are the same numbers however the rest is rounded, so that choices are, too.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import chainrule as cr
from tests.fuzz.cases import axes, seeds
from tests.fuzz.test_elementwise import BINARY, UNARY
from tests.fuzz.test_movement import moves

LARGEST = 200
"""Elements of a value."""
CHOOSING = ("abs", "clip", "maximum", "minimum", "where", "remainder", "fmin")
SMOOTH = {name: f for name, f in UNARY.items() if name not in CHOOSING} | {
    "erf": cr.erf,
    "expm1": lambda x: np.expm1(np.tanh(x)),
    "half": lambda x: x * 0.5,
    "times one": lambda x: x * 1,
    "minus zero": lambda x: x - 0.0,
    "plus zero": lambda x: -np.square(x * 0.0) + 0.0,
    "there and back": lambda x: x.astype(np.float64).astype(x.dtype),
}
PAIRS = {name: f for name, f in BINARY.items() if name not in CHOOSING} | {
    "subtract the mean": lambda x, y: x - np.mean(y),
    "in double": lambda x, y: (np.mean(x.astype(np.float64)) * np.square(y)).astype(x.dtype),
    "convolve": lambda x, y: np.reshape(np.convolve(np.reshape(x, -1), np.reshape(y, -1))[: x.size], x.shape),
    "twice": lambda x, y: np.sin(x) * y + np.sin(x),
}
WIDE = np.random.default_rng(0).standard_normal((2, 8, 400))


def through_many(x, stack):
    """Two matrix products, large enough for the kernels of their own, with an activation between them."""
    if x.size < 6 * stack or x.size % stack:
        raise ValueError("too few elements")
    w = (WIDE if stack > 1 else WIDE[0]).astype(x.dtype)
    rows = np.reshape(x, (*w.shape[:-2], -1, 1)) * np.linspace(-1.0, 1.0, 8).astype(x.dtype)
    return np.reshape(np.mean(np.tanh(rows @ w) @ np.swapaxes(w, -1, -2) * 0.05, -1), x.shape)


CHOICES = {
    "abs": lambda x, y: np.abs(x) + y,
    "relu": lambda x, y: cr.relu(x) * y,
    "leaky": lambda x, y: cr.leaky_relu(x, 0.2) * y,
    "clip": lambda x, y: np.clip(x, -0.7, 0.9) - y,
    "maximum": np.maximum,
    "minimum": lambda x, y: np.minimum(x, 0.3) * y,
    "where": lambda x, y: np.where(x > y, x, 2.0 * y),
    "both": lambda x, y: np.where((x > 0) & (y < 1), x * y, x),
    "floor": lambda x, y: np.floor(3.0 * x) * y,
    "remainder": lambda x, y: np.remainder(x, 3.5) * y,
    "largest": lambda x, y: x * np.max(y),
    "sorted": lambda x, y: np.sort(np.reshape(x, -1))[:1] * y,
    "searched": lambda x, y: np.searchsorted(np.sort(np.reshape(x, -1)), y).astype(y.dtype) * x,
    "nearest": lambda x, y: (np.argmax(np.reshape(x, -1)) + 1) * y,
}


class Case(NamedTuple):
    """A function and arguments for it: float arrays, an integer array, and a Python float."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    text: str


class Step(NamedTuple):
    """``apply(*operands)``, with the numbers of the operands among the values."""

    text: str
    apply: Callable[..., Any]
    operands: tuple[int, ...]


@st.composite
def steps(draw, values, inputs):
    """One step on ``values``, whose first ``inputs`` are inputs; then an array of integers and a Python float."""
    count = len(values) - 2
    any_value = st.integers(0, count - 1).map(lambda k: k if k < inputs else k + 2)
    i = draw(any_value)
    x, indices, scale = values[i], inputs, inputs + 1
    kind = draw(
        st.sampled_from(["unary", "pair", "choice", "reduce", "move", "product", "wide", "read", "write", "weak"])
    )
    if kind == "unary":
        name = draw(st.sampled_from(sorted(SMOOTH)))
        return Step(name, SMOOTH[name], (i,))
    if kind == "pair":
        name = draw(st.sampled_from(sorted(PAIRS)))
        return Step(name, PAIRS[name], (i, draw(any_value)))
    if kind == "choice":
        name = draw(st.sampled_from(sorted(CHOICES)))
        one = st.integers(0, inputs - 1)
        return Step(name, CHOICES[name], (draw(one), draw(one)))
    if kind == "reduce":
        name = draw(st.sampled_from(["sum", "mean", "var", "logsumexp", "softmax", "cumsum", "cumprod"]))
        axis, keepdims = draw(axes(x.ndim)), draw(st.booleans())
        return Step(f"{name} over {axis}", lambda x: reduced(name, x, axis, keepdims), (i,))
    if kind == "move":
        return Step("move", draw(moves(x.shape)), (i,))
    if kind == "product":
        return Step("product", product, (i, draw(any_value)))
    if kind == "wide":
        stack = draw(st.sampled_from([1, 2]))
        return Step(f"through {stack} x 400", lambda x: through_many(x, stack), (i,))
    if kind == "read":
        return Step("read", lambda x, k: x[k], (i, indices))
    if kind == "write":
        return Step("write", written, (i, indices))
    return Step("scale", draw(st.sampled_from([lambda x, s: x * s, lambda x, s: s - x, lambda x, s: x / (s * s + 1)])),
                (i, scale))  # fmt: skip


def reduced(name, x, axis, keepdims):
    if name == "softmax":
        return cr.softmax(x, axis)
    if name == "logsumexp":
        return cr.logsumexp(x, axis, keepdims)
    if name in ("cumsum", "cumprod"):
        return getattr(np, name)(x, axis=axis if isinstance(axis, int) else None)
    return getattr(np, name)(x, axis=axis, keepdims=keepdims)


def product(x, y):
    x, y = np.atleast_2d(np.tanh(x)), np.atleast_2d(np.tanh(y))
    return x @ np.swapaxes(y, -1, -2) if x.shape[-1] == y.shape[-1] else x @ (np.swapaxes(x, -1, -2) @ x)


def written(x, k):
    z = np.copy(x)
    z[k] = np.sin(x[0])
    return z


def sensible(value):
    """Whether a value can be gone on with: not too large, nor with numbers so large that rounding is all that is left.

    Without elements there is nothing to compare.
    """
    return 0 < value.size <= LARGEST and value.ndim <= 4 and np.all(np.abs(value) < 50)


@st.composite
def cases(draw, most=8):
    """A function that returns its values and their gradients with respect to the float arrays."""
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    inputs = draw(st.integers(1, 3))
    shapes = draw(mutually_broadcastable_shapes(num_shapes=inputs, max_dims=3, max_side=4)).input_shapes
    random = np.random.default_rng(draw(seeds))
    args = (
        *(random.uniform(-2.0, 2.0, shape).astype(dtype) for shape in shapes),
        random.integers(0, 2, draw(st.integers(1, 3))),
        float(random.uniform(0.5, 1.5)),
    )
    values, plan = list(args), []
    for _ in range(draw(st.integers(1, most))):
        step = draw(steps(values, inputs))
        try:
            value = step.apply(*(values[k] for k in step.operands))
        except (ValueError, IndexError):  # shapes that do not fit
            continue
        value = np.asarray(value)
        if value.dtype == dtype and sensible(value):
            values.append(value)
            plan.append(step)

    def computed(*args):
        values = list(args)
        for step in plan:
            values.append(step.apply(*(values[k] for k in step.operands)))
        return values[inputs + 2 :]

    def loss(*args):
        results = computed(*args)
        return sum((np.mean(np.sin(z)) for z in results), start=0.0 * np.sum(args[0])), results

    order = draw(st.sampled_from([1, 1, 1, 2]))
    gradient = cr.grad(lambda *args: loss(*args)[0], tuple(range(inputs)))

    def function(*args):
        if order == 1:
            (value, results), gradients = cr.value_and_grad(loss, tuple(range(inputs)), has_aux=True)(*args)
            return [value, *results, *gradients]
        return list(cr.grad(lambda *args: sum(np.sum(g * g) for g in gradient(*args)), tuple(range(inputs)))(*args))

    text = ", ".join(f"{len(args) + n}: {step.text}{step.operands}" for n, step in enumerate(plan))
    return Case(function, args, f"{dtype.__name__} {shapes}, order {order}; {text}")

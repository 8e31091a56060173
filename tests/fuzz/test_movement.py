"""Functions that move values about, against labels that are moved along: exact, with no differences."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices, integer_array_indices

import chainrule as cr
from tests.fuzz.cases import full_shapes, fuzz, numbers, seeds


def check_movement(f, *args):
    """``f`` moves elements of its arguments: labels from 1 on tell where each result comes from, 0 is from nowhere."""
    sizes = [x.size for x in args]
    starts = np.cumsum([1, *sizes])
    labels = f(*(np.arange(s, s + x.size).reshape(x.shape) for s, x in zip(starts[:-1], args, strict=True)))
    variables = [cr.array(x) for x in args]
    result = f(*variables)
    assert result.shape == labels.shape
    everything = np.concatenate([[0.0], *(x.ravel() for x in args)])
    assert np.array_equal(result.value, everything[labels])
    upstream = np.cos(np.arange(labels.size)).reshape(labels.shape)
    expected = np.bincount(labels.ravel(), upstream.ravel(), minlength=len(everything))
    if result.live:
        result.backward(upstream=upstream)
    for x, start in zip(variables, starts[:-1], strict=True):
        grad = np.zeros(x.shape) if x.grad is None else x.grad
        np.testing.assert_allclose(grad.ravel(), expected[start : start + x.size], rtol=1e-12, atol=1e-12)
    # The same through the rules that run on Arrays.
    recorded = cr.grad(lambda *xs: np.sum(f(*xs) * upstream), tuple(range(len(args))))(*map(cr.array, args))
    for dx, start in zip(recorded, starts[:-1], strict=True):
        np.testing.assert_allclose(dx.value.ravel(), expected[start : start + dx.size], rtol=1e-12, atol=1e-12)


@st.composite
def moves(draw, shape):
    """One function that moves the elements of an array of ``shape``."""
    ndim, size = len(shape), int(np.prod(shape))
    axis = st.integers(-ndim, ndim - 1) if ndim else st.nothing()
    options = [
        st.permutations(range(ndim)).map(lambda p: lambda x: np.transpose(x, p)),
        st.integers(-ndim - 1, ndim).map(lambda i: lambda x: np.expand_dims(x, i)),
        st.sampled_from([(size,), (size, 1), (1, -1), (-1,)]).map(lambda s: lambda x: np.reshape(x, s)),
        st.integers(-5, 5).map(lambda n: lambda x: np.roll(x, n)),
        st.integers(1, 3).map(lambda n: lambda x: np.repeat(x, n)),
        st.lists(st.integers(1, 2), max_size=3).map(lambda r: lambda x: np.tile(x, r)),
        st.just(lambda x: np.stack([x, x])),
        st.just(np.squeeze),
        st.just(lambda x: np.broadcast_to(x, (2, *x.shape))),
        st.just(lambda x: np.reshape(x, -1, order="F")),
    ]
    if ndim:
        options += [
            st.tuples(axis, axis).map(lambda a: lambda x: np.swapaxes(x, *a)),
            st.tuples(axis, axis).map(lambda a: lambda x: np.moveaxis(x, *a)),
            axis.map(lambda a: lambda x: np.flip(x, a)),
            st.tuples(st.integers(-5, 5), axis).map(lambda a: lambda x: np.roll(x, *a)),
            axis.map(lambda a: lambda x: np.concatenate([x, np.flip(x, a)], axis=a)),
            st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=ndim, max_size=ndim).map(
                lambda w: lambda x: np.pad(x, w)
            ),
            axis.map(lambda a: lambda x: np.concatenate(np.array_split(x, 2, axis=a)[::-1], axis=a)),
            axis.map(lambda a: lambda x: np.delete(x, 0, axis=a) if x.shape[a] > 1 else x),
            st.tuples(axis, st.sampled_from(["edge", "symmetric", "wrap"])).map(lambda a: lambda x: np.pad(x, 1, a[1])),
        ]
    return draw(st.one_of(options))


@given(st.data(), full_shapes, seeds)
@fuzz(17)
def test_moves(data, shape, seed):
    x = numbers(seed, shape)
    functions, label = [], x
    for _ in range(data.draw(st.integers(1, 4))):
        function = data.draw(moves(label.shape))
        moved = function(label)
        if moved.size > 200 or moved.ndim > 6:
            break
        functions.append(function)
        label = moved

    def f(x):
        for function in functions:
            x = function(x)
        return x * 1 if x.dtype.kind == "f" else x

    check_movement(f, x)


@st.composite
def indices(draw, shape):
    """Basic, advanced, masked and mixed indices."""
    kind = draw(st.sampled_from(["basic", "integers", "mask", "mixed", "list"]))
    if kind == "basic" or not shape:
        return draw(basic_indices(shape, allow_newaxis=True, max_dims=6))
    if kind == "integers" and 0 not in shape:
        return draw(integer_array_indices(shape))
    mask = np.random.default_rng(draw(seeds)).random(shape[0]) < 0.6
    if kind == "mask" or shape[0] == 0:
        full = np.random.default_rng(draw(seeds)).random(shape) < 0.5
        return draw(st.sampled_from([mask, full]))
    rows = draw(st.lists(st.integers(-shape[0], shape[0] - 1), max_size=4))
    if kind == "list":
        return rows
    rest = draw(basic_indices(shape[1:])) if len(shape) > 1 else ()
    return (np.array(rows, int), *(rest if isinstance(rest, tuple) else (rest,)))


@given(st.data(), full_shapes, seeds)
@fuzz(15)
def test_reading(data, shape, seed):
    index = data.draw(indices(shape))
    check_movement(lambda x: np.asarray(x[index]) if isinstance(x, np.ndarray) else x[index], numbers(seed, shape))


@given(st.data(), full_shapes, seeds)
@fuzz(10)
def test_writing(data, shape, seed):
    index = data.draw(indices(shape))
    x = numbers(seed, shape)
    place = x[index].shape
    kept = data.draw(st.integers(0, len(place)))
    ones = data.draw(st.lists(st.booleans(), min_size=kept, max_size=kept))
    target = tuple(1 if one else n for one, n in zip(ones, place[len(place) - kept :], strict=True))
    v = numbers(seed + 1, target)

    def f(x, v):
        y = np.copy(x)
        y[index] = v
        return y

    check_movement(f, x, v)

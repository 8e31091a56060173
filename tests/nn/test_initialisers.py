"""Initial weights: their sizes by the papers, on fixed seeds."""

from functools import partial

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import INITIALISERS, initialisers

SHAPE = (300, 200)
VARIANCES = {
    "glorot_uniform": 2 / 500,
    "glorot_normal": 2 / 500,
    "he_uniform": 2 / 300,
    "he_normal": 2 / 300,
    "lecun_normal": 1 / 300,
    "orthogonal": 1 / 300,
    "sparse": 15 / 300,
    "zeros": 0,
}


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", INITIALISERS)
def test_mean_and_variance(name):
    w = INITIALISERS[name](SHAPE, generator(), np.float64)
    assert w.shape == SHAPE
    assert w.dtype == np.float64
    assert w.var() == pytest.approx(VARIANCES[name], rel=0.1 if name == "sparse" else 0.03)
    assert abs(w.mean()) < 4 * np.sqrt(VARIANCES[name] / w.size) + 1e-16


@pytest.mark.parametrize("name", INITIALISERS)
def test_dtype_and_seed(name):
    w = INITIALISERS[name](SHAPE, generator(1), np.float32)
    assert w.dtype == np.float32
    np.testing.assert_array_equal(w, INITIALISERS[name](SHAPE, generator(1), np.float32))
    if name != "zeros":
        assert not np.array_equal(w, INITIALISERS[name](SHAPE, generator(2), np.float32))


@pytest.mark.parametrize(("name", "bound"), [("glorot_uniform", np.sqrt(6 / 500)), ("he_uniform", np.sqrt(6 / 300))])
def test_bounds(name, bound):
    w = INITIALISERS[name](SHAPE, generator(), np.float64)
    assert 0.999 * bound < np.abs(w).max() <= bound
    counts, _ = np.histogram(w, 10, (-bound, bound))
    assert np.all(np.abs(counts - 6000) < 400)


def test_normal_ones_are_normal():
    for name in ("glorot_normal", "he_normal", "lecun_normal"):
        z = INITIALISERS[name](SHAPE, generator(), np.float64) / np.sqrt(VARIANCES[name])
        assert (z**4).mean() == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("shape", [(7, 7), (9, 4), (4, 9), (1, 3)])
def test_orthogonal(shape):
    w = initialisers.orthogonal(shape, generator(), np.float64, gain=2.0)
    small = w.T @ w if shape[0] >= shape[1] else w @ w.T
    np.testing.assert_allclose(small, 4 * np.eye(min(shape)), atol=1e-13)


def test_rotations_and_reflections_are_equally_likely():
    signs = [np.sign(np.linalg.det(initialisers.orthogonal((3, 3), generator(seed), float))) for seed in range(400)]
    corners = [initialisers.orthogonal((3, 3), generator(seed), float)[0, 0] for seed in range(400)]
    assert abs(np.mean(signs)) < 0.15
    assert abs(np.mean(corners)) < 0.15  # QR alone makes the corner negative


@pytest.mark.parametrize("n_in", [3, 15, 100])
def test_sparse(n_in):
    w = initialisers.sparse((n_in, 50), generator(), connections=15)
    np.testing.assert_array_equal(np.count_nonzero(w, axis=0), np.full(50, min(15, n_in)))
    used = np.count_nonzero(w, axis=1)
    assert used.min() > 0 or n_in == 100
    assert initialisers.sparse((100, 50), generator(), connections=4, scale=0.0).any() == np.False_


def test_variance_keeps_through_layers():
    x = generator().standard_normal((400, 256))
    relu = cr.nn.Sequential(*[m for i in range(6) for m in (cr.nn.Linear(256, 256, rng=i), cr.nn.ReLU())])
    assert (relu(x).value ** 2).mean() == pytest.approx(1, rel=0.5)
    tanh = [cr.nn.Linear(256, 256, rng=i, init="orthogonal") for i in range(6)]
    assert (cr.nn.Sequential(*tanh)(x).value ** 2).mean() == pytest.approx((x**2).mean(), rel=1e-4)


def test_layers_take_a_name_or_a_function():
    layer = cr.nn.Linear(5, 4, init="glorot_uniform", rng=3, dtype=np.float64)
    np.testing.assert_array_equal(layer.weight.value, initialisers.glorot_uniform((5, 4), generator(3), np.float64))
    twice = cr.nn.Linear(5, 4, init=partial(initialisers.orthogonal, gain=2.0), rng=3)
    np.testing.assert_allclose(twice.weight.value.T @ twice.weight.value, 4 * np.eye(4), atol=1e-5)
    assert np.all(cr.nn.Linear(5, 4, init=initialisers.constant(0.25)).weight.value == 0.25)
    maxout = cr.nn.Maxout(5, 4, init="zeros")
    assert not maxout.affine.weight.value.any()


def test_what_was_he_normal_without_saying_so_still_is():
    np.testing.assert_array_equal(
        cr.nn.Linear(5, 4, rng=3).weight.value, initialisers.he_normal((5, 4), generator(3), np.float32)
    )
    np.testing.assert_array_equal(
        cr.nn.Linear(5, 4, rng=3, scale=0.01).weight.value, (0.01 * generator(3).standard_normal((5, 4))).astype("f4")
    )


def test_what_is_refused():
    with pytest.raises(ValueError, match="no initialiser 'he'; there are glorot_uniform"):
        cr.nn.Linear(5, 4, init="he")
    with pytest.raises(ValueError, match=r"weights of shape \(4, 5\), and the layer has \(5, 4\)"):
        cr.nn.Linear(5, 4, init=lambda shape, rng, dtype: np.zeros(shape[::-1]))
    with pytest.raises(ValueError, match="init or scale, not both"):
        cr.nn.Linear(5, 4, init="he_normal", scale=0.1)
    with pytest.raises(TypeError, match="drawn once, by NumPy"):
        cr.nn.Linear(5, 4, rng=cr.random.Generator(0))
    for scale in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"a standard deviation is finite and not negative, not {scale}"):
            cr.nn.Linear(5, 4, scale=scale)
    for shape in ((3,), (3, 0), (1, 2, 3)):
        with pytest.raises(ValueError, match=r"shape \(inputs, neurons\), not"):
            initialisers.he_normal(shape, generator())

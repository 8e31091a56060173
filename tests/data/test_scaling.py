"""Standardiser and one_hot: exact, blockwise, and refusing what has no meaning."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import data
from chainrule.data import scaling


@given(rows=st.integers(1, 30), at_once=st.integers(1, 40), seed=st.integers(0, 5))
def test_mean_and_spread_are_the_same_however_many_rows_are_taken_at_once(rows, at_once, seed):
    x = np.random.default_rng(seed).standard_normal((rows, 2, 3)) * 3 + 1e6
    before, scaling.AT_ONCE = scaling.AT_ONCE, at_once
    try:
        scale = data.Standardiser.fit(x)
    finally:
        scaling.AT_ONCE = before
    np.testing.assert_allclose(scale.mean, x.mean(0), rtol=1e-14)
    if rows > 1:
        np.testing.assert_allclose(scale.std, x.std(0), rtol=1e-7)


def test_what_was_fitted_is_applied_to_other_data_and_undone():
    x = np.random.default_rng(0).standard_normal((50, 4)) * [1, 10, 100, 0.1] + [0, 5, -3, 1e3]
    scale = data.Standardiser.fit(x)
    z = scale.transform(x)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-10)
    np.testing.assert_allclose(z.std(0), 1)
    other = x[:3] + 1
    np.testing.assert_allclose(scale.transform(other), (other - x.mean(0)) / x.std(0))
    np.testing.assert_allclose(scale.inverse(scale.transform(other)), other)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e8, -3.3e-5])
def test_a_constant_column_becomes_zero(constant):
    x = np.stack([np.full(7, constant), np.arange(7.0)], axis=1)
    scale = data.Standardiser.fit(x)
    assert scale.std[0] == 1
    np.testing.assert_allclose(scale.transform(x)[:, 0], 0, atol=1e-7)


@pytest.mark.parametrize(("dtype", "made"), [("f4", "f4"), ("f8", "f8"), ("u1", "f8"), ("f2", "f8"), ("i8", "f8")])
def test_dtypes(dtype, made):
    x = np.arange(12).reshape(4, 3).astype(dtype)
    z = data.Standardiser.fit(x).transform(x)
    assert z.dtype == made
    np.testing.assert_allclose(z[:, 0], (np.arange(0, 12, 3) - 4.5) / np.sqrt(11.25), rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named_by_row_and_column(bad):
    x = np.zeros((5, 2))
    x[3, 1] = bad
    with pytest.raises(ValueError, match=rf"row 3, column 1 holds {bad}: fill what is missing first"):
        data.Standardiser.fit(x)


def test_no_rows_and_other_shapes_are_refused():
    with pytest.raises(ValueError, match="no examples"):
        data.Standardiser.fit(np.zeros((0, 3)))
    scale = data.Standardiser.fit(np.arange(6.0).reshape(2, 3))
    with pytest.raises(ValueError, match=r"shape \(2,\), and \(3,\) was fitted"):
        scale.transform(np.zeros((4, 2)))


def test_one_hot_of_any_shape():
    labels = np.array([[2, 0], [1, 2]], np.uint8)
    made = data.one_hot(labels, 4, np.float64)
    assert made.shape == (2, 2, 4)
    assert made.dtype == np.float64
    np.testing.assert_array_equal(made.argmax(-1), labels)
    np.testing.assert_array_equal(made.sum(-1), 1)
    assert data.one_hot(np.array([], int), 3).shape == (0, 3)


def test_one_hot_refuses_what_is_no_label():
    with pytest.raises(TypeError, match="integers, not float64"):
        data.one_hot(np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match=r"0 \.\.\. 1, and they go from 0 to 2"):
        data.one_hot(np.array([0, 2]), 2)
    with pytest.raises(ValueError, match="they go from -1 to 0"):
        data.one_hot(np.array([0, -1]))

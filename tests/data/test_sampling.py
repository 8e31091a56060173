"""split keeps the mix of classes, batches show every example once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import data


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    held_out=st.floats(0.05, 0.95),
    seed=st.integers(0, 10),
)
def test_a_split_is_a_stratified_partition(counts, held_out, seed):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    x = np.arange(len(y))
    (x_train, y_train), (x_test, y_test) = data.split(x, y, held_out, seed)
    assert sorted([*x_train, *x_test]) == x.tolist()
    np.testing.assert_array_equal(y_train, y[x_train])
    np.testing.assert_array_equal(y_test, y[x_test])
    for label, count in enumerate(counts):
        tested = np.sum(y_test == label)
        assert abs(tested - held_out * count) <= 1
        assert count == 1 or 1 <= tested <= count - 1


def test_a_split_is_seeded_and_copies():
    x, y = data.moons()
    first, again, other = (data.split(x, y, seed=seed)[1][0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    first[:] = 0
    assert x.any()


@pytest.mark.parametrize("share", [0, 1, -0.5, 2, float("nan")])
def test_a_share_lies_between_0_and_1(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        data.split(np.zeros(4), np.zeros(4, int), share)


@given(n=st.integers(0, 40), size=st.integers(1, 50))
def test_batches_show_every_example_once(n, size):
    x = np.arange(n)
    seen = list(data.batches(x, -x, size, np.random.default_rng(n)))
    assert sorted(i for inputs, _ in seen for i in inputs) == x.tolist()
    assert all((inputs == -labels).all() for inputs, labels in seen)
    assert all(len(inputs) == size for inputs, _ in seen[:-1])
    assert len(seen) == -(-n // size)


def test_each_epoch_has_an_order_of_its_own_and_a_seed_repeats_them():
    x = np.arange(100)

    def epochs(seed):
        rng = np.random.default_rng(seed)
        return [np.concatenate([inputs for inputs, _ in data.batches(x, x, 7, rng)]).tolist() for _ in range(2)]

    first, second = epochs(0)
    assert first != second
    assert epochs(0) == [first, second]


def test_wrong_batches_are_refused_at_once():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least one example"):
        data.batches(np.zeros(3), np.zeros(3), 0, rng)
    with pytest.raises(ValueError, match="3 inputs but 2 targets"):
        data.batches(np.zeros(3), np.zeros(2), 1, rng)
    with pytest.raises(ValueError, match="3 inputs but 2 targets"):
        data.split(np.zeros(3), np.zeros(2))

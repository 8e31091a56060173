"""split keeps the mix of classes, batches show every example once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
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


@given(count=st.integers(6, 80), held_out=st.floats(0.1, 0.5), validation=st.floats(0.1, 0.4), seed=st.integers(0, 10))
def test_three_parts_of_numbers(count, held_out, validation, seed):
    y = np.random.default_rng(seed).standard_normal(count)
    parts = data.split(np.arange(count), y, held_out, seed, validation=validation)
    assert sorted(np.concatenate([x for x, _ in parts])) == list(range(count))
    assert all((targets == y[x]).all() for x, targets in parts)
    train, validating, test = (len(x) for x, _ in parts)
    assert abs(test - held_out * count) <= 1
    assert abs(validating - validation * count) <= 1
    assert train >= 1


def test_three_parts_of_classes_have_the_same_mix():
    y = np.repeat([0, 1, 2], [100, 50, 10])
    parts = data.split(np.arange(160), y, 0.2, validation=0.1)
    assert [np.bincount(labels).tolist() for _, labels in parts] == [[70, 35, 7], [10, 5, 1], [20, 10, 2]]


def test_the_test_part_does_not_depend_on_the_validation_part():
    x, y = data.moons()
    two, three = data.split(x, y, seed=4), data.split(x, y, seed=4, validation=0.25)
    np.testing.assert_array_equal(two[1][0], three[2][0])


def test_stratifying_may_be_chosen():
    counts = np.arange(40) % 20  # whole numbers, but no classes
    mixed = data.split(counts, counts, 0.25, stratify=False)
    assert len(mixed[1][0]) == 10
    halves = data.split(counts, (counts > 9) * 1.0, 0.5, stratify=True)
    assert [targets.mean() for _, targets in halves] == [0.5, 0.5]
    texts = np.array(["a", "b"] * 20)
    assert (data.split(counts, texts, 0.5)[0][1] == "a").sum() == 10
    with pytest.raises(ValueError, match=r"classes are targets \(n,\), not \(40, 1\)"):
        data.split(counts, counts[:, None], stratify=True)


def test_several_labels_at_once_are_split_plainly():
    y = np.eye(10, dtype=int)
    (_, train), (_, test) = data.split(np.arange(10), y, 0.3)
    assert (len(train), len(test)) == (7, 3)


@pytest.mark.parametrize("validation", [-0.1, 0.8, 1, float("nan")])
def test_a_validation_part_leaves_something_to_learn_from(validation):
    with pytest.raises(ValueError, match=r"validation is a share from 0 to below 0\.8"):
        data.split(np.zeros(10), np.zeros(10, int), validation=validation)


def test_the_librarys_own_generators_shuffle():
    x = np.arange(50)

    def order(rng):
        return [i for inputs, _ in data.batches(x, x, 8, rng) for i in inputs.tolist()]

    assert order(cr.random.Generator(3)) == order(3) == cr.random.Generator(3).permutation(50).tolist()
    rng = cr.random.Generator(3)
    assert order(rng) != order(rng)
    parts = [data.split(x, x % 2, seed=cr.random.Generator(k))[1][0].tolist() for k in (1, 1, 2)]
    assert parts[0] == parts[1] != parts[2]


def test_lists_are_split_as_arrays():
    (x, y), (x_test, y_test) = data.split([[k] for k in range(10)], [0, 1] * 5)
    assert (x.shape, y.shape, x_test.shape) == ((8, 1), (8,), (2, 1))
    assert sorted(y_test.tolist()) == [0, 1]
    assert (y == x[:, 0] % 2).all()

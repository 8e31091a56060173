"""Dataset and the handwritten digits."""

import dataclasses
import sys
import tracemalloc

import numpy as np
import pytest

from chainrule import data

ONE = {"features": ("x1",), "classes": ("no", "yes"), "description": "made up"}


def test_digits_are_the_1797_real_ones():
    digits = data.digits()
    assert digits.inputs.shape == (1797, 64)
    assert digits.inputs.dtype == np.float32
    assert (digits.inputs.min(), digits.inputs.max()) == (0, 1)
    assert np.bincount(digits.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert digits.features[8 * 2 + 5] == "row 2, column 5"


def test_a_missing_scikit_learn_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'chainrule\[data\]'"):
        data.digits()


def test_nothing_about_a_dataset_can_be_changed():
    source = np.zeros((2, 1))
    made = data.Dataset(source, np.array([0, 1]), **ONE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.inputs = source
    with pytest.raises(ValueError, match="read-only"):
        made.inputs[0] = 1
    source[:] = 7
    assert made.inputs.max() == 0


def test_a_dataset_unpacks_and_tells_its_size():
    made = data.Dataset(np.zeros((2, 1)), np.array([0, 1]), **ONE)
    x, y = made
    assert x is made.inputs
    assert y is made.labels
    assert len(made) == 2
    assert repr(made) == "Dataset(2 examples of 1 features in 2 classes: made up)"


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (np.zeros((3, 1)), np.array([0, 1]), "do not fit"),
        (np.zeros((2, 2)), np.array([0, 1]), "do not fit"),
        (np.zeros((2, 1)), np.array([[0], [1]]), "several at once"),
        (np.zeros((2, 1)), np.array([0.0, 1.0]), "integers"),
        (np.zeros((2, 1)), np.array([0, 2]), "must lie in 0 ... 1"),
        (np.zeros((2, 1)), np.array([-1, 1]), "must lie in 0 ... 1"),
    ],
)
def test_parts_that_do_not_fit_are_refused(inputs, labels, message):
    with pytest.raises(ValueError, match=message):
        data.Dataset(inputs, labels, **ONE)


# ---- what the targets are


@pytest.mark.parametrize(
    ("targets", "task", "outputs", "classes"),
    [
        (np.array([0, 2, 1]), "classes", 3, ("0", "1", "2")),
        (np.array([1, 1, 1], np.uint8), "classes", 2, ("0", "1")),
        (np.array([True, False, True]), "classes", 2, ("0", "1")),
        (np.array([0.5, 2, 1], np.float32), "numbers", 1, ()),
        (np.ones((3, 4)), "numbers", 4, ()),
        (np.array([[1, 0], [0, 0], [1, 1]]), "multilabel", 2, ("0", "1")),
        (np.ones((3, 5), bool), "multilabel", 5, ("0", "1", "2", "3", "4")),
    ],
)
def test_the_task_is_what_the_targets_are(targets, task, outputs, classes):
    made = data.Dataset(np.zeros((3, 2)), targets)
    assert (made.task, made.outputs, made.classes) == (task, outputs, classes)
    assert made.targets is made.labels
    np.testing.assert_array_equal(made.targets, targets)


def test_inputs_have_any_shape_and_repr_tells_it():
    images = data.Dataset(np.zeros((4, 5, 6), np.uint8), np.ones((4, 3), int))
    assert repr(images) == "Dataset(4 examples of 5 x 6 numbers in 3 classes, several at once)"
    assert (
        repr(data.Dataset(np.zeros(3), np.zeros((3, 2))))
        == "Dataset(3 examples of 1 features and 2 numbers to predict)"
    )


@pytest.mark.parametrize(
    ("inputs", "targets", "options", "error", "message"),
    [
        (np.zeros((2, 3, 4)), np.array([0, 1]), {"features": ("x",)}, ValueError, "do not fit together"),
        (np.zeros(2), np.zeros((2, 1, 1)), {}, ValueError, "do not fit together"),
        (np.zeros(2), np.array([[0, 1], [2, 0]]), {}, ValueError, "several at once, are 0 or 1"),
        (np.zeros(2), np.array([[0, 1], [1, 0]]), {"classes": ("a",)}, ValueError, "several at once"),
        (np.zeros(2), np.array(["a", "b"]), {}, TypeError, "targets are numbers, not <U1"),
        (np.array([None, 1]), np.array([0, 1]), {}, TypeError, "inputs are numbers, not object"),
        (np.zeros(2), np.array(1.0), {}, ValueError, "not a single number"),
    ],
)
def test_what_makes_no_dataset_is_refused(inputs, targets, options, error, message):
    with pytest.raises(error, match=message):
        data.Dataset(inputs, targets, **options)


# ---- parts of it


def test_parts_keep_the_names():
    digits = data.digits()
    train, validation, test = digits.split(0.2, seed=3, validation=0.1)
    assert len(train) + len(validation) + len(test) == 1797
    assert (train.classes, test.features, validation.image) == (digits.classes, digits.features, (8, 8))
    (x, y), _, (x_test, _) = data.split(*digits, 0.2, 3, validation=0.1)
    np.testing.assert_array_equal(train.inputs, x)
    np.testing.assert_array_equal(train.labels, y)
    np.testing.assert_array_equal(test.inputs, x_test)
    np.testing.assert_array_equal(digits.take([3, 1]).labels, digits.labels[[3, 1]])


def test_a_memory_map_stays_on_disk(tmp_path):
    """A gigabyte of rows, of which the file system keeps none, and next to nothing in memory."""
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=(1_000_000, 256))
    x[7] = 1
    tracemalloc.start()
    try:
        made = data.Dataset(x, np.arange(len(x)) % 2)
        assert isinstance(made.inputs, np.memmap)
        part = made.take(slice(0, 500_000))
        assert isinstance(part.inputs, np.memmap)
        (images, _), *_ = [next(data.batches(*part, 32, 0))]
        assert images.shape == (32, 256)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < x.nbytes / 20
    with pytest.raises(ValueError, match="read-only"):
        made.inputs[0] = 1
    x[7] = 2  # whoever made the file may write to it
    assert made.inputs[7, 0] == 2


def test_a_memory_map_is_standardised_in_parts(tmp_path):
    x = np.memmap(tmp_path / "x", np.uint8, "w+", shape=(100_000, 100))
    x[::2] = 10
    tracemalloc.start()
    try:
        scale = data.Standardiser.fit(x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * x.nbytes / 2
    np.testing.assert_allclose([scale.mean, scale.std], 5)


# ---- known tables


@pytest.mark.parametrize(
    ("load", "shape", "outputs", "first"),
    [
        (data.iris, (150, 4), 3, "sepal length (cm)"),
        (data.wine, (178, 13), 3, "alcohol"),
        (data.breast_cancer, (569, 30), 2, "mean radius"),
        (data.diabetes, (442, 10), 1, "age"),
    ],
)
def test_measurements_are_as_measured(load, shape, outputs, first):
    table = load()
    assert table.inputs.shape == shape
    assert table.inputs.dtype == np.float32
    assert table.outputs == outputs
    assert table.features[0] == first
    assert np.abs(table.inputs.mean(0)).max() > 3  # in units, not standardised
    assert table.targets.dtype == (np.float32 if load is data.diabetes else np.int64)

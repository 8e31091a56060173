"""Dataset and the handwritten digits."""

import dataclasses
import sys

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

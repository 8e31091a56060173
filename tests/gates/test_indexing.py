"""Indices: what of them is known beforehand, their arrays as inputs, and what they are while a function is recorded."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.gates.indexing import GetItem
from chainrule.graph.errors import GraphError

X = np.arange(24.0).reshape(4, 6)
ROWS = np.array([0, 2, 2])


def test_an_index_is_a_template_and_arrays():
    x = cr.array(X)
    z = x[1:, None, ROWS, ...]
    assert z.gate == GetItem(((1, None, None), None, np.ndarray, Ellipsis))
    assert [edge.argument for edge in cr.edges(z)] == ["x", "indices0"]
    assert [edge.live for edge in cr.edges(z)] == [True, False]
    assert hash(z.gate) == hash(x[1:, None, [1], ...].gate)
    assert x[1:, 2].gate is x[1:, 2].gate


@pytest.mark.parametrize("index", [1.0, "a", (0, 1.5), {1}, object()])
def test_what_is_no_index(index):
    for x in (cr.array(X), cr.array(X)[1:]):
        x[1], x[0, 1]  # the same gates with integers
        with pytest.raises(IndexError, match="an index is made of"):
            x[index]


def test_what_is_no_end_of_a_slice():
    x = cr.array(X)
    assert x[1:].shape == (3, 6)
    with pytest.raises(TypeError):
        x[1.0:]
    with pytest.raises(TypeError):
        x[: cr.array(2.0)]
    assert x[: cr.constant(2)].shape == (2, 6)


def test_a_truth_is_no_integer():
    x = cr.array(X)
    assert x[1].shape == (6,)
    assert x[True].shape == (1, 4, 6)
    assert x[False].shape == (0, 4, 6)


def test_arrays_of_an_index_are_copied():
    x, rows, columns = cr.array(X), np.array([0, 1]), cr.constant([2, 3])
    z = np.sum(x[rows, columns])
    rows[:] = 3
    columns.value[:] = 5
    z.backward()
    assert np.argwhere(x.grad).tolist() == [[0, 2], [1, 3]]


def test_a_state_may_be_an_index():
    x, position = cr.array(X), cr.State(1)
    z = np.sum(x[position])
    position.assign(2)
    z.backward()
    assert x.grad.sum(axis=1).tolist() == [0, 6, 0, 0]


def test_variables_are_no_indices():
    with pytest.raises(TypeError, match="i is float64: an index must be integer or boolean"):
        cr.array(X)[cr.array([0.0], name="i")]


# ---- recorded


def test_indices_are_inputs():
    read = cr.compile(lambda x, rows, k: (x[rows, 1:3], x[k], x[k, ..., rows]))
    for rows, k in (([0, 1], 2), ([3, 3], 0), ([-1, 2], -4)):
        rows, k = np.array(rows), np.array(k)
        for found, expected in zip(read(X, rows, k), (X[rows, 1:3], X[k], X[k, ..., rows]), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert len(read.programs) == 1


def test_indices_out_of_range():
    read = cr.compile(lambda x, rows: x[rows])
    read(X, np.array([0, 3]))
    for rows in ([0, 4], [-5, 0]):
        with pytest.raises(IndexError):
            read(X, np.array(rows))


def test_index_arrays_from_outside_are_held_by_reference():
    rows = np.array([0, 1])
    read = cr.compile(lambda x: x[rows])
    np.testing.assert_array_equal(read(X), X[[0, 1]])
    rows[:] = 3, 2
    np.testing.assert_array_equal(read(X), X[[3, 2]])


def test_gradients_go_where_the_indices_of_the_call_say():
    gradient = cr.compile(cr.grad(lambda x, rows: np.sum(np.square(x[rows]))))
    for rows in (ROWS, np.array([3, 1, 0])):
        expected = np.zeros_like(X)
        np.add.at(expected, rows, 2 * X[rows])
        np.testing.assert_array_equal(gradient(X, rows), expected)


def written(index):
    def function(x, v, *arrays):
        z = x * 1.0
        z[index(*arrays)] = v
        return z

    return function


def test_writing_by_index():
    write = cr.compile(written(lambda rows: (rows, slice(1, 3))))
    for rows, v in ((ROWS, 7.0), (np.array([3, 1, 0]), -1.0)):
        expected = X.copy()
        expected[rows, 1:3] = v
        np.testing.assert_array_equal(write(X, np.full((3, 2), v), rows), expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("v", [5.0, 2, np.array(3.7), np.array(4), np.array(0.5, np.float32)])
def test_writing_a_number_by_a_mask_is_a_choice(dtype, v):
    x = X.astype(dtype)

    def write(x, mask, v):
        z = x + x
        z[mask] = v
        return z

    compiled = cr.compile(write)
    for threshold in (3, 11, 99):
        for mask in (threshold < X, X[:, 0] > threshold):
            expected = write(x, mask, v)
            found = compiled(x, mask, v)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


def test_gradients_of_what_a_mask_replaces():
    def loss(x, v, mask):
        z = x * x
        z[mask] = v
        return np.sum(np.sin(z))

    both = cr.grad(loss, (0, 1))
    compiled = cr.compile(both)
    for mask in (X > 3, X > 30, X < 30):
        for a, b in zip(compiled(X, np.array(2.0), mask), both(X, np.array(2.0), mask), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_masks_that_cannot_be_recorded():
    mask = X > 3
    for f in (
        lambda x, mask: x[mask],
        lambda x, mask: np.sum(x[np.array([True, False, True, True])]),
        lambda x, mask: cr.scatter_add(x[0, :3], mask[0, :3], (6,)),
        written(lambda: mask),
    ):
        with pytest.raises(GraphError, match=r"boolean mask .* np\.where\(mask, x, other\)"):
            cr.compile(f)(X, mask)
    with pytest.raises(IndexError, match="does not fit"):
        cr.compile(written(lambda m: m))(X, 1.0, np.ones((3, 6), bool))


def test_a_mask_that_never_changes_is_read_by_its_places():
    off_diagonal = np.nonzero(~np.eye(4, dtype=bool))
    read = cr.compile(lambda x: x[off_diagonal])
    np.testing.assert_array_equal(read(X), X[off_diagonal])

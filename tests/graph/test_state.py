"""State and Parameter: what a training step changes, by assign alone."""

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr


def test_parameters_are_single_precision_unless_told_otherwise():
    assert cr.Parameter([1.0, 2.0]).dtype == np.float32
    assert cr.Parameter(np.ones(2, np.float64)).dtype == np.float32
    assert cr.Parameter([1, 2]).live
    assert cr.Parameter([1.0], dtype=np.float64).dtype == np.float64
    with pytest.raises(TypeError, match="dtype must be floating, not int64"):
        cr.Parameter([1, 2], dtype=np.int64)


def test_state_keeps_its_dtype_and_carries_no_gradient():
    count, rate = cr.State(0), cr.State(0.1)
    assert count.dtype == np.int64
    assert rate.dtype == np.float64
    assert not rate.live
    x = cr.array(2.0)
    (x * rate).backward()
    assert x.grad == 0.1
    assert rate.grad is None


def test_parameters_own_their_data():
    data = np.ones(2, np.float32)
    p = cr.Parameter(data)
    p.assign([5.0, 6.0])
    assert data.tolist() == [1.0, 1.0]


def test_assign_writes_in_place_and_casts():
    p = cr.Parameter([1.0, 2.0])
    buffer = p._value
    p.assign(np.array([3.0, 4.0]))
    assert p.value.tolist() == [3.0, 4.0]
    assert p.dtype == np.float32
    p.assign(cr.array([5.0, 6.0]))
    p.assign(7.0)
    assert p.value.tolist() == [7.0, 7.0]
    del buffer


def test_assign_checks_shape_and_dtype():
    p, n = cr.Parameter([1.0, 2.0], name="p"), cr.State(1)
    with pytest.raises(ValueError, match=r"p holds shape \(2,\); cannot assign \(3,\) float64"):
        p.assign(np.ones(3))
    with pytest.raises(ValueError, match="cannot assign"):
        p.assign(np.ones((1, 2)))
    with pytest.raises(TypeError):
        n.assign(1.5)
    with pytest.raises(TypeError):
        p.assign(1j)
    assert p.value.tolist() == [1.0, 2.0]


def test_operators_in_place_and_writing_are_refused():
    p = cr.Parameter([1.0, 2.0], name="p")
    for change in ("p += 1", "p -= 1", "p *= 2", "p /= 2", "p **= 2", "p //= 2", "p %= 2", "p @= p", "p[0] = 1.0"):
        with pytest.raises(TypeError, match=r"p is a Parameter.*use \.assign\(value\)"):
            exec(change, {"p": p})  # noqa: S102
    assert p.value.tolist() == [1.0, 2.0]
    n = cr.State(6, name="n")
    for change in ("n += 1", "n &= 3", "n |= 1", "n ^= 1", "n <<= 1", "n >>= 1"):
        with pytest.raises(TypeError, match=r"n is a State.*use \.assign\(value\)"):
            exec(change, {"n": n})  # noqa: S102
    assert n.item() == 6


def test_results_made_before_an_assignment_keep_their_values():
    p = cr.Parameter([1.0, 2.0, 3.0])
    row, first, turned, held = p.reshape(1, 3), p[0], p[::-1], p.value
    p.assign([7.0, 8.0, 9.0])
    assert row.value.tolist() == [[1.0, 2.0, 3.0]]
    assert first.item() == 1.0
    assert turned.value.tolist() == [3.0, 2.0, 1.0]
    assert held.tolist() == [1.0, 2.0, 3.0]
    assert p.value.tolist() == [7.0, 8.0, 9.0]


def test_assigning_a_part_of_itself():
    p = cr.Parameter([1.0, 2.0, 3.0])
    p.assign(p[::-1])
    assert p.value.tolist() == [3.0, 2.0, 1.0]
    p.assign(p.value[::-1])
    assert p.value.tolist() == [1.0, 2.0, 3.0]


def test_out_of_a_ufunc_assigns():
    p = cr.Parameter([1.0, 2.0])
    assert np.subtract(p, [0.5, 0.5], out=p) is p
    assert p.value.tolist() == [0.5, 1.5]
    with pytest.raises(TypeError, match="State and Parameter only"):
        np.add(p, 1.0, out=cr.array([0.0, 0.0]))


@pytest.mark.parametrize("change", [lambda p: p.assign(5.0), lambda p: np.add(p, 1.0, out=p)])
def test_a_circuit_that_used_the_old_value_is_stale(change):
    p = cr.Parameter(2.0, name="p")
    y = p * p
    change(p)
    with pytest.raises(RuntimeError, match=r"p was changed after multiply at test_state\.py:\d+ had used it"):
        y.backward()
    z = p * p
    z.backward()
    assert p.grad == 2 * p.value


def test_a_stale_leaf_far_behind_is_found():
    p = cr.Parameter([1.0, 2.0], name="p")
    y = np.sum(np.tanh(p.reshape(1, 2) * 2.0))
    p.assign(0.0)
    with pytest.raises(RuntimeError, match="p was changed after reshape"):
        y.backward()


def test_changing_after_backward_is_what_training_does():
    p = cr.Parameter(1.0, dtype=np.float64)
    for _ in range(100):
        ((p - 3.0) ** 2).backward()
        p.assign(p - 0.1 * p.grad)
    assert p.item() == pytest.approx(3.0)


def test_copies_and_pickles_keep_the_kind():
    p = cr.Parameter([1.0, 2.0], name="p")
    s = cr.State(3, name="s")
    for twin_p, twin_s in (copy.deepcopy((p, s)), pickle.loads(pickle.dumps((p, s))), (copy.copy(p), copy.copy(s))):
        assert type(twin_p) is cr.Parameter
        assert type(twin_s) is cr.State
        assert twin_p.live
        assert not twin_s.live
        twin_p.assign(0.0)
        twin_s.assign(0)
        assert (twin_p.name, twin_s.name) == ("p", "s")
    assert p.value.tolist() == [1.0, 2.0]
    assert s.item() == 3


def test_gradient_writes_are_numbered():
    p, q = cr.Parameter(1.0), cr.Parameter(1.0)
    assert p.written == 0
    (p * 2.0).backward()
    first = p.written
    assert first > 0
    (p * q).backward()
    assert p.written == q.written > first

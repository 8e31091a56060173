"""What an Array is: a value with a gradient, ndarray's face, and closed ways out of the circuit."""

import copy
import gc
import math
import pickle

import numpy as np
import pytest

import chainrule as cr

CUTS = r"would cut the gradient of .*\.value or \.item\(\)"


# ---- what carries a gradient


def test_floating_arrays_are_live_and_own_their_data():
    data = np.ones(3)
    x = cr.array(data)
    data[0] = 7.0
    assert x.live
    assert x.value.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("value", [3, True, [1, 2], np.arange(3), np.array([True])])
def test_integers_and_booleans_never_carry_gradients(value):
    x = cr.array(value)
    assert not x.live
    assert not (x + 1.5).live
    with pytest.raises(RuntimeError, match=r"constant|floating-point"):
        np.sum(x).backward()


def test_an_integer_beside_a_variable_is_a_constant():
    x, n = cr.array(2.0), cr.array(3)
    (x * n).backward()
    assert x.grad == 3.0
    assert n.grad is None


def test_ndarrays_are_data():
    x, data = cr.array([1.0, 2.0]), np.array([3.0, 4.0])
    np.sum(x * data).backward()
    assert x.grad.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("value", [1j, np.array([1j]), "text", np.array(["a"]), object(), np.datetime64("2020-01-01")])
def test_what_has_no_derivative_is_refused(value):
    with pytest.raises(TypeError, match=r"complex numbers are not supported|holds numbers or booleans"):
        cr.array(value)


def test_complex_results_are_refused():
    with pytest.raises(TypeError, match="complex"):
        cr.array(1.0) * np.array(1j)


def test_constant_and_detach_cut():
    x = cr.array(3.0)
    (x * cr.constant(x * 2) + x.detach() * x).backward()
    assert x.grad == 6.0 + 3.0
    assert not cr.constant(1.5).live


def test_a_list_of_arrays_is_stacked():
    a, b = cr.array(1.0), cr.array(2.0)
    x = cr.array([[a, b], [3.0, a * b]], name="x")
    assert x.shape == (2, 2)
    assert x.name == "x"
    np.sum(x * [[1.0, 10.0], [100.0, 1000.0]]).backward()
    assert a.grad == 1.0 + 2000.0
    assert b.grad == 10.0 + 1000.0


def test_a_list_of_arrays_of_another_dtype():
    a = cr.array(1.0)
    assert cr.array([a, 2.0], dtype=np.float32).dtype == np.float32


# ---- the value


def test_the_value_of_a_leaf_is_writable_that_of_a_result_is_not():
    x = cr.array([1.0, 2.0])
    x.value[0] = 5.0
    assert x.value.tolist() == [5.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        (x * 2).value[0] = 0.0
    with pytest.raises(ValueError, match="read-only"):
        x.sum().value[...] = 0.0
    assert isinstance(x.sum().value, np.ndarray)


def test_gradients_are_ndarrays_of_the_values_shape_and_dtype():
    for dtype in (np.float16, np.float32, np.float64):
        x = cr.array([[1.0, 2.0]], dtype=dtype)
        y = x * 2.0
        z = np.sum(y)
        z.backward()
        for node in (x, y, z):
            assert isinstance(node.grad, np.ndarray)
            assert node.grad.shape == node.shape
            assert node.grad.dtype == dtype


def test_a_gradient_can_be_set_and_cleared():
    x = cr.array([1.0, 2.0])
    assert x.grad is None
    x.grad = [3, 4]
    assert x.grad.dtype == np.float64
    with pytest.raises(ValueError, match="shape"):
        x.grad = [1.0]
    x.grad = None
    assert x.grad is None


# ---- the ways out


@pytest.mark.parametrize(
    "leave",
    [np.array, np.asarray, float, int, bool, complex, math.exp, lambda x: [1, 2][x], lambda x: np.zeros(3)[x],
     lambda x: "yes" if x else "no", lambda x: np.array([x, x]), lambda x: np.ones(3).dot(x), lambda x: range(x),
     lambda x: x and 1, lambda x: not x, lambda x: np.add([x, x], 1.0), lambda x: np.sum([x, x]),
     lambda x: np.float64(x), lambda x: np.full(2, x)],
)  # fmt: skip
def test_live_arrays_do_not_leave_silently(leave):
    with pytest.raises(TypeError, match=CUTS):
        leave(cr.array(1.0, name="x"))


def test_constants_leave_freely():
    c = cr.constant(2.0)
    assert np.asarray(c) == 2.0
    assert float(c) == math.sqrt(cr.constant(4.0)) == 2.0
    assert int(c) == 2
    assert complex(c) == 2
    assert bool(c)
    assert [5, 6, 7][cr.array(2)] == 7
    assert list(range(cr.array(2))) == [0, 1]
    assert np.array([c, c]).tolist() == [2.0, 2.0]
    data = np.zeros(2)
    data[0] = c
    assert data.tolist() == [2.0, 0.0]


def test_a_copy_made_of_a_constant_is_a_copy():
    c = cr.constant([1.0, 2.0])
    np.array(c)[0] = 9.0
    assert c.value[0] == 1.0


def test_item_and_tolist_leave_on_purpose():
    x = cr.array([[1.0, 2.0]])
    assert x.item(1) == 2.0
    assert x.tolist() == [[1.0, 2.0]]
    assert x.sum().item() == 3.0
    assert x.tobytes() == x.value.tobytes()
    assert f"{x.sum():.1f}" == "3.0"


def test_writing_into_an_ndarray_raises():
    data = np.zeros(2)
    with pytest.raises(ValueError, match="setting an array element") as caught:  # NumPy's words for our refusal
        data[0] = cr.array(1.0)
    assert "would cut the gradient" in str(caught.value.__cause__)
    with pytest.raises(TypeError, match=r"a = a \+ x instead of a \+= x"):
        data += cr.array([1.0, 2.0])
    with pytest.raises(TypeError, match="State and Parameter only"):
        np.add(cr.array(1.0), 1.0, out=data)
    for call in (lambda x: np.sum(x, out=data), lambda x: np.sum(x, None, None, data), lambda x: x.sum(out=data)):
        with pytest.raises(TypeError, match=r"out= of np\.sum"):
            call(cr.array([1.0]))


# ---- rebinding: Arrays are values


def test_plus_equals_rebinds_the_name():
    x = cr.array([1.0, 2.0])
    y = x
    y += 3.0
    y *= x
    assert x.value.tolist() == [1.0, 2.0]
    np.sum(y).backward()
    assert x.grad.tolist() == [5.0, 7.0]


def test_writing_an_element_is_a_gate():
    x, v = cr.array([1.0, 2.0, 3.0]), cr.array(10.0)
    y = x * 1.0
    y[1] = v * v
    np.sum(y * [1.0, 2.0, 4.0]).backward()
    assert y.value.tolist() == [1.0, 100.0, 3.0]
    assert x.grad.tolist() == [1.0, 0.0, 4.0]
    assert v.grad == 40.0
    assert y.grad.tolist() == [1.0, 2.0, 4.0]


def test_writing_into_a_leaf_makes_it_a_result():
    x = cr.array([1.0, 2.0])
    x[0] = 5.0
    np.sum(x * x).backward()
    assert x.grad.tolist() == [10.0, 4.0]


def test_writing_a_live_value_into_a_constant_makes_it_live():
    table, v = cr.constant([0.0, 0.0]), cr.array(2.0)
    table[1] = v
    assert table.live
    np.sum(table * table).backward()
    assert v.grad == 4.0


def test_writing_a_live_value_into_integers_would_cut():
    n = cr.array([1, 2])
    with pytest.raises(TypeError, match="would cut its gradient"):
        n[0] = cr.array(2.5)
    n[0] = 7
    assert n.value.tolist() == [7, 2]


def test_what_is_written_may_depend_on_what_was_there():
    x = cr.array([1.0, 2.0, 3.0])
    y = x * 1.0
    for i in (1, 2):
        y[i] = y[i] * y[i - 1]
    y[0] += y[2]
    assert y.value.tolist() == [7.0, 2.0, 6.0]
    y[0].backward()
    assert x.grad.tolist() == [1 + 6.0, 3.0, 2.0]


def test_an_array_written_into_itself():
    x = cr.array([1.0, 2.0])
    y = x * 1.0
    y[...] = y
    y[::-1] = y * y
    np.sum(y * [1.0, 10.0]).backward()
    assert y.value.tolist() == [4.0, 1.0]
    assert x.grad.tolist() == [20.0, 4.0]


def test_writing_leaves_no_cycle():
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            y = cr.array([1.0, 2.0]) * 1.0
            y[0] = y[1] * y[0]
            y[...] = y
            del y
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_using_then_writing_is_told_with_gate_and_line():
    x = cr.array([1.0, 2.0], name="x")
    y = x * x
    x[0] = 5.0
    with pytest.raises(RuntimeError, match=r"x was changed after multiply at test_array\.py:\d+ had used it"):
        np.sum(y).backward()


def test_slices_are_never_views():
    x = cr.array([1.0, 2.0, 3.0])
    part = x[1:]
    x[1] = 50.0
    assert part.value.tolist() == [2.0, 3.0]
    part[0] = 7.0
    assert x.value.tolist() == [1.0, 50.0, 3.0]


def test_an_index_may_change_after_use():
    x, index = cr.array([1.0, 2.0, 4.0]), np.array([0, 1])
    y = np.sum(x[index] * [1.0, 10.0])
    index[:] = 2
    y.backward()
    assert x.grad.tolist() == [1.0, 10.0, 0.0]


def test_errors_while_writing_leave_the_array_alone():
    x = cr.array([1.0, 2.0])
    with pytest.raises(IndexError):
        x[5] = 1.0
    with pytest.raises(ValueError, match="set_item"):
        x[0:2] = np.ones(3)
    assert x.gate is None
    assert x.value.tolist() == [1.0, 2.0]


# ---- identity, copies, pickles


def test_hash_is_identity():
    a, b = cr.array(1.0), cr.array(1.0)
    assert len({a, b, a}) == 2
    assert {a: "a"}[a] == "a"
    assert (a == b).item() is True


def test_copies_of_a_leaf_are_independent():
    x = cr.array([1.0, 2.0], name="x")
    np.sum(x).backward()
    for twin in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert type(twin) is cr.Array
        assert twin is not x
        assert twin.live
        assert twin.name == "x"
        twin.value[0] = 9.0
        assert x.value[0] == 1.0
    assert copy.deepcopy(x).grad.tolist() == [1.0, 1.0]


def test_deepcopy_keeps_the_circuit():
    x = cr.array(3.0)
    y = x * x
    z = y + np.sin(y)
    x2, z2 = copy.deepcopy([x, z])
    z2.backward()
    assert x.grad is None
    z.backward()
    assert x2.grad == x.grad
    assert x2.grad is not x.grad


def test_deepcopy_of_a_long_circuit_needs_no_recursion():
    x = y = cr.array(1.0)
    for _ in range(20_000):
        y = y + 1.0
    twin = copy.deepcopy(y)
    assert twin.item() == y.item()
    assert twin is not y
    del x


def test_a_circuit_does_not_pickle():
    x = cr.array(1.0)
    with pytest.raises(TypeError, match=r"cannot be pickled: pickle its \.value"):
        pickle.dumps(x * 2)
    constant = pickle.loads(pickle.dumps((x * 2).detach()))
    assert constant.item() == 2.0
    assert not constant.live


def test_deepcopy_of_what_was_cached_and_written():
    x = cr.array([1.0, 2.0])
    y = x * 2.0
    y[0] = 0.0
    x2, y2 = copy.deepcopy((x, y))
    np.sum(y2).backward()
    assert x2.grad.tolist() == [0.0, 2.0]


# ---- ndarray's face

REFUSED = {"fill", "partition", "put", "resize", "sort", "setflags", "byteswap", "view", "tofile", "dump", "dumps"}
ABSENT = {"base", "ctypes", "data", "getfield", "setfield", "to_device"}


def test_every_attribute_of_ndarray_is_there_or_refused_by_name():
    public = {name for name in dir(np.ndarray) if not name.startswith("_")}
    x = cr.array([[1.0, 2.0]])
    missing = {name for name in public if not hasattr(x, name)}
    assert missing == ABSENT
    for name in REFUSED & public:
        with pytest.raises(TypeError, match=rf"Array\.{name} is not supported"):
            getattr(x, name)()
    for name in ABSENT:
        with pytest.raises(AttributeError, match=rf"{name}.*\.value"):
            getattr(x, name)


def test_an_unknown_attribute_is_an_ordinary_error():
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        cr.array(1.0).colour  # noqa: B018


METHODS = {
    "all": (), "any": (), "argmax": (0,), "argmin": (), "argpartition": (1,), "argsort": (0,), "astype": (np.float32,),
    "choose": None, "clip": (0.3, 0.6), "compress": ([True, False], 0), "conj": (), "conjugate": (), "copy": (),
    "cumprod": (1,), "cumsum": (), "diagonal": (), "dot": (np.ones((3, 2)),), "flatten": (), "item": (2,), "max": (1,),
    "mean": (0,), "min": (), "nonzero": (), "prod": (), "ravel": (), "repeat": (2, 0), "reshape": (3, 2), "round": (1,),
    "searchsorted": None, "squeeze": (), "std": (), "sum": (1,), "swapaxes": (0, 1), "take": ([1, 0],), "tobytes": (),
    "tolist": (), "trace": (), "transpose": (), "var": (1,),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name, arguments in METHODS.items() if arguments is not None])
def test_methods_give_what_ndarrays_give(name):
    data = np.array([[0.1, 0.9, 0.4], [0.6, 0.2, 0.5]])
    result, expected = (getattr(x, name)(*METHODS[name]) for x in (cr.array(data), data))
    pairs = zip(result, expected, strict=True) if isinstance(expected, tuple) else [(result, expected)]
    for a, b in pairs:
        assert np.array_equal(np.asarray(a.value if isinstance(a, cr.Array) else a), b)


def test_methods_on_vectors_and_indices():
    x = cr.array([1.0, 2.0, 4.0])
    assert x.searchsorted(3.0).item() == 2
    assert cr.array([0, 1, 0]).choose([x, -x]).value.tolist() == [1.0, -2.0, 4.0]


def test_attributes_give_what_ndarrays_give():
    data = np.array([[0.1, 0.9, 0.4], [0.6, 0.2, 0.5]])
    x = cr.array(data)
    for name in ("shape", "ndim", "size", "dtype", "itemsize", "nbytes", "strides", "device"):
        assert getattr(x, name) == getattr(data, name)
    assert (x.T.value == data.T).all()
    assert (x.mT.value == data.mT).all()
    assert x.real is x
    assert not x.imag.value.any()
    assert [e.item() for e in x.flat] == data.ravel().tolist()
    assert x.flags.c_contiguous
    assert len(x) == 2
    assert [row.shape for row in x] == [(3,), (3,)]
    assert 0.9 in x
    assert 0.3 not in x


def test_a_0d_array_has_no_length():
    with pytest.raises(TypeError, match="0-d"):
        iter(cr.array(1.0))
    with pytest.raises(TypeError):
        len(cr.array(1.0))
    with pytest.raises(TypeError):
        len(cr.array([1.0]).sum())


def test_repr_and_str():
    assert repr(cr.array([1.0, 2.0], name="x")) == "Array([1., 2.], name='x')"
    assert repr(cr.constant([1, 2])) == "Array([1, 2], dtype=int64, constant)"
    assert str(cr.array([1.0, 2.0])) == "[1. 2.]"
    assert repr(cr.array(1.0) * 2) == "Array(2.)"
    assert repr(cr.Parameter([1.0])) == "Parameter([1.], dtype=float32)"


def test_names_come_from_the_user_or_the_variable():
    first = cr.array(1.0)
    second = cr.array(2.0, name="other")
    product = first * second
    assert (first.name, second.name, product.name) == ("first", "other", "product")
    product.name = "renamed"
    assert product.name == "renamed"


# ---- errors


def test_errors_name_gate_shapes_dtypes_and_line():
    x = cr.array(np.ones((2, 3)), dtype=np.float32)
    with pytest.raises(ValueError, match=r"add\(\(2, 3\) float32, \(4,\) float64\) at test_array\.py:\d+: operands"):
        x + np.ones(4)
    with pytest.raises(ValueError, match=r"matmul\(.*\(2, 3\) float32.*test_array\.py:\d+"):
        x @ x
    with pytest.raises(IndexError, match=r"get_item\(\(2, 3\) float32\) at test_array\.py:\d+"):
        x[5]
    with pytest.raises(np.exceptions.AxisError):
        np.sum(x, axis=7)
    with pytest.raises(TypeError, match="an index must be integer or boolean"):
        x[cr.array(1.0)]

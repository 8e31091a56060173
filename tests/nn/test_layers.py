"""Linear and Maxout."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import Linear, Maxout, ReLU, Sequential, Tanh
from tests.nn.agreement import WAYS, check_agreement

RNG = np.random.default_rng(0)

# ---- Linear


def test_linear_is_a_product_and_a_bias():
    layer = Linear(3, 2, dtype=np.float64, rng=0)
    layer.bias.assign([10.0, 20.0])
    x = RNG.standard_normal((5, 3))
    np.testing.assert_allclose(layer(x).value, x @ layer.weight.value + [10, 20], rtol=1e-14)


@pytest.mark.parametrize("lead", [(), (5,), (4, 5), (2, 3, 4), (0,), (2, 0)])
@pytest.mark.parametrize("bias", [True, False])
def test_inputs_of_any_number_of_axes(lead, bias):
    layer = Linear(3, 2, bias=bias, dtype=np.float64, rng=0)
    x = cr.array(RNG.standard_normal((*lead, 3)))
    z = layer(x)
    assert z.shape == (*lead, 2)
    dz = RNG.standard_normal(z.shape)
    z.backward(upstream=dz)
    rows, upstream = x.value.reshape(-1, 3), dz.reshape(-1, 2)
    np.testing.assert_allclose(layer.weight.grad, rows.T @ upstream, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(x.grad, dz @ layer.weight.value.T, rtol=1e-12, atol=1e-14)
    if bias:
        np.testing.assert_allclose(layer.bias.grad, upstream.sum(0), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("x", [[1, 2, 3], np.array([1, 2, 3]), np.array([True, False, True]), (1.0, 2.0, 3.0)])
def test_inputs_are_cast_to_the_parameters_dtype(x):
    layer = Linear(3, 2, rng=0)
    z = layer(x)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z.value, np.asarray(x, np.float32) @ layer.weight.value, rtol=1e-6)


def test_the_cast_of_a_variable_is_part_of_the_circuit():
    x = cr.array([[1.0, 2.0, 3.0]])
    layer = Linear(3, 2, rng=0)
    z = layer(x)
    np.sum(z).backward()
    assert (z.dtype, x.grad.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(x.grad[0], layer.weight.value.sum(1), rtol=1e-6)


@pytest.mark.parametrize("x", [np.ones((5, 4)), np.ones(2), np.float32(1.0), np.ones((3, 0))])
def test_a_wrong_shape_is_named_with_the_layer(x):
    with pytest.raises(ValueError, match=r"Linear\(3, 2\) needs inputs of shape \(\.\.\., 3\), not \("):
        Linear(3, 2)(x)


@pytest.mark.parametrize("x", [1j * np.ones((5, 3)), np.array([list("abc")]), np.ones((5, 3), object), None])
def test_what_is_no_number_is_refused(x):
    with pytest.raises(TypeError, match="inputs are real numbers, not"):
        Linear(3, 2)(x)


@pytest.mark.parametrize("sizes", [(0, 2), (2, 0), (-1, 2)])
def test_a_layer_has_inputs_and_neurons(sizes):
    with pytest.raises(ValueError, match="at least one"):
        Linear(*sizes)


def test_weights_begin_with_the_scale_of_he_and_biases_at_zero():
    layer = Linear(200, 500, rng=0)
    w = layer.weight.value.astype(np.float64)
    assert w.mean() == pytest.approx(0, abs=5 * 0.1 / np.sqrt(w.size))
    assert w.std() == pytest.approx(np.sqrt(2 / 200), rel=0.01)
    assert np.abs(w).max() > 4 * w.std()  # normal, not uniform
    assert not layer.bias.value.any()
    assert Linear(200, 500, scale=0.01, rng=0).weight.value.std() == pytest.approx(0.01, rel=0.01)


def test_activations_keep_their_size_through_many_relu_layers():
    net = Sequential(*[part for i in range(10) for part in (Linear(256, 256, rng=i), ReLU())])
    x = RNG.standard_normal((200, 256))
    mean_square = np.mean(net(x).value.astype(np.float64) ** 2)
    assert mean_square == pytest.approx(1.0, rel=0.5)


def test_a_seed_repeats_and_a_generator_goes_on():
    np.testing.assert_array_equal(Linear(3, 2, rng=5).weight.value, Linear(3, 2, rng=5).weight.value)
    assert np.any(Linear(3, 2, rng=5).weight.value != Linear(3, 2, rng=6).weight.value)
    assert np.any(Linear(3, 2).weight.value != Linear(3, 2).weight.value)
    generator = np.random.default_rng(5)
    first, second = Linear(3, 2, rng=generator), Linear(3, 2, rng=generator)
    np.testing.assert_array_equal(first.weight.value, Linear(3, 2, rng=5).weight.value)
    assert np.any(first.weight.value != second.weight.value)


def test_without_a_bias():
    layer = Linear(3, 2, bias=False)
    assert layer.bias is None
    assert list(layer.named_parameters()) == ["weight"]
    assert (layer.neuron_count, layer.parameter_count) == (2, 6)


def test_a_net_is_right_to_the_second_order():
    net = Sequential(Linear(3, 4, rng=0, dtype=np.float64), Tanh(), Linear(4, 2, rng=1, dtype=np.float64))
    report = cr.check_grads(net, RNG.standard_normal((5, 3)), order=2)
    assert report.relative_error < 1e-7


# ---- Maxout


@pytest.mark.parametrize("pieces", [2, 3])
def test_maxout_is_the_largest_of_its_pieces(pieces):
    layer = Maxout(3, 4, pieces=pieces, dtype=np.float64, rng=0)
    layer.affine.bias.assign(RNG.standard_normal(4 * pieces))
    x = RNG.standard_normal((6, 3))
    w, b = layer.affine.weight.value, layer.affine.bias.value
    maps = [x @ w[:, 4 * k : 4 * k + 4] + b[4 * k : 4 * k + 4] for k in range(pieces)]
    np.testing.assert_allclose(layer(x).value, np.max(maps, axis=0), rtol=1e-13)
    assert layer(x[0]).shape == (4,)
    assert layer(x.reshape(2, 3, 3)).shape == (2, 3, 4)


def test_maxout_counts():
    layer = Maxout(3, 4, pieces=3)
    assert layer.neuron_count == 4
    assert layer.parameter_count == 3 * Linear(3, 4).parameter_count


@pytest.mark.parametrize(("slope", "function"), [(0.0, cr.relu), (0.1, cr.leaky_relu)])
def test_maxout_contains_relu_and_leaky_relu(slope, function):
    layer = Maxout(3, 3, dtype=np.float64)
    layer.load_state_dict({"affine.weight": np.hstack([np.eye(3), slope * np.eye(3)]), "affine.bias": np.zeros(6)})
    x, same = cr.array(RNG.standard_normal((50, 3))), cr.array(0.0)
    np.testing.assert_allclose(layer(x).value, function(x.value), rtol=1e-14)
    np.sum(layer(x)).backward()
    same = cr.array(x.value)
    np.sum(function(same)).backward()
    np.testing.assert_allclose(x.grad, same.grad, rtol=1e-14)


def test_maxout_is_checked_and_not_linear():
    layer = Maxout(3, 4, dtype=np.float64, rng=0)
    assert cr.check_grads(layer, RNG.standard_normal((5, 3)), order=2).relative_error < 1e-7
    assert Sequential(layer, Linear(4, 2)).stacked_linear() == []


def test_maxout_needs_two_pieces():
    with pytest.raises(ValueError, match="two or more"):
        Maxout(3, 2, pieces=1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_maxout_is_trained_the_same_eagerly_and_compiled(way, dtype):
    x = np.random.default_rng(1).standard_normal((11, 5)).astype(dtype)

    def make():
        return Sequential(Maxout(5, 7, pieces=3, rng=0, dtype=dtype), Maxout(7, 3, rng=1, dtype=dtype))

    check_agreement(make, x, way, batch=4, rtol=1e-4 if dtype == np.float32 else 1e-10)

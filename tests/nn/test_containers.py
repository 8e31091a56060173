"""Sequential and Residual; what the whole net says about its layers."""

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import BatchNorm, Dropout, Flatten, Linear, Maxout, ReLU, Residual, Sequential, Tanh
from tests.nn.agreement import WAYS, check_agreement

RNG = np.random.default_rng(0)

# ---- Sequential


def test_sequential_applies_in_order_and_is_a_sequence():
    net = Sequential(Linear(2, 3, rng=0), ReLU(), Linear(3, 1, rng=1))
    x = np.float32([[1.0, -1.0]])
    np.testing.assert_array_equal(net(x).value, net[2](net[1](net[0](x))).value)


def test_a_slice_of_a_sequential_is_a_net_of_the_same_layers():
    net = Sequential(Linear(3, 4, rng=0), ReLU(), Linear(4, 2, rng=1))
    body = net[:2]
    assert isinstance(body, Sequential)
    assert len(body) == 2
    assert body[0] is net[0]
    x = np.ones((5, 3), np.float32)
    np.testing.assert_array_equal(net[2](body(x)).value, net(x).value)
    assert len(net) == 3
    assert tuple(net) == net.layers
    assert list(net.named_parameters()) == ["layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias"]


def test_stacked_linear_looks_into_a_sequential_in_a_sequential():
    inner = Sequential(ReLU(), Linear(3, 3))
    (found,) = Sequential(Linear(2, 3), inner, Linear(3, 1)).stacked_linear()
    assert found.startswith("layers 1 and 2")
    both = Sequential(Sequential(Linear(2, 3), Linear(3, 3)), ReLU(), Sequential(Linear(3, 1)))
    assert len(both.stacked_linear()) == 1
    assert len(Sequential(Sequential(Linear(2, 3)), Sequential(Linear(3, 3))).stacked_linear()) == 1


def test_neurons_are_counted_in_nested_nets():
    net = Sequential(Sequential(Linear(3, 4), Tanh()), Maxout(4, 5, pieces=2), Linear(5, 2))
    assert net.neuron_count == 4 + 5 + 2
    assert net.parameter_count == 16 + 2 * 25 + 12


def test_layers_can_be_appended_before_and_after_compiling():
    net = Sequential(Linear(2, 3, rng=0))
    run = cr.compile(net)
    x = np.ones((4, 2), np.float32)
    assert [run(x).shape for _ in range(3)] == [(4, 3)] * 3
    assert net.append(Tanh()).append(Linear(3, 1, rng=1)) is net
    for _ in range(3):
        np.testing.assert_allclose(run(x), net(x).value, rtol=1e-5)
    assert list(net.named_parameters())[-1] == "layers.2.bias"


def test_a_layer_can_be_put_in_the_place_of_another_before_and_after_compiling():
    net = Sequential(Linear(2, 3, rng=0), ReLU(), Linear(3, 4, rng=1))
    run = cr.compile(net)
    x = np.ones((5, 2), np.float32)
    for _ in range(3):
        run(x)
    net[-1] = Linear(3, 1, rng=2)
    net[1] = Tanh()
    for _ in range(3):
        np.testing.assert_allclose(run(x), net(x).value, rtol=1e-5)
    assert run(x).shape == (5, 1)
    assert [layer._label for layer in net] == ["Linear_0", "Tanh_1", "Linear_2"]
    with pytest.raises(IndexError):
        net[3] = Tanh()
    with pytest.raises(TypeError, match=r"number 1 is type \(Tanh\(\) has parentheses\)"):
        net[1] = Tanh


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((Linear(2, 2), ReLU), r"number 1 is type \(ReLU\(\) has parentheses\)"),
        (([Linear(2, 2)],), r"number 0 is list \(pass the modules of a list as Sequential\(\*modules\)\)"),
        ((np.tanh,), r"number 0 is ufunc$"),
    ],
)
def test_only_modules(layers, message):
    with pytest.raises(TypeError, match=message):
        Sequential(*layers)


def test_an_error_says_in_which_layer_it_happened():
    net = Sequential(Linear(2, 3), ReLU(), Sequential(Linear(3, 3), Linear(4, 3)))
    with pytest.raises(ValueError, match=r"Linear\(4, 3\) needs") as caught:
        net(np.ones((1, 2)))
    assert caught.value.__notes__ == [
        "in layer 1 of 2 (from 0), Linear(4, 3)",
        "in layer 2 of 3 (from 0), Sequential(Linear(3, 3), Linear(4, 3))",
    ]


def test_an_empty_sequential_is_the_identity():
    x = np.ones((2, 3))
    assert Sequential()(x) is x


def test_a_layer_that_stands_twice_shares_its_parameters():
    layer = Linear(3, 3, rng=0, dtype=np.float64)
    net = Sequential(layer, Tanh(), layer)
    assert (net.parameter_count, net.neuron_count) == (12, 3)
    assert cr.check_grads(net, RNG.standard_normal((4, 3))).relative_error < 1e-7
    twin = pickle.loads(pickle.dumps(copy.deepcopy(net)))
    assert twin[0] is twin[2]


def test_linear_layers_are_stacked_through_what_is_affine():
    def told(*layers):
        return [text.split(",")[0] for text in Sequential(*layers).stacked_linear()]

    a, b = Linear(2, 2), Linear(2, 2)
    assert told(a, b) == ["layers 0 and 1"]
    assert told(a, Dropout(), b) == ["layers 0 and 2"]
    assert told(a, BatchNorm(2), Dropout(), Flatten(), b) == ["layers 0 and 4"]
    assert told(a, Sequential(), b) == ["layers 0 and 2"]
    assert told(Sequential(Dropout(), a), Sequential(Dropout(), b)) == ["layers 0 and 1"]
    assert told(a, ReLU(), b) == told(a, Dropout(), ReLU(), b) == told(Dropout(), a, Dropout()) == []


# ---- Residual


def make_residual(dtype=np.float64):
    body = Sequential(Linear(4, 6, rng=0, dtype=dtype), Tanh(), Linear(6, 4, rng=1, dtype=dtype))
    return Residual(body)


def test_residual_adds_its_input():
    block = make_residual()
    x = RNG.standard_normal((3, 4))
    np.testing.assert_allclose(block(x).value, x + block.body(x).value, rtol=1e-14)
    assert next(iter(block.named_parameters())) == "body.layers.0.weight"
    assert repr(block) == f"Residual({block.body!r})"
    np.testing.assert_array_equal(block(x.tolist()).value, block(x).value)


def test_residual_passes_the_gradient_by():
    block = Residual(Linear(3, 3, scale=0.0, dtype=np.float64))
    x, dz = cr.array(RNG.standard_normal((2, 3))), RNG.standard_normal((2, 3))
    block(x).backward(upstream=dz)
    np.testing.assert_array_equal(x.grad, dz)
    assert cr.check_grads(make_residual(), RNG.standard_normal((5, 4)), order=2).relative_error < 1e-7


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_residual_is_the_same_eagerly_and_compiled(way, dtype):
    x = RNG.standard_normal((7, 4)).astype(dtype)
    check_agreement(lambda: make_residual(dtype), x, way, batch=3, rtol=1e-4 if dtype == np.float32 else 1e-10)


@pytest.mark.parametrize("x", [np.ones((2, 4)), [[1, 2, 3, 4], [5, 6, 7, 8]], np.ones((0, 4))])
def test_residual_keeps_the_dtype_of_the_body(x):
    z = make_residual(np.float32)(x)
    assert z.dtype == np.float32
    assert z.shape == np.shape(x)


def test_a_body_that_changes_the_shape_is_refused():
    with pytest.raises(ValueError, match=r"Linear\(4, 1\) made \(2, 1\) float32 of \(2, 4\) float64"):
        Residual(Linear(4, 1))(np.ones((2, 4)))  # would broadcast
    with pytest.raises(TypeError, match="make several a Sequential"):
        Residual([Linear(4, 4)])

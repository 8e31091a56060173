"""BatchNorm and LayerNorm: formulas, running statistics, stability; eagerly, compiled, over minibatches."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import BatchNorm, LayerNorm, Linear, ReLU, Sequential
from tests.nn.agreement import WAYS, check_agreement

RNG = np.random.default_rng(0)
START = RNG.bit_generator.state
SHAPES = [(7, 3), (2, 5), (4, 5, 3), (3, 2, 5, 2)]


@pytest.fixture(autouse=True)
def the_same_numbers_whatever_ran_before():
    RNG.bit_generator.state = START


def drawn(layer):
    """The layer with a scale and a shift other than those it begins with."""
    layer.scale.assign(RNG.uniform(0.5, 2, layer.scale.shape))
    layer.shift.assign(RNG.standard_normal(layer.shift.shape))
    return layer


# ---- the batch


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_in_training(shape):
    layer = drawn(BatchNorm(shape[-1], eps=1e-3, dtype=np.float64))
    x = 5 + 3 * RNG.standard_normal(shape)
    rows = x.reshape(-1, shape[-1])
    expected = (x - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-3) * layer.scale.value + layer.shift.value
    np.testing.assert_allclose(layer(x).value, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_has_the_gradients_of_the_paper(shape):
    layer = drawn(BatchNorm(shape[-1], eps=1e-3, dtype=np.float64))
    x, dz = cr.array(RNG.standard_normal(shape)), RNG.standard_normal(shape)
    layer(x).backward(upstream=dz)
    rows, d = x.value.reshape(-1, shape[-1]), dz.reshape(-1, shape[-1])
    n, mean, variance = len(rows), rows.mean(0), rows.var(0) + 1e-3
    # Ioffe and Szegedy 2015, section 3, line by line.
    dx_hat = d * layer.scale.value
    dvariance = np.sum(dx_hat * (rows - mean), 0) * -0.5 * variance**-1.5
    dmean = np.sum(-dx_hat / np.sqrt(variance), 0) + dvariance * np.sum(-2 * (rows - mean), 0) / n
    dx = dx_hat / np.sqrt(variance) + dvariance * 2 * (rows - mean) / n + dmean / n
    np.testing.assert_allclose(x.grad, dx.reshape(shape), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(layer.scale.grad, np.sum(d * (rows - mean) / np.sqrt(variance), 0), rtol=1e-10)
    np.testing.assert_allclose(layer.shift.grad, d.sum(0), rtol=1e-12)


def test_running_statistics_move_towards_those_of_the_batch():
    layer = BatchNorm(3, momentum=0.8, dtype=np.float64)
    mean, variance = np.zeros(3), np.ones(3)
    for _ in range(5):
        x = 4 + 2 * RNG.standard_normal((6, 2, 3))
        layer(x)
        mean = 0.8 * mean + 0.2 * x.mean((0, 1))
        variance = 0.8 * variance + 0.2 * x.var((0, 1), ddof=1)
        np.testing.assert_allclose(layer.running_mean.value, mean, rtol=1e-12)
        np.testing.assert_allclose(layer.running_variance.value, variance, rtol=1e-12)


def test_batch_norm_in_evaluation_uses_the_running_statistics_and_changes_nothing():
    layer = drawn(BatchNorm(3, eps=1e-3, dtype=np.float64))
    for _ in range(3):
        layer(2 + RNG.standard_normal((8, 3)))
    before = layer.eval().state_dict()
    x = cr.array(RNG.standard_normal((4, 3)))
    z = layer(x)
    factor = layer.scale.value / np.sqrt(before["running_variance"] + 1e-3)
    np.testing.assert_allclose(z.value, (x.value - before["running_mean"]) * factor + layer.shift.value, rtol=1e-12)
    z.backward(upstream=np.ones((4, 3)))
    np.testing.assert_allclose(x.grad, np.broadcast_to(factor, (4, 3)), rtol=1e-12)
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    for rows in (0, 1):
        assert layer(np.ones((rows, 3))).shape == (rows, 3)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_frozen_layer_keeps_what_it_learned(compiled):
    layer = drawn(BatchNorm(3))
    x = 2 + RNG.standard_normal((8, 3)).astype(np.float32)
    run = cr.compile(layer) if compiled else layer
    for _ in range(2):
        run(x)
    before = layer.freeze().state_dict()
    expected = layer.eval()(x)
    layer.train()
    for _ in range(3):
        np.testing.assert_allclose(np.asarray(run(x)), np.asarray(expected), rtol=1e-5)
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    layer.unfreeze()
    run(x)
    assert np.any(layer.running_mean.value != before["running_mean"])


def test_statistics_converge_to_those_of_the_data():
    layer = BatchNorm(2)
    for _ in range(200):
        layer([[3.0, -1.0]] + RNG.standard_normal((100, 2)) * [[2.0, 0.5]])
    np.testing.assert_allclose(layer.running_mean.value, [3, -1], atol=0.2)
    np.testing.assert_allclose(layer.running_variance.value, [4, 0.25], rtol=0.15)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_batch_without_a_variance_is_refused_and_leaves_the_statistics(rows):
    layer = BatchNorm(3)
    with pytest.raises(ValueError, match=r"BatchNorm\(3\) in training needs two or more values of each feature"):
        layer(np.ones((rows, 3)))
    np.testing.assert_array_equal(layer.running_mean.value, 0)


def test_a_single_row_of_a_short_batch_is_refused_before_the_first_step():
    layer = BatchNorm(3)
    step = cr.compile(lambda x: layer(x).sum())
    with pytest.raises(ValueError, match="take another size of batch"):
        step.over(np.ones((9, 3)), batch=4)
    np.testing.assert_array_equal(layer.running_mean.value, 0)


# ---- each example


@pytest.mark.parametrize("shape", [(5,), (7, 3), (4, 5, 6), (0, 3), (2, 0, 3)])
def test_layer_norm(shape):
    layer = drawn(LayerNorm(shape[-1], eps=1e-3, dtype=np.float64))
    x = 5 + 3 * RNG.standard_normal(shape)
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    expected = (x - mean) / np.sqrt(variance + 1e-3) * layer.scale.value + layer.shift.value
    np.testing.assert_allclose(layer(x).value, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(cr.compile(layer)(x), expected, rtol=1e-12, atol=1e-13)


def test_layer_norm_does_not_depend_on_the_other_examples_nor_on_the_mode():
    layer, x = drawn(LayerNorm(6)), RNG.standard_normal((5, 6))
    together = layer(x).value
    np.testing.assert_allclose(layer.eval()(x[2]).value, together[2], rtol=1e-5)


def test_layer_norm_forgets_the_scale_and_shift_of_its_input():
    layer, x = LayerNorm(50, dtype=np.float64), RNG.standard_normal((3, 50))
    np.testing.assert_allclose(layer(1000 * x + 7).value, layer(x).value, rtol=1e-4)


# ---- both


@pytest.mark.parametrize("kind", [BatchNorm, LayerNorm])
def test_gradients_to_the_second_order(kind):
    layer = drawn(kind(4, dtype=np.float64))
    report = cr.check_grads(layer, RNG.standard_normal((6, 4)), order=2)
    assert report.relative_error < 1e-6


@pytest.mark.parametrize("kind", [BatchNorm, LayerNorm])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_large_mean_costs_no_digits_of_the_variance(kind, compiled):
    x = RNG.standard_normal((64, 64)).astype(np.float32)
    layer = kind(64)
    run = cr.compile(layer) if compiled else layer
    near, far = np.asarray(run(x).tolist()), np.asarray(run(np.float32(4096) + x).tolist())
    np.testing.assert_allclose(far, near, atol=2e-3)  # 4096 + x itself has lost this much
    if kind is BatchNorm:
        layer.running_variance.assign(0.0)
        run(np.float32(4096) + x)
        np.testing.assert_allclose(layer.running_variance.value, 0.1 * x.var(0, ddof=1), rtol=1e-3)


@pytest.mark.parametrize("kind", [BatchNorm, LayerNorm])
def test_equal_values_become_the_shift_and_have_finite_gradients(kind):
    layer = drawn(kind(3))
    x = cr.array(np.full((4, 3), 7.0, np.float32))
    z = layer(x)
    np.testing.assert_allclose(z.value, np.broadcast_to(layer.shift.value, (4, 3)), rtol=1e-6)
    z.backward(upstream=RNG.standard_normal((4, 3)).astype(np.float32))
    assert np.isfinite(x.grad).all()


@pytest.mark.parametrize("kind", [BatchNorm, LayerNorm])
@pytest.mark.parametrize("x", [np.ones((5, 4)), np.ones(2), np.float32(1.0), np.ones((3, 0))])
def test_a_wrong_shape_is_named_with_the_layer(kind, x):
    with pytest.raises(ValueError, match=rf"{kind.__name__}\(3\) needs inputs of shape \(\.\.\., 3\), not"):
        kind(3)(x)


@pytest.mark.parametrize("kind", [BatchNorm, LayerNorm])
def test_arguments(kind):
    with pytest.raises(ValueError, match="at least one feature"):
        kind(0)
    with pytest.raises(ValueError, match="eps must be above 0"):
        kind(3, eps=0.0)
    assert repr(kind(3)) == f"{kind.__name__}(3)"
    assert kind(3).parameter_count == 6
    assert kind(3).neuron_count == 0


def test_the_momentum_is_a_share():
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        BatchNorm(3, momentum=1.0)


def test_inputs_are_cast_and_the_dtype_is_kept():
    for dtype in (np.float32, np.float64):
        for kind in (BatchNorm, LayerNorm):
            assert kind(2, dtype=dtype)([[1, 2], [3, 5]]).dtype == dtype


def net(kind, dtype):  # without biases, which normalisation takes away again
    first, second = (Linear(m, n, bias=False, rng=m, dtype=dtype) for m, n in ((5, 7), (7, 3)))
    return Sequential(first, kind(7, dtype=dtype), ReLU(), second, kind(3, dtype=dtype))


@pytest.mark.parametrize("kind", [BatchNorm, LayerNorm])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_is_the_same_eagerly_and_compiled(kind, way, dtype):
    x = RNG.standard_normal((14, 5)).astype(dtype)
    check_agreement(lambda: net(kind, dtype), x, way, batch=4, rtol=2e-3 if dtype == np.float32 else 1e-9)


@pytest.mark.parametrize("backend", ["native", "source"])
def test_pixels_with_channels_last(backend):
    x = RNG.standard_normal((3, 4, 5, 2)).astype(np.float32)
    eager, compiled = BatchNorm(2), BatchNorm(2)
    run = cr.compile(compiled, backend=backend)
    for training in (True, True, False, True, False):
        expected = eager.train(training)(x).value
        compiled.train(training)
        np.testing.assert_allclose(run(x), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(compiled.running_variance.value, eager.running_variance.value, rtol=1e-5)
    assert len(run.programs) == 2

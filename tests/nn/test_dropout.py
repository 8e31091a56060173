"""Dropout: what is dropped, what is kept, and that it is the same eagerly and compiled."""

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import Dropout, Linear, ReLU, Sequential
from tests.nn.agreement import WAYS, check_agreement


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_activations_are_dropped_or_scaled(rate, dtype):
    x = np.random.default_rng(0).uniform(1, 2, (400, 250)).astype(dtype)
    z = Dropout(rate, rng=0)(x)
    dropped = z == 0
    assert z.dtype == dtype
    assert dropped.mean() == pytest.approx(rate, abs=5 * np.sqrt(rate * (1 - rate) / x.size))
    np.testing.assert_allclose(z[~dropped], x[~dropped] / (1 - rate), rtol=1e-6)
    assert z.mean() == pytest.approx(x.mean(), rel=0.03)


def test_what_is_dropped_is_what_the_generator_says():
    x = np.ones((3, 5), np.float32)
    z = Dropout(0.3, rng=7)(x)
    np.testing.assert_array_equal(z != 0, cr.random.Generator(7).bernoulli(0.7, (3, 5)))


def test_gradients_go_where_activations_went():
    x = cr.array(np.arange(1.0, 31.0))
    z = Dropout(0.4, rng=0)(x)
    z.backward(upstream=np.full(30, 3.0))
    np.testing.assert_allclose(x.grad, 3 * z.value / x.value, rtol=1e-12)


def test_every_call_draws_others_and_a_seed_repeats():
    x = np.ones(100)
    first, second = Dropout(0.5, rng=1), Dropout(0.5, rng=1)
    a, b = first(x), first(x)
    assert np.any(a != b)
    np.testing.assert_array_equal(second(x), a)
    np.testing.assert_array_equal(second(x), b)


def test_a_rate_of_zero_drops_and_draws_nothing():
    layer, x = Dropout(0.0, rng=0), np.ones(10)
    assert layer(x) is x
    assert layer.rng.counter.item() == 0


@pytest.mark.parametrize("way", ["eager", "native", "source"])
@pytest.mark.parametrize("rate", [0.99999, 1 - 1e-12])
def test_a_rate_near_one_leaves_finite_numbers(rate, way):
    layer, x = Dropout(rate, rng=0), np.ones(1000, np.float32)
    run = layer if way == "eager" else cr.compile(lambda x: layer(x), backend=way)
    for _ in range(3):
        z = run(x)
        assert np.isfinite(z).all()
        assert np.count_nonzero(z) <= 5


def test_evaluation_is_the_identity_and_draws_nothing():
    layer = Dropout(0.5, rng=0).eval()
    x = np.random.default_rng(0).standard_normal((3, 4))
    assert layer(x) is x
    assert layer.rng.counter.item() == 0


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (3, 1, 7)])
def test_any_shape(shape):
    assert Dropout(0.5, rng=0)(np.ones(shape)).shape == shape
    assert cr.compile(Dropout(0.5, rng=0))(np.ones(shape)).shape == shape


def test_lists_and_integers_become_floating():
    z = Dropout(0.5, rng=0)([1, 2, 3, 4])
    assert z.dtype == np.float64
    assert set(z) <= {0.0, 2.0, 4.0, 6.0, 8.0}


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan")])
def test_rates_that_make_no_sense(rate):
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        Dropout(rate)


def test_numpys_generators_are_refused():
    with pytest.raises(TypeError, match=r"cr\.random\.Generator or a seed"):
        Dropout(0.5, rng=np.random.default_rng(0))


def net(dtype):
    return Sequential(
        Linear(5, 7, rng=0, dtype=dtype), ReLU(), Dropout(0.4, rng=1), Linear(7, 3, rng=2, dtype=dtype), Dropout(0.2, 2)
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_is_the_same_eagerly_and_compiled(way, dtype):
    x = np.random.default_rng(0).standard_normal((11, 5)).astype(dtype)
    check_agreement(lambda: net(dtype), x, way, batch=4, rtol=1e-4 if dtype == np.float32 else 1e-11)


def test_compiled_and_eager_calls_take_turns_on_one_stream():
    layer, x = Dropout(0.5, rng=3), np.ones((4, 5), np.float32)
    run = cr.compile(lambda x: layer(x))
    mixed = [np.asarray(call(x)) for call in (run, layer, run, run, layer, run)]
    alone = Dropout(0.5, rng=3)
    for z in mixed:
        np.testing.assert_array_equal(z, alone(x))


def test_modes_keep_two_programs_and_evaluation_leaves_the_stream_alone():
    layer, x = Dropout(0.5, rng=3), np.ones((4, 5), np.float32)
    run = cr.compile(lambda x: layer(x))
    seen = []
    for training in (True, False, True, True, False, False, True):
        z = run(x) if layer.train(training) else None
        if training:
            seen.append(z)
        else:
            np.testing.assert_array_equal(z, x)
    alone = Dropout(0.5, rng=3)
    for z in seen:
        np.testing.assert_array_equal(z, alone(x))
    assert len(run.programs) == 2


@pytest.mark.parametrize(
    "twin_of", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"]
)
def test_copies_go_on_with_the_same_numbers(twin_of):
    layer, x = Dropout(0.5, rng=3), np.ones(50)
    layer(x)
    twin = twin_of(layer)
    np.testing.assert_array_equal(twin(x), layer(x))


def test_a_saved_generator_repeats_the_masks():
    layer, x = Dropout(0.5, rng=3), np.ones(50)
    layer(x)
    saved = layer.state_dict()
    assert list(saved) == ["rng.key", "rng.counter"]
    z = layer(x)
    other = Dropout(0.5, rng=99)
    other.load_state_dict(saved)
    np.testing.assert_array_equal(other(x), z)


def test_repr():
    assert repr(Dropout(0.25)) == "Dropout(0.25)"

"""SGD: the published update, step by step, and which gradients it uses."""

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError
from chainrule.optim import SGD


def quadratic(w, curvature):
    return np.sum(curvature * w * w) / 2


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_every_step_is_the_published_update(momentum, l2):
    rng = np.random.default_rng(0)
    w = cr.Parameter(rng.standard_normal((3, 2)), dtype=np.float64)
    b = cr.Parameter(rng.standard_normal(2), dtype=np.float64)
    curvature = rng.uniform(0.5, 2, (3, 2))
    optimizer = SGD([w, b], lr=0.1, momentum=momentum, l2=l2)
    expected_w, expected_b = w.value.copy(), b.value.copy()
    v_w, v_b = np.zeros((3, 2)), np.zeros(2)
    for _ in range(10):
        (quadratic(w, curvature) + quadratic(b, 3.0)).backward()
        optimizer.step()
        v_w = momentum * v_w - 0.1 * (curvature * expected_w + l2 * expected_w)
        v_b = momentum * v_b - 0.1 * 3.0 * expected_b  # biases are not regularised
        expected_w = expected_w + v_w
        expected_b = expected_b + v_b
        np.testing.assert_allclose(w.value, expected_w, rtol=1e-13)
        np.testing.assert_allclose(b.value, expected_b, rtol=1e-13)


def test_l2_is_the_gradient_of_half_the_sum_of_squares():
    rng = np.random.default_rng(1)
    x, labels = rng.standard_normal((20, 3)), rng.integers(0, 2, 20)
    by_optimizer = cr.nn.Linear(3, 2, dtype=np.float64, rng=0)
    by_loss = copy.deepcopy(by_optimizer)
    first = SGD(by_optimizer.parameters(), lr=0.5, l2=0.1)
    second = SGD(by_loss.parameters(), lr=0.5)
    for _ in range(5):
        cr.nn.cross_entropy(by_optimizer(x), labels).backward()
        first.step()
        penalty = 0.5 * 0.1 * np.sum(by_loss.weight**2)
        (cr.nn.cross_entropy(by_loss(x), labels) + penalty).backward()
        second.step()
    np.testing.assert_allclose(by_optimizer.weight.value, by_loss.weight.value, rtol=1e-12)
    np.testing.assert_allclose(by_optimizer.bias.value, by_loss.bias.value, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_dtype_and_shape_stay(dtype, shape):
    w = cr.Parameter(np.ones(shape), dtype=dtype)
    optimizer = SGD([w], lr=0.1, momentum=0.9, l2=0.01)
    for _ in range(3):
        np.sum(w * w).backward()
        optimizer.step()
    assert w.dtype == dtype
    assert w.shape == shape
    assert isinstance(w.value, np.ndarray)
    assert optimizer.velocity[0].dtype == dtype


def test_a_value_taken_before_a_step_stays_what_it_was():
    w = cr.Parameter([1.0, 2.0])
    before = w.value
    np.sum(w * w).backward()
    SGD([w], lr=0.1).step()
    np.testing.assert_array_equal(before, [1, 2])
    np.testing.assert_allclose(w.value, [0.8, 1.6], rtol=1e-6)


def test_without_a_gradient_there_is_no_step():
    w = cr.Parameter([1.0])
    optimizer = SGD([w])
    with pytest.raises(GraphError, match="call backward"):
        optimizer.step()
    np.sum(w * w).backward()
    optimizer.step()
    after = w.value.copy()
    with pytest.raises(GraphError, match="no new gradient"):
        optimizer.step()
    np.testing.assert_array_equal(w.value, after)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_what_the_loss_no_longer_reaches_is_not_moved_not_even_by_momentum(momentum):
    w, u = cr.Parameter([1.0]), cr.Parameter([1.0])
    optimizer = SGD([w, u], lr=0.1, momentum=momentum)
    np.sum(w * u).backward()
    optimizer.step()
    still = u.value.copy()
    velocity = None if momentum == 0 else optimizer.velocity[1].value.copy()
    for _ in range(3):
        before = w.value.copy()
        np.sum(w * w).backward()
        optimizer.step()
        assert w.value != before
    np.testing.assert_array_equal(u.value, still)
    if velocity is not None:
        np.testing.assert_array_equal(optimizer.velocity[1].value, velocity)


def test_gradients_of_several_backward_passes_are_all_used():
    w, u = cr.Parameter([1.0]), cr.Parameter([1.0])
    optimizer = SGD([w, u], lr=0.1)
    np.sum(w * w).backward()
    np.sum(3.0 * u).backward()
    optimizer.step()
    np.testing.assert_allclose([w.item(), u.item()], [0.8, 0.7], rtol=1e-6)


def test_two_optimisers_may_share_a_backward_pass():
    w, u = cr.Parameter([1.0]), cr.Parameter([1.0])
    slow, fast = SGD([w], lr=0.01), SGD([u], lr=0.1)
    np.sum(w * w + u * u).backward()
    slow.step()
    fast.step()
    np.testing.assert_allclose([w.item(), u.item()], [0.98, 0.8], rtol=1e-6)


def test_an_accumulated_gradient_is_used_once_as_a_whole():
    w = cr.Parameter([1.0])
    optimizer = SGD([w], lr=0.1)
    np.sum(2.0 * w).backward()
    np.sum(3.0 * w).backward(accumulate=True)
    optimizer.step()
    assert w.item() == pytest.approx(0.5, rel=1e-6)


def test_a_gradient_that_was_changed_is_used_as_it_is_and_one_taken_away_is_not():
    w, u = cr.Parameter([1.0]), cr.Parameter([1.0])
    optimizer = SGD([w, u], lr=0.1)
    np.sum(100.0 * w + u).backward()
    w.grad = np.clip(w.grad, -1, 1)
    u.grad = None
    optimizer.step()
    np.testing.assert_allclose([w.item(), u.item()], [0.9, 1.0], rtol=1e-6)


def test_the_step_size_can_be_read_and_set():
    w = cr.Parameter([1.0], dtype=np.float64)
    optimizer = SGD([w], lr=0.5)
    assert optimizer.lr == 0.5
    optimizer.lr = 0.01
    assert optimizer.lr == 0.01
    np.sum(w).backward()
    optimizer.step()
    assert w.item() == pytest.approx(0.99, rel=1e-14)
    for bad in (0.0, -0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"lr must be in \(0, inf\)"):
            optimizer.lr = bad
    assert optimizer.lr == 0.01


def test_the_momentum_can_be_set_later():
    w = cr.Parameter([1.0], dtype=np.float64)
    optimizer = SGD([w], lr=0.1)
    for momentum, expected in [(0.0, 0.9), (0.5, 0.8), (0.5, 0.65), (0.0, 0.55)]:
        optimizer.momentum = momentum
        np.sum(w).backward()
        optimizer.step()
        assert w.item() == pytest.approx(expected, rel=1e-12)
    for bad in (1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"momentum must be in \[0, 1\)"):
            optimizer.momentum = bad
    assert optimizer.momentum == 0


def test_the_regularisation_can_be_set_later():
    w = cr.Parameter([[1.0]], dtype=np.float64)
    optimizer = SGD([w], lr=0.1)
    optimizer.l2 = 2.0
    np.sum(w).backward()
    optimizer.step()
    assert w.item() == pytest.approx(1.0 - 0.1 * (1.0 + 2.0), rel=1e-14)
    for bad in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"l2 must be in \[0, inf\)"):
            optimizer.l2 = bad
    assert optimizer.l2 == 2


@pytest.mark.parametrize(
    "bad",
    [
        {"lr": 0.0}, {"lr": -0.1}, {"lr": float("nan")}, {"lr": float("inf")},
        {"momentum": 1.0}, {"momentum": -0.1}, {"momentum": float("nan")},
        {"l2": -0.1}, {"l2": float("nan")}, {"l2": float("inf")},
    ],
    ids=str,
)  # fmt: skip
def test_numbers_out_of_range(bad):
    with pytest.raises(ValueError, match=rf"{next(iter(bad))} must be in"):
        SGD([cr.Parameter([1.0])], **bad)


def test_what_is_optimised_are_parameters_each_once():
    w = cr.Parameter([1.0])
    with pytest.raises(ValueError, match="no parameters"):
        SGD([])
    with pytest.raises(ValueError, match="listed twice"):
        SGD([w, cr.Parameter([1.0]), w])
    for wrong in (np.ones(2), cr.array([1.0]), cr.State(1.0), 1.0):
        with pytest.raises(TypeError, match="updates Parameters"):
            SGD([w, wrong])
    assert SGD(p for p in [w]).parameters == [w]


def one_step(model, optimizer, x, labels):
    cr.nn.cross_entropy(model(x), labels).backward()
    optimizer.step()


@pytest.mark.parametrize(
    "twin_of", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["deepcopy", "pickle"]
)
def test_copies_go_on_where_the_original_was(twin_of):
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((20, 3)), rng.integers(0, 2, 20)
    model = cr.nn.Linear(3, 2, rng=0)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        one_step(model, optimizer, x, labels)
    twin, its = twin_of((model, optimizer))
    assert its.parameters[0] is twin.weight
    for _ in range(3):
        one_step(model, optimizer, x, labels)
        one_step(twin, its, x, labels)
    np.testing.assert_array_equal(twin.weight.value, model.weight.value)


def test_an_optimiser_that_was_pickled_in_a_longer_process_goes_on_in_a_new_one():
    w = cr.Parameter([1.0])
    optimizer = SGD([w], lr=0.1)
    optimizer._last_write = 10**15  # the other process had made that many backward passes
    optimizer = pickle.loads(pickle.dumps(optimizer))
    (w,) = optimizer.parameters
    np.sum(w).backward()
    optimizer.step()
    assert w.item() == pytest.approx(0.9, rel=1e-6)

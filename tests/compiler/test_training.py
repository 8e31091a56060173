"""Compiled training steps do what eager ones do, call by call, and leave the same gradients behind."""

import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError
from tests.program.nets import batches, make_net, values


@pytest.mark.parametrize("backend", ["source", "native"])
@pytest.mark.parametrize(
    ("hidden", "momentum", "l2"),
    [
        (cr.nn.Tanh, 0.0, 0.0),
        (cr.nn.Tanh, 0.9, 0.01),
        (cr.nn.ReLU, 0.9, 0.0),
        (cr.nn.LeakyReLU, 0.0, 0.01),
        (cr.nn.Sigmoid, 0.9, 0.01),
        (lambda: cr.nn.Maxout(6, 6, rng=3, dtype=np.float64), 0.9, 0.0),
    ],
)
def test_a_training_step_is_the_eager_one(hidden, momentum, l2, backend):
    model, optimizer, step = make_net(hidden, momentum=momentum, l2=l2, dtype=np.float64)
    twin, twins_optimizer, eager = make_net(hidden, momentum=momentum, l2=l2, dtype=np.float64)
    compiled = cr.compile(step, backend=backend)
    for i, batch in enumerate(batches(10)):
        if i == 5:
            optimizer.lr = twins_optimizer.lr = 0.02
        loss, expected = compiled(*batch), eager(*batch)
        assert type(loss) is np.ndarray
        np.testing.assert_allclose(loss, expected.item(), rtol=1e-12)
        for a, b in zip(values(model), values(twin), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)
    assert len(compiled.programs) == 1
    assert all(p.grad is None for p in model.parameters())


def test_learning_goes_on_to_a_small_loss():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 2)).astype(np.float32)
    labels = (np.hypot(*x.T) > 1).astype(np.int64) + (x[:, 0] > 0)
    _, _, step = make_net()
    compiled = cr.compile(step)
    losses = [compiled(x, labels).item() for _ in range(500)]
    assert losses[-1] < 0.3 * losses[0]


def test_compiled_and_eager_steps_can_be_mixed():
    model, _, step = make_net(dtype=np.float64)
    twin, _, eager = make_net(dtype=np.float64)
    compiled = cr.compile(step, backend="source")
    for i, batch in enumerate(batches(8)):
        (compiled if i % 3 else step)(*batch)
        eager(*batch)
    for a, b in zip(values(model), values(twin), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_structure_follows_what_was_read_as_a_number():
    model, optimizer, step = make_net(momentum=0.0)
    twin, twins_optimizer, eager = make_net(momentum=0.0)
    compiled = cr.compile(step, backend="source")
    for i, batch in enumerate(batches(9)):
        for each in (optimizer, twins_optimizer):
            each.momentum = [0.0, 0.9, 0.0][i // 3]
            each.l2 = [0.0, 0.0, 0.1][i // 3]
        compiled(*batch)
        eager(*batch)
        for a, b in zip(values(model), values(twin), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert len(compiled.programs) == 3


def test_a_schedule_inside_the_step():
    w = cr.Parameter([1.0], dtype=np.float64)
    optimizer = cr.optim.SGD([w], lr=0.5)

    @cr.compile
    def step():
        np.sum(w * w).backward()
        optimizer.step()
        optimizer.lr = optimizer.lr * 0.5

    for _ in range(3):
        step()
    assert optimizer.lr == 0.5**4
    np.testing.assert_allclose(w.value, [0.0])


def test_keep_grads_writes_them_as_backward_does():
    model, optimizer, _ = make_net()
    twin = copy.deepcopy(model)

    def loss_of(model):
        def loss(x, labels):
            z = cr.nn.cross_entropy(model(x), labels)
            z.backward()
            return z

        return loss

    compiled = cr.compile(loss_of(model), keep_grads=True)
    twins_optimizer = cr.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
    for batch in batches(4):
        compiled(*batch)
        loss_of(twin)(*batch)
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            assert p.grad.dtype == np.float32
            np.testing.assert_allclose(p.grad, q.grad, rtol=1e-4, atol=1e-6)
        optimizer.step()
        twins_optimizer.step()
    with pytest.raises(GraphError, match="no new gradient"):
        optimizer.step()


def test_gradients_that_a_compiled_step_has_used_are_not_used_again():
    model, optimizer, step = make_net()
    compiled = cr.compile(step, keep_grads=True)
    for batch in batches(3):
        compiled(*batch)
        assert all(p.grad is not None for p in model.parameters())
        with pytest.raises(GraphError, match="no new gradient"):
            optimizer.step()


def test_a_parameter_that_the_loss_does_not_reach_stays():
    w, u = cr.Parameter([1.0]), cr.Parameter([1.0])
    optimizer = cr.optim.SGD([w, u], momentum=0.9)

    @cr.compile
    def step(x):
        np.sum(w * x).backward()
        optimizer.step()

    for _ in range(3):
        step(np.ones(1, np.float32))
    assert u.item() == 1
    assert w.item() < 1

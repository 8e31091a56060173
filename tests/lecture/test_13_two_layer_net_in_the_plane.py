"""13. A two-layer net learns points that the user places in the plane."""

import numpy as np
import pytest

import chainrule as cr


def learned(points, labels, hidden, steps=500, seed=0):
    rng = np.random.default_rng(seed)
    model = cr.nn.Sequential(cr.nn.Linear(2, hidden, rng=rng), cr.nn.Tanh(), cr.nn.Linear(hidden, 2, rng=rng))
    optimizer = cr.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    for _ in range(steps):
        cr.nn.cross_entropy(model(points), labels).backward()
        optimizer.step()
    return model(points).value.argmax(axis=1)


PLACED = {
    "exclusive or": ([(-1, -1), (1, 1), (-1, 1), (1, -1)], [0, 0, 1, 1]),
    "one among others": ([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, -1)], [0, 1, 1, 1, 1, 1, 1]),
    "stripes": ([(-2, 0.3), (-1, -0.4), (0, 0.2), (1, -0.1), (2, 0.4)], [0, 1, 0, 1, 0]),
}


@pytest.mark.parametrize(("points", "labels"), PLACED.values(), ids=PLACED)
@pytest.mark.parametrize("seed", range(3))
def test_it_learns_what_is_placed(points, labels, seed):
    np.testing.assert_array_equal(learned(points, labels, hidden=8, seed=seed), labels)


def test_a_point_placed_later_is_learned_too():
    points, labels = PLACED["exclusive or"]
    np.testing.assert_array_equal(learned([*points, (0, 0)], [*labels, 1], hidden=8), [*labels, 1])


def test_without_a_hidden_layer_exclusive_or_cannot_be_learned():
    points, labels = PLACED["exclusive or"]
    model = cr.nn.Linear(2, 2, rng=0)
    optimizer = cr.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(300):
        cr.nn.cross_entropy(model(points), labels).backward()
        optimizer.step()
    loss = cr.nn.cross_entropy(model(points), labels).item()
    assert loss == pytest.approx(np.log(2), abs=1e-3)  # the best that a line can do here is to guess

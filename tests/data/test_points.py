"""Generated points: the formula of the case study, classes that no line separates, seeds that repeat."""

import numpy as np
import pytest

import chainrule.data as data

GENERATORS = [data.spiral, data.circle, data.moons]


def test_spiral_is_the_case_studys():
    x, y = data.spiral(points=100, classes=3, noise=0.0)
    for arm in range(3):
        t = np.linspace(arm * 4, (arm + 1) * 4, 100)
        r = np.linspace(0.0, 1, 100)
        np.testing.assert_allclose(x[y == arm], np.c_[r * np.sin(t), r * np.cos(t)], atol=1e-6)


def test_noise_turns_the_spirals_angle_and_leaves_its_radius():
    x, _ = data.spiral(points=2000, classes=3, noise=0.2, seed=3)
    clean, _ = data.spiral(points=2000, classes=3, noise=0.0)
    radius = np.hypot(*x.T)
    np.testing.assert_allclose(radius, np.hypot(*clean.T), atol=1e-6)
    away = radius > 0.1
    cross = clean[away, 0] * x[away, 1] - clean[away, 1] * x[away, 0]
    turn = np.arctan2(cross, (clean * x).sum(1)[away])
    assert turn.std() == pytest.approx(0.2, rel=0.05)
    assert turn.mean() == pytest.approx(0, abs=0.02)


def test_moons_lie_on_their_half_circles():
    x, y = data.moons(points=50, noise=0.0)
    np.testing.assert_allclose(np.hypot(*x[y == 0].T), 1, atol=1e-6)
    np.testing.assert_allclose(np.hypot(*(x[y == 1] - [1, 0.5]).T), 1, atol=1e-6)
    assert (x[y == 0, 1] >= -1e-6).all()
    assert (x[y == 1, 1] <= 0.5 + 1e-6).all()


def test_circle_is_a_disc_in_a_ring():
    x, y = data.circle(points=500, noise=0.0, seed=1)
    radius = np.hypot(*x.T)
    assert radius[y == 0].max() <= 0.5
    assert radius[y == 1].min() >= 0.7
    assert radius.max() <= 1.2


@pytest.mark.parametrize("make", GENERATORS)
def test_same_seed_same_points(make):
    np.testing.assert_array_equal(make(seed=5).inputs, make(seed=5).inputs)
    assert (make(seed=5).inputs != make(seed=6).inputs).any()


@pytest.mark.parametrize("make", GENERATORS)
def test_a_generator_goes_on_drawing(make):
    rng = np.random.default_rng(0)
    assert (make(seed=rng).inputs != make(seed=rng).inputs).any()


@pytest.mark.parametrize("make", GENERATORS)
def test_float32_inputs_integer_labels_and_balanced_classes(make):
    points = make(points=40)
    assert points.inputs.dtype == np.float32
    assert points.labels.dtype.kind == "i"
    assert set(np.bincount(points.labels)) == {40}
    assert len(points.classes) == len(np.bincount(points.labels))


@pytest.mark.parametrize("make", GENERATORS)
@pytest.mark.parametrize("wrong", [{"points": 0}, {"noise": -1.0}])
def test_sizes_are_checked(make, wrong):
    with pytest.raises(ValueError, match="at least"):
        make(**wrong)

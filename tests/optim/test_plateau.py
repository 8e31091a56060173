"""ReduceOnPlateau: what counts as improvement, and what is reduced."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.optim import SGD, ReduceOnPlateau


def watched(values, **options):
    """The step sizes after each value."""
    optimizer = SGD([cr.Parameter(0.0)], lr=1.0)
    plateau = ReduceOnPlateau(optimizer, **options)
    rates = []
    for value in values:
        before = optimizer.lr
        assert plateau.observe(value) == (optimizer.lr < before)
        rates.append(optimizer.lr)
    return rates


def test_patience():
    assert watched([3, 2, 1, 1, 1, 1], factor=0.5, patience=2) == [1, 1, 1, 1, 1, 0.5]
    assert watched([3, 3, 3, 3], factor=0.5, patience=0) == [1, 0.5, 0.25, 0.125]
    assert watched([3, 4, 2, 4, 4, 1], factor=0.5, patience=1) == [1, 1, 1, 1, 0.5, 0.5]


def test_small_improvements_do_not_count():
    assert watched([1.0, 0.95, 0.9], factor=0.5, patience=0, threshold=0.08) == [1, 0.5, 0.5]
    assert watched([1.0, 0.95], factor=0.5, patience=0, threshold=0.0) == [1, 1]


def test_more_is_better():
    assert watched([0.5, 0.6, 0.6, 0.4], factor=0.5, patience=0, mode="max") == [1, 1, 0.5, 0.25]


def test_cooldown():
    assert watched([1] * 7, factor=0.5, patience=0, cooldown=2) == [1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_floor():
    assert watched([1] * 5, factor=0.5, patience=0, floor=0.3) == [1, 0.5, 0.3, 0.3, 0.3]
    assert watched([1] * 3, factor=0.5, patience=0, floor=2.0) == [1, 1, 1]  # never larger than it was


def test_what_is_not_a_number_is_no_improvement():
    nan = float("nan")
    assert watched([nan, nan, 1.0, nan], factor=0.5, patience=0) == [0.5, 0.25, 0.25, 0.125]


def test_groups_are_reduced_along_without_recording_anew():
    w, u = cr.Parameter([1.0]), cr.Parameter([1.0])
    optimizer = SGD([{"parameters": [w]}, {"parameters": [u], "lr": 0.01}], lr=0.1)

    @cr.compile
    def step():
        np.sum(w + u).backward()
        optimizer.step()

    plateau = ReduceOnPlateau(optimizer, factor=0.5, patience=0)
    for value in (1.0, 1.0, 1.0):
        plateau.observe(value)
        step()
    assert (optimizer.lr, optimizer.groups[1]["lr"]) == (0.025, 0.0025)
    np.testing.assert_allclose([w.item(), u.item()], [1 - 0.175, 1 - 0.0175], rtol=1e-6)
    assert len(step.programs) == 1


def test_it_goes_on_where_it_was():
    values = [3, 3, 3, 2, 2, 2, 2, 2]
    for stop in range(len(values)):
        optimizer = SGD([cr.Parameter(0.0)], lr=1.0)
        plateau = ReduceOnPlateau(optimizer, factor=0.5, patience=1, cooldown=1)
        for value in values[:stop]:
            plateau.observe(value)
        again = ReduceOnPlateau(optimizer, factor=0.5, patience=1, cooldown=1)
        again.load_state_dict(plateau.state_dict())
        for value in values[stop:]:
            again.observe(value)
        assert optimizer.lr == watched(values, factor=0.5, patience=1, cooldown=1)[-1]
    with pytest.raises(ValueError, match="best, waited and resting, not best"):
        again.load_state_dict({"best": 1.0})


def test_what_has_no_step_size_is_refused():
    with pytest.raises(TypeError, match=r"an optimiser that has one, not of LBFGS\("):
        ReduceOnPlateau(cr.optim.LBFGS([cr.Parameter(0.0)]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"factor": 1.0}, r"factor must be in \(0, 1\)"),
        ({"factor": float("nan")}, r"factor must be in \(0, 1\)"),
        ({"patience": -1}, "at least 0"),
        ({"floor": float("inf")}, "at least 0"),
        ({"mode": "best"}, "mode is 'min' or 'max', not 'best'"),
    ],
    ids=str,
)
def test_what_makes_no_sense(wrong, message):
    with pytest.raises(ValueError, match=message):
        ReduceOnPlateau(SGD([cr.Parameter(0.0)]), **wrong)

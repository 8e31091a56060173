"""Schedules: formulas written out, three kinds of step numbers, and what an optimiser makes of them."""

import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError
from chainrule.optim import Chain, Cosine, Exponential, InverseTime, OneCycle, Step, Warmup


def sgdr(step, length, growth, floor):
    """Loshchilov & Hutter 2017, equation 5, cycle after cycle."""
    while step >= length:
        step, length = step - length, length * growth
    return floor + 0.5 * (1 - floor) * (1 + np.cos(np.pi * step / length))


def one_cycle(step, steps, peak, start, end):
    top = peak * steps
    a, b, share = (start, 1.0, step / top) if step < top else (1.0, end, min((step - top) / (steps - top), 1.0))
    return a + (b - a) * (1 - np.cos(np.pi * share)) / 2


CASES = {
    "step": (Step(every=7, factor=0.3), lambda k: 0.3 ** (k // 7)),
    "milestones": (Step(at=(5, 30), factor=0.1), lambda k: 1.0 if k < 5 else 0.1 if k < 30 else 0.1 * 0.1),
    "exponential": (Exponential(0.5, every=10), lambda k: np.exp(-k * np.log(2) / 10)),
    "inverse time": (InverseTime(0.2), lambda k: 1 / (1 + k / 5)),
    "cosine": (Cosine(40, floor=0.1), lambda k: 0.1 + 0.45 * (1 + np.cos(np.pi * min(k, 40) / 40))),
    "restarts": (Cosine(9, restart=1), lambda k: sgdr(k, 9, 1, 0.0)),
    "longer restarts": (Cosine(5, floor=0.2, restart=2), lambda k: sgdr(k, 5, 2, 0.2)),
    "growing by half": (Cosine(8, restart=1.5), lambda k: sgdr(k, 8, 1.5, 0.0)),
    "warm-up": (Warmup(10, start=0.1), lambda k: 0.1 + 0.9 * min((k + 1) / 10, 1)),
    "warm-up, then": (Warmup(6, Exponential(0.9)), lambda k: (k + 1) / 6 if k < 6 else 0.9 ** (k - 6)),
    "one cycle": (OneCycle(50, 0.3, 0.04, 0.001), lambda k: one_cycle(k, 50, 0.3, 0.04, 0.001)),
    "only down": (OneCycle(50, peak=0.0), lambda k: 4e-6 + (1 - 4e-6) * (1 + np.cos(np.pi * min(k, 50) / 50)) / 2),
    "chain": (
        Chain({0: 0.5, 10: Exponential(0.9), 25: Warmup(3, lambda k: 0.7 + 0 * k)}),
        lambda k: 0.5 if k < 10 else 0.9 ** (k - 10) if k < 25 else 0.7 * min((k - 24) / 3, 1),
    ),
    "one's own": (lambda k: np.where(k < 10, 1.0, 0.1), lambda k: 1.0 if k < 10 else 0.1),
}
STEPS = 71


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def test_a_number_an_array_of_them_and_the_count_in_a_step(case):
    schedule, expected = case
    expected = np.array([expected(k) for k in range(STEPS)])
    np.testing.assert_allclose([schedule(k) for k in range(STEPS)], expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(schedule(np.arange(STEPS)), expected, rtol=1e-12, atol=1e-12)
    count = cr.State(0)

    @cr.compile
    def step(row):
        factor = schedule(count)
        count.assign(count + 1)
        return factor

    np.testing.assert_allclose(step.over(np.zeros(STEPS), batch=1), expected, rtol=1e-12, atol=1e-12)


def test_an_optimiser_moves_by_the_scheduled_step_size(case):
    schedule, expected = case
    for compiled in (False, True):
        w = cr.Parameter([0.0], dtype=float)
        optimizer = cr.optim.SGD([w], lr=0.5, schedule=schedule)

        def step(row, w=w, optimizer=optimizer):
            now = optimizer.current_lr
            np.sum(w).backward()
            optimizer.step()
            return w, now * 1.0

        if compiled:
            path, rates = cr.compile(step).over(np.zeros(STEPS), batch=1)
        else:
            path, rates = zip(*[(z.item(), now) for z, now in (step(0) for _ in range(STEPS))], strict=True)
        moved = -np.diff(np.ravel(path), prepend=0.0)
        np.testing.assert_allclose(moved, [0.5 * expected(k) for k in range(STEPS)], atol=1e-12)
        np.testing.assert_allclose(rates, [0.5 * expected(k) for k in range(STEPS)], atol=1e-12)
        assert optimizer.lr == 0.5


def test_factors_of_a_whole_number_are_floats(case):
    schedule, _ = case
    if isinstance(schedule, cr.optim.Schedule):
        assert type(schedule(3)) is float
        assert type(schedule(np.int64(3))) is float


def test_schedules_are_values():
    assert Cosine(10, restart=2) == Cosine(10, restart=2) != Cosine(11, restart=2)
    assert repr(Warmup(5, then=Step(every=3))) == ("Warmup(steps=5, then=Step(every=3, at=(), factor=0.1), start=0.0)")
    schedule = Chain({10: Exponential(0.5), 0: 1.0})
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert list(schedule.parts) == [0, 10]
    assert hash(schedule) == hash(Chain({0: 1.0, 10: Exponential(0.5)}))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Step(), ValueError, "either every=.* or at="),
        (lambda: Step(every=3, at=(1,)), ValueError, "either every=.* or at="),
        (lambda: Step(every=0), ValueError, "every must be above 0, not 0"),
        (lambda: Step(10, 0.5), TypeError, "a factor is given as factor=0.5"),
        (lambda: cr.optim.SGD([cr.Parameter(0.0)], schedule=0.5), TypeError, "a schedule is a function"),
        (lambda: setattr(cr.optim.SGD([cr.Parameter(0.0)]), "schedule", 0.5), TypeError, "a schedule is a function"),
        (lambda: Step(every="3"), TypeError, "every is a number, not '3'"),
        (lambda: Exponential(-0.5), ValueError, "factor must be above 0"),
        (lambda: InverseTime(float("nan")), ValueError, "decay must be above 0"),
        (lambda: Cosine(0), ValueError, "steps must be above 0"),
        (lambda: Cosine(10, floor=2), ValueError, r"floor is a factor in \[0, 1\]"),
        (lambda: Cosine(10, restart=0.5), ValueError, "restart is by what factor cycles become longer"),
        (lambda: Warmup(10, start=-1), ValueError, r"start is a factor in \[0, 1\]"),
        (lambda: OneCycle(10, peak=1.5), ValueError, r"peak is in \[0, 1\]"),
        (lambda: Chain({}), ValueError, "begins at 0"),
        (lambda: Chain({5: 1.0}), ValueError, "begins at 0"),
    ],
)
def test_what_makes_no_sense(make, error, message):
    with pytest.raises(error, match=message):
        make()


def descent(schedule, compiled=False):
    w = cr.Parameter([1.0], dtype=float)
    optimizer = cr.optim.SGD([w], lr=0.5, schedule=schedule)

    def step():
        np.sum(w).backward()
        optimizer.step()

    return w, optimizer, cr.compile(step) if compiled else step


@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf")])
def test_a_factor_out_of_range(factor):
    w, _, step = descent(lambda k: factor)
    with pytest.raises(ValueError, match=r"the schedule gives the factor .* at step 0"):
        step()
    assert w.item() == 1


def test_a_schedule_that_asks_python_cannot_be_recorded():
    _, _, step = descent(lambda k: 1.0 if k < 3 else 0.1, compiled=True)
    with pytest.raises(GraphError, match=r"np\.where instead of if"):
        step()


def test_another_schedule_is_noticed_by_compiled_steps():
    w, optimizer, step = descent(Exponential(0.5), compiled=True)
    moves = []
    for schedule in (None, Exponential(0.1), None):
        for _ in range(3):
            before = w.item()
            step()
            moves.append(before - w.item())
        optimizer.schedule = schedule
    np.testing.assert_allclose(moves, [0.5, 0.25, 0.125, 0.5, 0.5, 0.5, 0.5e-6, 0.5e-7, 0.5e-8], rtol=1e-6)


def test_neither_schedules_nor_what_is_on_change_while_a_step_is_recorded():
    w = cr.Parameter([1.0])
    optimizer = cr.optim.SGD([w])

    def change(name, value):
        def step():
            setattr(optimizer, name, value)
            np.sum(w).backward()
            optimizer.step()

        return cr.compile(step)

    for name, value in (("schedule", Exponential(0.5)), ("momentum", 0.5), ("clip_norm", 1.0), ("nesterov", True)):
        with pytest.raises(GraphError, match=f"setting {name} here would happen once"):
            change(name, value)()
    assert optimizer.state_dict().keys() == cr.optim.SGD([w]).state_dict().keys()
    assert w.item() == 1

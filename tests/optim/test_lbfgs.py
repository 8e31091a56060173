"""L-BFGS: minima, the derivative of just the value that is minimised, and runs that are cut short."""

import sys

import numpy as np
import pytest
from scipy.optimize import minimize

import chainrule as cr
from chainrule.graph.errors import GraphError, NonFiniteError
from chainrule.optim import LBFGS


def valley(w):
    return np.sum((1 - w[:-1]) ** 2 + 100 * (w[1:] - w[:-1] ** 2) ** 2)


def closure_of(loss, *parameters):
    def closure():
        value = loss(*parameters)
        value.backward()
        return value

    return closure


def net(dtype=np.float64):
    rng = np.random.default_rng(0)
    model = cr.nn.Sequential(
        cr.nn.Linear(4, 6, rng=1, dtype=dtype), cr.nn.Tanh(), cr.nn.Linear(6, 3, rng=2, dtype=dtype)
    )
    x, labels = rng.standard_normal((60, 4)).astype(dtype), rng.integers(0, 3, 60)

    def closure():
        loss = cr.nn.cross_entropy(model(x), labels)
        loss.backward()
        return loss

    return model, closure


def test_it_goes_scipys_way():
    start = np.array([1.3, 0.7, 0.8, 1.9])
    w = cr.Parameter(start, dtype=float)
    path = []
    optimizer = LBFGS([w], gradient_tolerance=1e-8, loss_tolerance=0.0)
    found = optimizer.minimise(closure_of(valley, w), 500, lambda k, loss: path.append((k, loss, w.value.copy())))
    derivative = cr.value_and_grad(valley)
    expected = minimize(
        derivative, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "ftol": 0.0, "maxiter": 500}
    )
    np.testing.assert_array_equal(w.value, expected.x)
    assert (found.loss, found.iterations, found.evaluations) == (expected.fun, expected.nit, expected.nfev)
    assert found.converged
    np.testing.assert_allclose(w.value, 1, atol=1e-6)
    assert [k for k, *_ in path] == list(range(1, expected.nit + 1))
    assert optimizer.steps.item() == expected.nit
    for _, loss, x in path:
        assert loss == pytest.approx(float(valley(x)), rel=1e-14)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "native"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_net_learns_whatever_the_dtype_and_the_closure(compiled, dtype):
    model, closure = net(dtype)
    before = closure().item()
    optimizer = LBFGS(model.parameters(), l2=1e-3)
    found = optimizer.minimise(cr.compile(closure, keep_grads=True) if compiled else closure, 300)
    assert found.loss < 0.5 * before
    assert found.iterations > 20
    assert all(p.dtype == dtype for p in model.parameters())
    penalty = sum(0.5e-3 * np.sum(p.value.astype(float) ** 2) for p in model.parameters() if p.ndim > 1)
    assert found.loss == pytest.approx(closure().item() + penalty, rel=1e-5)


def test_eager_and_compiled_closures_lead_to_the_same_minimum():
    ends = []
    for compiled in (False, True):
        model, closure = net()
        optimizer = LBFGS(model.parameters(), l2=0.1, gradient_tolerance=1e-9, loss_tolerance=0.0)
        ends.append(optimizer.minimise(cr.compile(closure, keep_grads=True) if compiled else closure, 1000).loss)
    assert ends[0] == pytest.approx(ends[1], rel=1e-9)


def test_the_gradient_is_the_derivative_of_the_value():
    model, closure = net()
    optimizer = LBFGS(model.parameters(), l2=0.3)
    x = optimizer._flat()
    _, gradient = optimizer._evaluated(closure)
    for i in range(0, len(x), 5):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[i] += sign * 1e-6
            optimizer._put(moved)
            ends.append(optimizer._evaluated(closure)[0])
        assert gradient[i] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-8)


def test_what_the_loss_does_not_reach_stays():
    w, u, v = cr.Parameter([3.0], dtype=float), cr.Parameter([[3.0]]), cr.Parameter([3.0])
    u.frozen = True
    optimizer = LBFGS([u, w, v], l2=1.0)
    optimizer.minimise(closure_of(lambda w, u: np.sum((w - 1) ** 2 * u), w, u))
    assert w.item() == pytest.approx(1)
    assert (u.item(), v.item()) == (3, 3)


def test_it_comes_back_from_where_the_loss_is_not_finite():
    w = cr.Parameter([-10.0], dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = LBFGS([w]).minimise(closure_of(lambda w: np.sum(-np.log(0.5 - w) - 3 * w), w))
    assert found.converged
    assert w.item() == pytest.approx(1 / 6, rel=1e-4)


def test_the_callback_ends_it():
    w = cr.Parameter([-1.2, 1.0], dtype=float)
    seen = []
    found = LBFGS([w]).minimise(closure_of(valley, w), 100, lambda k, loss: seen.append(loss) or k == 3)
    assert (found.iterations, len(seen), found.converged) == (3, 3, False)
    assert found.loss == seen[-1] == pytest.approx(valley(w.value))


def test_an_exception_leaves_the_last_accepted_step():
    w = cr.Parameter([-1.2, 1.0], dtype=float)
    steps, calls = [], []

    def closure():
        calls.append(None)
        if len(calls) > 9:
            raise KeyboardInterrupt
        return closure_of(valley, w)()

    with pytest.raises(KeyboardInterrupt):
        LBFGS([w]).minimise(closure, 100, lambda *_: steps.append(w.value.copy()))
    assert steps
    np.testing.assert_array_equal(w.value, steps[-1])


def test_closures_that_are_no_closures():
    w = cr.Parameter([1.0, 2.0])
    optimizer = LBFGS([w])
    with pytest.raises(GraphError, match=r"no gradient: .*keep_grads=True"):
        optimizer.minimise(cr.compile(closure_of(lambda w: np.sum(w * w), w)))
    with pytest.raises(GraphError, match="no gradient"):
        optimizer.minimise(lambda: np.sum(w * w))
    with pytest.raises(ValueError, match=r"one number, not \(2,\) float32"):
        optimizer.minimise(lambda: [closure_of(lambda w: np.sum(w * w), w)(), w][1])
    with pytest.raises(NonFiniteError, match="before the first iteration"):
        optimizer.minimise(closure_of(lambda w: np.sum(w * np.inf), w))
    with pytest.raises(ValueError, match="iterations is at least 1"):
        optimizer.minimise(closure_of(lambda w: np.sum(w * w), w), 0)
    np.testing.assert_array_equal(w.value, [1, 2])
    assert optimizer.steps.item() == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l2": -1}, r"l2 must be in \[0, inf\), not -1"),
        ({"history": 0}, "history is a number of steps"),
        ({"gradient_tolerance": -1.0}, "gradient_tolerance must be at least 0"),
        ({"loss_tolerance": float("nan")}, "loss_tolerance must be at least 0"),
    ],
    ids=str,
)
def test_what_makes_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        LBFGS([cr.Parameter([1.0])], **options)


def test_groups_are_refused():
    with pytest.raises(TypeError, match="no groups"):
        LBFGS([{"parameters": [cr.Parameter([1.0])], "l2": 1.0}])


def test_states():
    w = cr.Parameter([1.0], dtype=float)
    optimizer = LBFGS([w])
    optimizer.minimise(closure_of(lambda w: np.sum((w - 3) ** 2), w))
    twin = LBFGS([w])
    twin.load_state_dict(optimizer.state_dict())
    assert twin.steps.item() == optimizer.steps.item() > 0
    with pytest.raises(ValueError, match="lacks steps"):
        twin.load_state_dict({})
    assert repr(twin) == "LBFGS(1 parameter, l2=0.0, history=10)"
    assert LBFGS.whole_batch


def test_without_scipy_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'chainrule\[lbfgs\]'"):
        LBFGS([cr.Parameter([1.0])])

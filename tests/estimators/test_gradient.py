"""The gradient that a solver gets is that of the loss that is reported: every loss, number of outputs and solver.

The loss of a fit of one step is measured at weights a little before and a little behind where the solver stood, and
their difference compared with the gradient along that way.
"""

import numpy as np
import pytest

from chainrule.estimators import NeuralClassifier, NeuralRegressor
from chainrule.estimators.network import SOLVERS

ROWS, FEATURES, SHIFT = 24, 3, 1e-6
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((ROWS, FEATURES))
WEIGHTS = RANDOM.uniform(0.5, 2.0, ROWS)

CASES = [
    *((NeuralRegressor, loss, outputs) for loss in ("mse", "mae", "huber", "poisson") for outputs in (1, 2, 3, 5)),
    *(
        (NeuralClassifier, loss, outputs)
        for loss in ("cross_entropy", "hinge", "binary_cross_entropy", "kl_divergence")
        for outputs in (1, 2, 3, 5)
    ),
    *((NeuralClassifier, "labels", outputs) for outputs in (2, 3, 5)),
]


def targets_of(kind, loss, outputs):
    random = np.random.default_rng(outputs)
    if kind is NeuralRegressor:
        numbers = random.poisson(3.0, (ROWS, outputs)) if loss == "poisson" else random.normal(5, 2, (ROWS, outputs))
        return numbers[:, 0] if outputs == 1 else numbers
    return random.integers(0, 2, (ROWS, outputs)) if loss == "labels" else np.arange(ROWS) % outputs


def spied(solver, seen):
    """The solver, which notes the gradients that it gets; L-BFGS the losses, too."""

    def make(parameters):
        made = SOLVERS[solver](parameters)
        step, minimise = getattr(made, "step", None), getattr(made, "minimise", None)

        def gradients():
            return [np.array(p.grad) for p in made.parameters]

        def noted_step():
            seen.append((None, gradients()))
            step()

        def noted_minimise(closure, *rest):
            def noted():
                loss = closure().item()
                seen.append((loss, gradients()))
                return loss

            return minimise(noted, *rest)

        made.step, made.minimise = noted_step, noted_minimise
        return made

    make.whole_batch = solver == "lbfgs"
    return make


def values(net):
    return [np.array(p.value) for p in net.model_.parameters()]


def begun(net, y, parameters, seen):
    """The loss and the gradient from which a fit of one step sets out at these parameters."""
    for p, value in zip(net.model_.parameters(), parameters, strict=True):
        p.assign(value)
    seen.clear()
    record = net.fit(X, y, sample_weight=WEIGHTS).history_.last
    loss, gradient = seen[0]
    return (record["loss"] + record["penalty"] if loss is None else loss), gradient


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("kind", "loss", "outputs"), CASES)
def test_the_gradient_is_that_of_the_loss(kind, loss, outputs, solver):
    seen = []
    net = kind(
        hidden=4, activation="tanh", loss="auto" if loss == "labels" else loss, solver=spied(solver, seen),
        l1=0.01, l2=0.1, max_iter=1, batch_size=ROWS, random_state=0, warm_start=True, compiled=False,
    )  # fmt: skip
    y = targets_of(kind, loss, outputs)
    here = values(net.fit(X, y, sample_weight=WEIGHTS))
    random = np.random.default_rng(1)
    way = [random.standard_normal(w.shape) for w in here]
    before, behind = (
        begun(net, y, [w + shift * along for w, along in zip(here, way, strict=True)], seen)[0]
        for shift in (-SHIFT, SHIFT)
    )
    gradient = begun(net, y, here, seen)[1]
    slope = sum(float(np.sum(g * along)) for g, along in zip(gradient, way, strict=True))
    assert (behind - before) / (2 * SHIFT) == pytest.approx(slope, rel=1e-6, abs=1e-8)
    if solver == "lbfgs":  # it reports the loss where it has come to
        reported = net.history_.last["loss"]
        assert begun(net, y, values(net), seen)[0] == pytest.approx(reported, rel=1e-12)

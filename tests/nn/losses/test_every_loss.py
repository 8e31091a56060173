"""What holds for each loss: its gradient is the derivative of its value, eagerly and natively, weighted or not.

The number of outputs is varied because elsewhere it has been forgotten: where a loss is averaged over outputs and its
gradient is not, or the other way round, it is wrong by a factor, and optimisers that trust both, such as L-BFGS, stall.
"""

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import LOSSES

EXAMPLES = 6
OUTPUTS = (1, 2, 3, 5)
CLASSES = ("cross_entropy", "hinge")


def problem(name, outputs, seed=0):
    """Outputs of a net, fitting targets and weights of the examples."""
    rng = np.random.default_rng([seed, outputs])
    shape = (EXAMPLES, outputs)
    targets = {
        "cross_entropy": lambda: rng.integers(0, outputs, EXAMPLES),
        "hinge": lambda: rng.integers(0, outputs, EXAMPLES),
        "binary_cross_entropy": lambda: rng.integers(0, 2, shape),
        "kl_divergence": lambda: rng.dirichlet(np.ones(outputs), EXAMPLES),
        "poisson": lambda: rng.poisson(2.0, shape),
    }.get(name, lambda: rng.standard_normal(shape))()
    return 1.5 * rng.standard_normal(shape), targets, rng.uniform(0.1, 2.0, EXAMPLES)


def derivative(function, x, step=1e-6):
    """By centred differences of the value, element by element."""
    slopes = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[i] += sign * step
            ends.append(float(function(moved)))
        slopes[i] = (ends[0] - ends[1]) / (2 * step)
    return slopes


every_loss = pytest.mark.parametrize("name", LOSSES)
weighted = pytest.mark.parametrize("with_weights", [False, True], ids=["plain", "weighted"])


def by_name(name, outputs, with_weights, dtype=np.float64):
    """The loss as a function of the outputs and targets alone, and both."""
    scores, targets, weights = problem(name, outputs)
    options = {"weights": weights} if with_weights else {}
    return (lambda s, t: LOSSES[name](s, t, **options)), scores.astype(dtype), targets


@weighted
@pytest.mark.parametrize("outputs", OUTPUTS)
@every_loss
def test_the_gradient_is_the_derivative_of_the_value(name, outputs, with_weights):
    loss, scores, targets = by_name(name, outputs, with_weights)
    value, gradient = cr.value_and_grad(loss)(scores, targets)
    assert value.shape == ()
    np.testing.assert_allclose(gradient, derivative(lambda s: loss(s, targets), scores), rtol=1e-6, atol=1e-9)


@weighted
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_loss
def test_compiled_it_is_the_same_without_numpy_in_between(name, dtype, with_weights):
    loss, scores, targets = by_name(name, 3, with_weights, dtype)
    both = cr.value_and_grad(loss)
    compiled = cr.compile(both)
    value, gradient = compiled(scores, targets)
    expected, slopes = both(scores, targets)
    assert value.dtype == gradient.dtype == expected.dtype == slopes.dtype == dtype
    exact = {"rtol": 1e-5, "atol": 1e-7} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-15}
    np.testing.assert_allclose(value, expected, **exact)
    np.testing.assert_allclose(gradient, slopes, **exact)
    assert compiled._variants[0].executor._library == []


@every_loss
def test_what_comes_from_outside_is_held_by_reference(name):
    scores, targets, weights = problem(name, 3)
    compiled = cr.compile(lambda s: LOSSES[name](s, targets, weights=weights))
    for seed in range(3):
        _, targets[:], weights[:] = problem(name, 3, seed)
        small = scores.astype(np.float32)
        assert compiled(small) == pytest.approx(LOSSES[name](small, targets, weights=weights), rel=1e-5)


@pytest.mark.parametrize("outputs", [1, 4])
@every_loss
def test_equal_weights_are_none_and_those_of_zero_leave_out(name, outputs):
    scores, targets, weights = problem(name, outputs)
    loss = LOSSES[name]
    assert loss(scores, targets, weights=np.full(EXAMPLES, 0.3)) == pytest.approx(loss(scores, targets), rel=1e-13)
    weights[[1, 4]] = 0
    kept = weights > 0
    assert loss(scores, targets, weights=weights) == pytest.approx(
        loss(scores[kept], targets[kept], weights=weights[kept]), rel=1e-13
    )


@every_loss
def test_a_minibatch_without_weight_moves_nothing(name):
    scores, targets, _ = problem(name, 3)
    value, gradient = cr.value_and_grad(lambda s: LOSSES[name](s, targets, weights=np.zeros(EXAMPLES)))(scores)
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros_like(scores))


@every_loss
def test_second_derivatives(name):
    scores, targets, weights = problem(name, 2)
    report = cr.check_grads(lambda s: LOSSES[name](s, targets, weights=weights), scores, order=2)
    assert report.relative_error < 1e-6


@every_loss
def test_weights_can_be_learned(name):
    scores, targets, weights = problem(name, 3)
    function = lambda w: LOSSES[name](scores, targets, weights=w)  # noqa: E731
    np.testing.assert_allclose(cr.grad(function)(weights), derivative(function, weights), rtol=1e-6, atol=1e-9)


@every_loss
def test_the_dtype_is_that_of_the_outputs(name):
    scores, targets, weights = problem(name, 3)
    assert LOSSES[name](cr.array(scores.astype(np.float32)), targets, weights=weights).dtype == np.float32
    if name not in CLASSES:
        assert LOSSES[name](scores, targets.astype(np.float32)).dtype == np.float64


@every_loss
def test_weights_that_do_not_fit(name):
    scores, targets, weights = problem(name, 3)
    for wrong in (weights[:-1], weights[:, None], 1.0):
        with pytest.raises(ValueError, match="one weight for each example: 6 examples, and weights"):
            LOSSES[name](scores, targets, weights=wrong)
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"weights are finite and not negative, and here is {bad}"):
            LOSSES[name](scores, targets, weights=np.array([1, 1, bad, 1, 1, 1]))
    with pytest.raises(TypeError, match="weights are numbers, not <U1"):
        LOSSES[name](scores, targets, weights=np.array(list("abcdef")))


@pytest.mark.parametrize("scale", [1e-40, 1e38])
@every_loss
def test_only_the_proportions_of_weights_count(name, scale):
    scores, targets, weights = problem(name, 3)
    scores = scores.astype(np.float32)  # which holds neither the smallest of the weights nor the sum of the largest
    for function in (LOSSES[name], cr.compile(LOSSES[name])):
        expected = function(scores, targets, weights=weights)
        np.testing.assert_allclose(function(scores, targets, weights=scale * weights), expected, rtol=1e-6)


@every_loss
def test_the_first_call_of_a_compiled_function_looks_at_values(name):
    scores, targets, weights = problem(name, 3)
    step = cr.compile(LOSSES[name])
    with pytest.raises(ValueError, match="weights are finite and not negative, and here is -"):
        step(scores, targets, weights=-weights)
    bad = {"binary_cross_entropy": 2, "kl_divergence": -0.1, "poisson": -1, "cross_entropy": -1, "hinge": -1}.get(name)
    if bad is not None:
        with pytest.raises(ValueError, match=f"{bad}"):
            step(scores, np.full_like(targets, bad))


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in CLASSES])
def test_targets_that_do_not_fit(name):
    scores, targets, _ = problem(name, 3)
    for wrong in (targets[:, :2], targets[:-1], targets[0]):
        with pytest.raises(ValueError, match=rf"{name} needs outputs and targets of one shape, not \(6, 3\) and"):
            LOSSES[name](scores, wrong)
    with pytest.raises(ValueError, match=f"{name} needs at least one example"):
        LOSSES[name](scores[:0], targets[:0])
    with pytest.raises(TypeError, match=f"{name} needs targets that are numbers"):
        LOSSES[name](scores, targets.astype(str))


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in (*CLASSES, "kl_divergence")])
def test_a_column_fits_a_vector(name):
    scores, targets, weights = problem(name, 1)
    expected = LOSSES[name](scores, targets, weights=weights)
    assert LOSSES[name](scores, targets[:, 0], weights=weights) == expected
    assert LOSSES[name](scores[:, 0], targets, weights=weights) == expected

"""check_grads finds planted bugs, says where they are, and does not cry wolf at kinks."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.calculus.check import GradientError, relative_error


class Planted(cr.Gate):
    """x ** 3 with an error in its gradient."""

    def __init__(self, error, place=None):
        self.error, self.place = error, place

    def forward(self, x):
        self.x = x
        return x**3

    def backward(self, dz):
        wrong = np.zeros(np.shape(self.x))
        wrong[... if self.place is None else self.place] = self.error
        return [dz * (3 * self.x**2 + wrong)]


X = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]])


def test_good_gradients_pass_as_good():
    report = cr.check_grads(lambda x, w: np.tanh(x @ w), X, X.T)
    assert report.relative_error < 1e-7
    assert report.verdict == "good"
    assert report.kinks == ()
    assert "good" in str(report)


@pytest.mark.parametrize("error", [1.0, 1e-1, 1e-2, 1e-3])
def test_planted_errors_are_found(error):
    with pytest.raises(GradientError, match="derivative of order 1 disagrees"):
        cr.check_grads(Planted(error), X)
    assert cr.check_grads(Planted(0.0), X).verdict == "good"


def test_the_worst_element_is_named_with_its_numbers():
    with pytest.raises(GradientError, match=r"worst element: argument 1\[1, 2\], analytic -?\d.*, numerical -?\d"):
        cr.check_grads(lambda a, x: a * np.sum(Planted(0.5, (1, 2))(x)), np.array(2.0), X)


def test_a_swapped_sign_a_missing_factor_and_a_missing_branch_are_found():
    class WrongSign(cr.Gate):
        def forward(self, x):
            self.x = x
            return np.cos(x)

        def backward(self, dz):
            return [np.sin(self.x) * dz]

    class MissingFactor(cr.Gate):
        def forward(self, x):
            self.x = x
            return x**2

        def backward(self, dz):
            return [self.x * dz]

    class MissingSum(cr.Gate):
        def forward(self, x, b):
            return x + b[0]

        def backward(self, dz):
            return [dz, dz[:1]]

    for gate, args in [(WrongSign(), (X,)), (MissingFactor(), (X,)), (MissingSum(), (X[0], np.ones(1)))]:
        with pytest.raises(GradientError):
            cr.check_grads(gate, *args)


def test_an_error_of_the_second_order_alone_is_found():
    class SecondOrder(cr.Gate):
        """The gradient of sin is right, but computed from a constant: its derivative is lost."""

        def forward(self, x):
            self.cos = np.cos(x.value if isinstance(x, cr.Array) else x)
            return np.sin(x)

        def backward(self, dz):
            return [self.cos * dz]

    assert cr.check_grads(SecondOrder(), X, order=1).verdict == "good"
    with pytest.raises(GradientError, match="derivative of order 2 disagrees"):
        cr.check_grads(SecondOrder(), X, order=2)


def test_a_gradient_cut_off_by_mistake_is_found():
    with pytest.raises(GradientError):
        cr.check_grads(lambda x: np.sum(x * cr.constant(x)), X)


def test_a_gradient_that_is_not_finite_is_found():
    with np.errstate(all="ignore"), pytest.raises(GradientError, match=r"nan|inf"):
        cr.check_grads(lambda x: np.sqrt(np.sum(x - x)), X)


@pytest.mark.parametrize(
    ("function", "gate"),
    [
        (lambda x: np.maximum(x, 0.0), "maximum"),
        (lambda x: np.minimum(x, 0.0), "minimum"),
        (lambda x: np.maximum(0.1 * x, x), "maximum"),
        (np.abs, "absolute"),
        (cr.selu, "elu"),
        (lambda x: np.clip(x, 0.0, 1.0), "clip"),
        (lambda x: np.where(x > 0, x, 0.1 * x), "where"),
        (lambda x: np.max(np.stack([x, -x, 0 * x]), axis=0), "max"),
        (lambda x: np.sort(np.stack([x, 2 * x]), axis=0)[0], "get_item"),
    ],
)
def test_ties_are_flagged_as_kinks(function, gate):
    report = cr.check_grads(function, np.array([0.0, 0.0]))
    assert any(gate in kink and "test_check.py" in kink for kink in report.kinks), report


def test_a_tie_that_no_step_leaves_is_named_in_the_error():
    """np.maximum(x, x) has gradient 2, as the lecture's max gate has it: not the derivative."""
    with pytest.raises(GradientError, match=r"where inputs tie .*: a tie in maximum at test_check\.py:\d+"):
        cr.check_grads(lambda x: np.maximum(x, x), X)
    assert cr.check_grads(lambda x: np.maximum(np.maximum(x, 0.0), 0.0), X).relative_error < 1e-7


def test_away_from_the_kink_nothing_is_flagged():
    report = cr.check_grads(lambda x: np.maximum(x, 0.0) + np.abs(x) + np.max(x), X)
    assert report.kinks == ()
    assert report.compared == 8


def test_a_kink_within_the_step_is_stepped_around():
    report = cr.check_grads(lambda x: np.sum(np.maximum(x, 0.0) ** 2), np.array([1e-5, 1.0]))
    assert report.relative_error < 1e-4


def test_errors_beside_a_kink_are_still_found():
    def f(x, y):
        return np.sum(np.maximum(x, 0.0)) + np.sum(Planted(0.3)(y))

    with pytest.raises(GradientError):
        cr.check_grads(f, np.array([1e-5, 1.0]), X)


def test_arguments_of_every_kind():
    def f(params, n, x=None):
        return {"a": params["w"] ** n, "b": [np.sin(x) * params["b"]]}

    report = cr.check_grads(f, {"w": np.float32(0.7), "b": 0.3}, 3, x=np.ones(2))
    assert report.verdict == "good"
    with pytest.raises(TypeError, match="at least one floating-point argument"):
        cr.check_grads(lambda n: n, 3)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_orders(order):
    report = cr.check_grads(lambda x: np.exp(np.sin(x)), X, order=order)
    assert report.order == order
    assert report.relative_error < 1e-5


def test_relative_error_by_the_lectures_rule():
    assert relative_error(0.0, 0.0) == 0.0
    assert relative_error(1.0, -1.0) == 2.0
    assert relative_error(2.0, 1.0) == 0.5
    assert relative_error(np.array([1.0, 0.0]), np.array([1.0, 1.0])).tolist() == [0.0, 1.0]
    assert np.isnan(relative_error(np.nan, 1.0))
    assert relative_error(1e-12, 0.0, floor=1e-10) == pytest.approx(0.01)


def test_checks_are_repeatable():
    def f(x):
        return np.sum(np.tanh(x) ** 3)

    assert cr.check_grads(f, X) == cr.check_grads(f, X)


@pytest.mark.parametrize("counts", [{"order": 0}, {"directions": 0}])
def test_something_must_be_compared(counts):
    with pytest.raises(ValueError, match="counted from 1"):
        cr.check_grads(np.sin, X, **counts)


def test_a_small_wrong_element_does_not_hide_behind_large_ones():
    class Square(cr.Gate):
        def forward(self, x):
            self.x = x
            return x * x

        def backward(self, dz):
            return [2 * self.x * dz * np.array([1.0, 1.0, 1.05])]

    with pytest.raises(cr.GradientError, match=r"argument 0\[2\]"):
        cr.check_grads(Square(), np.array([1.0, 2.0, 3e-4]), order=1)

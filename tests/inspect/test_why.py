"""why: each reason for a zero or missing gradient, with the gate and the line."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import chainrule as cr


def test_a_gradient_that_is_there_is_fine() -> None:
    x = cr.array([1.0, 0.0])
    f = np.sum(x * x)
    f.backward()
    answer = cr.why(x)
    assert answer.reason == "fine"
    assert "1 of 2 elements are zero" in str(answer)


def test_integers_and_constants() -> None:
    assert cr.why(cr.array(3)).reason == "integer"
    assert "3.0, not 3" in str(cr.why(cr.array(3)))
    assert cr.why(cr.constant(3.0)).reason == "constant"
    cut = cr.array(3.0).detach()
    answer = cr.why(cut)
    assert answer.reason == "constant"
    assert answer.gate == "detach"
    assert "cr.array(3.0).detach()" in str(answer)


def test_no_backward_pass_yet() -> None:
    x = cr.array(2.0)
    f = x * 3
    answer = cr.why(x, f)
    assert answer.reason == "no backward"
    assert "f.backward()" in str(answer)


def test_the_last_output_is_used_and_its_absence_is_said() -> None:
    x = cr.array(2.0)
    f = x * 3
    f.backward()
    assert cr.why(x).reason == "fine"
    del f
    gc.collect()
    answer = cr.why(x)
    assert answer.reason == "no backward"
    assert "Pass the output" in str(answer)


def test_not_reached() -> None:
    x, y = cr.array(2.0), cr.array(3.0)
    f = y * y
    f.backward()
    answer = cr.why(x)
    assert answer.reason == "not reached"
    assert "f does not depend on x" in str(answer)


def test_an_array_made_after_the_output_is_not_reached() -> None:
    y = cr.array(3.0)
    f = y * y
    f.backward()
    x = cr.array(1.0)
    assert "made or changed after f" in str(cr.why(x))


def test_a_parameter_changed_after_the_forward_pass_says_so() -> None:
    p = cr.Parameter(1.0, name="p")
    f = np.sum(p.detach() * cr.array(2.0))
    f.backward()
    p.assign(3.0)
    answer = cr.why(p, f)
    assert answer.reason == "not reached"
    assert "changed after f" in str(answer)


@pytest.mark.parametrize(
    ("cut", "how", "words"),
    [
        (lambda h: h.detach(), "detach", "detach()"),
        (lambda h: np.floor(h), "floor", "which has no derivative"),
        (lambda h: (h > 0) * 1.0, "greater", "which has no derivative"),
    ],
)
def test_cut_by_detach_or_by_a_gate_without_derivative(cut: Any, how: str, words: str) -> None:
    x, y = cr.array(2.0), cr.array(3.0)
    c = cut(np.tanh(x))
    f = c * y
    f.backward()
    answer = cr.why(x)
    assert answer.reason == "cut"
    assert answer.gate == how
    assert words in str(answer)
    assert answer.site is not None
    assert "test_why.py" in str(answer)


def test_cut_by_no_grad() -> None:
    x, y = cr.array(2.0), cr.array(3.0)
    with cr.no_grad():
        h = x * 2
    f = h * y
    f.backward()
    answer = cr.why(x)
    assert answer.reason == "cut"
    assert answer.gate == "no_grad"
    assert answer.site is not None
    assert answer.site.text == "h = x * 2"


def test_cut_by_a_users_gate_that_returns_none() -> None:
    class First(cr.Gate):
        def forward(self, x: Any, y: Any) -> Any:
            return x * 1.0

        def backward(self, dz: Any) -> Any:
            return [dz, None]

    x, y = cr.array(2.0), cr.array(3.0)
    f = First()(x, y)
    f.backward()
    assert y.grad is None
    answer = cr.why(y)
    assert answer.reason == "cut"
    assert answer.gate == "First"


def test_freed() -> None:
    x = cr.array(2.0)
    h = x * 3
    f = np.tanh(h)
    f.backward(keep=False)
    assert cr.why(h).reason == "freed"
    assert "keep=True" in str(cr.why(h))


@pytest.mark.parametrize("relu", [lambda h: np.maximum(h, 0.0), lambda h: np.maximum(0, h), cr.relu])
def test_a_dead_relu_is_found_from_the_weights_before_it(relu: Any) -> None:
    x = np.abs(np.random.default_rng(0).normal(size=(10, 3)))
    w = cr.array(-np.ones((3, 4)), name="w")
    h = relu(x @ w)
    f = np.sum(h * 2.0)
    f.backward()
    answer = cr.why(w)
    assert answer.reason == "dead relu"
    assert answer.gate in ("maximum", "relu")
    assert answer.site is not None
    assert "is dead" in str(answer)
    assert "back to w all gradients are zero" in str(answer)


def test_a_relu_alive_somewhere_is_not_called_dead() -> None:
    x = cr.array([-1.0, 2.0])
    f = np.sum(cr.relu(x))
    f.backward()
    assert cr.why(x).reason == "fine"


def test_a_max_gate_routes_to_its_other_input() -> None:
    z, w = cr.array(2.0), cr.array(-1.0)
    f = np.maximum(z, w) * 2
    f.backward()
    answer = cr.why(w)
    assert answer.reason == "masked"
    assert answer.gate == "maximum"
    assert "other input, z" in str(answer)


@pytest.mark.parametrize(
    ("mask", "gate"),
    [
        (lambda x: np.where(np.array([False, False]), x, 1.0), "where"),
        (lambda x: x * np.zeros(2), "multiply"),
        (lambda x: np.clip(x, 10.0, 20.0), "clip"),
    ],
)
def test_masked(mask: Any, gate: str) -> None:
    x = cr.array([1.0, 2.0])
    m = mask(x)
    f = np.sum(m * 3.0)
    f.backward()
    answer = cr.why(x)
    assert answer.reason == "masked"
    assert answer.gate == gate
    assert answer.site is not None
    assert "test_why.py" in str(answer)


@pytest.mark.parametrize(("squash", "gate"), [(cr.sigmoid, "sigmoid"), (np.tanh, "tanh")])
@pytest.mark.parametrize("at", [12.0, 800.0])
def test_saturated(squash: Any, gate: str, at: float) -> None:
    x = cr.array([at, -at])
    f = np.sum(squash(x * 1.0))
    f.backward()
    answer = cr.why(x)
    assert answer.reason == "saturated"
    assert answer.gate == gate
    assert "is saturated" in str(answer)


def test_contributions_that_cancel() -> None:
    x = cr.array(2.0)
    h = np.tanh(x)
    f = h * 3.0 - h * 3.0
    f.backward()
    answer = cr.why(x)
    assert answer.reason == "cancelled"
    assert "h branches out" in str(answer)
    assert "3.00" in str(answer)
    assert "-3.00" in str(answer)


def test_an_upstream_gradient_of_zero() -> None:
    x = cr.array([1.0, 2.0])
    y = np.tanh(x)
    y.backward(np.zeros(2))
    answer = cr.why(x)
    assert answer.reason == "upstream zero"
    assert "started with an upstream gradient of zero at y" in str(answer)


def test_the_gate_where_the_gradient_became_zero_is_named_with_its_line() -> None:
    x = cr.array(3.0)
    h = np.exp(x) * 2.0
    kink = np.abs(h - h.item())
    f = np.tanh(kink)
    f.backward()
    answer = cr.why(x)
    assert answer.gate == "absolute"
    assert answer.site is not None
    assert answer.site.text == "kink = np.abs(h - h.item())"
    assert "back to x all gradients are zero" in str(answer)


def test_after_a_step_a_dead_relu_is_still_found_and_the_rest_is_said_to_be_gone() -> None:
    w = cr.Parameter(-1.0, name="w")
    f = cr.relu(w * np.float32(2.0))
    f.backward()
    w.assign(5.0)
    assert cr.why(w).reason == "dead relu"
    v = cr.Parameter(0.0, name="v")
    g = v * v
    g.backward()
    v.assign(5.0)
    answer = cr.why(v)
    assert answer.reason == "freed"
    assert "Ask before the step" in str(answer)


def test_not_finite() -> None:
    x = cr.array(0.0)
    with np.errstate(all="ignore"):
        f = np.sqrt(x)
        f.backward()
    answer = cr.why(x)
    assert answer.reason == "not finite"
    assert "cr.nonfinite()" in str(answer)


def test_a_long_circuit_is_followed_without_recursion() -> None:
    x = cr.array(-1.0)
    h = x
    for _ in range(5000):
        h = h * 1.0
    f = cr.relu(h)
    f.backward()
    assert cr.why(x).reason == "dead relu"


def test_what_is_not_an_array_is_refused() -> None:
    with pytest.raises(TypeError, match="why needs Arrays, not float"):
        cr.why(3.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="why needs Arrays, not float"):
        cr.why(cr.array(1.0), 3.0)  # type: ignore[arg-type]

"""The gradients that drawings and explanations show are those of their own output."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from tests.inspect.test_draw import SVG, Picture


def shown_gradients(f: cr.Array) -> dict[str, str]:
    """Below each wire that leaves a box: its gradient, by the box's name."""
    styles = ("cr-grad", "cr-missing")
    nodes = Picture(cr.draw(f)).nodes()
    found = {
        g.attrib["data-node"]: [t.text or "" for t in g.iter(f"{SVG}text") if t.attrib["class"] in styles]
        for g in nodes
    }
    return {name: texts[0] for name, texts in found.items() if texts}


def test_draw_and_explain_show_this_outputs_gradients_after_another_backward_pass() -> None:
    x, y = cr.array(-2.0), cr.array(5.0)
    f, g = x * y, x + y
    f.backward()
    g.backward()
    assert shown_gradients(f) == {"x": "5.00", "y": "-2.00", "f": "1.00"}
    assert shown_gradients(g) == {"x": "1.00", "y": "1.00", "g": "1.00"}
    text = " ".join(str(cr.explain(f)).split())
    assert "df/dx = y * df/df = 5.00 * 1.00 = 5.00" in text
    assert "df/dy = x * df/df = -2.00 * 1.00 = -2.00" in text
    assert (x.grad, y.grad) == (1.0, 1.0)  # looking writes nothing


def test_draw_and_explain_agree_where_a_shared_result_was_overwritten() -> None:
    x, y, z = cr.array(-2.0), cr.array(5.0), cr.array(-4.0)
    q = x + y
    f, g = q * z, q * 7.0
    f.backward()
    g.backward()
    assert q.grad == 7.0
    assert shown_gradients(f) == {"x": "-4.00", "y": "-4.00", "z": "3.00", "q": "-4.00", "f": "1.00"}
    text = " ".join(str(cr.explain(f)).split())
    assert "df/dx = dq/dx * df/dq = 1.00 * -4.00 = -4.00" in text


def test_without_a_backward_pass_of_its_own_a_circuit_shows_no_gradient_of_another() -> None:
    x, y = cr.array(-2.0), cr.array(5.0)
    (x * y).backward()
    g = x + y
    assert shown_gradients(g) == {"x": "–", "y": "–", "g": "–"}
    assert "gradient: not computed yet" in (Picture(cr.draw(g)).node("x").findtext(f"{SVG}title") or "")
    assert "dg/dx = dg/dx" not in str(cr.explain(g))
    assert str(cr.explain(g)).count("not computed yet") == 3  # two edges, and the sentence about upstream gradients
    g.backward()
    assert shown_gradients(g) == {"x": "1.00", "y": "1.00", "g": "1.00"}


def test_after_a_step_and_another_pass_gradients_are_not_taken_from_that_pass() -> None:
    w, x = cr.Parameter(2.0, name="w"), cr.array(3.0, dtype=np.float32)
    f = w * x
    f.backward()
    w.assign(7.0)
    assert shown_gradients(f) == {"w": "3.00", "x": "2.00", "f": "1.00"}
    np.square(w).backward()
    assert shown_gradients(f) == {"w": "–", "x": "–", "f": "1.00"}


def test_gradients_that_start_further_on_are_called_those_of_the_loss() -> None:
    x, y = cr.array(-2.0), cr.array(5.0)
    q = x + y
    f = q * -4.0
    f.backward()
    assert shown_gradients(q) == {"x": "-4.00", "y": "-4.00", "q": "-4.00"}
    assert "below: gradient of L" in Picture(cr.draw(q)).texts("cr-note")[0]
    assert "dL/dq = -4.00" in str(cr.explain(q))
    assert "below: gradient of f" in Picture(cr.draw(f)).texts("cr-note")[0]


def test_an_input_that_a_rule_hands_no_gradient_keeps_its_dash() -> None:
    class Straight(cr.Gate):
        def forward(self, x: Any, y: Any) -> Any:
            return x + y

        def backward(self, dz: Any) -> Any:
            return dz, None

    x, y = cr.array(1.0), cr.array(2.0)
    f = Straight()(x, y)
    f.backward()
    assert y.grad is None
    assert shown_gradients(f) == {"x": "1.00", "y": "–", "f": "1.00"}


def test_gradients_that_are_not_finite_can_be_looked_at_where_the_pass_stopped() -> None:
    x = cr.array([0.0, 4.0])
    f = np.sum(np.sqrt(x))
    with cr.nonfinite(), np.errstate(divide="ignore"):
        with pytest.raises(FloatingPointError):
            f.backward()
        assert shown_gradients(f)["x"] == "[inf, 0.25]"

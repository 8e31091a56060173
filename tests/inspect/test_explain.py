"""explain: the lecture's circuits, gate by gate, with symbols and numbers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import chainrule as cr


def squeezed(text: Any) -> str:
    """Without the spaces that only align columns."""
    return "\n".join(" ".join(line.split()) for line in str(text).splitlines())


def lecture_circuit() -> Any:
    x, y, z = cr.array(-2.0), cr.array(5.0), cr.array(-4.0)
    q = x + y
    f = q * z
    return f  # noqa: RET504  (the variable's name is what explain shows)


def test_the_first_circuit_of_the_lecture_reads_like_this() -> None:
    f = lecture_circuit()
    f.backward()
    assert (
        str(cr.explain(f))
        == """\
f = -12.00

Forward pass: from the inputs to f
  x = -2.00
  y = 5.00
  z = -4.00
  q = x + y = -2.00 + 5.00 = 3.00
  f = q * z = 3.00 * -4.00 = -12.00

Backward pass: from f to the inputs
  df/df = 1.00, where the backward pass starts

  f = q * z: multiply swaps its inputs and scales them by its upstream gradient
    local gradient df/dq = z = -4.00    df/dq = z * df/df = -4.00 * 1.00 = -4.00
    local gradient df/dz = q =  3.00    df/dz = q * df/df =  3.00 * 1.00 =  3.00

  q = x + y: add distributes its upstream gradient unchanged to all inputs
    local gradient dq/dx = 1.00    df/dx = dq/dx * df/dq = 1.00 * -4.00 = -4.00
    local gradient dq/dy = 1.00    df/dy = dq/dy * df/dq = 1.00 * -4.00 = -4.00"""
    )


def test_before_backward_local_gradients_are_there_and_upstream_ones_are_not_computed() -> None:
    text = squeezed(cr.explain(lecture_circuit()))
    assert "local gradient df/dq = z = -4.00 df/dq = z * df/df = not computed yet" in text
    assert "local gradient dq/dx = 1.00 df/dx = dq/dx * df/dq = not computed yet" in text
    assert "= 0.00" not in text


def test_the_neuron_of_the_lecture_to_two_decimals() -> None:
    values = {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}
    w0, x0, w1, x1, w2 = (cr.array(v, name=name) for name, v in values.items())
    f = 1 / (1 + np.exp(-(w0 * x0 + w1 * x1 + w2)))
    f.backward()
    text = squeezed(cr.explain(f))
    for line in (
        "f = 1 / add_3 = 1 / 1.37 = 0.73",
        "df/dadd_3 = -f / add_3 * df/df = -0.53 * 1.00 = -0.53",
        "df/dnegative_1 = dexp_1/dnegative_1 * df/dexp_1 = 0.37 * -0.53 = -0.20",
        "df/dw0 = dmultiply_1/dw0 * df/dmultiply_1 = -1.00 * 0.20 = -0.20",
        "df/dx0 = dmultiply_1/dx0 * df/dmultiply_1 = 2.00 * 0.20 = 0.39",
        "df/dw1 = dmultiply_2/dw1 * df/dmultiply_2 = -2.00 * 0.20 = -0.39",
        "df/dx1 = dmultiply_2/dx1 * df/dmultiply_2 = -3.00 * 0.20 = -0.59",
    ):
        assert line in text
    assert all(len(line) <= 118 for line in str(cr.explain(f)).splitlines())


@pytest.mark.parametrize(("value", "line"), [(2.0, "n = -x = -(2.00) = -2.00"), (-2.0, "n = -x = -(-2.00) = 2.00")])
def test_a_negated_number_keeps_the_sign_of_the_gate_apart(value: float, line: str) -> None:
    x = cr.array(value)
    n = -x
    assert line in squeezed(cr.explain(n))


def test_a_branch_shows_each_contribution_and_their_sum() -> None:
    x, y = cr.array(3.0), cr.array(-4.0)
    f = (x + cr.sigmoid(y)) / (cr.sigmoid(x) + (x + y) ** 2)
    f.backward()
    text = squeezed(cr.explain(f))
    assert "x branches out into 3 edges: its gradients add\ndf/dx = 1.58 + -0.04 + 0.51 = 2.06" in text
    assert "y branches out into 2 edges: its gradients add\ndf/dy = 1.58 + 0.01 = 1.59" in text
    assert "the 3rd of 3 parts of df/dx" in text


def test_the_sum_of_a_branch_is_not_computed_before_backward() -> None:
    x = cr.array(3.0)
    f = x * x
    assert "df/dx = not computed yet" in squeezed(cr.explain(f))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x, y: x + y, "add distributes"),
        (lambda x, y: np.maximum(x, y), "maximum routes its upstream gradient to the larger input"),
        (lambda x, y: x * y, "multiply swaps its inputs and scales"),
        (lambda x, y: np.tanh(x), "tanh squashes"),
        (lambda x, y: cr.sigmoid(x), "sigmoid squashes"),
        (lambda x, y: cr.relu(x), "relu gates"),
    ],
)
def test_the_pattern_of_a_gate_is_named(make: Any, words: str) -> None:
    assert words in str(cr.explain(make(cr.array(1.0), cr.array(2.0))))


def test_the_condition_of_a_max_gate_is_shown() -> None:
    z, w = cr.array(2.0), cr.array(-1.0)
    m = np.maximum(z, w)
    m.backward()
    text = squeezed(cr.explain(m))
    assert "local gradient dm/dz = (1 if z >= w else 0) = 1.00" in text
    assert "local gradient dm/dw = (1 if w >= z else 0) = 0.00" in text


def test_arrays_are_summarised_and_small_ones_written_out() -> None:
    x = cr.array(np.linspace(-1.0, 1.0, 200).reshape(20, 10), name="x")
    s = np.sum(np.tanh(x), axis=1)[:3]
    s.backward(np.array([1.0, 2.0, 3.0]))
    text = squeezed(cr.explain(s))
    assert "x = (20, 10) float64, mean" in text
    assert ", -1.00 to 1.00" in text
    assert "dL/ds = [1.00, 2.00, 3.00], where the backward pass starts" in text


def test_a_linear_layer_shows_its_rules_as_products() -> None:
    layer = cr.nn.Linear(3, 2, rng=0)
    loss = np.sum(layer(np.ones((5, 3), np.float32)))
    loss.backward()
    text = squeezed(cr.explain(loss))
    assert "dloss/dLinear.weight = data_1.T @ dloss/daffine_1" in text


def test_a_number_that_is_small_but_not_zero_never_reads_as_zero() -> None:
    x = cr.array(1e-5)
    f = x * 1.0
    text = squeezed(cr.explain(f))
    assert "x = 1.00e-05" in text
    assert "x = 0.00" not in text


def test_names_are_unique_and_the_newest_keeps_the_plain_one() -> None:
    h = cr.array(0.5)
    for _ in range(3):
        h = np.tanh(h)
    lines = squeezed(cr.explain(h)).splitlines()
    assert lines[3:7] == [
        "h_1 = 0.50",
        "h_2 = tanh(h_1) = tanh(0.50) = 0.46",
        "h_3 = tanh(h_2) = tanh(0.46) = 0.43",
        "h = tanh(h_3) = tanh(0.43) = 0.41",
    ]


def test_gates_inside_one_call_do_not_take_the_variables_name() -> None:
    x = cr.array([1.0, 2.0, 3.0, 4.0])
    spread = np.var(x)
    forward = squeezed(cr.explain(spread)).split("\n\n")[1].splitlines()[1:]
    names = [line.split(" = ")[0] for line in forward]
    assert len(names) > 4
    assert names[-1] == "spread"
    assert not any(name.startswith("spread") for name in names[:-1])


def test_a_big_circuit_is_cut_with_a_line_that_says_so() -> None:
    h = cr.array(0.5)
    for _ in range(1000):
        h = np.tanh(h)
    text = str(cr.explain(h))
    assert text.count("... 940 ") == 2
    assert "cr.explain(h, limit=1000) shows all" in text
    assert len(text.splitlines()) < 400
    everything = str(cr.explain(h, limit=1000))
    assert "left out" not in everything
    assert everything.count("tanh squashes") == 1000


def test_a_gradient_that_another_pass_wrote_is_pointed_out() -> None:
    x = cr.array(3.0)
    f = x * x
    f.backward()
    f.backward(accumulate=True)
    x.grad = np.array(100.0)
    assert "x.grad holds 100.00" in str(cr.explain(f))


def test_after_a_step_it_says_what_cannot_be_seen_any_more() -> None:
    w, x = cr.Parameter(2.0, name="w"), cr.array(3.0, dtype=np.float32)
    f = np.tanh(w * x) + w
    f.backward()
    w.assign(7.0)
    text = squeezed(cr.explain(f))
    assert text.count("w was changed after this gate had used it") == 2
    assert "dtanh_1/dmultiply_1 = 1 - tanh_1 * tanh_1" in text
    assert "its parts can't be seen any more" in text
    assert "7.00 * 3.00" not in text


def test_a_leaf_alone_is_explained() -> None:
    x = cr.array(3.0)
    assert str(cr.explain(x)).startswith("x = 3.00")


def test_constants_and_freed_circuits_say_what_they_are() -> None:
    c = cr.constant(2.0) * 3
    assert "c is a constant" in str(cr.explain(c))
    x = cr.array(2.0)
    f = x * 3
    f.backward(keep=False)
    assert "freed by backward(keep=False)" in str(cr.explain(f))


def test_in_notebooks_it_is_preformatted_and_escaped() -> None:
    m = np.maximum(cr.array(1.0), cr.array(2.0))
    shown = cr.explain(m)._repr_html_()
    assert shown.startswith("<pre>")
    assert "&gt;=" in shown
    assert repr(cr.explain(m)) == str(cr.explain(m))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="explain needs an Array"):
        cr.explain(3.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1"):
        cr.explain(cr.array(1.0), limit=0)


def test_importing_chainrule_loads_neither_rich_nor_matplotlib() -> None:
    code = "import sys, chainrule; print([m for m in ('rich', 'matplotlib', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"

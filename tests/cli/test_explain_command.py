"""``chainrule explain``: the lecture's circuits from the command line."""

import re
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import chainrule as cr
from chainrule.cli import app


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, ["explain", *arguments])


def test_the_first_circuit_of_the_lecture(run):
    result = run("(x + y) * z", "x=-2", "y=5", "z=-4")
    assert (result.exit_code, result.stderr) == (0, "")
    x, y, z = (cr.array(value, name=name) for name, value in zip("xyz", (-2.0, 5.0, -4.0), strict=True))
    q = x + y
    q.name = "add_1"
    f = q * z
    f.backward()
    assert result.stdout == f"{cr.explain(f)}\n"
    for line in (r"df/dz = add_1 .* = +3\.00$", r"df/dx = .* = -4\.00$", r"df/dy = .* = -4\.00$"):
        assert re.search(line, result.stdout, re.M), line


def test_named_steps_are_shown_by_their_names(run):
    result = run("q = x + y; f = q * z", "x=-2", "y=5", "z=-4")
    assert "q = x + y = -2.00 + 5.00 = 3.00" in result.stdout
    assert re.search(r"df/dq = .* = -4\.00$", result.stdout, re.M)


def test_the_neuron_of_the_lecture(run):
    values = ["w0=2", "x0=-1", "w1=-3", "x1=-2", "w2=-3"]
    result = run("s = w0*x0 + w1*x1 + w2; f = sigmoid(s)", *values)
    for name, gradient in {"w0": "-0.20", "x0": "0.39", "w1": "-0.39", "x1": "-0.59", "w2": "0.20"}.items():
        assert re.search(rf"df/d{name} = .* = +{re.escape(gradient)}$", result.stdout, re.M), name


def test_an_expression_may_begin_with_a_minus_sign(run):
    result = run("-x * 2", "x=3")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("f = -6.00")


def test_vectors_are_summed_for_a_gradient(run):
    result = run("w * x", "w=1,2,3", "x=4,5,6")
    assert result.exit_code == 0
    assert result.stdout.startswith("The result has 3 elements: the gradients are those of their sum.")
    assert re.search(r"dL/dw = .*\[4.00, 5.00, 6.00\]$", result.stdout, re.M)


def test_an_infinite_gradient_is_shown_without_warnings(run, tmp_path):
    result = run("sqrt(x)", "x=0", "--svg", "root.svg")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "inf" in result.stdout


def test_a_drawing(run, tmp_path):
    result = run("q = x + y; q * z", "x=-2", "y=5", "z=-4", "--svg", "circuit.svg")
    assert result.exit_code == 0
    assert result.stdout.endswith("drawn: circuit.svg\n")
    drawing = (tmp_path / "circuit.svg").read_text()
    assert drawing.lstrip().startswith(("<svg", "<?xml"))
    assert "-12.00" in drawing
    assert run("x * 2", "x=1", "--svg", "circuit.html").exit_code == 0
    assert "<html" in (tmp_path / "circuit.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'FORMULA'"),
        (["x +", "x=1"], "column 4: invalid syntax"),
        (["x + y", "x=1"], "column 5: y has no value: add y=NUMBER"),
        (["x", "x=1", "y=1"], "does not use y"),
        (["x", "x"], "values are given as NAME=NUMBER"),
        (["__import__('os').system('touch hacked')"], "column 1: only functions called by their names"),
        (["x.__class__", "x=1"], "column 1: attributes"),
        (["x", "x=1", "--svgg", "f.svg"], "no such option: --svgg"),
        (["x", "x=1", "--svgg=f.svg"], "no such option: --svgg"),
        (["x", "x=1", "--svg"], "'--svg' requires an argument"),
        (["x * 2", "x=1", "--svg", "f.png"], "a drawing is written as .svg or .html, not 'f.png'"),
        (["x * 2", "x=1", "--svg", "nowhere/f.svg"], "nowhere/f.svg"),
    ],
)
def test_wrong_input_gets_one_line_and_status_2(run, tmp_path, arguments, message):
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.fullmatch(r"chainrule: .*\n", result.stderr)
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_module_is_the_command():
    command = [sys.executable, "-W", "error", "-m", "chainrule", "explain", "x * y", "x=4", "y=-3"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    x, y = cr.array(4.0, name="x"), cr.array(-3.0, name="y")
    f = np.multiply(x, y)
    f.backward()
    assert result.stdout == f"{cr.explain(f)}\n"
    assert result.stderr == ""

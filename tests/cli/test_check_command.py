"""``chainrule check``: right and wrong gradients of the user's own functions."""

import re
import sys

import pytest
from typer.testing import CliRunner

from chainrule.cli import app

MODULE = """
import math
import sys
import numpy as np
import chainrule as cr

def energy(w, x):
    return np.sum(np.tanh(w * x) ** 2)

class Cube(cr.Gate):
    def forward(self, x):
        self.x = x
        return x ** 3
    def backward(self, dz):
        return [2 * self.x ** 2 * dz]

def wrong(x):
    return np.sum(Cube()(x))

def loss(scores, labels):
    return cr.nn.cross_entropy(scores, labels)

def rectified(x):
    return np.sum(np.maximum(x, 0))

def several(x, scale=2.0):
    return {"sum": np.sum(x * scale), "all": [x, x * x]}

def fails(x):
    return x.nothing

def leaves(x):
    return math.sin(x)

def logarithm(x):
    return np.log(x)

def constant():
    return 1.0

number = 3

def total(*xs):
    return sum(xs)

class Product(cr.Gate):
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y
    def backward(self, dz):
        return [self.y * dz, self.x * dz]

product = Product()
tanh = cr.nn.Tanh()
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in a folder that holds ``mine.py``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "stops.py").write_text("import sys\nsys.exit(0)\n")
    (tmp_path / "needs.py").write_text("import notthere\n")
    for name in ("mine", "broken", "stops", "needs"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield lambda *arguments: CliRunner().invoke(app, ["check", *arguments])
    sys.modules.pop("mine", None)


def test_a_right_gradient_on_random_inputs(run):
    result = run("mine:energy")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == "mine:energy((3,) float64, (3,) float64)"
    assert re.search(r"^derivatives up to order 2: relative error \S+e-\d\d: good$", result.stdout, re.M)


def test_a_wrong_gradient_gets_status_1_and_its_place(run):
    result = run("mine:wrong", "--arg", "1,2,3", "--order", "1")
    assert result.exit_code == 1
    assert re.fullmatch(r"chainrule: mine:wrong: derivative of order 1 disagrees .*\n", result.stderr)
    assert re.search(r"argument 0\[\d\], analytic \S+, numerical \S+", result.stderr)


def test_given_inputs_shapes_and_integers(run):
    assert "mine:energy((4, 2) float64, (2,) float64)" in run("mine:energy", "--shape", "4,2", "--shape", "2").stdout
    assert "mine:energy((2,) float64, () float64)" in run("mine:energy", "--arg", "1,2", "--arg", "random:()").stdout
    result = run("mine:loss", "--arg", "random:4,3", "--arg", "int:0,2,1,0")
    assert "mine:loss((4, 3) float64, (4,) int64)" in result.stdout
    assert result.exit_code == 0


def test_arg_and_shape_do_not_mix_and_the_way_out_is_one(run):
    result = run("mine:loss", "--shape", "3,4", "--arg", "int:0,1,2")
    assert (result.exit_code, result.stdout) == (2, "")
    instead = re.fullmatch(r"chainrule: --arg and --shape do not mix, .* such as (--arg .*)\n", result.stderr)[1]
    assert instead == "--arg random:3,4 --arg int:0,1,2"
    result = run("mine:loss", *instead.split())
    assert "mine:loss((3, 4) float64, (3,) int64)" in result.stdout
    assert result.exit_code == 0


@pytest.mark.parametrize(("name", "arguments"), [("product", 2), ("tanh", 1)])
def test_gates_and_modules_tell_their_arguments_by_forward(run, name, arguments):
    result = run(f"mine:{name}")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0].count("(3,) float64") == arguments


def test_nested_results_and_optional_arguments(run):
    result = run("mine:several")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("mine:several((3,) float64)\n")


def test_the_seed_draws_the_inputs(run):
    first, again, other = (run("mine:energy", "--seed", seed).stdout for seed in "001")
    assert first == again != other


def test_a_kink_is_told(run):
    result = run("mine:rectified", "--arg", "0,1,-1")
    assert result.exit_code == 1
    assert "kink: a tie in maximum at mine.py:" in result.stdout
    assert "nothing was compared, every direction crosses a kink" in result.stderr
    assert run("mine:rectified", "--arg", "2,1,-1").exit_code == 0


def test_the_tolerance_counts(run):
    assert run("mine:energy", "--tolerance", "0").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'MODULE:FUNCTION'"),
        (["mine"], "give the function as MODULE:FUNCTION"),
        (["mine.py:energy"], "write mine:energy: modules are named without .py"),
        (["mine:energy()"], "give the function as MODULE:FUNCTION"),
        (["nomodule:f"], "there is no module nomodule in "),
        (["needs:f"], "there is no module notthere (which needs imports)"),
        (["mine:nothing"], "mine has no function nothing"),
        (["mine:number"], "mine:number is not a function"),
        (["mine:Product"], "mine:Product is a class: name a function, or an instance such as gate = Product()"),
        (["broken:f"], "importing broken raised ZeroDivisionError at broken.py:1: division by zero"),
        (["stops:f"], "importing stops raised SystemExit at stops.py:2"),
        (["mine:constant"], "mine:constant takes no argument to differentiate"),
        (["mine:total"], "mine:total takes any number of arguments: give some by --arg or --shape"),
        (["mine:fails"], "mine:fails raised AttributeError at mine.py:30: "),
        (["mine:leaves", "--arg", "1"], "mine:leaves raised TypeError at mine.py:33: "),
        (["mine:logarithm", "--arg", "-1"], "mine:logarithm gives nan there: it must be finite numbers"),
        (["mine:energy", "--shape", "2", "--shape", "3"], "could not be broadcast"),
        (["mine:energy", "--shape", "2"], "missing 1 required positional argument: 'x'"),
        (["mine:energy", "--arg", "int:1", "--arg", "int:2"], "at least one floating-point argument"),
        (["mine:energy", "--arg", "one"], "not a number"),
        (["mine:energy", "--arg", "int:1.5"], "not integers: 'int:1.5'"),
        (["mine:energy", "--arg", "text:1"], "an argument is numbers, int:NUMBERS or random:SHAPE"),
        (["mine:energy", "--shape", "2,x"], "a shape is whole numbers"),
        (["mine:energy", "--shape", "0"], "a shape has sizes of at least 1"),
        (["mine:energy", "--shape", "100000,100000"], "a million elements at most"),
        (["mine:energy", "--order", "9"], "'--order'"),
    ],
)
def test_wrong_input_gets_one_line_and_status_2(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert re.fullmatch(r"chainrule: .*\n", result.stderr)
    assert message in result.stderr

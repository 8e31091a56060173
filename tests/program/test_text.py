"""The text of single gates, derived from ``forward``."""

import ast
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.gates.arithmetic import Add, Multiply, Power, PowerOf
from chainrule.gates.constant import PiecewiseConstant
from chainrule.gates.exponential import Share
from chainrule.gates.indexing import GetItem, ScatterAdd, SetItem
from chainrule.gates.primitive import PRIMITIVES, Primitive
from chainrule.gates.reduction import Max, Mean, Sum
from chainrule.gates.shape import Concatenate, Pad, Transpose
from chainrule.gates.special import Sigmoid, Sinc
from chainrule.program.text import Texts, filled, gate_behind, literal, without_hints

SOME: Any = np.zeros((2, 2))


def text(gate, *operands, texts=None):
    trees = [ast.parse(x, mode="eval").body for x in operands]
    return ast.unparse((texts or Texts()).expression(gate, trees, [SOME] * len(operands)))


@pytest.mark.parametrize(
    ("gate", "operands", "expected"),
    [
        (Add(), ["x", "y"], "x + y"),
        (Multiply(), ["x + 1", "-y"], "(x + 1) * -y"),
        (Power(), ["x", "y"], "np.power(x, y)"),
        (PowerOf(0.5), ["x"], "np.power(x, 0.5)"),
        (Sum((0,), False), ["x"], "np.sum(x, axis=0)"),
        (Mean((0, 2), True), ["x"], "np.mean(x, axis=(0, 2), keepdims=True)"),
        (Max(None, False), ["x"], "np.max(x)"),
        (Transpose((1, 0)), ["x + y"], "(x + y).T"),
        (Transpose((0, 2, 1)), ["x"], "np.transpose(x, (0, 2, 1))"),
        (Concatenate(1), ["x", "y", "z"], "np.concatenate((x, y, z), 1)"),
        (Pad(((0, 1), (2, 0))), ["x"], "np.pad(x, ((0, 1), (2, 0)))"),
        (GetItem(((1, None, None), np.ndarray, None)), ["x", "rows"], "x[1:, rows, None]"),
        (ScatterAdd((np.ndarray,), (5,)), ["x", "rows"], "added(x, np.s_[rows], (5,))"),
        (ScatterAdd(((None, 2, None),), (5,)), ["x"], "placed(x, np.s_[:2], (5,))"),
        (SetItem((0,)), ["x", "v"], "replaced(x, np.s_[0], v)"),
        (PiecewiseConstant(np.less_equal), ["x", "0"], "x <= 0"),
        (PiecewiseConstant(np.isnan), ["x"], "np.isnan(x)"),
        (PiecewiseConstant(np.argmax, (("axis", 1),)), ["x"], "np.argmax(x, axis=1)"),
        (PiecewiseConstant(np.searchsorted, (), (np.ndarray, np.ndarray, "left")), ["x", "y"],
         "np.searchsorted(x, y, 'left')"),
        (PiecewiseConstant(np.unravel_index, (), (np.ndarray, (2, 3)), 1), ["x"], "np.unravel_index(x, (2, 3))[1]"),
        (Sigmoid(), ["x"], "sigmoid(x)"),
        (Share(0.5), ["x", "y"], "share(x, y, rate=0.5)"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, Primitive) else None,
)  # fmt: skip
def test_expressions(gate, operands, expected):
    assert text(gate, *operands) == expected


def test_helpers_are_defined_before_they_are_used_and_once():
    texts = Texts()
    text(Share(1.0), "x", "y", texts=texts)
    text(Sigmoid(), "x", texts=texts)
    text(Share(2.0), "x", "y", texts=texts)
    assert list(texts.helpers) == ["sigmoid", "share"]


def test_helpers_have_names_of_their_own():
    texts = Texts(taken=["sigmoid", "sigmoid_2"])
    assert text(Share(1.0), "x", "y", texts=texts) == "share(x, y, rate=1.0)"
    assert list(texts.helpers) == ["sigmoid_3", "share"]
    assert "return sigmoid_3(" in ast.unparse(texts.helpers["share"])


def test_helpers_say_what_they_are_and_have_no_hints():
    texts = Texts()
    text(Sinc(1), "x", texts=texts)
    printed = ast.unparse(next(d for name, d in texts.helpers.items() if name.startswith("sinc_series")))
    assert printed.startswith('def sinc_series(n, t):\n    """The sum over k')
    assert "Any" not in printed


def test_arguments_without_hints():
    function = ast.parse("def f(self, a: int, /, b: int = 1, *c: int, d: int = 2, e: int, **g: int): pass").body[0]
    assert ast.unparse(without_hints(function.args, ("rate",))) == "a, /, b=1, *c, d=2, e, rate, **g"


def test_a_user_s_gate_has_no_text():
    class Mine(cr.Gate):
        def forward(self, x):
            return x

    with pytest.raises(TypeError, match="Mine is no primitive gate"):
        text(Mine(), "x")


def test_what_cannot_be_written_is_refused():
    with pytest.raises(TypeError, match="cannot be written"):
        literal(object())


@pytest.mark.parametrize(
    "x",
    [0.1, -0.0, 1e300, float("inf"), float("-inf"), 3, -3, True, None, Ellipsis, "it's", (1, (2.5,)), slice(1, None, 2),
     np.float32, np.dtype("int8"), np.sum, np.linalg.norm, np.add],
    ids=lambda x: getattr(x, "__name__", repr(x)),  # the repr of a function has its address
)  # fmt: skip
def test_literals_are_what_they_were(x):
    tree = literal(x)
    if isinstance(x, slice):
        assert ast.unparse(tree) == "1::2"
        return
    value = eval(ast.unparse(tree), {"np": np})  # noqa: S307
    assert repr(np.dtype(value) if isinstance(x, np.dtype) else value) == repr(x)


def test_nan():
    assert ast.unparse(literal(float("nan"))) == "np.nan"


def test_templates():
    assert ast.unparse(filled("np.f({...}, k={0})", 2)) == "np.f(operand_0, operand_1, k=operand_0)"


def test_public_functions_that_only_apply_a_gate():
    assert isinstance(gate_behind(cr.sigmoid), Sigmoid)
    assert gate_behind(cr.softmax) is None
    assert gate_behind(np.exp) is None


def test_each_source_that_a_gate_declares_is_python():
    declared = [gate for gate in PRIMITIVES if isinstance(gate.source, str) and gate.source]
    assert declared
    for gate in declared:
        ast.parse(gate.source.format("x", "y", "z"))

"""Formulas: the right circuit for what is allowed, one clear line for what is not, and nothing is ever run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.cli.expression import FUNCTIONS, Expression, ExpressionError, read_values


def output(source, **values):
    return Expression.parse(source)(values).output


def refusal(source, **values):
    with pytest.raises(ExpressionError) as caught:
        Expression.parse(source)(values)
    return str(caught.value)


# ---- what is allowed


@pytest.mark.parametrize(
    "source",
    [
        "(x + y) * z",
        "x - y / z",
        "-x ** 2 + +y",
        "x ** -2 * y ** 0.5",
        "2 ** (x / y)",
        "x * pi + e",
        "(x * y + max(z, x)) * 2",
        "exp(x) / (exp(x) + exp(y) + exp(z))",
        "1.5e-3 * x + 0x10 * y",
    ],
)
def test_arithmetic_is_pythons(source):
    values = {"x": 0.7, "y": 1.3, "z": -0.4}
    names = {"exp": np.exp, "max": max, "pi": np.pi, "e": np.e}
    formula = Expression.parse(source)
    assert formula({name: values[name] for name in formula.names}).output.item() == pytest.approx(
        eval(source, names, values),  # noqa: S307 - the oracle
        rel=1e-15,
    )


POINT = 0.3
NEEDS_VECTORS = {"dot"}


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - NEEDS_VECTORS))
def test_every_function_has_the_derivative_that_differences_give(name):
    function = FUNCTIONS[name]
    others = "".join(f", {c}" for c in ("y", "z")[: function.fewest - 1])
    formula = Expression.parse(f"{name}(x{others})")
    values = {"x": POINT, "y": 0.5, "z": 0.7}
    values = {key: values[key] for key in formula.names}
    result, inputs, _ = formula(values)
    result.backward()
    h = 1e-6
    ahead, behind = (formula({**values, "x": POINT + step}).output.item() for step in (h, -h))
    assert inputs["x"].grad.item() == pytest.approx((ahead - behind) / (2 * h), rel=1e-7, abs=1e-9)


def test_vectors():
    result, inputs, _ = Expression.parse("dot(w, x) + sum(w) + w @ x")(read_values(["w=1,2,3", "x=4,5,6"]))
    result.backward()
    assert result.item() == 32 + 6 + 32
    np.testing.assert_array_equal(inputs["w"].grad, [9, 11, 13])


def test_max_takes_several_numbers_or_one_vector():
    assert output("max(x, 3, y)", x=1.0, y=2.0).item() == 3
    assert output("min(x, 3, y)", x=1.0, y=2.0).item() == 1
    assert output("max(x)", x=np.array([1.0, 5.0, 2.0])).item() == 5


def test_names_are_the_users():
    f, inputs, steps = Expression.parse("q = x + y; f = q * z")({"x": -2.0, "y": 5.0, "z": -4.0})
    f.backward()
    assert [inputs[name].grad for name in "xyz"] == [-4, -4, 3]
    assert (steps["q"].name, steps["q"].value, steps["q"].grad) == ("q", 3, -4)
    assert f is steps["f"]
    assert {x.name for x in f.inputs} == {"q", "z"}


def test_a_result_without_a_name_is_called_f():
    here = output("x + 1", x=1.0)  # the name of this variable is not the circuit's
    assert here.name == "f"
    assert output("x * f", x=1.0, f=2.0).name == "f_1"
    assert all(node.site is None for node in (here, *here.inputs) if isinstance(node, cr.Array))


def test_a_second_name_for_a_value_leaves_the_first():
    f, inputs, steps = Expression.parse("a = x; a * x")({"x": 3.0})
    f.backward()
    assert inputs["x"].name == "x"
    assert inputs["x"].grad == 6
    assert "a" not in steps


def test_names_that_need_values_come_in_order():
    assert Expression.parse("b = z + a; b * y * z").names == ("z", "a", "y")


def test_statements_stand_on_lines_too():
    assert output("\n  q = x + 1\nq * 2 # twice\n", x=1.0).item() == 4


def test_constants_alone_are_computed_in_floating_point():
    assert output("2 ** 10 * x", x=1.0).item() == 1024
    assert output("10 ** 30 * x", x=1.0).item() == 1e30


# ---- what is not


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "the formula is empty"),
        ("# nothing", "the formula is empty"),
        ("x.real", "column 1: attributes (a.b) cannot stand in a formula"),
        ("1 + x.__class__", "column 5: attributes"),
        ("().__class__.__bases__", "column 1: attributes"),
        ("__import__('os').system('true')", "column 1: only functions called by their names"),
        ("__import__('os')", "column 1: there is no function __import__"),
        ("eval(x)", "column 1: there is no function eval"),
        ("x + open(y)", "column 5: there is no function open"),
        ("x(2)", "column 1: there is no function x"),
        ("(lambda: x)()", "column 1: only functions called by their names"),
        ("lambda: x", "column 1: lambda cannot stand"),
        ("exp", "column 1: exp is a function: write exp(...)"),
        ("exp(sin)", "column 5: sin is a function"),
        ("exp(x, y)", "column 1: exp takes 1 argument, not 2"),
        ("maximum(x)", "column 1: maximum takes 2 arguments, not 1"),
        ("max()", "column 1: max takes 1 or more arguments, not 0"),
        ("exp(x=1)", "column 1: exp takes no keyword arguments"),
        ("exp(*x)", "column 5: starred arguments"),
        ("x < y", "column 1: comparisons"),
        ("x if y else z", "column 1: if ... else"),
        ("x and y", "column 1: and, or"),
        ("not x", "column 1: operators other than"),
        ("~x", "column 1: operators other than"),
        ("x // y", "column 1: of operators there are"),
        ("x % y", "column 1: of operators there are"),
        ("x << 9", "column 1: of operators there are"),
        ("x[0]", "column 1: indexing"),
        ("[x]", "column 1: lists"),
        ("x, y", "column 1: tuples"),
        ("{x}", "column 1: sets"),
        ("{x: y}", "column 1: dictionaries"),
        ("[y for y in x]", "column 1: comprehensions"),
        ("f'{x}'", "column 1: text"),
        ("'x'", "column 1: only numbers and names are allowed, not 'x'"),
        ("True", "column 1: only numbers and names are allowed, not True"),
        ("x + None", "column 5: only numbers and names are allowed, not None"),
        ("2j * x", "column 1: only numbers and names are allowed, not 2j"),
        ("(y := x)", "column 2: := cannot stand"),
        ("await x", "column 1: await"),
        ("x +", "column 4: invalid syntax"),
        ("(x", "column 1: '(' was never closed"),
        ("   (x", "column 4: '(' was never closed"),
        ("   x.y", "column 4: attributes"),
        ("é * ü.b", "column 5: attributes"),
        ("q = x\nq.b", "line 2, column 1: attributes"),
        ("import os", "column 1: only formulas and NAME = formula"),
        ("x; import os", "column 1: give this statement a name"),
        ("q = x; del q", "column 8: only formulas and NAME = formula"),
        ("a = b = x", "column 1: only formulas and NAME = formula"),
        ("x += 1", "column 1: only formulas and NAME = formula"),
        ("x.y = 1", "column 1: only formulas and NAME = formula"),
        ("x: y = 1", "column 1: only formulas and NAME = formula"),
        ("while x: x", "column 1: only formulas and NAME = formula"),
        ("q = x; q = y", "column 8: q has a value already"),
        ("exp = x", "column 1: exp is a function"),
        ("pi = x", "column 1: pi is a constant"),
        ("x ** 101", "column 6: exponents go up to 100"),
        ("x ** -1e9", "column 6: exponents go up to 100"),
        ("9" * 500 + " * x", "column 1: this number is too large"),
        ("1e999 * x", "column 1: this number is too large"),
        ("x" + " + x" * 300, "a formula has at most 1000 characters"),
        ("x" + " + x" * 150, ": nested more than 100 deep"),
        ("-" * 150 + "x", ": nested more than 100 deep"),
        ("exp(" * 120 + "x" + ")" * 120, ": nested more than 100 deep"),
        ("(" * 400 + "x" + ")" * 400, "column 201: too many nested parentheses"),
        ("x\0", "null bytes"),
        ("\udc80", "cannot be read"),
    ],
)
def test_anything_else_is_refused_with_its_place(source, message):
    with pytest.raises(ExpressionError) as caught:
        Expression.parse(source)
    assert message in str(caught.value)
    assert str(caught.value).startswith(message[:8]) or not message.startswith(("column", "line"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x ^ 2", "column 1: ^ is not a power here: write x ** 2"),
        ("1 + (x + y)^(2*z)", "column 1: ^ is not a power here: write 1 + (x + y) ** (2*z)"),
        ("2x", "column 1: write 2*x"),
        ("1e5 + x1 * 2.5exp(x)", "column 14: write 2.5*exp"),
        ("q = x;\n3q", "line 2, column 1: write 3*q"),
        ("2(x + 1)", "column 1: write 2 * (...)"),
        ("(x + 1)(y)", "column 1: only functions called by their names are allowed; a product needs a *"),
        ("1 / (1 + np.exp(-x))", "column 10: write exp(...), without np."),
        ("x * np.pi", "column 5: write pi, without np."),
        ("np.ln(x)", "column 1: there is no function ln: did you mean log?"),
        ("ln(x)", "column 1: there is no function ln: did you mean log?"),
        ("asin(x)", "column 1: there is no function asin: did you mean arcsin?"),
        ("Sigmoid(x)", "column 1: there is no function Sigmoid: did you mean sigmoid?"),
        ("x + y = 2", "column 1: left of = stands one name, which the formula has not used yet"),
        ("12__3 + x", "column 3: invalid decimal literal"),
    ],
)
def test_a_refusal_says_how_to_write_it(source, message):
    with pytest.raises(ExpressionError) as caught:
        Expression.parse(source)
    assert str(caught.value) == message


def test_where_no_function_is_near_they_are_listed():
    with pytest.raises(ExpressionError) as caught:
        Expression.parse("frobnicate(x)")
    assert str(caught.value).startswith("column 1: there is no function frobnicate: a product needs a *, and ")
    assert str(caught.value).endswith(f"the functions are {', '.join(sorted(FUNCTIONS))}")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["x", "=", "2"], "write x=2 without spaces"),
        (["y=1", "x=", "-2", "z=3"], "write x=-2 without spaces"),
        (["x", "=2"], "write x=2 without spaces"),
        (["x=-2,y=3"], "separate values with spaces: x=-2 y=3"),
        (["w=1,2, x=3,4"], "separate values with spaces: w=1,2 x=3,4"),
        (
            ["x=[[1,2],[3,4]]"],
            "numbers and vectors only, and a vector without brackets, as 1,2,3: not 'x=[[1,2],[3,4]]'",
        ),
    ],
)
def test_a_refusal_says_how_to_write_values(texts, message):
    with pytest.raises(ExpressionError) as caught:
        read_values(texts)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("source", "values", "message"),
    [
        ("x + y", {"x": 1.0}, "column 5: y has no value: add y=NUMBER"),
        ("q = p * 2; p = x", {"x": 1.0}, "column 12: p has a value already"),
        ("x", {"x": 1.0, "y": 2.0, "z": 3.0}, "the formula does not use y, z (it needs x)"),
        ("2 * 3", {}, "the result does not depend on any name"),
        ("2 * 3", {"x": 1.0}, "the formula does not use x (it needs no values)"),
        ("q = x; 3", {"x": 1.0}, "the result does not depend on any name"),
        ("log(x)", {"x": -1.0}, "column 1: the value of log is nan: it must be finite"),
        ("y + 1 / x", {"x": 0.0, "y": 1.0}, "column 5: the value of / is inf"),
        ("1 / 0 * x", {"x": 1.0}, "column 1: the value of / is inf"),
        ("9 ** 99 ** 9 * x", {"x": 1.0}, "column 1: the value of ** is inf"),
        ("exp(exp(exp(x)))", {"x": 9.0}, "column 5: the value of exp is inf"),
        ("x * y", {"x": np.ones(2), "y": np.ones(3)}, "column 1: *: operands could not be broadcast"),
        ("x @ y", {"x": 1.0, "y": 2.0}, "column 1: @: "),
    ],
)
def test_what_cannot_be_computed_is_refused_with_its_place(source, values, message):
    assert message in refusal(source, **values)


@given(st.text(st.sampled_from("xyq01.+-*^/()[]=;:,@ \n\t'\\#eλé\u00b5\x0c"), max_size=40) | st.text(max_size=30))
def test_any_text_is_read_or_refused(source):
    try:
        formula = Expression.parse(source)
        result = formula(dict.fromkeys(formula.names, 1.5)).output
    except ExpressionError:
        return
    assert np.isfinite(result.value).all()


def test_values_are_read():
    values = read_values(["x=-2", "w=1,2.5,3e-1", "n = 7", "one=4,"])
    assert {name: value.tolist() for name, value in values.items()} == {
        "x": -2.0,
        "w": [1.0, 2.5, 0.3],
        "n": 7.0,
        "one": [4.0],
    }
    assert all(value.dtype == np.float64 for value in values.values())


def test_a_name_is_the_same_in_values_and_formula_however_it_is_spelt():
    micro = "\u00b5"  # which Python's parser turns into the Greek letter
    assert Expression.parse(f"{micro} * 2")(read_values([f"{micro}=3"])).output.item() == 6


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["x"], "values are given as NAME=NUMBER"),
        (["=1"], "values are given as NAME=NUMBER"),
        (["2x=1"], "values are given as NAME=NUMBER"),
        (["x="], "not a number"),
        (["x=1=2"], "not a number"),
        (["x=one"], "not a number"),
        (["x=1,,2"], "not a number"),
        (["x=nan"], "must be finite"),
        (["x=1,inf"], "must be finite"),
        (["x=1", "x=2"], "x is given twice"),
        (["exp=1"], "exp is a function"),
        (["e=1"], "e is a constant"),
        (["x=" + ",".join("1" * 1001)], "at most 1000 elements, not 1001"),
    ],
)
def test_wrong_values_are_refused(texts, message):
    with pytest.raises(ExpressionError, match=message):
        read_values(texts)

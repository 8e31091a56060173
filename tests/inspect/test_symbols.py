"""Formulas of local gradients come from the gates' rules and say what the rules compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.gates.activation import bell
from chainrule.gates.exponential import share, share2
from chainrule.gates.primitive import PRIMITIVES
from chainrule.graph.array import Array, circuit
from chainrule.inspect.formula import forward_text, local_symbol, product_symbol
from chainrule.inspect.naming import Names
from chainrule.inspect.symbols import Symbol

X = {"arccosh": 1.7}
ELEMENTWISE = [
    p for p in PRIMITIVES if p.elementwise and p.differentiable and not getattr(p, "__dataclass_fields__", 0)
]
FUNCTIONS = "abs cos cosh exp hypot isnan log sign sin sinh sqrt tan tanh trunc"
LANGUAGE = {name: getattr(np, name) for name in FUNCTIONS.split(" ")} | {
    "sigmoid": cr.sigmoid,
    "absolute": np.absolute,
    "bell": bell,
    "share": share,
    "share2": share2,
}


def formula(z: Array, index: int) -> str:
    symbol = local_symbol(cr.edges(z)[index], Names(circuit(z)))
    assert symbol is not None
    return symbol.text


def applied(gate: Any) -> Array:
    values = (X.get(gate.title, 0.6), 0.3, 0.9)
    arrays: list[Any] = [cr.array(v, name=name) for v, name in zip(values, gate.arguments, strict=False)]
    if gate.title == "where":
        arrays[0] = cr.array(True, name="condition")
    z: Array = gate()(*arrays)
    z.name = "z"
    return z


@pytest.mark.parametrize("gate", ELEMENTWISE, ids=lambda gate: gate.title)
def test_the_formula_of_every_elementwise_gate_evaluates_to_its_local_gradient(gate: Any) -> None:
    z = applied(gate)
    names = {x.name: x.value for x in [*z.inputs, z]}
    for edge in cr.edges(z):
        if edge.live:
            symbol = local_symbol(edge, Names(circuit(z)))
            assert symbol is not None, f"no formula for {gate.title}.{edge.argument}"
            assert np.allclose(symbol.value, edge.local_gradient)
            value = eval(symbol.text, {}, LANGUAGE | names)  # noqa: S307
            assert np.allclose(value, edge.local_gradient, rtol=1e-3), symbol.text


def test_formulas_read_as_people_write_them() -> None:
    x, y = cr.array(0.6, name="x"), cr.array(0.3, name="y")

    def named(z: Array) -> Array:
        z.name = "z"
        return z

    assert formula(named(x + y), 0) == "1"
    assert formula(named(x - y), 1) == "-1"
    assert formula(named(x * y), 0) == "y"
    assert formula(named(x / y), 0) == "1 / y"
    assert formula(named(x / y), 1) == "-z / y"
    assert formula(named(x**3), 0) == "3 * x ** 2"
    assert formula(named(x**2), 0) == "2 * x"
    assert formula(named(np.tanh(x)), 0) == "1 - z * z"
    assert formula(named(cr.sigmoid(x)), 0) == "z * (1 - z)"
    assert formula(named(cr.softplus(x)), 0) == "sigmoid(x)"
    assert formula(named(np.maximum(x, y)), 0) == "1 if x >= y else 0"
    assert formula(named(x % y), 1) == "-(x // y)"


def test_guards_are_written_only_where_they_are_needed() -> None:
    def both(x: Any, y: Any) -> list[str]:
        z = cr.array(x, name="x") ** cr.array(y, name="y")
        z.name = "z"
        return [formula(z, 0), formula(z, 1)]

    assert both(2.0, 3.0) == ["y * x ** (y - 1)", "z * log(x)"]
    assert both([2.0, 3.0], [0.0, 3.0]) == ["y * x ** (y - 1)", "z * log(x)"]
    guarded = ["y * x ** (1 if (x == 0) & (y == 0) else y - 1)", "z * log(1 if x == 0 else x)"]
    assert both(0.0, 0.0) == both([0.0, 2.0], [0.0, 1.0]) == guarded
    assert both(0.0, 3.0) == ["y * x ** (y - 1)", "z * log(1 if x == 0 else x)"]


def test_parentheses_follow_precedence_and_signs_cancel() -> None:
    a, b, c = (Symbol(np.float64(v), name) for v, name in ((2.0, "a"), (3.0, "b"), (5.0, "c")))
    cases: dict[str, Any] = {
        "a * (b + c)": a * (b + c),
        "a - (b - c)": a - (b - c),
        "a / (b * c)": a / (b * c),
        "(a + b) ** 2": (a + b) ** 2,
        "(-a) ** 2": (-a) ** 2,
        "a": np.negative(-a),
        "-a * b": -(a * b),
        "-(a + b)": -(a + b),
        "-b": -1 * b,
        "c": 1.0 * c * 1,
        "6 * a": 2 * (3.0 * 1) * a,
        "2 - a": 2 - a,
    }
    for text, symbol in cases.items():
        assert str(symbol) == text
        assert eval(text, {"a": 2.0, "b": 3.0, "c": 5.0}) == symbol.value  # noqa: S307


def test_a_product_of_matrices_shows_the_transposes() -> None:
    x, w = cr.array(np.ones((4, 3)), name="x"), cr.array(np.ones((3, 2)), name="w")
    h = x @ w
    names = Names(circuit(h))
    left, right = (product_symbol(edge, names, "dL/dh") for edge in cr.edges(h))
    assert str(left) == "dL/dh @ w.T"
    assert str(right) == "x.T @ dL/dh"
    assert forward_text(h, names) == "x @ w"


def test_a_users_gate_is_run_on_symbols_too() -> None:
    class MultiplyGate(cr.Gate):
        def forward(self, x: Any, y: Any) -> Any:
            self.x, self.y = x, y
            return x * y

        def backward(self, dz: Any) -> Any:
            return [self.y * dz, self.x * dz]

    x, y = cr.array(4.0, name="x"), cr.array(-3.0, name="y")
    z = MultiplyGate()(x, y)
    assert [formula(z, 0), formula(z, 1)] == ["y", "x"]


def test_a_gate_that_caches_its_output_shows_the_output() -> None:
    class Squash(cr.Gate):
        def forward(self, x: Any) -> Any:
            self.z = np.tanh(x)
            return self.z

        def backward(self, dz: Any) -> Any:
            return [dz * (1 - self.z**2)]

    s = Squash()(cr.array(0.5, name="x"))
    assert formula(s, 0) == "1 - s ** 2"


def test_a_gate_that_cannot_be_run_on_symbols_has_no_formula() -> None:
    class Branching(cr.Gate):
        def forward(self, x: Any) -> Any:
            self.sign = 1.0 if x > 0 else -1.0
            return x * self.sign

        def backward(self, dz: Any) -> Any:
            return [dz * self.sign]

    z = Branching()(cr.array(-2.0, name="x"))
    edge = cr.edges(z)[0]
    assert local_symbol(edge, Names(circuit(z))) is None
    assert edge.local_gradient == -1.0
    assert "local gradient dz/dx = -1.00" in str(cr.explain(z))

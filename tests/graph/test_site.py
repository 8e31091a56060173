"""Names read from the bytecode: right, or none."""

from __future__ import annotations

import functools
import operator
from types import SimpleNamespace
from typing import Any

import numpy as np

import chainrule as cr

G = cr.array(3.0)
sum_at_module_level = G + 1.0
first_at_module_level, second_at_module_level = G + 1.0, G * 2.0
of_a_comprehension = [G * i for i in (1.0, 2.0)]


def two() -> tuple[cr.Array, cr.Array]:
    return cr.array(2.0), cr.array(3.0)


def test_a_plain_assignment_in_a_function_and_at_module_level() -> None:
    x, y = two()
    q = x + y
    total = np.sum(cr.array([1.0, 2.0]))
    below_zero = -x
    powered = x**3
    assert [q.name, total.name, below_zero.name, powered.name] == ["q", "total", "below_zero", "powered"]
    assert sum_at_module_level.name == "sum_at_module_level"
    assert G.name == "G"


def test_a_method_call_and_a_property() -> None:
    matrix = cr.array([[1.0, 2.0]])
    total = matrix.sum()
    flipped = matrix.T
    row = matrix[0]
    assert [total.name, flipped.name, row.name] == ["total", "flipped", "row"]


def test_a_long_function_whose_instructions_need_an_extended_argument() -> None:
    lines = [f"    v{i} = x * {i}.0" for i in range(300)]
    scope: dict[str, Any] = {}
    exec("\n".join(["def long(x):", *lines, "    return locals()"]), scope)  # noqa: S102
    made = scope["long"](cr.array(1.0))
    assert all(made[f"v{i}"].name == f"v{i}" for i in range(300))


def test_tuples_give_each_value_its_own_name() -> None:
    x, y = two()
    a, b = x + y, x * y
    c, d, e = x - y, np.maximum(x, y), x + 2.0 * y
    f, g, h, i = cr.array(1.0), cr.array([2.0, 3.0, 4.0]), np.sum(x, axis=()), -x
    assert [a.name, b.name] == ["a", "b"]
    assert [c.name, d.name, e.name] == ["c", "d", "e"]
    assert [f.name, g.name, h.name, i.name] == ["f", "g", "h", "i"]
    assert d.inputs == (x, y)
    assert e.inputs[1].name is None
    assert first_at_module_level.name == "first_at_module_level"
    assert second_at_module_level.name == "second_at_module_level"


def test_swapping_and_starred_targets_never_give_a_wrong_name() -> None:
    x, y = two()
    a, b = x + y, x * y
    b, a = np.exp(a), np.exp(b)
    (c, d), e = (x - y, x + y), x * y
    first, *rest = x + y, x * y, x - y
    p, q = (x / y if x.shape == () else x * y), y / x
    for name, made in {"a": a, "b": b, "c": c, "d": d, "e": e, "first": first, "p": p, "q": q}.items():
        assert made.name in (name, None)
    assert [r.name for r in rest] == [None, None]


def test_unpacking_an_array_gives_its_elements_no_name() -> None:
    first, second = cr.array([1.0, 2.0])
    head, *rest = np.split(cr.array([1.0, 2.0, 3.0]), 3)
    assert first.name is None
    assert second.name is None
    assert head.name is None
    assert [r.name for r in rest] == [None, None]


def test_a_chained_assignment_and_a_walrus_name_the_first_target() -> None:
    x, y = two()
    c = d = x * y
    other = np.exp(w := x + y)
    assert c is d
    assert c.name == "c"
    assert w.name == "w"
    assert other.name == "other"


def test_augmented_assignment() -> None:
    x, y = two()
    h = x * y
    h += y
    assert h.name == "h"


def test_attributes_as_targets() -> None:
    x, y = two()
    owner = SimpleNamespace(inner=SimpleNamespace())
    owner.h = x + y
    owner.inner.k = x * y
    assert owner.h.name == "h"
    assert owner.inner.k.name == "k"


def test_an_attribute_set_on_the_result_is_not_its_name() -> None:
    x, y = two()
    kept = []

    def keep(z: cr.Array) -> cr.Array:
        kept.append(z)
        return z

    keep(x + y).grad = None
    (x * y).grad = None
    made = np.tanh(x)
    made.grad = np.ones(())
    assert kept[0].name is None
    assert made.name == "made"


def test_items_comprehensions_lambdas_and_returns_have_no_name() -> None:
    x, y = two()
    table = {}
    table["z"] = x * y
    listed = [x * i for i in (1.0, 2.0)]

    def returned() -> cr.Array:
        return x + y

    result = returned()
    by_lambda = (lambda: x - y)()
    nested = np.exp(x + y)
    assert table["z"].name is None
    assert [z.name for z in listed] == [None, None]
    assert [z.name for z in of_a_comprehension] == [None, None]
    assert result.name is None
    assert by_lambda.name is None
    assert nested.inputs[0].name is None


def test_a_loop_variable_names_each_element() -> None:
    for row in cr.array([[1.0, 2.0], [3.0, 4.0]]):
        assert row.name == "row"


def test_closures_globals_and_annotations() -> None:
    x, y = two()
    q = x

    def inner() -> None:
        nonlocal q
        q = x / y

    inner()
    annotated: cr.Array = x - y
    assert q.name == "q"
    assert annotated.name == "annotated"


def test_a_name_given_wins() -> None:
    q = cr.array(1.0, name="given")
    assert q.name == "given"


def test_the_line_of_an_expression_over_several_lines() -> None:
    x, y = two()
    result = (
        np.exp(x)
        + y
    )  # fmt: skip
    assert result.name == "result"
    assert result.site is not None
    assert result.inputs[0].site is not None
    assert result.inputs[0].site.text == "np.exp(x)"


def test_a_reduction_by_a_builtin_is_placed_on_its_line() -> None:
    x, y = two()
    total = functools.reduce(operator.add, [x, y, x])
    assert total.name == "total"
    assert total.site is not None
    assert "functools.reduce" in total.site.text

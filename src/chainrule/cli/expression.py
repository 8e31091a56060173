"""Formulas as they are typed, ``q = x + y; f = q * z``, made into circuits.

The text is parsed and every part of it checked against a short list of what is allowed: numbers, names, arithmetic and
the functions below. It is never run as code. Length, nesting and exponents are bounded.
"""

from __future__ import annotations

import ast
import functools
import math
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.cli import meant
from chainrule.gates.activation import leaky_relu, relu
from chainrule.gates.error_function import erf
from chainrule.gates.special import sigmoid, softplus
from chainrule.graph.array import Array, circuit
from chainrule.graph.errors import ChainruleError
from chainrule.numpy_protocol.creation import array

LONGEST = 1000
"""Characters of a formula, and elements of a value."""
DEEPEST = 100
"""Parts within parts; a sum of 100 terms is as deep."""
LARGEST_EXPONENT = 100


class ExpressionError(ChainruleError, ValueError):
    """A formula that cannot be read or computed, or its values; the message begins with the column."""


class Position(NamedTuple):
    line: int
    column: int

    def __str__(self) -> str:
        return f"column {self.column}" if self.line == 1 else f"line {self.line}, column {self.column}"


@dataclass(frozen=True)
class Function:
    """What a formula may call, and with how many arguments."""

    call: Callable[..., Any]
    fewest: int = 1
    most: int = 1


def _largest(*xs: Any) -> Any:
    return np.max(xs[0]) if len(xs) == 1 else functools.reduce(np.maximum, xs)


def _smallest(*xs: Any) -> Any:
    return np.min(xs[0]) if len(xs) == 1 else functools.reduce(np.minimum, xs)


FUNCTIONS = {
    **{name: Function(getattr(np, name)) for name in (
        "abs", "arccos", "arcsin", "arctan", "cbrt", "cos", "cosh", "exp", "expm1", "log", "log10", "log1p", "log2",
        "mean", "prod", "reciprocal", "sin", "sinh", "sqrt", "square", "sum", "tan", "tanh",
    )},
    **{name: Function(getattr(np, name), 2, 2) for name in ("dot", "maximum", "minimum")},
    **{f.__name__: Function(f) for f in (erf, relu, sigmoid, softplus)},
    "leaky_relu": Function(leaky_relu),
    "max": Function(_largest, 1, LONGEST),
    "min": Function(_smallest, 1, LONGEST),
}  # fmt: skip
"""The functions a formula may call; ``max(x)`` of one vector is its largest element."""

CONSTANTS = {"pi": math.pi, "e": math.e}

OPERATORS: dict[type[ast.operator], tuple[str, Callable[..., Any]]] = {
    ast.Add: ("+", lambda x, y: x + y),
    ast.Sub: ("-", lambda x, y: x - y),
    ast.Mult: ("*", lambda x, y: x * y),
    ast.Div: ("/", lambda x, y: x / y),
    ast.Pow: ("**", lambda x, y: x**y),
    ast.MatMult: ("@", np.matmul),
}

REFUSED = {
    ast.Attribute: "attributes (a.b)",
    ast.Await: "await",
    ast.BoolOp: "and, or",
    ast.Compare: "comparisons",
    ast.Dict: "dictionaries",
    ast.GeneratorExp: "comprehensions",
    ast.IfExp: "if ... else",
    ast.JoinedStr: "text",
    ast.Lambda: "lambda",
    ast.List: "lists",
    ast.ListComp: "comprehensions",
    ast.NamedExpr: ":=",
    ast.Set: "sets",
    ast.Starred: "starred arguments",
    ast.Subscript: "indexing (a[i])",
    ast.Tuple: "tuples",
    ast.UnaryOp: "operators other than + - * / ** @",
}


# ---- what a formula is made of once it has been read: nothing else can be computed


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Name:
    name: str
    position: Position


@dataclass(frozen=True)
class Apply:
    label: str
    function: Callable[..., Any]
    arguments: tuple[Part, ...]
    position: Position


Part = Number | Name | Apply


@dataclass(frozen=True)
class Statement:
    name: str | None
    part: Part


class Circuit(NamedTuple):
    """A computed formula.

    Attributes:
        output: what the last statement computed.
        inputs: the values given, as variables, by name.
        steps: what the statements computed, by name; a result without a name is called f.
    """

    output: Array
    inputs: dict[str, Array]
    steps: dict[str, Array]


@dataclass(frozen=True)
class Expression:
    """A formula that has been read: call it with values to get its circuit.

    >>> formula = Expression.parse("q = x + y; q * z")
    >>> formula.names
    ('x', 'y', 'z')
    >>> f, inputs, steps = formula({"x": -2.0, "y": 5.0, "z": -4.0})
    >>> f.backward()
    >>> f.item(), steps["q"].grad.item(), inputs["z"].grad.item()
    (-12.0, -4.0, 3.0)
    """

    statements: tuple[Statement, ...]

    @staticmethod
    def parse(source: str) -> Expression:
        """Read a formula: statements ``name = ...`` separated by ``;`` or newlines, the last with or without a name.

        Raises ExpressionError for whatever is not on the list, with its column.
        """
        return Expression(tuple(_Reader(source).statements()))

    @property
    def names(self) -> tuple[str, ...]:
        """The names that need a value, in the order in which they appear."""
        assigned: set[str | None] = set()
        needed: dict[str, None] = {}
        for statement in self.statements:
            needed.update((name.name, None) for name in _names(statement.part) if name.name not in assigned)
            assigned.add(statement.name)
        return tuple(needed)

    @property
    def _unnamed(self) -> str:
        """What a result without a name is called: f, as in the lecture, or f_1, ... where that is taken."""
        taken = {*self.names, *(statement.name for statement in self.statements)}
        return next(name for name in chain(["f"], (f"f_{i}" for i in count(1))) if name not in taken)

    def __call__(self, values: Mapping[str, float | NDArray[np.float64]]) -> Circuit:
        """Compute the formula on numbers and vectors, in float64.

        Raises ExpressionError for values that are missing or not used, for shapes that do not fit, and where the value
        of a function is not finite.
        """
        unused = [name for name in values if name not in self.names]
        if unused:
            raise ExpressionError(f"the formula does not use {', '.join(unused)} (it needs {_listed(self.names)})")
        inputs = {name: array(np.asarray(value, np.float64), name=name) for name, value in values.items()}
        steps: dict[str, Array] = {}
        scope: dict[str, Any] = dict(inputs)
        result: Any = None
        with np.errstate(all="ignore"):  # what is not finite is reported with its place
            for statement in self.statements:
                result = _compute(statement.part, scope)
                name = statement.name or self._unnamed
                scope[name] = result
                if isinstance(statement.part, Apply) and isinstance(result, Array):
                    result.name = name
                    steps[name] = result
        if not isinstance(result, Array):
            raise ExpressionError("the result does not depend on any name, so there is nothing to differentiate")
        for node in circuit(result):
            node._site = None  # made here, not on a line of the user's
        return Circuit(result, inputs, steps)


def read_values(texts: Iterable[str]) -> dict[str, NDArray[np.float64]]:
    """``["x=-2", "w=1,2,3"]`` as numbers (0-d) and vectors by name.

    Raises ExpressionError for anything else.

    >>> read_values(["x=-2", "w=1,2.5"])
    {'x': array(-2.), 'w': array([1. , 2.5])}
    """
    values: dict[str, NDArray[np.float64]] = {}
    texts = list(texts)
    if torn := meant.value_without_spaces(texts):
        raise ExpressionError(f"write {torn} without spaces")
    for text in texts:
        name, equals, numbers = text.partition("=")
        name = unicodedata.normalize("NFKC", name.strip())  # as the parser of formulas does
        if not equals or not name.isidentifier():
            raise ExpressionError(f"values are given as NAME=NUMBER or NAME=NUMBER,NUMBER,..., not {text!r}")
        _check_name(name, text)
        if name in values:
            raise ExpressionError(f"{name} is given twice")
        if apart := meant.values_apart(text):
            raise ExpressionError(f"separate values with spaces: {apart}")
        values[name] = read_numbers(numbers, text)
    return values


def read_numbers(numbers: str, text: str) -> NDArray[np.float64]:
    """``"1,2.5"`` or ``"1,"`` as a vector, ``"-2"`` as a number (0-d). ``text`` is what messages quote."""
    if re.search(r"[\[\](){}]", numbers):
        raise ExpressionError(f"numbers and vectors only, and a vector without brackets, as 1,2,3: not {text!r}")
    try:
        value = np.array([float(number) for number in numbers.removesuffix(",").split(",")])
    except ValueError as error:
        raise ExpressionError(f"not a number or numbers separated by commas: {text!r}") from error
    if not np.isfinite(value).all():
        raise ExpressionError(f"values must be finite: {text!r}")
    if value.size > LONGEST:
        raise ExpressionError(f"a value has at most {LONGEST} elements, not {value.size}")
    return value if "," in numbers else value[0, ...]


def _check_name(name: str, where: object) -> None:
    if name in FUNCTIONS or name in CONSTANTS:
        what = "a function" if name in FUNCTIONS else "a constant"
        raise ExpressionError(f"{where}: {name} is {what}, use another name")


def _names(part: Part) -> Iterator[Name]:
    if isinstance(part, Name):
        yield part
    elif isinstance(part, Apply):
        for argument in part.arguments:
            yield from _names(argument)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "no values"


def _nearest(name: str) -> str:
    near = meant.function(name, FUNCTIONS)
    return (
        f"did you mean {near}?"
        if near
        else f"a product needs a *, and the functions are {', '.join(sorted(FUNCTIONS))}"
    )


# ---- computing


def _compute(part: Part, scope: Mapping[str, Any]) -> Any:
    if isinstance(part, Number):
        return part.value
    if isinstance(part, Name):
        if part.name not in scope:
            raise ExpressionError(f"{part.position}: {part.name} has no value: add {part.name}=NUMBER")
        return scope[part.name]
    operands = [_compute(argument, scope) for argument in part.arguments]
    if not any(isinstance(x, Array) for x in operands):
        operands = [np.float64(x) for x in operands]  # whole numbers would grow without bound
    try:
        result = part.function(*operands)
    except (TypeError, ValueError) as error:
        raise ExpressionError(f"{part.position}: {part.label}: {error.__cause__ or error}") from error
    value = result.value if isinstance(result, Array) else result
    if not np.isfinite(value).all():
        raise ExpressionError(f"{part.position}: the value of {part.label} is {value}: it must be finite")
    return result if isinstance(result, Array) else float(result)


# ---- reading


class _Reader:
    """Reads one source text; holds it for the sake of columns."""

    def __init__(self, source: str) -> None:
        if len(source) > LONGEST:
            raise ExpressionError(f"a formula has at most {LONGEST} characters, not {len(source)}")
        self.indent = len(source) - len(source.lstrip())
        self.text = source.strip()
        self.lines = re.split(r"\r\n|\r|\n", self.text)

    def statements(self) -> Iterator[Statement]:
        assigned: dict[str, Position] = {}
        seen: set[str] = set()
        body = self.tree().body
        if not body:
            raise ExpressionError("the formula is empty")
        for i, node in enumerate(body):
            name = None
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                part = self.part(node.value, 0)
            elif isinstance(node, ast.Expr):
                if i < len(body) - 1:
                    raise self.refusal(node, "give this statement a name, or leave it out: only the last may have none")
                part = self.part(node.value, 0)
            else:
                raise self.refusal(node, "only formulas and NAME = formula are allowed")
            seen.update(x.name for x in _names(part))
            if name is not None:
                _check_name(name, self.position(node))
                if name in assigned or name in seen:
                    raise self.refusal(node, f"{name} has a value already: use another name")
                assigned[name] = self.position(node)
            yield Statement(name, part)

    def tree(self) -> ast.Module:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", (SyntaxWarning, DeprecationWarning))  # about odd spellings of numbers
                return ast.parse(self.text)
        except SyntaxError as error:
            column = max(error.offset or 1, 1) + (self.indent if error.lineno in (None, 1) else 0)
            place = Position(error.lineno or 1, column)
            raise ExpressionError(f"{place}: {self.complaint(error)}") from error
        except (RecursionError, MemoryError) as error:
            raise ExpressionError("the formula is nested too deeply") from error
        except ValueError as error:
            raise ExpressionError(f"the formula cannot be read: {error}") from error

    def complaint(self, error: SyntaxError) -> str:
        """What the parser says, where the fix cannot be told."""
        if error.msg.startswith("invalid decimal literal"):
            product = meant.product(self.lines[(error.lineno or 1) - 1])
            return f"write {product}" if product else error.msg
        if error.msg.startswith("cannot assign"):
            return "left of = stands one name, which the formula has not used yet"
        return error.msg

    def position(self, node: ast.stmt | ast.expr) -> Position:
        """Columns count characters from 1; the parser counts bytes from 0."""
        before = self.lines[node.lineno - 1].encode()[: node.col_offset].decode()
        return Position(node.lineno, len(before) + 1 + (self.indent if node.lineno == 1 else 0))

    def typed(self, node: ast.expr) -> str:
        return ast.get_source_segment(self.text, node) or "..."

    def refusal(self, node: ast.stmt | ast.expr, why: str) -> ExpressionError:
        return ExpressionError(f"{self.position(node)}: {why}")

    def part(self, node: ast.expr, depth: int) -> Part:
        if depth > DEEPEST:
            raise self.refusal(node, f"nested more than {DEEPEST} deep")
        match node:
            case ast.Constant(value=int(value) | float(value)) if not isinstance(value, bool):
                return Number(self.number(node, value))
            case ast.Name(id=name) if name in CONSTANTS:
                return Number(CONSTANTS[name])
            case ast.Name(id=name) if name in FUNCTIONS:
                raise self.refusal(node, f"{name} is a function: write {name}(...)")
            case ast.Name(id=name):
                return Name(name, self.position(node))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.part(operand, depth + 1)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                negated = self.part(operand, depth + 1)
                if isinstance(negated, Number):
                    return Number(-negated.value)
                return Apply("-", lambda x: -x, (negated,), self.position(node))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return self.operation(node, left, op, right, depth)
            case ast.BinOp(op=ast.BitXor()):
                power = re.sub(r"\s*\^\s*", " ** ", self.typed(node))
                raise self.refusal(node, f"^ is not a power here: write {power}")
            case ast.BinOp():
                raise self.refusal(node, "of operators there are + - * / ** @")
            case ast.Call():
                return self.call(node, depth)
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in meant.MODULES and name in CONSTANTS:
                raise self.refusal(node, f"write {name}, without {module}.")
            case ast.Constant(value=value):
                raise self.refusal(node, f"only numbers and names are allowed, not {value!r}")
            case _:
                raise self.refusal(node, f"{REFUSED.get(type(node), type(node).__name__)} cannot stand in a formula")

    def number(self, node: ast.expr, value: float) -> float:
        """Whole numbers stay whole where float64 can hold them (x ** 2 is shown as it was typed)."""
        if isinstance(value, int) and abs(value) <= 2**53:
            return value
        try:
            as_float = float(value)
        except OverflowError:
            as_float = math.inf
        if not math.isfinite(as_float):
            raise self.refusal(node, "this number is too large for float64")
        return as_float

    def operation(self, node: ast.expr, left: ast.expr, op: ast.operator, right: ast.expr, depth: int) -> Apply:
        label, function = OPERATORS[type(op)]
        parts = self.part(left, depth + 1), self.part(right, depth + 1)
        if isinstance(op, ast.Pow) and isinstance(parts[1], Number) and abs(parts[1].value) > LARGEST_EXPONENT:
            raise self.refusal(right, f"exponents go up to {LARGEST_EXPONENT}")
        return Apply(label, function, parts, self.position(node))

    def call(self, node: ast.Call, depth: int) -> Apply:
        match node.func:
            case ast.Name(id=name) if name in FUNCTIONS:
                function = FUNCTIONS[name]
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in meant.MODULES and name in FUNCTIONS:
                raise self.refusal(node, f"write {name}(...), without {module}.")
            case ast.Name(id=name) | ast.Attribute(value=ast.Name(), attr=name):
                raise self.refusal(node, f"there is no function {name}: {_nearest(name)}")
            case ast.Constant(value=int() | float()):
                raise self.refusal(node, f"write {self.typed(node.func)} * (...)")
            case _:
                raise self.refusal(node, "only functions called by their names are allowed; a product needs a *")
        if node.keywords:
            raise self.refusal(node, f"{name} takes no keyword arguments")
        if not function.fewest <= len(node.args) <= function.most:
            wanted = "1 or more" if function.most > function.fewest else str(function.fewest)
            raise self.refusal(node, f"{name} takes {wanted} argument{'s' * (wanted != '1')}, not {len(node.args)}")
        arguments = tuple(self.part(argument, depth + 1) for argument in node.args)
        return Apply(name, function.call, arguments, self.position(node))

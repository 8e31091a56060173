"""The application of a gate as NumPy text, derived from the gate's ``forward``: there is no second declaration.

A ``forward`` that is one expression is that expression, with the operands in place of the arguments: ``np.tanh(h)``. A
longer one becomes a function of its own in the text, along with what it uses of its module. A gate that reads better
otherwise declares ``source``, a template such as ``"{0} @ {1}"``, which must have the same bits.

Texts are syntax trees (``ast``) until the end, so parentheses are right without thinking of them.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import keyword
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import count
from types import FunctionType
from typing import Any, TypeGuard

import numpy as np

from chainrule.gates.primitive import Primitive

CONSTANTS = (bool, int, float, str, tuple)
RESERVED = {"np", "math", *keyword.kwlist, *keyword.softkwlist, *dir(builtins)}
"""Names that mean something else in the text."""


class Texts:
    """Expressions for gates, and the helper functions and constants that these expressions call.

    ``helpers`` has their definitions by name, in an order in which they can be executed. No helper has a name that is
    ``taken``.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.helpers: dict[str, ast.stmt] = {}
        self._names: dict[Any, str] = {}
        self._taken = RESERVED | set(taken)

    def expression(self, gate: Any, operands: list[ast.expr], values: Sequence[Any]) -> ast.expr:
        """The application of ``gate`` to operands, which stand for ``values``."""
        if not isinstance(gate, Primitive):
            raise TypeError(f"{gate.title} is no primitive gate, so it has no text")
        if hasattr(gate, "text"):  # a loop says itself how it is written
            text: ast.expr = gate.text(self, operands)
            return text
        source = gate.source_for(*values)
        whole = filled(source, len(operands)) if source else only_return(type(gate).forward)
        arguments = dict(zip(places(len(operands)), operands, strict=True)) if source else bound(gate, operands)
        if whole is None:
            return self._call(gate, arguments)
        function = getattr(gate, "function", None)  # the NumPy function, or one of ours, that a constant gate applies
        where = function if isinstance(function, FunctionType) else type(gate).forward
        globals_ = {name: self._global(name, where) for name in sorted(names_in(whole) - arguments.keys())}
        made: ast.expr = Substitution({**globals_, **arguments}, gate).visit(whole)
        return made

    def _call(self, gate: Any, arguments: Mapping[str, ast.expr]) -> ast.expr:
        """A call of the function that ``forward`` becomes; the fields that it reads are arguments, too."""
        passed: list[ast.expr] = []
        for argument in arguments.values():
            passed.extend(argument.elts if isinstance(argument, ast.Tuple) else [argument])
        fields = fields_read(type(gate).forward)
        return ast.Call(
            reading(self._gate(type(gate))), passed, [ast.keyword(f, literal(getattr(gate, f))) for f in fields]
        )

    # ---- helpers

    def named(self, thing: Any, wish: str, define: Callable[[str], ast.stmt]) -> str:
        """The name under which a helper is defined; what it uses itself is defined before it."""
        key = thing if isinstance(thing, (type, FunctionType)) else id(thing)
        if key not in self._names:
            numbered = (wish if k == 1 else f"{wish}_{k}" for k in count(1))
            name = next(name for name in numbered if name not in self._taken)
            self._taken.add(name)
            self._names[key] = name
            definition = define(name)  # which defines what it uses
            self.helpers[name] = definition
        return self._names[key]

    def function(self, function: Callable[..., Any], wish: str) -> str:
        """The name under which a function of a module is defined in the text."""
        return self.named(function, wish, lambda name: self._function(function, name))

    def _gate(self, kind: type[Primitive]) -> str:
        """The function that a gate's ``forward`` becomes."""
        wish = kind.title if isinstance(kind.title, str) else kind.__name__.lower()
        return self.named(
            kind, wish, lambda name: self._function(kind.forward, name, fields_read(kind.forward), kind.__doc__)
        )

    def _function(
        self, function: Callable[..., Any], name: str, fields: tuple[str, ...] = (), doc: str | None = None
    ) -> ast.stmt:
        """The definition of a function under a name, without type hints; ``self.field`` becomes an argument."""
        tree = parsed(function)
        arguments = without_hints(tree.args, fields)
        body = [s for s in tree.body if not is_docstring(s)]
        local = names_stored(tree) | {a.arg for a in ast.walk(arguments) if isinstance(a, ast.arg)}
        used = set().union(*map(names_in, body)) - local
        renamed = {each: self._global(each, function) for each in sorted(used)}
        doc = doc or inspect.getdoc(function)
        first = [ast.Expr(ast.Constant(doc.splitlines()[0]))] if doc else []
        statements = [Substitution(renamed, None).visit(statement) for statement in body]
        made = ast.FunctionDef(name, arguments, [*first, *statements], [])
        return ast.fix_missing_locations(made)

    def _global(self, name: str, function: Any) -> ast.expr:
        """What a function calls ``name``: a helper, a constant, a module or a builtin."""
        namespace = function.__globals__
        thing = namespace.get(name)
        if name not in namespace or thing is np or thing is math:
            return reading(name)
        gate = thing if isinstance(thing, Primitive) else gate_behind(thing)
        if gate is not None and not fields_read(type(gate).forward):
            return reading(self._gate(type(gate)))
        if isinstance(thing, FunctionType):
            return reading(self.function(thing, name))
        if isinstance(thing, CONSTANTS):
            return reading(self.named(thing, name, lambda known: assignment(known, literal(thing))))
        raise TypeError(f"{function.__qualname__} uses {name}, which has no text")


def assignment(name: str, value: ast.expr) -> ast.stmt:
    """``name = value``"""
    return ast.fix_missing_locations(ast.Assign([ast.Name(name, ast.Store())], value))


def without_hints(a: ast.arguments, fields: tuple[str, ...]) -> ast.arguments:
    """The arguments of a function, or those of a method with fields in place of self."""

    def plain(args: list[ast.arg]) -> list[ast.arg]:
        return [ast.arg(each.arg) for each in args if each.arg != "self"]

    vararg, kwarg = (None if each is None else ast.arg(each.arg) for each in (a.vararg, a.kwarg))
    keywords = [*plain(a.kwonlyargs), *map(ast.arg, fields)]
    return ast.arguments(
        plain(a.posonlyargs),
        plain(a.args),
        vararg,
        keywords,
        [*a.kw_defaults, *[None] * len(fields)],
        kwarg,
        a.defaults,
    )


def reading(name: str) -> ast.Name:
    """A name where it is read."""
    return ast.Name(name, ast.Load())


def names_stored(tree: ast.AST) -> set[str]:
    """The names that a tree assigns."""
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def names_in(tree: ast.AST) -> set[str]:
    """The names that a tree reads, but for type hints."""
    hints = {id(n) for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) for n in ast.walk(node.annotation)}
    read = (n for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Store))
    return {n.id for n in read if id(n) not in hints} - {"self"}


def bound(gate: Any, operands: list[ast.expr]) -> dict[str, ast.expr]:
    """The operands by the names of the arguments; those that the last one gathers are a tuple."""
    if not gate.variadic:
        return dict(zip(gate.arguments, operands, strict=True))
    n = len(gate.arguments) - 1
    return {**dict(zip(gate.arguments, operands[:n], strict=False)), gate.arguments[-1]: ast.Tuple(operands[n:])}


def places(operands: int) -> list[str]:
    """What stands in a template for operand after operand until they are filled in."""
    return [f"operand_{i}" for i in range(operands)]


@lru_cache(maxsize=1024)
def filled(template: str, operands: int) -> ast.expr:
    """The tree of a template such as ``"{0} @ {1}"``; ``{...}`` are all operands, separated by commas."""
    names = places(operands)
    return ast.parse(template.replace("{...}", ", ".join(names)).format(*names), mode="eval").body


@lru_cache(maxsize=1024)
def parsed(function: Callable[..., Any]) -> Any:
    """The syntax tree of a function's definition; raises OSError where its source is not to be had."""
    return ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]


@lru_cache(maxsize=1024)
def only_return(function: Callable[..., Any]) -> ast.expr | None:
    """The expression that a function returns, if it does nothing else."""
    body = [s for s in parsed(function).body if not is_docstring(s)]
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None


@lru_cache(maxsize=1024)
def fields_read(function: Callable[..., Any]) -> tuple[str, ...]:
    """The attributes of ``self`` that a method reads."""
    read = dict.fromkeys(node.attr for node in ast.walk(parsed(function)) if is_field(node))
    return tuple(read)


def gate_behind(function: Any) -> Primitive | None:
    """The gate that a public function applies to its arguments and does nothing else, if it is one."""
    call = only_return(function) if isinstance(function, FunctionType) else None
    if (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and all(isinstance(a, ast.Name) for a in call.args)
    ):
        gate = function.__globals__.get(call.func.id)
        return gate if isinstance(gate, Primitive) else None
    return None


def is_field(node: ast.AST) -> TypeGuard[ast.Attribute]:
    """Whether a node is ``self.something``."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def is_docstring(statement: ast.stmt) -> bool:
    """Whether a statement is a text that nobody reads."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


class Substitution(ast.NodeTransformer):
    """A new tree with names replaced by expressions, and ``self.field`` by the field's value or an argument."""

    def __init__(self, names: Mapping[str, ast.expr], gate: Any) -> None:
        self.names, self.gate = names, gate

    def generic_visit(self, node: ast.AST) -> Any:
        """A copy, for trees are parsed once and used often."""
        fields: dict[str, Any] = {}
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                fields[name] = self._each(value)
            else:
                fields[name] = self.visit(value) if isinstance(value, ast.AST) else value
        return type(node)(**fields)

    def _each(self, nodes: list[Any]) -> list[Any]:
        made: list[Any] = []
        for node in nodes:
            new = self.visit(node) if isinstance(node, ast.AST) else node
            if isinstance(node, ast.Starred) and isinstance(new.value, ast.Tuple):
                made.extend(new.value.elts)  # f(*(x, y)) is f(x, y)
            else:
                made.append(new)
        return made

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.names.get(node.id, node) if isinstance(node.ctx, ast.Load) else node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        if is_field(node):
            return reading(node.attr) if self.gate is None else literal(getattr(self.gate, node.attr))
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        return ast.Assign([node.target], self.visit(node.value)) if node.value is not None else ast.Pass()


def literal(x: Any) -> ast.expr:
    """A static parameter or a number as it is written."""
    if isinstance(x, float) and not math.isfinite(x):
        name = ast.Attribute(reading("np"), "nan" if x != x else "inf")
        return ast.UnaryOp(ast.USub(), name) if x < 0 else name
    if isinstance(x, (bool, str, type(None), type(Ellipsis))):
        return ast.Constant(x)
    if isinstance(x, (int, float)):
        positive = math.copysign(1.0, x) > 0
        return ast.Constant(x) if positive else ast.UnaryOp(ast.USub(), ast.Constant(-x))
    if isinstance(x, tuple):
        return ast.Tuple([literal(part) for part in x], ast.Load())
    if isinstance(x, slice):
        return ast.Slice(*(None if end is None else literal(end) for end in (x.start, x.stop, x.step)))
    if isinstance(x, np.dtype) or (isinstance(x, type) and issubclass(x, np.generic)):
        return ast.Attribute(reading("np"), np.dtype(x).name if x != np.bool_ else "bool_")
    if isinstance(x, (np.integer, np.floating)):
        return literal(x.item())
    if callable(x) and getattr(x, "__module__", "").startswith("numpy"):
        return ast.parse(f"{x.__module__}.{x.__name__}".replace("numpy", "np", 1), mode="eval").body
    raise TypeError(f"{x!r} cannot be written as text")

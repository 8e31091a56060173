"""How a built-in gate is declared, and what is derived from the declaration.

    @primitive
    class Multiply(Elementwise):
        "z = x * y"
        def forward(self, x, y): return np.multiply(x, y)
        def dx(self, dz, y): return dz * y
        def dy(self, dz, x): return dz * x

``forward`` is NumPy on plain arrays. For each argument that has a gradient there is one rule, named like it; the
rule's parameters say what it needs: ``dz``, the output ``z``, any argument, fields of the gate through ``self``. Rules
are plain NumPy without in-place writes or branches on values, so the same rule runs on ndarrays (fast) and on Arrays
(differentiable again). A rule returns a fresh array, ``dz`` itself or a view, never an array that is kept elsewhere.
Constants in rules are Python numbers, which leave float32 alone; NumPy scalars would not.

A gate may return ``(z, cached)`` from ``forward`` (see ``gates.composite``). A gate of any number of arguments writes
``forward(self, *xs)`` and one rule ``dxs(self, dz, i, xs)``, i the argument's position among them; other arguments may
stand before them, as in ``forward(self, x, *indices)``.

A gate that is a composition of others says so by a method ``dissolved(self, *operands)``: the same value, composed of
public functions on Arrays. While a function is recorded, that composition is written down in place of the gate, so that
a Program holds few kinds of gates, all of them low-level. The node keeps the gate itself, and with it the gate's own
rules: their closed forms are cheaper and more stable than what the chain rule makes of the composition (the largest
element that a softmax is lowered by would come back as terms that cancel). The rules run on Arrays then and are written
down like everything else. What a rule computes again (``recall``) has the same expressions as ``dissolved``, so that it
is found to be equal, and merged.

An elementwise gate may be computed natively: ``lower(self, b, x, y)`` composes the operations of one step with the
builder ``b`` (``chainrule.native.lanes``; here it is only called). The operands come in the dtypes that ``computes_in``
tells: those to which NumPy casts before it computes. Where they are a ufunc's, the class names it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

import numpy as np

from chainrule.graph.apply import apply
from chainrule.graph.array import Array, raw

PRIMITIVES: list[type[Primitive]] = []
"""Every primitive gate, in the order of declaration: tests and docs are driven by this table."""


class Primitive:
    """A built-in gate. Static parameters (axis, shape) are its dataclass fields."""

    elementwise: ClassVar[bool] = False
    differentiable: ClassVar[bool] = True
    builtin: ClassVar[bool] = True
    notation: ClassVar[str] = ""
    """How the application is written, ``{0} * {1}``; empty for ``title(arguments)``."""
    source: ClassVar[str] = ""
    """How it is written as NumPy that runs, where that reads better than ``forward`` itself, with the same bits."""

    def source_for(self, *operands: Any) -> str:
        """``source``, where it depends on the shapes of the operands."""
        return self.source

    title: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]]
    variadic: ClassVar[bool]
    needs: ClassVar[dict[str, tuple[str, ...]]]
    """For each argument with a rule, what the rule reads."""

    _on_ndarrays: ClassVar[tuple[Callable[..., Any], ...]]
    _on_arrays: ClassVar[tuple[Callable[..., Any], ...]]

    forward: Callable[..., Any]

    def __call__(self, *operands: Any) -> Any:
        return apply(self, operands)

    @classmethod
    def of(cls, *fields: Any) -> Self:
        """The gate with these static parameters; gates whose parameters hash are kept and shared."""
        raise NotImplementedError  # replaced by @primitive

    def argument(self, index: int) -> str:
        first = len(self.arguments) - 1
        return f"{self.arguments[-1]}{index - first}" if self.variadic and index >= first else self.arguments[index]

    def elementwise_for(self, node: Array) -> bool:
        return self.elementwise

    def rules(self, node: Array, recorded: bool) -> Sequence[Callable[..., Any]]:
        rules = self._on_arrays if recorded else self._on_ndarrays
        if self.variadic and self.arguments[-1] in self.needs:
            first = len(rules) - 1
            return [*rules[:first], *(partial(rules[-1], i=i) for i in range(len(node.inputs) - first))]
        return rules


class Elementwise(Primitive):
    """A gate that works element by element: operands broadcast, the Jacobian is diagonal."""

    elementwise = True
    ufunc: ClassVar[Any] = None
    """The NumPy ufunc by whose rules the operands are cast; None for the dtype that they have in common."""

    def computes_in(self, *operands: Any) -> tuple[Any, ...]:
        """The dtype to which each operand is cast before ``lower``; TypeError for operands that are left to NumPy.

        An operand is told by its dtype; a Python number, weak as NumPy has it, by itself or by another of its type.
        """
        if self.ufunc is None:
            return (np.result_type(*operands),) * len(operands)
        return dtypes_of(self.ufunc, *operands)


def dtypes_of(ufunc: Any, *operands: Any) -> tuple[Any, ...]:
    """The dtypes in which ``ufunc`` takes its operands, which are told by their dtypes or are Python numbers.

    >>> dtypes_of(np.divide, np.dtype(np.float32), 2.0), dtypes_of(np.exp, np.dtype(np.int64))
    ((dtype('float32'), dtype('float32')), (dtype('float64'),))
    """
    weak = {bool: np.dtype(bool), int: int, float: float}
    told = tuple(weak.get(type(x), x) for x in operands)
    return tuple(ufunc.resolve_dtypes((*told, None))[: len(operands)])


P = TypeVar("P", bound=type[Primitive])


@dataclass_transform(frozen_default=True)
def primitive(cls: P) -> P:
    """Complete the declaration of a primitive gate: frozen fields, title, rule tables; and list it in the table."""
    made: Any = dataclass(frozen=True, repr=False)(cls)
    signature = [p for p in inspect.signature(cls.forward).parameters.values() if p.name != "self"]
    made.arguments = tuple(p.name for p in signature)
    made.variadic = any(p.kind is p.VAR_POSITIONAL for p in signature)
    if "title" not in vars(cls):
        made.title = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
    rules = {name: getattr(cls, f"d{name}") for name in made.arguments if hasattr(cls, f"d{name}")}
    made.needs = {name: tuple(inspect.signature(rule).parameters)[1:] for name, rule in rules.items()}
    made._on_ndarrays = tuple(_adapter(made, name, rules.get(name), on_arrays=False) for name in made.arguments)
    made._on_arrays = tuple(_adapter(made, name, rules.get(name), on_arrays=True) for name in made.arguments)
    made.of = _sharing(made)
    PRIMITIVES.append(made)
    return made  # type: ignore[no-any-return]


def _sharing(cls: type[Primitive]) -> Any:
    shared = lru_cache(maxsize=1024, typed=True)(cls)

    def of(*fields: Any) -> Any:
        try:
            return shared(*fields)
        except TypeError:  # a field that does not hash, such as an index array
            return cls(*fields)

    return staticmethod(of)


def _adapter(cls: Any, name: str, rule: Any, *, on_arrays: bool) -> Callable[..., Any]:
    """A function that fetches what a rule reads from the node, and calls it.

    It has the form that ``graph.apply.AnyGate.rules`` asks for. The text is compiled once per rule, like the methods
    of a namedtuple: looking names up at each call would cost as much as the rule itself.
    """
    if rule is None:
        return lambda *_, **__: None
    last = len(cls.arguments) - 1

    def source(parameter: str) -> str:
        if parameter in ("dz", "i"):
            return parameter
        if parameter == "z":
            return "node" if on_arrays else "node._value"
        if parameter == "cached":
            return "gate.recall(*inputs)" if on_arrays else "node._cache"
        position = cls.arguments.index(parameter)
        if cls.variadic and position == last:
            return f"inputs[{last}:]" if on_arrays else f"[raw(x) for x in inputs[{last}:]]"
        operand = f"inputs[{position}]"
        return operand if on_arrays else f"({operand}._value if isinstance({operand}, Array) else {operand})"

    read = ", ".join(source(parameter) for parameter in cls.needs[name])
    shared = ", i" if cls.variadic and name == cls.arguments[last] else ""
    namespace = {"rule": rule, "raw": raw, "Array": Array}
    # Compiled as a part of this file, so that it does not pass for the user's code where places are looked for.
    code = compile(f"lambda gate, node, dz, inputs{shared}: rule(gate, {read})", __file__, "eval")
    return eval(code, namespace)  # type: ignore[no-any-return]  # noqa: S307

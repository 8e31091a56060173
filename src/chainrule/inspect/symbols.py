"""Formulas derived from gates: run a rule on values that write down what is done to them.

A gate's local gradient is declared once, as a rule on arrays. A ``Symbol`` stands in for an array: it has the array's
value (so shapes and branches come out right) and a text, and every operation makes a new Symbol with both. What the
rule returns for dz = 1 is the local gradient in symbols.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

# How tightly the outermost operation of a text binds; looser operands are put in parentheses.
CONDITIONAL, COMPARISON, BITWISE, SUM, WHOLE, PRODUCT, NEGATIVE, POWER, ATOM = range(9)


class Symbol:
    """A value with the formula that it came from.

    >>> x = Symbol(np.float64(3.0), "x")
    >>> str(1 * x + np.exp(-x) ** 2)
    'x + exp(-x) ** 2'
    """

    __slots__ = ("filler", "level", "negated", "number", "text", "value")
    __hash__ = object.__hash__

    def __init__(self, value: Any, text: str, level: int = ATOM, negated: Symbol | None = None) -> None:
        self.value, self.text, self.level, self.negated = value, text, level, negated
        self.number: float | None = None
        self.filler = False

    def __str__(self) -> str:
        return self.text

    def within(self, level: int) -> str:
        """The text as an operand of an operation that binds as tightly as ``level``."""
        return self.text if self.level >= level else f"({self.text})"

    # ---- what rules ask of arrays

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.value)

    @property
    def ndim(self) -> int:
        return np.ndim(self.value)

    @property
    def size(self) -> int:
        return np.size(self.value)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.asarray(self.value).dtype

    @property
    def T(self) -> Symbol:  # noqa: N802
        return Symbol(np.transpose(self.value), f"{self.within(ATOM)}.T")

    @property
    def mT(self) -> Symbol:  # noqa: N802
        return Symbol(np.swapaxes(self.value, -1, -2), f"{self.within(ATOM)}.{'T' if self.ndim == 2 else 'mT'}")

    def __len__(self) -> int:
        return len(self.value)

    def astype(self, dtype: Any, *_: Any, **__: Any) -> Symbol:
        """A cast changes no formula."""
        return _same(self, np.asarray(self.value).astype(dtype))

    def __getitem__(self, index: Any) -> Symbol:
        return Symbol(self.value[index], f"{self.within(ATOM)}[{_index_text(index)}]")

    def __neg__(self) -> Symbol:
        return _negative(self)

    def __bool__(self) -> bool:
        raise TypeError("a rule that branches on values has no single formula")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a formula is lost when a Symbol is converted to an ndarray")

    def __apply_gate__(self, gate: Any, operands: tuple[Any, ...]) -> Symbol:
        """A gate applied inside a rule (a softplus's rule calls sigmoid)."""
        symbols = [_symbol(x) for x in operands]
        value = gate.forward(*(s.value for s in symbols))
        return Symbol(value[0] if isinstance(value, tuple) else value, written(gate, [s.text for s in symbols]))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            if ufunc in _OPERATORS:
                return _OPERATORS[ufunc](*inputs)
            return _call(ufunc, ufunc.__name__, inputs, kwargs)
        return _call(getattr(ufunc, method), f"{ufunc.__name__}.{method}", inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = function.__name__
        if name == "where" and len(args) == 3:
            return _where(*args)
        if name == "dot" and len(args) == 2:
            return _OPERATORS[np.matmul](*args)
        if name in ("ones_like", "zeros_like"):
            made = _literal(function(self.value), 1.0 if name == "ones_like" else 0.0)
            made.filler = True
            return made
        if name in ("broadcast_to", "reshape", "expand_dims", "squeeze"):
            return _same(self, function(*map(_value, args), **kwargs))  # moves elements about, as broadcasting does
        if name == "transpose" and len(args) == 1:
            return self.T
        return _call(function, name, args, kwargs)


def _value(x: Any) -> Any:
    if isinstance(x, Symbol):
        return x.value
    if isinstance(x, (list, tuple)):
        return type(x)(_value(part) for part in x)
    return x


def _symbol(x: Any) -> Symbol:
    if isinstance(x, Symbol):
        return x
    if np.ndim(x) == 0:
        return _literal(x, float(x))
    if np.all(np.equal(x, 1)):
        return Symbol(x, "ones")
    return Symbol(x, "[...]")


def _literal(value: Any, number: float) -> Symbol:
    made = Symbol(value, f"{number:.4g}", ATOM if number >= 0 else NEGATIVE)
    made.number = number
    return made


def one(value: Any) -> Symbol:
    """The number 1, whatever shape its value has."""
    return _literal(value, 1.0)


def _same(symbol: Symbol, value: Any) -> Symbol:
    made = Symbol(value, symbol.text, symbol.level, symbol.negated)
    made.number = symbol.number
    return made


def _call(function: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    value = function(*map(_value, args), **{key: _value(x) for key, x in kwargs.items()})
    if not isinstance(value, (np.ndarray, np.generic, int, float)) or name in ("ndim", "size"):
        return value  # a shape or a size, not part of the formula
    words = [_argument(x) for x in args] + [f"{key}={_argument(x)}" for key, x in kwargs.items()]
    return Symbol(value, f"{name}({', '.join(words)})")


def _argument(x: Any) -> str:
    if isinstance(x, (list, tuple)):
        return f"({', '.join(map(_argument, x))})"
    if x is None or isinstance(x, (bool, int, str)):
        return repr(x)
    return str(_symbol(x))


def _index_text(index: Any) -> str:
    parts = index if isinstance(index, tuple) else (index,)
    return ", ".join(_one_index(part) for part in parts) or "()"


def _one_index(part: Any) -> str:
    if isinstance(part, slice):
        ends = ["" if end is None else str(end) for end in (part.start, part.stop, part.step)]
        return ":".join(ends if ends[2] else ends[:2])
    if part is Ellipsis:
        return "..."
    return "[...]" if np.ndim(_value(part)) else str(part)


def _infix(sign: str, level: int, function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Symbol]:
    def operate(x: Any, y: Any) -> Symbol:
        a, b = _symbol(x), _symbol(y)
        right = level if sign in ("+", "*") else level + 1  # a - (b - c) needs its parentheses, a + (b + c) does not
        return Symbol(function(a.value, b.value), f"{a.within(level)} {sign} {b.within(right)}", level)

    return operate


def _multiply(x: Any, y: Any) -> Symbol:
    a, b = _symbol(x), _symbol(y)
    value = operator.mul(a.value, b.value)
    if a.number is not None and b.number is not None:
        return _literal(value, a.number * b.number)
    for factor, other in ((a, b), (b, a)):
        if factor.number == 1:
            truth = other.dtype == bool or other.level in (COMPARISON, BITWISE)
            return _indicator(other, value) if truth else _same(other, value)
        if factor.number == -1:
            return _minus(other, value)
    if a.negated is not None and b.number is not None:
        return _minus(_multiply(a.negated, b), value)
    return Symbol(value, f"{a.within(PRODUCT)} * {b.within(PRODUCT)}", PRODUCT)


def _divide(x: Any, y: Any) -> Symbol:
    a, b = _symbol(x), _symbol(y)
    value = operator.truediv(a.value, b.value)
    if b.number == 1:
        return _same(a, value)
    return Symbol(value, f"{a.within(PRODUCT)} / {b.within(NEGATIVE)}", PRODUCT)


def _power(x: Any, y: Any) -> Symbol:
    a, b = _symbol(x), _symbol(y)
    value = operator.pow(a.value, b.value)
    if b.number == 1:
        return _same(a, value)
    return Symbol(value, f"{a.within(ATOM)} ** {b.within(NEGATIVE)}", POWER)


def _negative(x: Any) -> Symbol:
    a = _symbol(x)
    return _minus(a, operator.neg(a.value))


def _minus(a: Symbol, value: Any) -> Symbol:
    """-a, with --a = a; the minus sign of a product belongs to its first factor."""
    if a.number is not None:
        return _literal(value, -a.number)
    if a.negated is not None:
        return _same(a.negated, value)
    return Symbol(value, f"-{a.within(PRODUCT)}", min(a.level, NEGATIVE), negated=a)


def _indicator(condition: Symbol, value: Any) -> Symbol:
    return Symbol(value, f"1 if {condition.text} else 0", CONDITIONAL)


def _where(condition: Any, x: Any, y: Any) -> Symbol:
    test, a, b = _symbol(condition), _symbol(x), _symbol(y)
    value = np.where(test.value, a.value, b.value)
    if a.filler and not np.any(test.value):
        return _same(b, value)  # a guard that has nothing to guard against
    return Symbol(value, f"{a.within(COMPARISON)} if {test.within(COMPARISON)} else {b.text}", CONDITIONAL)


_OPERATORS: dict[Any, Callable[..., Symbol]] = {
    np.multiply: _multiply,
    np.true_divide: _divide,
    np.power: _power,
    np.negative: _negative,
    np.add: _infix("+", SUM, operator.add),
    np.subtract: _infix("-", SUM, operator.sub),
    np.matmul: _infix("@", PRODUCT, operator.matmul),
    np.floor_divide: _infix("//", WHOLE, operator.floordiv),
    np.remainder: _infix("%", WHOLE, operator.mod),
    np.bitwise_and: _infix("&", BITWISE, operator.and_),
    np.bitwise_or: _infix("|", BITWISE, operator.or_),
    np.less: _infix("<", COMPARISON, operator.lt),
    np.less_equal: _infix("<=", COMPARISON, operator.le),
    np.greater: _infix(">", COMPARISON, operator.gt),
    np.greater_equal: _infix(">=", COMPARISON, operator.ge),
    np.equal: _infix("==", COMPARISON, operator.eq),
    np.not_equal: _infix("!=", COMPARISON, operator.ne),
}


def _install() -> None:
    names = {
        "mul": np.multiply, "truediv": np.true_divide, "pow": np.power, "add": np.add, "sub": np.subtract,
        "matmul": np.matmul, "floordiv": np.floor_divide, "mod": np.remainder, "and": np.bitwise_and,
        "or": np.bitwise_or,
    }  # fmt: skip
    comparisons = {
        "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal,
        "ne": np.not_equal,
    }  # fmt: skip
    for name, ufunc in (names | comparisons).items():
        setattr(Symbol, f"__{name}__", _OPERATORS[ufunc])
    for name, ufunc in names.items():
        setattr(Symbol, f"__r{name}__", lambda self, other, function=_OPERATORS[ufunc]: function(other, self))


_install()


def written(gate: Any, operands: list[str]) -> str:
    """The application of a gate as its notation has it: ``x + y``, ``max(x, y)``, ``sum(x, axis=(0,))``."""
    notation = getattr(gate, "notation", "")
    if notation:
        return str(notation).replace("{...}", ", ".join(operands)).format(*operands)
    fields = [f"{name}={value!r}" for name, value in _static(gate).items()]
    return f"{gate.title}({', '.join([*operands, *fields])})"


def _static(gate: Any) -> dict[str, Any]:
    """A primitive's static parameters that are worth showing."""
    names = getattr(type(gate), "__dataclass_fields__", ())
    values = {name: getattr(gate, name) for name in names}
    return {k: v for k, v in values.items() if v is not None and v is not False and len(repr(v)) <= 24}

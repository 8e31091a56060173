"""The table that says, for each NumPy function, what happens when it meets an Array.

A function is *differentiable* (a gate or a composition of gates), *constant* (computed on the values; its result
carries no gradient) or *refused* (a TypeError that names it and says what to use instead). The table of the docs is
made from these dictionaries, and so are the methods of Array.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np

from chainrule.gates.constant import PiecewiseConstant
from chainrule.gates.primitive import Primitive
from chainrule.gates.template import put_back, taken_out
from chainrule.graph.apply import apply, constant_result
from chainrule.graph.array import Array, noted, raw
from chainrule.graph.errors import GraphError
from chainrule.graph.mode import MODE, switched
from chainrule.graph.state import State

DIFFERENTIABLE: dict[Any, Callable[..., Any]] = {}
CONSTANT: dict[Any, Callable[..., Any]] = {}
REFUSED: dict[Any, str] = {}
REFUSED_MODULES = {
    "numpy.lib.recfunctions": "Arrays have no named fields: keep one Array for each field",
    "numpy.strings": "Arrays hold numbers, not text: use .value",
    "numpy.char": "Arrays hold numbers, not text: use .value",
    "numpy.fft": "its results are complex: multiply with the matrix of cosines and that of sines",
    "numpy.polynomial.polynomial": "write the sum out, or use np.polyval",
}
"""Modules refused as a whole: importing them to name their functions would take longer than it is worth."""
UNSEEN: dict[Any, str] = {}
"""Functions that do not ask their arguments, so that nobody can step in: they see an Array through ``like=`` only."""
HANDLERS: dict[Any, Callable[..., Any]] = {}
"""What to call for each function of these tables."""

REDUCTIONS: dict[tuple[Any, str], Callable[..., Any]] = {}
"""Ufunc methods that are gates: ``(np.add, "reduce")`` is a sum."""

OUT: dict[Any, int] = {}
"""At which position an array function takes ``out``."""

F = TypeVar("F", bound=Callable[..., Any])


def differentiable(*functions: Any) -> Callable[[F], F]:
    """Make what is decorated the meaning of NumPy's ``functions`` on Arrays."""

    def register(handler: F) -> F:
        for function in functions:
            DIFFERENTIABLE[function] = HANDLERS[function] = handler
            code = getattr(handler, "__code__", None)
            if code is not None and "out" in code.co_varnames[: code.co_argcount]:
                OUT[function] = code.co_varnames.index("out")
        return handler

    return register


def constant(*functions: Any) -> None:
    """NumPy's ``functions`` give one constant array, of a shape that depends on shapes alone: each is a gate."""
    for function in functions:
        handler = PiecewiseConstant.of(function) if isinstance(function, np.ufunc) else one_constant(function)
        CONSTANT[function] = HANDLERS[function] = handler


def composed(function: Any) -> Callable[[F], F]:
    """What is decorated is recorded for a NumPy ``function`` that gives a constant array: gates that run natively.

    Eagerly NumPy computes it, and what NumPy takes beside one array that has elements stays a gate when recorded.
    """
    by_numpy = one_constant(function)

    def register(composition: F) -> F:
        def handler(*args: Any, **kwargs: Any) -> Any:
            plain = recorded() and args and isinstance(args[0], Array) and args[0].size
            if plain and args[0].ndim == 0 and (args[1:] or kwargs.get("axis") is not None):
                plain = False  # here NumPy takes the axes 0 and -1, which a scalar does not have
            return composition(*args, **kwargs) if plain else by_numpy(*args, **kwargs)

        CONSTANT[function] = HANDLERS[function] = handler
        return composition

    return register


def constants(*functions: Any) -> None:
    """NumPy's ``functions`` give several constant arrays, of shapes that depend on shapes alone."""
    for function in functions:
        CONSTANT[function] = HANDLERS[function] = several_constants(function)


def varying(instead: str, *functions: Any) -> None:
    """What NumPy's ``functions`` give has a shape, or is a Python value, that depends on values: not to be recorded."""
    for function in functions:
        CONSTANT[function] = HANDLERS[function] = unfixed(function, instead)


def by_shape(*functions: Any) -> None:
    """NumPy's ``functions`` look at shapes and dtypes alone, or print and save: nothing in them is a gate."""
    for function in functions:
        CONSTANT[function] = HANDLERS[function] = on_values(function)


def refuse(instead: str, *functions: Any) -> None:
    """Raise a TypeError that names the function and says what to do ``instead``."""
    for function in functions:
        REFUSED[function] = instead
        HANDLERS[function] = _refusal(function, instead)


def unseen(reason: str, *functions: Any) -> None:
    """Functions that never meet an Array in their arguments; with one in ``like=`` they are refused."""
    for function in functions:
        UNSEEN[function] = reason
        HANDLERS[function] = _refusal(function, "leave out like= and use cr.array")


def full_name(function: Any) -> str:
    """``np.linalg.svd`` for the function itself."""
    module = getattr(function, "__module__", None)
    if isinstance(function, np.ufunc):  # some do not know where they live
        module = "numpy" if getattr(np, function.__name__, None) is function else "numpy._core.umath"
    return f"{module}.{function.__name__}".replace("numpy.", "np.", 1)


def _refusal(function: Any, instead: str) -> Callable[..., Any]:
    def handler(*args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{full_name(function)} is not differentiable here: {instead}")

    return handler


def one_constant(function: Any) -> Callable[..., Any]:
    """A handler that applies ``function`` as a gate whose result carries no gradient."""

    def handler(*args: Any, **kwargs: Any) -> Any:
        gate, operands = _constant_gate(function, args, kwargs)
        return apply(gate, operands)

    return handler


def several_constants(function: Any) -> Callable[..., Any]:
    """The same for a function of several results. Recorded, each is a gate of its own."""
    at_once = on_values(function)

    def handler(*args: Any, **kwargs: Any) -> Any:
        with switched(recorder=None):
            results = at_once(*args, **kwargs)
        if not recorded():
            return results
        gate, operands = _constant_gate(function, args, kwargs)
        parts = (PiecewiseConstant.of(function, gate.kwargs, gate.args, i) for i in range(len(results)))
        return type(results)([apply(part, operands) for part in parts])

    return handler


def _constant_gate(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[PiecewiseConstant, Any]:
    """``function(*args, **kwargs)`` as a gate and what it is applied to: the arrays, wherever they are.

    ``argsort(x, 1)`` and ``argsort(x, axis=1)`` are the same gate: what is not an array has its name.
    """
    operands: list[Any] = []
    leading = next((i for i, x in enumerate(args) if not isinstance(x, (Array, np.ndarray))), len(args))
    names = _names(function)
    if leading and len(args) <= len(names):
        kwargs = {**dict(zip(names[leading:], args[leading:], strict=False)), **kwargs}
        args = args[:leading]
    args = taken_out(args, operands)
    beside = len(operands)
    given = tuple((name, taken_out(x, operands)) for name, x in kwargs.items())
    plain = len(operands) == beside and all(x is np.ndarray for x in args)
    return PiecewiseConstant.of(function, given, None if plain else args), tuple(operands)


@cache
def _names(function: Any) -> tuple[str, ...]:
    """What the positional arguments of a function are called, where they may be given by name."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some are written in C, and do not say
        return ()
    return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)


def recorded() -> bool:
    """Whether a function is being recorded."""
    return MODE.get().recorder is not None


def not_recorded(what: str, instead: str) -> None:
    """Raise GraphError for what cannot be recorded, if a function is being recorded."""
    if recorded():
        raise GraphError(f"{what} cannot be recorded: {instead}")


def unfixed(function: Any, instead: str) -> Callable[..., Any]:
    """A handler that computes ``function`` on the values, and refuses to be recorded."""
    at_once = on_values(function)

    def handler(*args: Any, **kwargs: Any) -> Any:
        not_recorded(full_name(function), f"what it gives depends on values in a way that is not fixed; {instead}")
        return at_once(*args, **kwargs)

    return handler


def on_values(function: Any) -> Callable[..., Any]:
    """A handler that computes ``function`` on the values, as constants."""
    gate = PiecewiseConstant.of(function)

    def handler(*args: Any, **kwargs: Any) -> Any:
        arrays: list[Any] = []
        template = taken_out((args, kwargs), arrays)
        values = iter([raw(x) for x in arrays])
        args, kwargs = put_back(template, values)
        return _as_constants(function(*args, **kwargs), gate, [x for x in arrays if isinstance(x, Array)])

    return handler


def _as_constants(result: Any, gate: Any, arrays: list[Array]) -> Any:
    if isinstance(result, (tuple, list)):
        made = [_as_constants(x, gate, arrays) for x in result]
        return type(result)(*made) if hasattr(result, "_fields") else type(result)(made)
    if isinstance(result, (np.ndarray, np.generic)) and result.dtype.kind in "fiub":
        return noted(constant_result(gate, arrays, result), result)
    return result


def array_ufunc(self: Array, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """``Array.__array_ufunc__``: a ufunc applied to at least one Array."""
    if method == "__call__" and not kwargs and (handler := HANDLERS.get(ufunc)) is not None:
        return apply(handler, inputs) if isinstance(handler, Primitive) else handler(*inputs)
    out = kwargs.pop("out", None)
    if out is not None:
        return _into_state(ufunc, method, inputs, out, kwargs)
    if method == "__call__":
        handler = HANDLERS.get(ufunc)
        if handler is None:
            raise TypeError(f"{full_name(ufunc)} has no rule for Arrays: use .value if its result needs no gradient")
    else:
        handler = REDUCTIONS.get((ufunc, method))
        if handler is None:
            raise TypeError(
                f"np.{ufunc.__name__}.{method} has no rule for Arrays: use np.sum, np.prod, np.max, np.cumsum, ... or "
                "compose it from gates"
            )
    return handler(*_cast(inputs, kwargs.pop("dtype", None)), **_checked(kwargs, ufunc, method))


def array_function(self: Array, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """``Array.__array_function__``: any other NumPy function with an Array among its arguments."""
    handler = HANDLERS.get(function)
    if handler is None:
        instead = REFUSED_MODULES.get(function.__module__, "use .value if its result needs no gradient")
        raise TypeError(f"{full_name(function)} is not differentiable here: {instead}")
    if len(args) > 2 and given_out(function, args) is not None:
        raise no_out(function)
    if not kwargs:
        return handler(*args)
    if kwargs.get("out") is not None:
        raise no_out(function)
    try:
        return handler(*args, **kwargs)
    except TypeError as error:
        if "unexpected keyword argument" in str(error):
            option = str(error).rsplit(" ", 1)[-1].strip("'")
            raise TypeError(f"{option}= of {full_name(function)} is not supported on Arrays") from None
        raise


def given_out(function: Any, args: tuple[Any, ...]) -> Any:
    """What was passed for ``out`` by position."""
    position = OUT.get(function, len(args))
    return args[position] if position < len(args) else None


def no_out(function: Any) -> TypeError:
    return TypeError(f"out= of {full_name(function)} is not supported on Arrays: bind the result to a name instead")


def _into_state(ufunc: Any, method: str, inputs: tuple[Any, ...], out: tuple[Any, ...], kwargs: Any) -> State:
    """``np.add(p, step, out=p)`` on a State is an assignment without a temporary."""
    (target,) = out
    if method != "__call__" or kwargs or not isinstance(target, State):
        raise TypeError(
            f"out= of np.{ufunc.__name__} is supported for State and Parameter only (an ndarray cannot hold a gradient;"
            " in-place operators on an ndarray mean out=): write a = a + x instead of a += x"
        )
    if MODE.get().recorder is not None:
        target.assign(ufunc(*inputs))
    else:
        ufunc(*(raw(x) for x in inputs), out=target.writable())
    return target


def _cast(inputs: tuple[Any, ...], dtype: Any) -> tuple[Any, ...]:
    if dtype is None:
        return inputs
    return tuple(x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype) for x in inputs)


def _checked(kwargs: dict[str, Any], ufunc: Any, method: str) -> dict[str, Any]:
    """Options of a ufunc that its handler does not take are refused by name."""
    if method == "__call__" and kwargs:
        option = next(iter(kwargs))
        instead = _INSTEAD_OF_OPTION.get(option, "leave it out")
        raise TypeError(f"{option}= of np.{ufunc.__name__} is not supported on Arrays: {instead}")
    return kwargs


_INSTEAD_OF_OPTION = {
    "where": "select afterwards with np.where(mask, result, other)",
    "axes": "move axes with np.moveaxis first",
    "axis": "move axes with np.moveaxis first",
}

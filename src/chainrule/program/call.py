"""A call taken apart: what is fixed before the Program is made, and what is known only when it runs.

Arrays and Python floats are known at run time; of arrays the shape and dtype are fixed. The structure in which they
are nested and all else (integers, booleans, strings, None, functions, models) is fixed, too: it is part of the call's
key, and there is one Program for each key.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.calculus.trees import is_branch, is_record, items, map_leaves
from chainrule.graph.array import Array, real
from chainrule.graph.state import State


@dataclass(eq=False, slots=True)
class Call:
    """The arguments of one call.

    Attributes:
        key: equal for two calls that the same Program serves.
        inputs: the ndarrays and floats in the arguments, in order.
        live: whether an argument carries a gradient.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    static: Collection[str | int]
    key: Hashable
    inputs: list[Any]
    live: bool

    def with_inputs(self, stand_in: Callable[[Any], Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with ``stand_in(input)`` in place of each input, in order."""

        def replaced(name: str | int, tree: Any) -> Any:
            return tree if name in self.static else map_leaves(lambda x: stand_in(x) if is_input(x) else x, tree)

        args = tuple(replaced(i, x) for i, x in enumerate(self.args))
        return args, {name: replaced(name, x) for name, x in self.kwargs.items()}


def is_input(x: Any) -> bool:
    """Whether a leaf of the arguments is known at run time only. A State is an object, captured by reference."""
    return type(x) is float or isinstance(x, (np.ndarray, np.generic)) or (isinstance(x, Array) and _is_data(x))


def _is_data(x: Array) -> bool:
    return x.live or not isinstance(x, State)


def take_apart(args: tuple[Any, ...], kwargs: dict[str, Any], static: Collection[str | int] = ()) -> Call:
    """The call with these arguments; those at the positions or of the names in ``static`` are fixed as they are.

    Raises TypeError for an argument that is fixed and does not hash, and for arrays of objects, strings or complex
    numbers.
    """
    call = Call(args, kwargs, static, None, [], False)
    keys = [_fixed(x) if i in static else _key(x, call) for i, x in enumerate(args)]
    named = [_fixed(x) if name in static else _key(x, call) for name, x in kwargs.items()]
    call.key = (*keys, tuple(kwargs), *named)
    return call


def _key(x: Any, call: Call) -> Hashable:
    kind: Any = type(x)
    if kind is np.ndarray:
        call.inputs.append(x)
        return (x.shape, real(x).dtype)
    if kind is float:
        call.inputs.append(x)
        return float
    if isinstance(x, Array) and _is_data(x):
        call.live = call.live or x.live
        return _key(x._value, call)
    if isinstance(x, (np.ndarray, np.generic)):
        return _key(_plain(x), call)
    if not is_branch(x):
        return _fixed(x)
    parts = items(x) if is_record(x) else x
    if isinstance(parts, dict):
        return (kind, tuple(parts), *(_key(y, call) for y in parts.values()))
    return (kind, *(_key(y, call) for y in parts))


def _plain(x: Any) -> Any:
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError("a compiled function takes no masked arrays: pass the data and the mask")
    return np.asarray(x)


def _fixed(x: Any) -> Hashable:
    if type(x) is float:
        return float, x.hex()  # tells 0.0 from -0.0 and knows NaN
    try:
        hash(x)
    except TypeError:
        raise TypeError(
            f"a compiled function cannot tell whether a {type(x).__name__} stays the same, since it does not hash: "
            "pass arrays (in lists, tuples, dicts or dataclasses), numbers, strings, or objects that hash"
        ) from None
    return type(x), x


def argument_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """What ``function`` calls its positional arguments; empty where that is not to be had."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))

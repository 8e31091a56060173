"""A call taken apart: what is fixed before the Program is made, and what is known only when it runs.

Arrays and Python floats are known at run time; of arrays the shape and dtype are fixed. The structure in which they
are nested and all else (integers, booleans, strings, None, functions, models) is fixed, too: it is part of the call's
key, and there is one Program for each key.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
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
        key: equal for two calls that the same Program serves: pairs of a position or a name, and what is fixed of the
            argument there.
        inputs: the ndarrays and floats in the arguments, in order.
        live: whether an argument carries a gradient.
        names: what the function calls its positional arguments, as far as that is known.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    static: Collection[str | int]
    names: Sequence[str]
    key: tuple[tuple[int | str, Hashable], ...]
    inputs: list[Any]
    live: bool

    @property
    def flat(self) -> bool:
        """Whether each argument is positional, and an input or fixed: not a structure, which may change inside."""
        return not self.kwargs and not any(map(is_branch, self.args))

    @property
    def input_places(self) -> list[int]:
        """The positions at which an argument is an input."""
        return [i for i, x in enumerate(self.args) if i not in self.static and is_input(x)]

    def with_inputs(self, stand_in: Callable[[Any, str], Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with ``stand_in(input, name)`` for each input in order, named like ``x`` or ``batch_0``."""

        def replaced(i: int | str, tree: Any) -> Any:
            if i in self.static:
                return tree
            paths = _paths(tree, self.argument(i))
            return map_leaves(lambda x: _replaced(x, next(paths), stand_in), tree)

        args = tuple(replaced(i, x) for i, x in enumerate(self.args))
        return args, {name: replaced(name, x) for name, x in self.kwargs.items()}

    def argument(self, i: int | str) -> str:
        """What the function calls its positional argument number i."""
        if isinstance(i, str):
            return i
        return self.names[i] if i < len(self.names) else f"argument_{i}"


def _replaced(x: Any, name: str, stand_in: Callable[[Any, str], Any]) -> Any:
    return stand_in(x, name) if is_input(x) else x


def _paths(tree: Any, path: str) -> Iterator[str]:
    """A name for each leaf, in the order of the leaves."""
    if not is_branch(tree):
        yield path
        return
    parts = items(tree) if is_record(tree) else tree
    for key, x in parts.items() if isinstance(parts, dict) else enumerate(parts):
        yield from _paths(x, f"{path}_{key}")


def is_input(x: Any) -> bool:
    """Whether a leaf of the arguments is known at run time only. A State is an object, captured by reference."""
    return type(x) is float or isinstance(x, (np.ndarray, np.generic)) or (isinstance(x, Array) and _is_data(x))


def _is_data(x: Array) -> bool:
    return x.live or not isinstance(x, State)


def take_apart(
    args: tuple[Any, ...], kwargs: dict[str, Any], static: Collection[str | int] = (), names: Sequence[str] = ()
) -> Call:
    """The call with these arguments; those at the positions or of the names in ``static`` are fixed as they are.

    Raises TypeError for an argument that is fixed and does not hash, and for arrays of objects, strings or complex
    numbers.
    """
    call = Call(args, kwargs, static, names, (), [], False)
    places: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    call.key = tuple([(i, _fixed(x) if i in static else _key(x, call)) for i, x in places])
    return call


def _key(x: Any, call: Call) -> Hashable:
    kind: Any = type(x)
    if kind is np.ndarray:
        dtype = x.dtype
        if not dtype.isnative or dtype.kind not in "fiub":
            x = real(x).astype(dtype.newbyteorder("="))
        call.inputs.append(x)
        return (x.shape, x.dtype)
    if kind is float:
        call.inputs.append(x)
        return float
    if kind is dict:
        return (dict, tuple(x), *[_key(y, call) for y in x.values()])
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


def static_places(static: str | int | Collection[str | int], function: Callable[..., Any]) -> frozenset[str | int]:
    """Positions and names of the arguments in ``static``: each by both, as it may be passed either way.

    Raises ValueError for a name that ``function`` does not have.
    """
    places = {static} if isinstance(static, (str, int)) else set(static)
    names = argument_names(function)
    unknown = [x for x in places if isinstance(x, str) and x not in names and not _takes(function, x)]
    if unknown:
        name = getattr(function, "__name__", type(function).__name__)
        raise ValueError(f"static names {unknown[0]!r}, which is no argument of {name}")
    for pair in enumerate(names):
        if not places.isdisjoint(pair):
            places.update(pair)
    return frozenset(places)


def _takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a keyword argument of this name may be passed, as far as that is known."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

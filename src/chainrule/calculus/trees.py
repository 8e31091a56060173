"""Nested lists, tuples and dicts of arrays, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def is_branch(tree: Any) -> bool:
    return isinstance(tree, (list, tuple, dict))


def leaves(tree: Any) -> Iterator[Any]:
    """The leaves of a nested structure, in a fixed order (a dict's in the order of its keys' insertion)."""
    if isinstance(tree, dict):
        for x in tree.values():
            yield from leaves(x)
    elif isinstance(tree, (list, tuple)):
        for x in tree:
            yield from leaves(x)
    else:
        yield tree


def map_leaves(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The same structure with ``function(leaf, *leaves of the others)`` in place of each leaf."""
    if isinstance(tree, dict):
        return {key: map_leaves(function, x, *(o[key] for o in others)) for key, x in tree.items()}
    if isinstance(tree, (list, tuple)):
        made = [map_leaves(function, x, *(o[i] for o in others)) for i, x in enumerate(tree)]
        return type(tree)(*made) if hasattr(tree, "_fields") else type(tree)(made)
    return function(tree, *others)

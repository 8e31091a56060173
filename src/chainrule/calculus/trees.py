"""Nested lists, tuples, dicts and dataclasses of arrays, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any


def is_branch(tree: Any) -> bool:
    return isinstance(tree, (list, tuple, dict)) or is_record(tree)


def is_record(tree: Any) -> bool:
    """Whether it is an instance of a dataclass that is compared by its fields; others are objects of their own."""
    return is_dataclass(tree) and not isinstance(tree, type) and type(tree).__eq__ is not object.__eq__


def items(record: Any) -> dict[str, Any]:
    """The fields of a dataclass by name."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def leaves(tree: Any) -> Iterator[Any]:
    """The leaves of a nested structure, in a fixed order (a dict's in the order of its keys' insertion)."""
    if isinstance(tree, dict):
        for x in tree.values():
            yield from leaves(x)
    elif isinstance(tree, (list, tuple)):
        for x in tree:
            yield from leaves(x)
    elif is_record(tree):
        yield from leaves(items(tree))
    else:
        yield tree


def map_leaves(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The same structure with ``function(leaf, *leaves of the others)`` in place of each leaf."""
    if isinstance(tree, dict):
        return {key: map_leaves(function, x, *(o[key] for o in others)) for key, x in tree.items()}
    if isinstance(tree, (list, tuple)):
        made = [map_leaves(function, x, *(o[i] for o in others)) for i, x in enumerate(tree)]
        return type(tree)(*made) if hasattr(tree, "_fields") else type(tree)(made)
    if is_record(tree):
        twin = copy(tree)  # the fields are written past __init__, which may take other arguments, and past frozen
        for name, x in map_leaves(function, items(tree), *map(items, others)).items():
            object.__setattr__(twin, name, x)
        return twin
    return function(tree, *others)

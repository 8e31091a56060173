"""``cr.array`` and ``cr.constant``: where variables and constants come from."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.array import Array, new_leaf, noted, raw, real


def array(value: Any, dtype: Any = None, *, name: str | None = None) -> Array:
    """A variable: a new leaf that carries a gradient if its dtype is floating. The data are copied.

    Integers and booleans never carry gradients: write ``cr.array(3.0)``, not ``cr.array(3)``. A list that holds
    Arrays is stacked, differentiably.

    Args:
        value: a number, a nested list, an ndarray or an Array (whose circuit is left behind).
        dtype: as in ``np.array``.
        name: what messages and drawings call it; otherwise the name of the variable it is stored in.

    Raises TypeError for complex numbers, strings and objects.

    >>> import chainrule as cr
    >>> cr.array([1.0, 2.0], name="x")
    Array([1., 2.], name='x')
    """
    if isinstance(value, (list, tuple)) and _holds_arrays(value):
        stacked: Any = _stacked(value)
        if dtype is not None:
            stacked = stacked.astype(dtype)
        if name is not None:
            stacked.name = name
        return stacked  # type: ignore[no-any-return]
    data = real(np.array(raw(value), dtype=dtype))
    return noted(new_leaf(Array, data, data.dtype.kind == "f", name), value)


def constant(value: Any, dtype: Any = None, *, name: str | None = None) -> Array:
    """An Array that carries no gradient. The data are copied.

    >>> import chainrule as cr
    >>> cr.constant(2.0).live
    False
    """
    return noted(new_leaf(Array, real(np.array(raw(value), dtype=dtype)), False, name), value)


def _holds_arrays(tree: Any) -> bool:
    return isinstance(tree, Array) or (isinstance(tree, (list, tuple)) and any(_holds_arrays(x) for x in tree))


def _stacked(tree: Any) -> Any:
    return np.stack([_stacked(x) for x in tree]) if isinstance(tree, (list, tuple)) and _holds_arrays(tree) else tree

"""``cr.scan``: a loop over the elements of arrays that passes a value on from step to step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.calculus.trees import leaves, map_leaves
from chainrule.graph.array import Array, raw, real
from chainrule.graph.errors import describe
from chainrule.graph.mode import MODE
from chainrule.graph.number import Number
from chainrule.program.loop import repeated
from chainrule.program.step import Leaves, recorded


def scan(
    function: Callable[[Any, Any], Any], carry: Any, xs: Any = None, *, length: int | None = None, reverse: bool = False
) -> tuple[Any, Any]:
    """Apply ``function(carry, x) -> (carry, y)`` to one element of ``xs`` after the other; the last carry and all y.

    It computes what this loop does, however long it is, as one gate:

        ys = []
        for x in xs:
            carry, y = function(carry, x)
            ys.append(y)
        return carry, np.stack(ys)

    ``function`` is run once, while it is recorded, so what it computes may not depend on values in any other way than
    through NumPy. Derivatives of any order are scans, too; they reach the first carry, ``xs`` and whatever ``function``
    reads from outside. The carry before each step is kept for them, and everything else is computed again. In a
    compiled function the loop is native.

    Args:
        function: a step. The carry that it returns has the structure, shapes and dtypes of the one that it got.
        carry: the first carry: an array, a number, or a nested list, tuple, dict or dataclass of them.
        xs: arrays with a leading axis of the same length, nested likewise; None if there is nothing to take.
        length: the number of steps; only needed without ``xs``.
        reverse: begin with the last element; y are in the order of the elements nonetheless.

    Returns Arrays where an Array is involved, ndarrays otherwise; for y with one more axis in front.

    Raises ValueError for lengths that differ, TypeError for a carry that changes, and GraphError where ``function``
    assigns a State or freezes a value.

    >>> import numpy as np, chainrule as cr
    >>> def decay(level, x):
    ...     level = 0.5 * level + x
    ...     return level, level ** 2
    >>> cr.scan(decay, 1.0, np.array([0.0, 1.0, 0.0]))
    (array(0.625), array([0.25    , 1.5625  , 0.390625]))
    >>> cr.grad(lambda first: cr.scan(decay, first, np.zeros(3))[0])(1.0)
    array(0.125)
    """
    first, elements = _arrays(carry, "carry"), _arrays(xs, "xs")
    n = _length(elements, length)
    step = _Function(function, carry, xs, [x.dtype for x in first])
    sample = [_element(raw(x), n, reverse) for x in elements]
    made = recorded(step, [raw(x) for x in first], sample)
    _check_carry(carry, first, made.program.outputs[: len(first)])
    last, given, _ = repeated(made, first, elements, n, reverse)
    return _filled(carry, last), _filled(step.given, given)


class _Function:
    """The user's step as a function of leaves."""

    def __init__(self, function: Callable[[Any, Any], Any], carry: Any, xs: Any, dtypes: list[Any]) -> None:
        self.function, self.carry, self.xs, self.dtypes = function, carry, xs, dtypes
        self.given: Any = None

    def __call__(self, carry: Leaves, element: Leaves) -> tuple[Leaves, Leaves, Leaves]:
        made = self.function(_filled(self.carry, carry), _filled(self.xs, element))
        if not isinstance(made, tuple) or len(made) != 2:
            raise TypeError(f"the function given to scan must return a pair (carry, y), not {_told(made)}")
        following, self.given = made
        if _structure(following) != _structure(self.carry):
            raise TypeError(
                "the function given to scan must return a carry of the structure that it got: "
                f"{_in_words(self.carry)}, not {_in_words(following)}"
            )
        carried = [_fitting(x, dtype) for x, dtype in zip(_parts(following), self.dtypes, strict=True)]
        return carried, _arrays(self.given, "y"), []


def _fitting(x: Any, dtype: Any) -> Any:
    """A leaf of the carry; a Python number takes the dtype that it has among the others, where it can."""
    if not isinstance(x, (bool, int, float, Number)) or isinstance(x, np.generic):
        return x if isinstance(x, Array) else _array(x, "carry")
    if isinstance(x, Number):
        return x.astype(dtype) if dtype.kind == "f" else x
    fits = np.result_type(dtype, x) == dtype
    return np.asarray(x, dtype if fits else None)


# ---- structures


def _parts(tree: Any) -> Iterator[Any]:
    """The leaves of a nested structure; None is none."""
    return (x for x in leaves(tree) if x is not None)


def _filled(tree: Any, values: Leaves) -> Any:
    """The structure with these leaves."""
    rest = iter(values)
    return map_leaves(lambda x: None if x is None else next(rest), tree)


def _structure(tree: Any) -> Any:
    return map_leaves(lambda x: None if x is None else 0, tree)


def _arrays(tree: Any, what: str) -> Leaves:
    return [_array(x, what) for x in _parts(tree)]


def _array(x: Any, what: str) -> Any:
    """A leaf as an Array or an ndarray."""
    if isinstance(x, Number):
        return MODE.get().recorder.as_float64(x)
    if isinstance(x, Array):
        return x
    try:
        return real(np.asarray(x))
    except TypeError:
        raise TypeError(f"{what} of a scan holds arrays and numbers, not {_told(x)}") from None


# ---- what must fit


def _length(elements: Leaves, length: int | None) -> int:
    for x in elements:
        if x.ndim == 0:
            raise ValueError(f"xs of a scan needs a leading axis to go along, and {describe(x)} has none")
    lengths = {x.shape[0] for x in elements} | ({length} if length is not None else set())
    if len(lengths) > 1:
        raise ValueError(f"a scan goes along xs of one length, and these have {', '.join(map(str, sorted(lengths)))}")
    if not lengths:
        raise ValueError("a scan without xs needs length=, the number of steps")
    (n,) = lengths
    if n < 0:
        raise ValueError(f"length is a number of steps, not {n}")
    return int(n)


def _element(x: Any, n: int, reverse: bool) -> Any:
    """The element with which the scan begins; a stand-in where there is none."""
    return x[-1 if reverse else 0, ...] if n else np.ones(x.shape[1:], x.dtype)


def _check_carry(carry: Any, first: Leaves, following: Any) -> None:
    names = list(_paths(carry, "carry"))
    for name, x, value in zip(names, first, following, strict=True):
        if x.shape != value.shape or x.dtype != value.dtype:
            raise TypeError(
                f"the carry of a scan keeps its shape and dtype: {name} is {x.dtype}{list(x.shape)}, and the function "
                f"returns {value.dtype}{list(value.shape)}"
            )


def _paths(tree: Any, path: str) -> Iterator[str]:
    """What each leaf is called in messages."""
    if isinstance(tree, dict):
        for key, x in tree.items():
            yield from _paths(x, f"{path}[{key!r}]")
    elif isinstance(tree, (list, tuple)):
        for k, x in enumerate(tree):
            yield from _paths(x, f"{path}[{k}]")
    else:
        yield from (path for _ in _parts(tree))


def _told(x: Any) -> str:
    return describe(x) if isinstance(x, (Array, np.ndarray)) else f"a {type(x).__name__}"


def _in_words(tree: Any) -> str:
    return str(map_leaves(lambda x: None if x is None else "...", tree)).replace("'...'", "...")

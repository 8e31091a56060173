"""The backward pass: the chain rule applied along the graph, newest node first.

Every input is older than what was made of it, so taking the newest array of the frontier first guarantees that all
gradients which come back to it, from every branch, have been added before it is passed on. One loop, no recursion:
the length of the circuit does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from heapq import heappop, heappush
from itertools import count
from typing import Any
from weakref import ref

import numpy as np

from chainrule.graph.array import Array, changed_after_use, new_leaf, noted
from chainrule.graph.diagnosis import check_gradient
from chainrule.graph.errors import GraphError, describe
from chainrule.graph.mode import MODE
from chainrule.graph.state import Parameter
from chainrule.graph.sums import unbroadcast

next_write = count(1).__next__
_last_output: ContextVar[Callable[[], Array | None]] = ContextVar("chainrule_last_output", default=lambda: None)


class _Freed:
    """The gate of a node whose circuit was given back by ``backward(keep=False)``."""

    title = "a freed circuit"


FREED = _Freed()


def flow(
    output: Array, upstream: Any, wanted: Callable[[Array], bool] | None = None, *, free: bool = False
) -> Iterator[tuple[Array, Any]]:
    """Yield every array behind ``output`` with its complete gradient: results newest first, then the leaves.

    ``upstream`` is dL/d(output). If it is an ndarray the rules run on ndarrays; if it is an Array they run on Arrays
    and the gradients are differentiable themselves. ``wanted`` limits the walk to arrays for which it holds; ``free``
    lets each node go of its inputs once it is done.
    """
    stop_at_nonfinite = MODE.get().stop_at_nonfinite
    recorded = isinstance(upstream, Array)
    # The sum so far of what came back: to results, which wait on the frontier for their turn, and to leaves.
    results: dict[Array, Any] = {}
    leaves: dict[Array, Any] = {}
    frontier: list[tuple[int, Array]] = []
    if output.gate is None:
        leaves[output] = upstream
    else:
        results[output] = upstream
        frontier.append((-output.number, output))
    while frontier:
        node = heappop(frontier)[1]
        dz = results.pop(node)
        yield node, dz
        gate, inputs = node.gate, node.inputs
        if gate is FREED:
            raise GraphError(
                f"the circuit behind {node.label()} was freed by backward(keep=False): run the forward pass again, "
                "or keep it (keep=True, the default)"
            )
        rules = gate.rules(node, recorded)
        for i, x in enumerate(inputs):
            if not isinstance(x, Array):
                continue
            if x.number > node.number:  # constants too: the rules of the other inputs may read them
                raise changed_after_use(node, x)
            if not x.live or (wanted is not None and not wanted(x)):
                continue
            dx = rules[i](gate, node, dz, inputs)
            if dx is None:
                continue
            value = x._value
            if dx.shape != value.shape or dx.dtype != value.dtype:
                dx = fit(dx, node, i)
            if stop_at_nonfinite:
                check_gradient(node, i, dx)
            if x.gate is not None:
                if x in results:
                    results[x] = results[x] + dx  # a branch: the gradients that come back add
                else:
                    results[x] = dx
                    heappush(frontier, (-x.number, x))
            elif x in leaves:
                leaves[x] = leaves[x] + dx
            elif recorded or (dx is not dz and dx.base is None and gate.builtin):
                leaves[x] = dx
            else:
                leaves[x] = np.array(dx)  # a leaf owns its gradient: clipping one in place must not change another
        if free:
            node.inputs, node.gate, node._cache = (), FREED, None
    yield from leaves.items()


def fit(dx: Any, node: Array, i: int) -> Any:
    """Undo broadcasting and promotion: bring the gradient of input i to that input's shape and dtype."""
    x, gate = node.inputs[i], node.gate
    if dx.shape != x.shape:
        # Operands of a primitive were broadcast by NumPy; what a user's rule returns is not known to fit.
        if not gate.elementwise or dx.shape != node.shape or not (gate.builtin or _stretches(x.shape, dx.shape)):
            raise GraphError(
                f"{gate.title} gave input {i} of shape {x.shape} a gradient of shape {dx.shape}; the gradient of "
                f"an input has the input's shape (applied at {node.site})"
            )
        dx = unbroadcast(dx, x.shape)
    return dx if dx.dtype == x.dtype else dx.astype(x.dtype)


def _stretches(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def backward(output: Array, upstream: Any = None, *, accumulate: bool = False, keep: bool = True) -> None:
    """Write dL/dx into ``.grad`` of every array x that ``output`` was computed from.

    Args:
        upstream: dL/d(output), of the output's shape; left out for a scalar (then it is 1, and L is the output).
        accumulate: add to the gradients that are there instead of writing them afresh.
        keep: False frees the circuit on the way: gradients reach the leaves only, and memory is given back early.

    Raises GraphError if the output is not a scalar and no upstream is given, if it carries no gradient, or if an
    array was changed after a gate had used it.

    >>> import chainrule as cr
    >>> x, y, z = cr.array(-2.0), cr.array(5.0), cr.array(-4.0)
    >>> f = (x + y) * z
    >>> f.backward()
    >>> x.grad, y.grad, z.grad
    (array(-4.), array(-4.), array(3.))
    """
    if not output.live:
        raise GraphError(_why_not_live(output))
    recorder = MODE.get().recorder
    if recorder is None:
        gradients: Iterable[tuple[Array, Any]] = flow(output, seed(output, upstream), free=not keep)
        _last_output.set(ref(output))
    else:
        gradients, accumulate = recorder.gradients(output, upstream, accumulate, keep), False
    write = next_write()
    for node, dx in gradients:
        if accumulate and getattr(node, "_grad", None) is not None:
            dx = node._grad + dx
        if node.gate is None:
            node._grad = dx if isinstance(dx, (np.ndarray, Array)) else np.asarray(dx)
            if isinstance(node, Parameter):
                node._write = write
        else:  # one from an earlier pass must not pass for this one's
            node._grad = dx if keep else None


def seed(output: Array, upstream: Any) -> Any:
    """dL/d(output) where a backward pass begins: 1 for a scalar, else ``upstream``, which must be given."""
    value = output._value
    if upstream is None:
        if value.shape != ():
            raise GraphError(
                f"backward() starts from a scalar, and {output.label()} has shape {value.shape}: reduce it (np.sum, "
                "np.mean) or give upstream=, the gradient of the loss with respect to it"
            )
        return np.array(1, value.dtype)
    if MODE.get().recorder is None:
        upstream = np.asarray(upstream._value if isinstance(upstream, Array) else upstream)
    elif not isinstance(upstream, Array):
        upstream = noted(new_leaf(Array, np.asarray(upstream), False), upstream)
    if upstream.shape != value.shape:
        raise GraphError(f"upstream {describe(upstream)} does not fit {output.label()}, {describe(value)}")
    return upstream.astype(value.dtype)


def _why_not_live(output: Array) -> str:
    if output.dtype.kind != "f":
        return f"{output.label()} is {output.dtype}: only floating-point arrays carry gradients (write 3.0, not 3)"
    cut = getattr(output, "_cut", None)
    if cut is not None:
        return f"{output.label()} carries no gradient: it was cut off by {cut.how} at {cut.site}"
    return f"{output.label()} is a constant: nothing that it was computed from carries a gradient"


def last_output() -> Array | None:
    """The output of the last backward pass of this thread, if it is still alive."""
    return _last_output.get()()

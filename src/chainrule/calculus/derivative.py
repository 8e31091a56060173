"""grad, value_and_grad, vjp, jvp, jacobian, hessian, hvp: derivatives of functions of arrays, of any order.

How they nest: each transformation hands the function *fresh* variables that stand for its arguments (an identity gate
on an Array, a new leaf on plain data), walks back to exactly those, and evaluates the rules on Arrays whenever the
result can depend on a variable from outside: an argument that is an Array itself, or one that the function closes
over. So an inner derivative is a function of the outer variables, and neither can be taken for the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from chainrule.calculus.trees import is_branch, leaves, map_leaves
from chainrule.gates.constant import detach
from chainrule.gates.shape import BroadcastTo
from chainrule.graph.array import Array, new_leaf, noted, raw
from chainrule.graph.backward import flow
from chainrule.graph.errors import GraphError, describe
from chainrule.graph.mode import MODE, switched

Argnums = int | str | Sequence[int | str]


def variable(x: Any) -> Array:
    """A fresh variable that stands for ``x`` under a transformation.

    Raises TypeError if ``x`` is not a floating-point number or array.
    """
    value = np.asarray(raw(x))
    if value.dtype.kind != "f":
        raise TypeError(
            f"cannot differentiate with respect to {describe(x)}: only floating-point arguments have derivatives "
            f"(write 2.0 instead of 2, or use .astype(float))"
        )
    if isinstance(x, Array) and x.live and MODE.get().gradients:
        stand_in: Array = BroadcastTo.of(x.shape)(x)
        return stand_in
    return noted(new_leaf(Array, np.array(value), True), x)


class Trace(NamedTuple):
    """One evaluation of a function on fresh variables."""

    variables: list[Array]
    output: Any
    attached: bool
    """Whether derivatives are themselves functions of variables from outside."""
    relevant: set[Array]
    """The arrays between the variables and the output: only their gradients are worth computing."""
    lifted: bool
    """Whether an argument was an Array: then results are Arrays too."""

    def of(self, output: Any) -> Trace:
        """The trace of one of several outputs."""
        if output is self.output:
            return self
        relevant, outside = between(self.variables, output)
        attached = self.attached or (outside and MODE.get().gradients)
        return self._replace(output=output, relevant=relevant, attached=attached)


def evaluate(
    function: Callable[..., Any], targets: Any, call: Callable[[Any], Any], has_aux: bool
) -> tuple[Trace, Any]:
    """Run ``call`` on fresh variables in place of the leaves of ``targets``."""
    outer = MODE.get().gradients
    lifted = any(isinstance(x, Array) for x in leaves(targets))
    attachable = [x for x in leaves(targets) if isinstance(x, Array) and x.live and outer]
    with switched(gradients=True):
        fresh = map_leaves(variable, targets)
        variables = list(leaves(fresh))  # before the call, which may change the structure it is given
        numbers = [x.number for x in variables]
        result = call(fresh)
    variables = [_as_created(x, number) for x, number in zip(variables, numbers, strict=True)]
    aux = None
    if has_aux:
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"with has_aux=True, {_name(function)} must return a pair (output, auxiliary value)")
        result, aux = result
    check_numbers(result, function)
    relevant, outside = between(variables, result)
    attached = outer and (bool(attachable) or outside)
    return Trace(variables, result, attached, relevant, lifted), aux


def _as_created(x: Array, number: int) -> Array:
    """The variable itself, where ``x[i] = v`` inside the function has made a new value of the object."""
    while x.number != number:
        x = x.inputs[0]
    return x


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def between(variables: list[Array], output: Any) -> tuple[set[Array], bool]:
    """The arrays on a way from a variable to the output, and whether other live leaves lie behind the output."""
    if not isinstance(output, Array) or not output.live:
        return set(), False
    oldest = min((x.number for x in variables), default=0)
    seen, order, targets = {output}, [output], set(variables)
    outside = False
    for node in order:
        if node in targets:
            continue
        if node.number < oldest:
            outside = True
            continue
        for x in node.inputs:
            if isinstance(x, Array) and x.live and x not in seen:
                seen.add(x)
                order.append(x)
    relevant = targets & seen
    for node in sorted(order, key=lambda n: n.number):
        if node.number >= oldest and any(x in relevant for x in node.inputs if isinstance(x, Array)):
            relevant.add(node)
    return relevant, outside


def pull(trace: Trace, upstream: Any) -> list[Any]:
    """dL/dx for each variable, zeros for those that the output does not depend on."""
    gradients: dict[Array, Any] = {}
    recorder = MODE.get().recorder
    if isinstance(trace.output, Array) and trace.output in trace.relevant:
        dz = upstream
        if not isinstance(dz, Array) and (trace.attached or recorder is not None):
            dz = noted(new_leaf(Array, np.asarray(dz), False), dz)
        targets = set(trace.variables)
        with switched(gradients=trace.attached, role="backward"):
            for node, dx in flow(trace.output, dz, trace.relevant.__contains__):
                if recorder is not None:
                    recorder.passes(node, dx)
                if node in targets:
                    gradients[node] = dx
        if recorder is not None:
            recorder.passed()
    return [_result(trace, x, gradients.get(x)) for x in trace.variables]


def _result(trace: Trace, x: Array, dx: Any) -> Any:
    """A gradient in the dress of what was passed in."""
    if dx is None:
        dx = np.zeros(x.shape, x.dtype)
    if isinstance(dx, Array):
        return dx
    dx = np.array(dx) if np.ndim(dx) else np.asarray(dx)
    return noted(new_leaf(Array, dx, False), dx) if trace.lifted else dx


def plain(trace: Trace, value: Any) -> Any:
    """An output in the dress of what was passed in: Arrays only where there is something to differentiate."""
    if not isinstance(value, Array) or trace.attached:
        return value
    return detach(value) if trace.lifted or MODE.get().recorder is not None else np.array(value._value)


class _Call:
    """A function with some of its arguments singled out to be differentiated."""

    def __init__(self, function: Callable[..., Any], argnums: Argnums, args: Any, kwargs: Any) -> None:
        self.function, self.args, self.kwargs = function, list(args), dict(kwargs)
        self.single = isinstance(argnums, (int, str))
        wanted = [argnums] if isinstance(argnums, (int, str)) else list(argnums)
        self.wanted = [self._resolved(k) for k in wanted]
        if len(set(self.wanted)) < len(self.wanted):
            raise TypeError(f"argnums {argnums!r} names an argument twice")
        self.targets = [self._get(k) for k in self.wanted]

    def _resolved(self, k: int | str) -> int | str:
        if isinstance(k, str):
            if k in self.kwargs:
                return k
            raise TypeError(f"{_name(self.function)} was not called with a keyword argument {k!r} to differentiate")
        n = len(self.args)
        if not -n <= k < n:
            raise TypeError(f"{_name(self.function)} was called with {n} positional arguments; there is no number {k}")
        return k % n

    def _get(self, k: int | str) -> Any:
        return self.kwargs[k] if isinstance(k, str) else self.args[k]

    def __call__(self, fresh: list[Any]) -> Any:
        args, kwargs = list(self.args), dict(self.kwargs)
        for k, x in zip(self.wanted, fresh, strict=True):
            if isinstance(k, str):
                kwargs[k] = x
            else:
                args[k] = x
        return self.function(*args, **kwargs)

    def pack(self, flat: list[Any]) -> Any:
        """Flat results, one for each variable, in the structure of the arguments."""
        rest = iter(flat)
        made = [map_leaves(lambda _: next(rest), target) for target in self.targets]
        return made[0] if self.single else tuple(made)


def check_numbers(result: Any, function: Any) -> None:
    """A forgotten ``return`` must not pass for a function that depends on nothing."""
    for x in leaves(result):
        if not isinstance(x, Array) and np.asarray(x).dtype.kind not in "fiub":
            raise TypeError(f"{_name(function)} returned {describe(x)}, which has no derivative: is a return missing?")


def _check_one_array(output: Any, function: Any) -> None:
    if is_branch(output):
        raise TypeError(
            f"vjp and jvp need a function with one array as its result, and {_name(function)} returned a "
            f"{type(output).__name__}: stack the arrays, or use jacobian"
        )


def _scalar_seed(trace: Trace, function: Any) -> Any:
    output = trace.output
    if is_branch(output) or np.shape(output) != ():
        raise GraphError(
            f"grad needs a function with one scalar result, and {_name(function)} returned "
            f"{describe(output)}: reduce it (np.sum, np.mean), or use jacobian or vjp"
        )
    one = np.ones((), output.dtype if isinstance(output, Array) else float)
    return one if MODE.get().recorder is None else noted(new_leaf(Array, one, False), 1.0)


def value_and_grad(function: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns ``(value, gradient)`` of ``function``, at the cost of one forward and one backward pass.

    Args:
        argnums: which argument to differentiate: a position, a keyword's name, or a sequence of them (then the
            gradient is a tuple). An argument may be a nested list, tuple or dict of arrays.
        has_aux: ``function`` returns ``(value, auxiliary)``; the result is ``((value, auxiliary), gradient)``.

    Raises TypeError for integer, boolean or complex arguments, GraphError if the value is not a scalar.

    >>> import chainrule as cr
    >>> cr.value_and_grad(lambda x: x ** 2)(3.0)
    (array(9.), array(6.))
    """

    @wraps(function)
    def derived(*args: Any, **kwargs: Any) -> Any:
        call = _Call(function, argnums, args, kwargs)
        trace, aux = evaluate(function, call.targets, call, has_aux)
        gradient = call.pack(pull(trace, _scalar_seed(trace, function)))
        value = plain(trace, trace.output)
        return ((value, map_leaves(lambda x: plain(trace, x), aux)) if has_aux else value), gradient

    return derived


def grad(function: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of the scalar ``function``; with ``has_aux``, ``(gradient, auxiliary)``.

    ndarray or float in, ndarray out; Array in, Array out. The result depends on live variables that ``function`` closes
    over, if any; it is then an Array, so that it can be differentiated with respect to them. See ``value_and_grad``
    for the arguments.

    >>> import numpy as np, chainrule as cr
    >>> cr.grad(np.tanh)(0.0)
    array(1.)
    >>> cr.grad(cr.grad(lambda x: x ** 3))(2.0)
    array(12.)
    """

    @wraps(function)
    def derived(*args: Any, **kwargs: Any) -> Any:
        value, gradient = value_and_grad(function, argnums, has_aux=has_aux)(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return derived


def vjp(function: Callable[..., Any], *args: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The value of ``function(*args)`` and a function that takes dL/d(value) to the tuple of dL/d(argument).

    >>> import numpy as np, chainrule as cr
    >>> value, pullback = cr.vjp(np.sin, np.array([0.0, 1.0]))
    >>> pullback(np.array([1.0, 0.0]))
    (array([1., 0.]),)
    """
    call = _Call(function, range(len(args)), args, {})
    trace, _ = evaluate(function, call.targets, call, False)
    _check_one_array(trace.output, function)

    def pullback(upstream: Any) -> tuple[Any, ...]:
        output = trace.output
        if np.shape(upstream) != np.shape(output):
            raise ValueError(f"upstream {describe(np.asarray(upstream))} does not fit the value, {describe(output)}")
        again = trace
        if isinstance(upstream, Array):
            again = trace._replace(attached=trace.attached or upstream.live, lifted=True)
        elif isinstance(output, Array):
            upstream = np.asarray(upstream, output.dtype)
        packed: tuple[Any, ...] = call.pack(pull(again, upstream))
        return packed

    return plain(trace, trace.output), pullback


def jvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value and its change along ``tangents``: J v.

    Computed by two reverse passes: the pullback u -> J^T u is linear in u, and its own pullback is v -> J v.

    >>> import numpy as np, chainrule as cr
    >>> cr.jvp(np.sin, (0.0,), (2.0,))
    (array(0.), array(2.))
    """
    call = _Call(function, range(len(primals)), primals, {})
    trace, _ = evaluate(function, call.targets, call, False)
    _check_one_array(trace.output, function)
    flat = list(leaves(tuple(tangents)))
    if len(flat) != len(trace.variables) or any(
        np.shape(t) != x.shape for t, x in zip(flat, trace.variables, strict=True)
    ):
        raise ValueError("jvp needs a tangent of each argument's shape")
    if not isinstance(trace.output, Array):
        return trace.output, np.zeros(np.shape(trace.output))
    zeros = np.zeros(trace.output.shape, trace.output.dtype)
    u = noted(new_leaf(Array, zeros, True), zeros)
    with switched(gradients=True):
        pulled = pull(trace._replace(attached=True), u)
        paired: Any = 0.0
        for g, t in zip(pulled, flat, strict=True):
            paired = paired + np.sum(g * (t if isinstance(t, Array) else np.asarray(t, g.dtype)))
    live_tangent = any(isinstance(t, Array) and t.live for t in flat) and MODE.get().gradients
    relevant, _ = between([u], paired)
    back = Trace([u], paired, trace.attached or live_tangent, relevant, trace.lifted or live_tangent)
    return plain(trace, trace.output), pull(back, np.ones((), paired.dtype))[0]


def jacobian(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns dz/dx in full, of shape ``z.shape + x.shape``: one backward pass an element of z.

    If ``function`` returns a nested structure of arrays, so does this, with dz/dx in place of each z.

    >>> import numpy as np, chainrule as cr
    >>> cr.jacobian(np.tanh)(np.array([0.0, 1.0])).round(2)
    array([[1.  , 0.  ],
           [0.  , 0.42]])
    """

    @wraps(function)
    def derived(*args: Any, **kwargs: Any) -> Any:
        call = _Call(function, argnums, args, kwargs)
        trace, _ = evaluate(function, call.targets, call, False)
        return map_leaves(lambda z: call.pack(rows_of(trace.of(z))), trace.output)

    def rows_of(trace: Trace) -> list[Any]:
        shape = np.shape(trace.output)
        dtype = trace.output.dtype if isinstance(trace.output, Array) else float
        size = math.prod(shape)
        basis = np.eye(size, dtype=dtype).reshape(size, *shape)
        rows = [pull(trace, row) for row in basis]
        if not rows:
            columns: list[Any] = [np.zeros(shape + x.shape, x.dtype) for x in trace.variables]
            return [_result(trace._replace(attached=False), c, c) for c in columns]
        return [np.reshape(np.stack(column), shape + np.shape(column[0])) for column in zip(*rows, strict=True)]

    return derived


def hessian(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the second derivatives of a scalar ``function``: the Jacobian of its gradient.

    >>> import numpy as np, chainrule as cr
    >>> cr.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return jacobian(grad(function, argnums), argnums)


def hvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, ...]:
    """The Hessian of a scalar ``function`` times a vector, without building it: the gradient of (gradient . v).

    >>> import numpy as np, chainrule as cr
    >>> cr.hvp(lambda x: np.sum(x ** 3), (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),))
    (array([6., 0.]),)
    """
    everything = tuple(range(len(primals)))
    vectors = list(leaves(tuple(tangents)))

    def slope(*args: Any) -> Any:
        parts = leaves(grad(function, everything)(*args))
        return sum((np.sum(g * v) for g, v in zip(parts, vectors, strict=True)), start=0.0)

    result: tuple[Any, ...] = grad(slope, everything)(*primals)
    return result

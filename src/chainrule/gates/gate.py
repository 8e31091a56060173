"""Gate: what users write, a forward and a backward rule, as in the lecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import Any

import numpy as np

from chainrule.graph.apply import apply
from chainrule.graph.array import Array, raw, read_only, real
from chainrule.graph.errors import GraphError, describe


class Gate:
    """A gate of your own: ``forward`` computes the output and caches, ``backward`` hands each input its gradient.

    ``backward(dz)`` receives dL/dz and returns a list or tuple with dL/dx = dz/dx * dL/dz for each input of
    ``forward``, in order; None for 'no gradient'. Both see plain ndarrays; what ``backward`` computes from values that
    ``forward`` cached on ``self`` can be differentiated again. Each application works on its own shallow copy of the
    instance, so one instance may be applied many times.

    >>> import chainrule as cr
    >>> class MultiplyGate(cr.Gate):
    ...     def forward(self, x, y):
    ...         self.x, self.y = x, y
    ...         return x * y
    ...     def backward(self, dz):
    ...         return [self.y * dz, self.x * dz]
    >>> x, y = cr.array(4.0), cr.array(-3.0)
    >>> z = MultiplyGate()(x, y)
    >>> z.backward()
    >>> x.grad, y.grad
    (array(-3.), array(4.))
    """

    elementwise = True  # the engine sums a gradient of the output's shape back to a broadcast input
    differentiable = True
    builtin = False  # a user's rule may return an array that it keeps

    @property
    def title(self) -> str:
        """What messages and drawings call it: the name of the class."""
        return type(self).__name__

    def forward(self, *inputs: Any) -> Any:
        """The output, a number or an ndarray, for inputs that are numbers and ndarrays; may cache on ``self``."""
        raise NotImplementedError(f"{self.title} must define forward(self, ...)")

    def backward(self, dz: Any) -> Any:
        """A list or tuple with dL/dx for each input, of that input's shape (None for no gradient), given dL/dz."""
        raise NotImplementedError(f"{self.title} must define backward(self, dz)")

    def __call__(self, *inputs: Any) -> Any:
        return apply(copy(self), inputs)

    def argument(self, index: int) -> str:
        """What ``forward`` calls its input number ``index``."""
        code = type(self).forward.__code__
        names = code.co_varnames[1 : code.co_argcount]
        return names[index] if index < len(names) else f"x{index}"

    def elementwise_for(self, node: Array) -> bool:
        """Not known of a user's gate on arrays; on numbers every gate is."""
        return node.size == 1 and all(np.size(raw(x)) == 1 for x in node.inputs)

    def rules(self, node: Array, recorded: bool) -> Sequence[Callable[..., Any]]:
        """One call of ``backward`` serves all inputs."""
        gradients: list[Any] = []

        def rule(_gate: Any, node: Array, dz: Any, _inputs: Any, i: int) -> Any:
            if not gradients:
                gradients.extend(self._gradients(node, dz, recorded))
            return gradients[i]

        return [partial(rule, i=i) for i in range(len(node.inputs))]

    def _gradients(self, node: Array, dz: Any, recorded: bool) -> list[Any]:
        gate = self._replayed(node) if recorded else self
        if isinstance(dz, np.ndarray):  # others read the same upstream gradient: dz *= 2 must not reach them
            dz = read_only(dz)
        try:
            gradients = gate.backward(dz)
        except Exception as error:
            error.add_note(f"in {self.title}.backward, applied at {node.site}, with upstream gradient {describe(dz)}")
            raise
        if not isinstance(gradients, (list, tuple)) or len(gradients) != len(node.inputs):
            got = f"{len(gradients)} entries" if isinstance(gradients, (list, tuple)) else type(gradients).__name__
            raise GraphError(
                f"{self.title}.backward must return a list with one gradient for each of its {len(node.inputs)} "
                f"inputs (None for no gradient), not {got}"
            )
        return [self._handed(dx, recorded) for dx in gradients]

    @staticmethod
    def _handed(dx: Any, recorded: bool) -> Any:
        """A gradient as the engine takes it: a copy, for the gate may keep what it returns and write to it again."""
        if dx is None or (recorded and isinstance(dx, Array)):
            return dx
        return real(dx if hasattr(dx, "__apply_gate__") else np.array(raw(dx)))

    def _replayed(self, node: Array) -> Gate:
        """The application run once more, on Arrays: what it caches is then part of the circuit.

        A gate that does not give the same value again (its own random mask, say) is refused rather than wrong.
        """
        gate = copy(self)
        again = gate.forward(*node.inputs)
        if not np.array_equal(raw(again), node._value, equal_nan=True):
            raise GraphError(
                f"{self.title} is not repeatable: run again on the same inputs it gave another value, so derivatives "
                "of its backward pass cannot be trusted; draw random numbers outside the gate and pass them in"
            )
        for name, cached in vars(gate).items():
            if cached is again:
                setattr(gate, name, node)
        return gate

"""The step of a scan's backward pass: from the gradients of what a step gave to those of what it took.

It carries the gradient of the carry. It takes the carry before the step, the element and the gradients of what the step
gave; it gives the gradients of elements and adds up those of what is read from outside. It runs the step once more, on
fresh variables, and is recorded while it does so: the gates' own rules apply, as in every circuit.

The gradient of a matrix is the sum over all steps of products such as x^T dz. Where adding them up would move more
memory than the factors have, the factors are given instead, and multiplied when all steps are done: the factors of all
steps, one behind the other, are those of one large product, which is the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.calculus.derivative import between, variable
from chainrule.gates.product import Matmul
from chainrule.gates.shape import Reshape, Transpose
from chainrule.graph.array import Array, new_leaf, noted
from chainrule.graph.backward import flow
from chainrule.graph.errors import GraphError
from chainrule.graph.mode import switched
from chainrule.program.step import Leaves, Step, identity_of, recorded


def pullback(step: Step, dtype: Any, wanted: tuple[int, ...]) -> Pullback:
    """The step backwards, for gradients of the operands ``wanted`` of a scan from its results of one dtype.

    Raises GraphError if the step is not what it was in the forward pass.
    """
    key = dtype, wanted
    if key not in step.pullbacks:
        if identity_of(step.function, *step.samples) != step.recorded_as:
            raise GraphError(
                "the function given to scan does something else in the backward pass than in the forward pass, so its "
                "gradient would be wrong: it reads a variable that was changed in between"
            )
        step.pullbacks[key] = Pullback(step, dtype, wanted)
    made: Pullback = step.pullbacks[key]
    return made


class Pullback:
    """A step backwards.

    Attributes:
        backward: the step of the backward pass.
        floating: the parts of the carry that have a gradient.
        upstream: what has given the gradients that come in, by kind, number and Value.
    """

    def __init__(self, step: Step, dtype: Any, wanted: tuple[int, ...]) -> None:
        self.step = replace(step, pullbacks={})  # without a cycle: it goes when the circuit goes
        inputs = step.program.inputs
        behind = step.carried + step.taken
        self.floating = [k for k in range(step.carried) if inputs[k].dtype.kind == "f"]
        self.upstream = [each for each in step.values if each[2].dtype == dtype]
        self._elements = [i - step.carried for i in wanted if step.carried <= i < behind]
        self._captures = [i - behind for i in wanted if i >= behind]
        self._products: dict[int, _Left | None] | None = None  # the captures whose gradient is a product of factors
        self._sums: list[int] = []  # the others that have one
        carry, element = step.samples
        dcarry = [np.ones(inputs[k].shape, inputs[k].dtype) for k in self.floating]
        upstream = [np.ones(value.shape, value.dtype) for _, _, value in self.upstream]
        self.backward = recorded(self._apply, dcarry, [*carry, *element, *upstream])

    def _apply(self, dcarry: Leaves, taken: Leaves) -> tuple[Leaves, Leaves, Leaves]:
        """One step backwards."""
        step = self.step
        behind = step.carried + step.taken
        upstream = {(kind, k): d for (kind, k, _), d in zip(self.upstream, taken[behind:], strict=True)}
        before = {k: upstream.pop(("carry", k)) for k in range(step.carried) if ("carry", k) in upstream}
        upstream.update((("carry", k), d) for k, d in zip(self.floating, dcarry, strict=True))
        with switched(gradients=True):
            carry = [variable(x) if k in self.floating else x for k, x in enumerate(taken[: step.carried])]
            element = [variable(x) if k in self._elements else x for k, x in enumerate(taken[step.carried : behind])]
            paired = self._paired(carry, element, upstream)
            sources = {k: step.captured[k] for k in self._captures}
            pulled = _pulled(paired, [*carry, *element, *sources.values()])
            gradients = {k: pulled[source] for k, source in sources.items() if source in pulled}
            if self._products is None:  # decided once: every later run makes the same outputs
                worth = {k: _factors(d)[0] for k, d in gradients.items() if _worth_factors(d)}
                self._products = {k: _Left.among([*carry, *element], left) for k, left in worth.items()}
                self._sums = [k for k in gradients if k not in self._products]
            factors = [
                x for k, known in self._products.items() for x in _factors(gradients[k])[0 if known is None else 1 :]
            ]
            dcarry = [_sum(pulled.get(carry[k]), before.get(k), carry[k]) for k in self.floating]
            delement = [_sum(pulled.get(element[k]), None, element[k]) for k in self._elements]
        return dcarry, [*delement, *factors], [gradients[k] for k in self._sums]

    def _paired(self, carry: Leaves, element: Leaves, upstream: dict[tuple[str, int], Any]) -> Any:
        """A number whose gradient is what the gradients that come in become: the sum of outputs times them."""
        made = dict(zip(("carry", "given", "sum"), self.step.function(carry, element), strict=True))
        paired: Any = 0.0
        for (kind, k), d in upstream.items():
            z = made[kind][k]
            if isinstance(z, Array) and z.live:
                paired = paired + np.sum(z * d)
        return paired

    def by_operand(self, taken: Leaves, dcarry: Leaves, given: Leaves, sums: Leaves) -> dict[int, Any]:
        """The gradients by the number of the operand, from what the backward scan took and gave."""
        step = self.step
        behind = step.carried + step.taken
        found = dict(zip(self.floating, dcarry, strict=True))
        found.update((step.carried + k, d) for k, d in zip(self._elements, given, strict=False))
        found.update((behind + k, d) for k, d in zip(self._sums, sums, strict=True))
        factors = iter(given[len(self._elements) :])
        for k, known in (self._products or {}).items():
            left = next(factors) if known is None else known.of(taken)
            found[behind + k] = np.transpose(_stacked(left)) @ _stacked(next(factors))
        return found


@dataclass(frozen=True)
class _Left:
    """A left factor that is what the step has taken, in some shape: it need not be given."""

    number: int
    shape: tuple[int, ...]

    @classmethod
    def among(cls, variables: Leaves, left: Any) -> _Left | None:
        """The factor as one of these variables, reshaped; None if it is something else."""
        x = left
        while isinstance(x, Array) and isinstance(x.gate, Reshape) and x.inputs:
            x = x.inputs[0]
        return next((cls(k, left.shape) for k, variable in enumerate(variables) if variable is x), None)

    def of(self, taken: Leaves) -> Any:
        """The factors of all steps, from what they took."""
        return taken[self.number].reshape(len(taken[self.number]), *self.shape)


def _stacked(factors: Any) -> Any:
    """The factors of all steps, one below the other."""
    steps, rows, columns = factors.shape
    return factors.reshape(steps * rows, columns)


def _pulled(paired: Any, targets: Sequence[Any]) -> dict[Array, Any]:
    """The gradients of ``paired`` with respect to those targets that it depends on."""
    wanted = {x for x in targets if isinstance(x, Array) and x.live}
    if not isinstance(paired, Array) or not paired.live:
        return {}
    relevant, _ = between(list(wanted), paired)
    one = noted(new_leaf(Array, np.ones((), paired.dtype), False), 1.0)
    with switched(role="backward"):
        return {x: d for x, d in flow(paired, one, relevant.__contains__) if x in wanted} if relevant else {}


def _sum(one: Any, other: Any, like: Array) -> Any:
    """The sum of gradients, as far as there are any."""
    there = [d for d in (one, other) if d is not None]
    return sum(there[1:], start=there[0]) if there else np.zeros(like.shape, like.dtype)


def _worth_factors(d: Any) -> bool:
    """Whether a gradient is a matrix product with less memory in its factors than in itself."""
    if not isinstance(d, Array) or not isinstance(d.gate, Matmul) or len(d.inputs) != 2:
        return False
    a, b = d.inputs
    if len(a.shape) != 2 or len(b.shape) != 2 or not a.dtype == b.dtype == d.dtype:
        return False
    return bool(a.size + b.size <= d.size)


def _factors(d: Array) -> tuple[Any, Any]:
    """The factors of a product a^T b."""
    a, b = d.inputs
    turned = isinstance(a, Array) and isinstance(a.gate, Transpose) and len(a.inputs) == 1
    return a.inputs[0] if turned else np.transpose(a), b

"""The wires of a circuit: one edge for each argument of each gate, with the gradients on it.

``x * x`` has two edges from x to the product. An edge exists as soon as the forward pass is done, so its local
gradient can be looked at before any backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.graph.array import Array, changed_after_use, changed_input, raw
from chainrule.graph.backward import fit
from chainrule.graph.errors import GraphError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Edge:
    """The wire from ``input`` into argument number ``index`` of the gate that made ``node``.

    >>> import chainrule as cr
    >>> x = cr.array(3.0)
    >>> for edge in cr.edges(x * x):
    ...     print(edge.argument, edge.local_gradient)
    x 3.0
    y 3.0
    """

    node: Array
    index: int

    @property
    def input(self) -> Any:
        """What flows in: an Array, or a plain number or ndarray."""
        return self.node.inputs[self.index]

    @property
    def argument(self) -> str:
        """The argument's name in the gate's ``forward``."""
        return str(self.node.gate.argument(self.index))

    @property
    def live(self) -> bool:
        """Whether a gradient flows back along this edge."""
        return isinstance(self.input, Array) and self.input.live

    @property
    def diagonal(self) -> bool:
        """Whether the Jacobian has elements on its diagonal alone (an elementwise gate, up to broadcasting)."""
        return bool(self.node.gate.elementwise_for(self.node))

    @property
    def local_gradient(self) -> NDArray[Any]:
        """dz/dx: its diagonal, of z's shape, for an elementwise gate, else the whole Jacobian."""
        if not self.diagonal:
            return self.jacobian()
        return np.broadcast_to(self._pull(np.ones_like(np.asarray(self.node._value))), self.node.shape)

    def jacobian(self) -> NDArray[Any]:
        """dz/dx in full, of shape ``z.shape + x.shape``. One pull an element of z: for looking, not for computing."""
        z, shape = self.node, np.shape(raw(self.input))
        rows = np.zeros((z.size, *shape), z.dtype)
        for k in range(z.size):
            basis = np.zeros(z.size, z.dtype)
            basis[k] = 1
            rows[k] = self.pullback(basis.reshape(z.shape))
        return rows.reshape(z.shape + shape)

    def pullback(self, dz: Any) -> NDArray[Any]:
        """The action of the transposed Jacobian: dL/dx along this edge alone, for a given dL/dz."""
        return np.asarray(fit(self._pull(np.asarray(dz, self.node.dtype)), self.node, self.index))

    @property
    def upstream(self) -> NDArray[Any] | None:
        """dL/dz, what comes back to the gate; None before the backward pass."""
        return self.node.grad

    @property
    def contribution(self) -> NDArray[Any] | None:
        """What this edge adds to its input's gradient; None before the backward pass."""
        dz = getattr(self.node, "_grad", None)
        return None if dz is None or not self.live else self.pullback(dz)

    def _pull(self, dz: Any) -> Any:
        if not self.live:
            raise GraphError(f"no gradient flows along this edge: its input {self.argument} is a constant")
        node = self.node
        changed = changed_input(node)
        if changed is not None:
            raise changed_after_use(node, changed)
        dx = node.gate.rules(node, False)[self.index](node.gate, node, dz, node.inputs)
        return np.zeros(self.input.shape, self.input.dtype) if dx is None else dx


def edges(node: Array) -> list[Edge]:
    """The edges into the gate that made ``node``, in the order of its arguments; none for a leaf or a constant.

    ``node.edges`` is the same.

    >>> import chainrule as cr
    >>> x, y = cr.array(2.0), cr.array(5.0)
    >>> [edge.local_gradient.item() for edge in cr.edges(x * y)]
    [5.0, 2.0]
    """
    return [Edge(node, i) for i in range(len(node.inputs))]


def outgoing(nodes: list[Array]) -> dict[Array, list[Edge]]:
    """For each array, the edges on which it flows into ``nodes``: more than one is a branch."""
    out: dict[Array, list[Edge]] = {node: [] for node in nodes}
    for node in nodes:
        for edge in edges(node):
            if isinstance(edge.input, Array):
                out.setdefault(edge.input, []).append(edge)
    return out

"""The activation functions of the lecture that have gates of their own: ReLU and leaky ReLU.

Sigmoid stands in ``gates.special``, tanh in ``gates.trigonometric``; maxout is a max of affine maps (``nn.Maxout``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.primitive import Elementwise, dtypes_of, primitive
from chainrule.gates.selection import side_by_side


@primitive
class Relu(Elementwise):
    """z = max(0, x); the local gradient is 1 where x > 0, else 0 (also at 0)"""

    source = "np.maximum({0}, 0)"

    def forward(self, x: Any) -> Any:
        return np.maximum(*side_by_side(x, 0))

    def choice(self, x: Any) -> Any:
        return np.greater(x, 0)

    def tie(self, x: Any) -> Any:
        return np.equal(x, 0)

    def dx(self, dz: Any, z: Any) -> Any:
        return dz * (z > 0).astype(dz.dtype)

    def computes_in(self, x: Any) -> tuple[Any, ...]:
        return dtypes_of(np.maximum, x, 0)[:1]

    def lower(self, b: Any, x: Any) -> Any:
        return b.maximum(x, b.like(x, 0))


@primitive
class LeakyRelu(Elementwise):
    """z = x where x > 0, else slope * x; the local gradient at 0 is the slope"""

    slope: float

    def forward(self, x: Any) -> Any:
        return x * np.where(np.greater(x, 0), 1.0, self.slope).astype(np.result_type(x))

    def choice(self, x: Any) -> Any:
        return np.greater(x, 0)

    def tie(self, x: Any) -> Any:
        return np.equal(x, 0)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * np.where(x > 0, 1.0, self.slope).astype(dz.dtype)

    def lower(self, b: Any, x: Any) -> Any:
        return b.mul(x, b.select(b.gt(x, b.like(x, 0)), b.like(x, 1), b.like(x, self.slope)))


_relu = Relu()


def relu(x: Any) -> Any:
    """max(0, x), element by element: the rectified linear unit. Its derivative at 0 is taken as 0.

    >>> import numpy as np, chainrule as cr
    >>> cr.relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return _relu(x)


def leaky_relu(x: Any, slope: float = 0.1) -> Any:
    """x where positive, else ``slope * x``: a ReLU that cannot die (0.1 in the lecture, 0.01 in the course notes).

    >>> import numpy as np, chainrule as cr
    >>> cr.leaky_relu(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """
    return LeakyRelu.of(float(slope))(x)

"""Softmax and its logarithm: exponentials divided by their sum, without overflow.

The public functions take ndarrays and numbers, too, and give the same back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.operands import floating
from chainrule.gates.primitive import Primitive, primitive
from chainrule.gates.reduction import Axes, every_axis, log_sum_exp, normal_axes, reduced
from chainrule.graph.sums import summed


def lowered(x: Any, axis: Axes) -> Any:
    """x minus its largest element along the axes: no exponential overflows."""
    return x - reduced(np.maximum, x, axis, True) if x.size else x


@primitive
class Softmax(Primitive):
    """z = e ** x / sum(e ** x) along the axes: dL/dx = z (dz - sum(dz z))"""

    axis: Axes

    def forward(self, x: Any) -> Any:
        z = np.exp(lowered(x, self.axis))
        return z / summed(z, every_axis(self.axis, len(z.shape)))

    def dissolved(self, x: Any) -> Any:
        exponentials = np.exp(x - np.max(x, axis=self.axis, keepdims=True) if x.size else x)
        return exponentials / np.sum(exponentials, axis=self.axis, keepdims=True)

    def dx(self, dz: Any, z: Any) -> Any:
        weighted = dz * z
        return weighted - z * summed(weighted, every_axis(self.axis, len(z.shape)))


@primitive
class LogSoftmax(Primitive):
    """z = x - log(sum(e ** x)) along the axes: dL/dx = dz - e ** z sum(dz)"""

    axis: Axes

    def forward(self, x: Any) -> Any:
        z = lowered(x, self.axis)
        return z - np.log(summed(np.exp(z), every_axis(self.axis, len(z.shape)))) if z.size else z

    def dissolved(self, x: Any) -> Any:
        if not x.size:
            return x * 1
        z = x - np.max(x, axis=self.axis, keepdims=True)
        return z - np.log(np.sum(np.exp(z), axis=self.axis, keepdims=True))

    def dx(self, dz: Any, z: Any) -> Any:
        return dz - np.exp(z) * summed(dz, every_axis(self.axis, len(z.shape)))


def softmax(x: Any, axis: Any = -1) -> Any:
    """e^x / sum(e^x): positive numbers that add to 1 along ``axis`` (an axis, a tuple of axes, None for all).

    An element of -inf has the share 0; where all are -inf the result is NaN. The shape and dtype are those of ``x``;
    integers become float64.

    >>> import numpy as np, chainrule as cr
    >>> cr.softmax(np.array([1000.0, 1000.0, -np.inf]))
    array([0.5, 0.5, 0. ])

    Raises AxisError for an axis that ``x`` does not have.
    """
    x = floating(x)
    return Softmax.of(normal_axes(axis, x.ndim))(x)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """log(softmax(x)), without the loss of accuracy of the logarithm of a small share. ``axis`` is as in ``softmax``.

    >>> import numpy as np, chainrule as cr
    >>> cr.log_softmax(np.array([0.0, 1000.0]))
    array([-1000.,     0.])

    Raises AxisError for an axis that ``x`` does not have.
    """
    x = floating(x)
    return LogSoftmax.of(normal_axes(axis, x.ndim))(x)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """log(sum(e^x)) along ``axis`` (all axes if None), without overflow: a smooth maximum; its gradient is the softmax.

    -inf where all elements are -inf, or where there are none.

    >>> import numpy as np, chainrule as cr
    >>> x = cr.array([1000.0, 1000.0])
    >>> z = cr.logsumexp(x); z.backward()
    >>> f"{z.item():.4f}", x.grad
    ('1000.6931', array([0.5, 0.5]))

    Raises AxisError for an axis that ``x`` does not have.
    """
    return log_sum_exp(floating(x), axis, keepdims)

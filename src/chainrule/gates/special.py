"""Functions that NumPy lacks: sigmoid, softplus, erf. They take ndarrays and numbers, too, and give the same back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.primitive import Elementwise, primitive


@primitive
class Sigmoid(Elementwise):
    """z = 1 / (1 + e ** -x), without overflow on either side"""

    def forward(self, x: Any) -> Any:
        small = np.exp(-np.abs(x))  # never overflows
        return np.where(x >= 0, 1.0, small) / (1.0 + small)

    def dx(self, dz: Any, z: Any) -> Any:
        return dz * (z * (1.0 - z))


@primitive
class Softplus(Elementwise):
    """z = log(1 + e ** x), without overflow"""

    def forward(self, x: Any) -> Any:
        return np.logaddexp(x, 0.0)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * sigmoid(x)


_sigmoid, _softplus = Sigmoid(), Softplus()


def sigmoid(x: Any) -> Any:
    """The logistic function 1 / (1 + e^-x), in (0, 1), element by element (lecture: the firing rate of a neuron).

    >>> import chainrule as cr
    >>> x = cr.array(1.0)
    >>> s = cr.sigmoid(x); s.backward()
    >>> f"{s.item():.2f} {x.grad:.2f}"
    '0.73 0.20'
    """
    return _sigmoid(x)


def softplus(x: Any) -> Any:
    """log(1 + e^x), element by element: a smooth ReLU whose derivative is the sigmoid.

    >>> import chainrule as cr
    >>> round(float(cr.softplus(0.0)), 4)
    0.6931
    """
    return _softplus(x)

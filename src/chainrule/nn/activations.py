"""Activation functions as modules: without nonlinearities a net is a linear classifier, whatever its depth."""

from __future__ import annotations

from typing import Any

from chainrule.gates.activation import leaky_relu, relu
from chainrule.gates.special import sigmoid
from chainrule.gates.trigonometric import tanh
from chainrule.nn.module import Module


class Activation(Module):
    """An activation function as a module, so that it can stand in a Sequential.

    >>> import numpy as np, chainrule as cr
    >>> class Sine(cr.nn.Activation):
    ...     def forward(self, x):
    ...         return np.sin(x)
    >>> cr.nn.Sequential(cr.nn.Linear(2, 3), Sine())
    Sequential(Linear(2, 3), Sine())
    """

    def describe(self) -> str:
        return ""


class ReLU(Activation):
    """max(0, x): the rectified linear unit (see ``cr.relu``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def forward(self, x: Any) -> Any:
        return relu(x)


class LeakyReLU(Activation):
    """x where positive, else ``slope * x`` (see ``cr.leaky_relu``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.LeakyReLU(slope=0.01)(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """

    def __init__(self, slope: float = 0.1) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Any:
        return leaky_relu(x, self.slope)

    def describe(self) -> str:
        return f"slope={self.slope}"


class Sigmoid(Activation):
    """1 / (1 + e^-x), in (0, 1) (see ``cr.sigmoid``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.Sigmoid()(np.array([0.0, 1.0])).round(2)
    array([0.5 , 0.73])
    """

    def forward(self, x: Any) -> Any:
        return sigmoid(x)


class Tanh(Activation):
    """tanh(x), in (-1, 1), centred at zero.

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.Tanh()(np.array([0.0, 1.0])).round(2)
    array([0.  , 0.76])
    """

    def forward(self, x: Any) -> Any:
        return tanh(x)

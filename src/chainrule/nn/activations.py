"""Activation functions as modules: without nonlinearities a net is a linear classifier, whatever its depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.gates import activation
from chainrule.gates.normalised import log_softmax, softmax
from chainrule.gates.special import sigmoid, softplus
from chainrule.gates.trigonometric import tanh
from chainrule.graph.state import Parameter
from chainrule.nn.inputs import given
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
        return activation.relu(x)


class LeakyReLU(Activation):
    """x where positive, else ``slope * x`` (see ``cr.leaky_relu``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.LeakyReLU(slope=0.01)(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """

    def __init__(self, slope: float = 0.1) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Any:
        return activation.leaky_relu(x, self.slope)

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


class PReLU(Activation):
    """x where positive, else a learned slope times x (He et al. 2015; see ``cr.prelu``).

    Args:
        columns: how many slopes: one for each element of the last axis, or a single one for all by default.
        slope: their initial value.
        dtype: of the slopes.

    >>> import numpy as np, chainrule as cr
    >>> layer = cr.nn.PReLU(3)
    >>> layer(np.array([-1.0, 2.0, -2.0])).value
    array([-0.25,  2.  , -0.5 ])
    """

    def __init__(self, columns: int | None = None, *, slope: float = 0.25, dtype: DTypeLike = np.float32) -> None:
        if columns is not None and columns < 1:
            raise ValueError(f"there is one slope for all, or one for each column, of which there are not {columns}")
        shape = () if columns is None else (columns,)
        self.slope = Parameter(np.full(shape, slope), dtype=dtype, name="slope")

    def forward(self, x: Any) -> Any:
        return activation.prelu(given(x), self.slope)

    def describe(self) -> str:
        return ", ".join(map(str, self.slope.shape))


class ELU(Activation):
    """x where positive, else ``alpha * (e^x - 1)`` (see ``cr.elu``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.ELU()(np.array([-1.0, 2.0])).round(4)
    array([-0.6321,  2.    ])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        return activation.elu(x, self.alpha)

    def describe(self) -> str:
        return f"alpha={self.alpha}"


class SELU(Activation):
    """The ELU that normalises itself (see ``cr.selu``); weights begin with ``init="lecun_normal"``.

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.SELU()(np.array([-1.0, 2.0])).round(4)
    array([-1.1113,  2.1014])
    """

    def forward(self, x: Any) -> Any:
        return activation.selu(x)


class GELU(Activation):
    """x times the share of the normal distribution below x (see ``cr.gelu``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.GELU()(np.array([-1.0, 2.0])).round(4)
    array([-0.1587,  1.9545])
    """

    def __init__(self, approximate: bool = False) -> None:
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        return activation.gelu(x, self.approximate)

    def describe(self) -> str:
        return "approximate=True" if self.approximate else ""


class SiLU(Activation):
    """x sigmoid(x), also called swish (see ``cr.silu``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.SiLU()(np.array([-1.0, 2.0])).round(4)
    array([-0.2689,  1.7616])
    """

    def forward(self, x: Any) -> Any:
        return activation.silu(x)


class Mish(Activation):
    """x tanh(softplus(x)) (see ``cr.mish``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.Mish()(np.array([-1.0, 2.0])).round(4)
    array([-0.3034,  1.944 ])
    """

    def forward(self, x: Any) -> Any:
        return activation.mish(x)


class Softplus(Activation):
    """log(1 + e^x), a smooth ReLU (see ``cr.softplus``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.Softplus()(np.array([-1.0, 2.0])).round(4)
    array([0.3133, 2.1269])
    """

    def forward(self, x: Any) -> Any:
        return softplus(x)


class Softsign(Activation):
    """x / (1 + abs(x)), in (-1, 1) (see ``cr.softsign``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.Softsign()(np.array([-1.0, 3.0]))
    array([-0.5 ,  0.75])
    """

    def forward(self, x: Any) -> Any:
        return activation.softsign(x)


class HardSigmoid(Activation):
    """x / 6 + 1 / 2, clipped to [0, 1] (see ``cr.hard_sigmoid``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.HardSigmoid()(np.array([-5.0, 0.0]))
    array([0. , 0.5])
    """

    def forward(self, x: Any) -> Any:
        return activation.hard_sigmoid(x)


class HardTanh(Activation):
    """x, clipped to [-1, 1] (see ``cr.hard_tanh``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.HardTanh()(np.array([-5.0, 0.5]))
    array([-1. ,  0.5])
    """

    def forward(self, x: Any) -> Any:
        return activation.hard_tanh(x)


class HardSiLU(Activation):
    """x hard_sigmoid(x), also called hard swish (see ``cr.hard_silu``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.HardSiLU()(np.array([1.5, 5.0]))
    array([1.125, 5.   ])
    """

    def forward(self, x: Any) -> Any:
        return activation.hard_silu(x)


class Softmax(Activation):
    """Positive numbers that add to 1 along ``axis`` (see ``cr.softmax``). Losses take scores: leave it out before them.

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.Softmax()(np.array([1.0, 1.0]))
    array([0.5, 0.5])
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        return softmax(x, self.axis)

    def describe(self) -> str:
        return "" if self.axis == -1 else f"axis={self.axis}"


class LogSoftmax(Activation):
    """log(softmax(x)) along ``axis`` (see ``cr.log_softmax``).

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.LogSoftmax()(np.array([1.0, 1.0])).round(4)
    array([-0.6931, -0.6931])
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        return log_softmax(x, self.axis)

    def describe(self) -> str:
        return "" if self.axis == -1 else f"axis={self.axis}"


class Identity(Activation):
    """x itself: no activation function, where one is asked for.

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.Identity()(np.array([-1.0, 2.0]))
    array([-1.,  2.])
    """

    def forward(self, x: Any) -> Any:
        return x


ACTIVATIONS: dict[str, Callable[[], Module]] = {
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "prelu": PReLU,
    "elu": ELU,
    "selu": SELU,
    "gelu": GELU,
    "silu": SiLU,
    "mish": Mish,
    "softplus": Softplus,
    "softsign": Softsign,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "hard_sigmoid": HardSigmoid,
    "hard_tanh": HardTanh,
    "hard_silu": HardSiLU,
    "softmax": Softmax,
    "log_softmax": LogSoftmax,
    "identity": Identity,
}
"""Every activation function by its name; ``ACTIVATIONS["relu"]()`` is a module."""

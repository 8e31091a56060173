"""Activation functions: gates of their own where accuracy or speed asks for it, else compositions.

Sigmoid, softplus and their relatives stand in ``gates.special``, tanh in ``gates.trigonometric``, softmax in
``gates.normalised``. Far out, all of them and their derivatives are what they tend to: nothing overflows or cancels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.error_function import erfc
from chainrule.gates.operands import floating, operand
from chainrule.gates.primitive import Elementwise, dtypes_of, primitive
from chainrule.gates.selection import side_by_side
from chainrule.gates.special import sigmoid, softplus


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
        return x * np.where(np.greater(x, 0), 1.0, self.slope).astype(np.result_type(x, 0.0))

    def choice(self, x: Any) -> Any:
        return np.greater(x, 0)

    def tie(self, x: Any) -> Any:
        return np.equal(x, 0)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * np.where(x > 0, 1.0, self.slope).astype(dz.dtype)

    def computes_in(self, x: Any) -> tuple[Any, ...]:
        return (np.result_type(x, 0.0),)

    def lower(self, b: Any, x: Any) -> Any:
        return b.mul(x, b.select(b.gt(x, b.like(x, 0)), b.like(x, 1), b.like(x, self.slope)))


@primitive
class Elu(Elementwise):
    """z = x where x > 0, else alpha * (e ** x - 1)"""

    alpha: float

    def forward(self, x: Any) -> Any:
        return np.where(np.greater(x, 0), x, self.alpha * np.expm1(np.minimum(x, 0)))

    def choice(self, x: Any) -> Any:
        return np.greater(x, 0)  # for alpha 1 only the second derivative jumps

    def tie(self, x: Any) -> Any:
        return np.equal(x, 0) & (self.alpha != 1)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * np.where(x > 0, 1.0, self.alpha * np.exp(np.minimum(x, 0)))

    def computes_in(self, x: Any) -> tuple[Any, ...]:
        return (np.result_type(x, 0.0),)

    def lower(self, b: Any, x: Any) -> Any:
        zero = b.like(x, 0)
        return b.select(b.gt(x, zero), x, b.mul(b.like(x, self.alpha), b.expm1(b.minimum(x, zero))))


@primitive
class Bell(Elementwise):
    """z = e ** (-x ** 2 / 2) / sqrt(2 pi), the density of the normal distribution"""

    def forward(self, x: Any) -> Any:
        return np.exp(-0.5 * np.square(np.clip(x, -_FAR, _FAR))) * _BELL_AT_0

    def dx(self, dz: Any, x: Any, z: Any) -> Any:
        return -dz * (x * z)

    def computes_in(self, x: Any) -> tuple[Any, ...]:
        return (np.result_type(x, 0.0),)

    def lower(self, b: Any, x: Any) -> Any:
        near = b.minimum(b.maximum(x, b.like(x, -_FAR)), b.like(x, _FAR))
        return b.mul(b.exp(b.mul(b.like(x, -0.5), b.mul(near, near))), b.like(x, _BELL_AT_0))


@primitive
class NormalShare(Elementwise):
    """z = the share of the normal distribution that lies below x, erfc(-x / sqrt(2)) / 2"""

    def forward(self, x: Any) -> Any:
        return 0.5 * erfc(x * -_ROOT_HALF)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * bell(x)

    def computes_in(self, x: Any) -> tuple[Any, ...]:
        return (np.result_type(x, 0.0),)

    def lower(self, b: Any, x: Any) -> Any:
        return b.mul(b.like(x, 0.5), b.erfc(b.mul(x, b.like(x, -_ROOT_HALF))))


@primitive
class Softsign(Elementwise):
    """z = x / (1 + |x|)"""

    def forward(self, x: Any) -> Any:
        return x / (1.0 + np.abs(1.0 * x))  # the smallest integer has no absolute value among the integers

    def dx(self, dz: Any, x: Any) -> Any:
        return dz * (1.0 / (1.0 + np.abs(x))) ** 2

    def computes_in(self, x: Any) -> tuple[Any, ...]:
        return (np.result_type(x, 0.0),)

    def lower(self, b: Any, x: Any) -> Any:
        return b.div(x, b.add(b.like(x, 1), b.abs(x)))


_relu, _softsign = Relu(), Softsign()
bell, normal_share = Bell(), NormalShare()
_ROOT_HALF, _BELL_AT_0 = math.sqrt(0.5), math.sqrt(0.5 / math.pi)
_FAR = 40.0
"""Beyond it the bell curve is 0 in double precision."""


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


def prelu(x: Any, slope: Any) -> Any:
    """x where positive, else ``slope * x`` with a learned slope: one number, or one for each column (He et al. 2015).

    >>> import numpy as np, chainrule as cr
    >>> slope = cr.array(0.25)
    >>> np.sum(cr.prelu(np.array([-1.0, -2.0, 2.0]), slope)).backward()
    >>> slope.grad
    array(-3.)
    """
    x = operand(x)
    return np.where(np.greater(x, 0), x, slope * x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where positive, else alpha (e^x - 1): it goes to -alpha, and for alpha 1 has no kink (Clevert et al. 2015).

    >>> import numpy as np, chainrule as cr
    >>> cr.elu(np.array([-1000.0, 2.0]))
    array([-1.,  2.])
    """
    return Elu.of(float(alpha))(floating(x))


def selu(x: Any) -> Any:
    """A scaled ELU that keeps mean 0 and variance 1 from layer to layer, with LeCun's weights (Klambauer et al. 2017).

    >>> import numpy as np, chainrule as cr
    >>> cr.selu(np.array([-1000.0, 1.0])).round(4)
    array([-1.7581,  1.0507])
    """
    return elu(x, 1.6732632423543772) * 1.0507009873554805


def gelu(x: Any, approximate: bool = False) -> Any:
    """x P(x), P the share of the normal distribution below x (Hendrycks and Gimpel 2016).

    With ``approximate`` it is x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, which is off by at most 0.0005.

    >>> import numpy as np, chainrule as cr
    >>> cr.gelu(np.array([-1.0, 1.0])).round(4), cr.gelu(np.array([-1.0, 1.0]), approximate=True).round(4)
    (array([-0.1587,  0.8413]), array([-0.1588,  0.8412]))

    Raises TypeError where ``approximate`` is no bool: ``"none"``, as PyTorch has it, would count as True.
    """
    if not isinstance(approximate, bool):
        raise TypeError(f"approximate is True or False, not {approximate!r}")
    x = operand(x)
    if not approximate:
        return x * normal_share(x)
    near = np.clip(x, -_FAR, _FAR)
    return x * sigmoid(math.sqrt(8.0 / math.pi) * (near + 0.044715 * near**3))  # 1 + tanh(u) is 2 sigmoid(2 u)


def silu(x: Any) -> Any:
    """x sigmoid(x), also called swish (Elfwing et al. 2017; Ramachandran et al. 2017).

    >>> import numpy as np, chainrule as cr
    >>> cr.silu(np.array([-1.0, 1.0])).round(4)
    array([-0.2689,  0.7311])
    """
    x = operand(x)
    return x * sigmoid(x)


def mish(x: Any) -> Any:
    """x tanh(softplus(x)) (Misra 2019).

    >>> import numpy as np, chainrule as cr
    >>> cr.mish(np.array([-1.0, 1.0])).round(4)
    array([-0.3034,  0.8651])
    """
    x = operand(x)
    return x * np.tanh(softplus(x))


def softsign(x: Any) -> Any:
    """x / (1 + abs(x)), in (-1, 1): it saturates more slowly than tanh (Glorot and Bengio 2010).

    >>> import numpy as np, chainrule as cr
    >>> cr.softsign(np.array([-1.0, 3.0]))
    array([-0.5 ,  0.75])
    """
    return _softsign(operand(x))


def hard_sigmoid(x: Any) -> Any:
    """A sigmoid of three straight lines: x / 6 + 1 / 2, clipped to [0, 1] (Howard et al. 2019).

    Where the lines meet, at -3 and 3, the derivative is that of the middle one, as ``np.clip`` has it here.

    >>> import numpy as np, chainrule as cr
    >>> cr.hard_sigmoid(np.array([-3.0, 0.0, 1.5]))
    array([0.  , 0.5 , 0.75])
    """
    return np.clip(operand(x) / 6.0 + 0.5, 0.0, 1.0)


def hard_tanh(x: Any) -> Any:
    """A tanh of three straight lines: x, clipped to [-1, 1] (Collobert 2004). At -1 and 1 the derivative is 1.

    >>> import numpy as np, chainrule as cr
    >>> cr.hard_tanh(np.array([-3.0, 0.5]))
    array([-1. ,  0.5])
    """
    return np.clip(operand(x), -1.0, 1.0)


def hard_silu(x: Any) -> Any:
    """x hard_sigmoid(x), also called hard swish (Howard et al. 2019).

    >>> import numpy as np, chainrule as cr
    >>> cr.hard_silu(np.array([-3.0, 1.5, 3.0])) + 0.0
    array([0.   , 1.125, 3.   ])
    """
    x = operand(x)
    return x * hard_sigmoid(x)


def maxout(x: Any, pieces: int = 2) -> Any:
    """The largest of ``pieces`` equal parts of the last axis, element by element (Goodfellow et al. 2013).

    Inputs have shape (..., pieces * n), outputs (..., n). Where parts tie, they share the gradient equally. Raises
    ValueError where the last axis does not divide.

    >>> import numpy as np, chainrule as cr
    >>> cr.maxout(np.array([1.0, 2.0, 3.0, 0.0]))
    array([3., 2.])
    """
    x = operand(x)
    if pieces < 2:
        raise ValueError(f"maxout takes the largest of two or more pieces, not {pieces}")
    if not x.ndim or x.shape[-1] % pieces:
        raise ValueError(f"maxout divides the last axis into {pieces} pieces, and the shape is {x.shape}")
    return np.max(np.reshape(x, (*x.shape[:-1], pieces, x.shape[-1] // pieces)), axis=-2)

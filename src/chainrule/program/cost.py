"""What an instruction costs in arithmetic, whatever machine computes it."""

from __future__ import annotations

import math

import numpy as np

from chainrule.gates.constant import Detach, PiecewiseConstant
from chainrule.gates.convolution import Convolve
from chainrule.gates.primitive import Elementwise
from chainrule.gates.product import Matmul
from chainrule.gates.reduction import Cumprod, Cumsum, Extreme, Mean, Prod, Sum
from chainrule.gates.shape import BroadcastTo, Cast
from chainrule.program.program import Instruction

MOVES = (Cast, Detach, BroadcastTo)
"""Gates that compute nothing, though they are elementwise."""
REDUCTIONS = (Sum, Mean, Extreme, Prod, Cumsum, Cumprod)


def multiply_adds(i: Instruction) -> int:
    """How many products of two numbers are added up in products of matrices; 0 for other gates."""
    if isinstance(i.gate, Matmul):
        x, _ = i.reads()
        return math.prod(i.result.shape) * x.shape[-1]
    if isinstance(i.gate, Convolve):
        return math.prod(math.prod(x.shape) for x in i.reads())
    return 0


def operations(i: Instruction) -> int:
    """Floating-point operations: one for each element of a result or of a sum, two for each multiply-add.

    An elementary function counts as one, whatever it takes; moving elements counts as nothing.
    """
    products = multiply_adds(i)
    if products or isinstance(i.gate, MOVES):
        return 2 * products
    if isinstance(i.gate, REDUCTIONS):
        return sum(math.prod(x.shape) for x in i.reads())
    computes = isinstance(i.gate, Elementwise)
    if isinstance(i.gate, PiecewiseConstant):  # comparisons and the like; a search is none
        computes = isinstance(i.gate.function, np.ufunc)
    return math.prod(i.result.shape) if computes else 0

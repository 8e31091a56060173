"""The convolution of two sequences: the product of two polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.primitive import Primitive, primitive


@primitive
class Convolve(Primitive):
    """z[k] = the sum of x[i] y[k - i] over i, in full

    The gradient of one sequence is the upstream gradient slid along the other.
    """

    notation = "convolve({0}, {1})"

    def forward(self, x: Any, y: Any) -> Any:
        return np.convolve(x, y)

    def dx(self, dz: Any, y: Any) -> Any:
        return np.correlate(dz, y, "valid")

    def dy(self, dz: Any, x: Any) -> Any:
        return np.correlate(dz, x, "valid")


convolve = Convolve()

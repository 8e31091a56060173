"""Composites: common compositions as one gate with closed-form rules, which eager training is faster for.

A composite's ``forward`` may return ``(z, cached)``: what the local gradient needs and the forward pass has already
computed. A rule reads it as ``cached``. When rules run on Arrays, where a cached ndarray would cut the derivative,
``recall`` computes it again, differentiably.

While a function is recorded, ``dissolved`` is written down in place of the gate, and its rules when they run: see
``gates.primitive``. ``recall`` and ``dissolved`` share their expressions, which are therefore computed once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.primitive import Primitive, primitive
from chainrule.graph.sums import summed_rows


@primitive
class Affine(Primitive):
    """z = x @ W + b, x one example a row: what a layer of neurons sums up in its cell bodies"""

    notation = "{0} @ {1} + {2}"

    def forward(self, x: Any, w: Any, b: Any) -> Any:
        z = np.matmul(x, w)
        z += b
        return z

    def dissolved(self, x: Any, w: Any, b: Any) -> Any:
        return x @ w + b

    def dx(self, dz: Any, w: Any) -> Any:
        return dz @ np.transpose(w)

    def dw(self, dz: Any, x: Any) -> Any:
        return np.transpose(x) @ dz

    def db(self, dz: Any) -> Any:
        return summed_rows(dz)


affine = Affine()

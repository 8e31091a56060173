"""Gates that choose between their inputs: the upstream gradient is routed to the winner.

At a tie of ``maximum`` or ``minimum`` both inputs win, as in the lecture (z >= y and y >= x both hold). So
``np.maximum(x, x)`` has gradient 2, and ``np.maximum(0.1 * x, x)`` has 1.1 at 0.

``choice`` tells which input won, ``tie`` where none did: ``check_grads`` finds kinks by them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.primitive import Elementwise, primitive


def side_by_side(x: Any, y: Any) -> tuple[Any, Any]:
    """A number spread out beside an array: NumPy's loops for max and min are vectorised for two arrays only."""
    if type(y) in (int, float) and isinstance(x, np.ndarray) and x.dtype.kind == "f":
        spread = np.empty_like(x)
        spread.fill(y)
        return x, spread
    return x, y


class OneOfTwo(Elementwise):
    """What gates that choose between x and y by size have in common."""

    def choice(self, x: Any, y: Any) -> Any:
        return np.greater(x, y)

    def tie(self, x: Any, y: Any) -> Any:
        return np.equal(x, y)


@primitive
class Maximum(OneOfTwo):
    """z = max(x, y): dz/dx is 1 if x >= y, dz/dy is 1 if y >= x, else 0; at a tie both are 1"""

    notation = "max({0}, {1})"
    source = "np.maximum({0}, {1})"
    ufunc = np.maximum

    def forward(self, x: Any, y: Any) -> Any:
        return np.maximum(*side_by_side(x, y))

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * (x >= y).astype(dz.dtype)

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * (y >= x).astype(dz.dtype)

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.maximum(x, y)


@primitive
class Minimum(OneOfTwo):
    """z = min(x, y): mirrors the max gate, at a tie both local gradients are 1"""

    notation = "min({0}, {1})"
    source = "np.minimum({0}, {1})"
    ufunc = np.minimum

    def forward(self, x: Any, y: Any) -> Any:
        return np.minimum(*side_by_side(x, y))

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * (x <= y).astype(dz.dtype)

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * (y <= x).astype(dz.dtype)

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.minimum(x, y)


@primitive
class Fmax(OneOfTwo):
    """z = max(x, y), where a NaN loses against a number"""

    ufunc = np.fmax

    def forward(self, x: Any, y: Any) -> Any:
        return np.fmax(x, y)

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * ((x >= y) | np.isnan(y))

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * ((y >= x) | np.isnan(x))

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.fmax(x, y)


@primitive
class Fmin(OneOfTwo):
    """z = min(x, y), where a NaN loses against a number"""

    ufunc = np.fmin

    def forward(self, x: Any, y: Any) -> Any:
        return np.fmin(x, y)

    def dx(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * ((x <= y) | np.isnan(y))

    def dy(self, dz: Any, x: Any, y: Any) -> Any:
        return dz * ((y <= x) | np.isnan(x))

    def lower(self, b: Any, x: Any, y: Any) -> Any:
        return b.fmin(x, y)


@primitive
class Clip(Elementwise):
    """z = min(max(x, low), high): dz/dx is 1 between the bounds and at them, 0 outside"""

    def forward(self, x: Any, low: Any, high: Any) -> Any:
        return np.clip(x, low, high)

    def choice(self, x: Any, low: Any, high: Any) -> Any:
        return np.greater(x, high).astype(int) - np.less(x, low)

    def tie(self, x: Any, low: Any, high: Any) -> Any:
        return np.equal(x, low) | np.equal(x, high)

    def dx(self, dz: Any, x: Any, low: Any, high: Any) -> Any:
        return dz * ((x >= low) & (x <= high))

    def dlow(self, dz: Any, x: Any, low: Any, high: Any) -> Any:
        return dz * ((x < low) & (low <= high))

    def dhigh(self, dz: Any, x: Any, low: Any, high: Any) -> Any:
        return dz * ((x > high) | (low > high))

    def lower(self, b: Any, x: Any, low: Any, high: Any) -> Any:
        return b.minimum(b.maximum(x, low), high)


@primitive
class Where(Elementwise):
    """z = x where the condition holds, else y; the branch not taken gets exactly 0"""

    def forward(self, condition: Any, x: Any, y: Any) -> Any:
        return np.where(condition, x, y)

    def choice(self, condition: Any, x: Any, y: Any) -> Any:
        return condition

    def dx(self, dz: Any, condition: Any) -> Any:
        return np.where(condition, dz, 0.0)

    def dy(self, dz: Any, condition: Any) -> Any:
        return np.where(condition, 0.0, dz)

    def computes_in(self, condition: Any, x: Any, y: Any) -> tuple[Any, ...]:
        return (np.dtype(bool), *(np.result_type(x, y),) * 2)

    def lower(self, b: Any, condition: Any, x: Any, y: Any) -> Any:
        return b.select(condition, x, y)


maximum, minimum, fmax, fmin = Maximum(), Minimum(), Fmax(), Fmin()
clip, where = Clip(), Where()

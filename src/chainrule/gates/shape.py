"""Gates that move values about without changing them; each rule moves the gradient back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.primitive import Elementwise, Primitive, primitive
from chainrule.graph.array import shape_of


@primitive
class Reshape(Primitive):
    """z = the elements of x in another shape"""

    shape: tuple[int, ...]

    def forward(self, x: Any) -> Any:
        return np.reshape(x, self.shape)

    def dx(self, dz: Any, x: Any) -> Any:
        return np.reshape(dz, shape_of(x))


@primitive
class Transpose(Primitive):
    """z = x with its axes in another order"""

    axes: tuple[int, ...]

    @property
    def source(self) -> str:  # type: ignore[override]
        return "{0}.T" if self.axes == (1, 0) else f"np.transpose({{0}}, {self.axes})"

    def forward(self, x: Any) -> Any:
        return np.transpose(x, self.axes)

    def dx(self, dz: Any) -> Any:
        inverse = sorted(range(len(self.axes)), key=self.axes.__getitem__)
        return np.transpose(dz, inverse)


@primitive
class BroadcastTo(Elementwise):
    """z = x repeated along new axes and along axes of length 1; the gradients of the copies add"""

    shape: tuple[int, ...]

    def forward(self, x: Any) -> Any:
        return np.broadcast_to(x, self.shape)

    def dx(self, dz: Any) -> Any:
        return dz

    def lower(self, b: Any, x: Any) -> Any:
        return x


@primitive
class Concatenate(Primitive):
    """z = the arrays one after the other along an axis"""

    axis: int

    def forward(self, *xs: Any) -> Any:
        return np.concatenate(xs, self.axis)

    def dxs(self, dz: Any, i: int, xs: Any) -> Any:
        axis = self.axis % len(dz.shape)
        start = sum(x.shape[axis] for x in xs[:i])
        return dz[(slice(None),) * axis + (slice(start, start + xs[i].shape[axis]),)]


@primitive
class Pad(Primitive):
    """z = x with zeros before and after it along each axis; ``widths`` has one (before, after) for each axis"""

    widths: tuple[tuple[int, int], ...]

    def forward(self, x: Any) -> Any:
        return np.pad(x, self.widths)

    def dx(self, dz: Any) -> Any:
        return dz[tuple(slice(a, n - b) for (a, b), n in zip(self.widths, dz.shape, strict=True))]


@primitive
class Cast(Elementwise):
    """z = x in another floating dtype; the engine casts the gradient back"""

    dtype: Any

    @property
    def source(self) -> str:  # type: ignore[override]
        return f"{{0}}.astype(np.{np.dtype(self.dtype).name})"

    def forward(self, x: Any) -> Any:
        return x.astype(self.dtype) if hasattr(x, "astype") else np.asarray(x, self.dtype)

    def dx(self, dz: Any) -> Any:
        return dz

    def lower(self, b: Any, x: Any) -> Any:
        return b.cast(x, self.dtype)


def resolve_shape(size: int, shape: Any) -> tuple[int, ...]:
    """A target shape with its -1 worked out, for arrays of ``size`` elements."""
    wanted = (int(shape),) if not isinstance(shape, (tuple, list)) else tuple(int(n) for n in shape)
    if wanted.count(-1) == 1:
        known = math.prod(n for n in wanted if n != -1)
        if known and size % known == 0:
            return tuple(size // known if n == -1 else n for n in wanted)
    return wanted

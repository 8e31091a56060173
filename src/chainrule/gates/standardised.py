"""Standardised values: mean 0 and variance 1 along the axes. Batch and layer normalisation are made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.primitive import Primitive, primitive
from chainrule.graph.array import raw
from chainrule.graph.mode import MODE
from chainrule.graph.sums import summed, unbroadcast


@primitive
class Standardised(Primitive):
    """z = s * scale + shift with s = (x - mean) / sqrt(variance + eps), by the moments of x along the axes

    Mean and variance are operands because who normalises by them may want to average them, too. They are functions of x
    all the same, and the rule counts what flows back through them (Ioffe and Szegedy 2015): with ds = dz * scale,
    dL/dx = (ds - mean(ds) - s mean(ds s)) / sqrt(variance + eps).
    """

    axes: tuple[int, ...]
    eps: float

    def forward(self, x: Any, mean: Any, variance: Any, scale: Any, shift: Any) -> Any:
        inverse = self._inverse(variance)
        s = (x - mean) * inverse
        return s * scale + shift, (s, inverse)

    def dissolved(self, x: Any, mean: Any, variance: Any, scale: Any, shift: Any) -> Any:
        return (x - mean) * self._inverse(variance) * scale + shift

    def recall(self, x: Any, mean: Any, variance: Any, scale: Any, shift: Any) -> Any:
        mean, variance = moments(x, self.axes)
        inverse = self._inverse(variance)
        return (x - mean) * inverse, inverse

    def dx(self, dz: Any, cached: Any, scale: Any) -> Any:
        (s, inverse), ds = cached, dz * scale
        n = count(ds.shape, self.axes)
        return inverse * (ds - summed(ds, self.axes) / n - s * (summed(ds * s, self.axes) / n))

    def dscale(self, dz: Any, cached: Any, scale: Any) -> Any:
        return unbroadcast(dz * cached[0], scale.shape)

    def dshift(self, dz: Any, shift: Any) -> Any:
        return unbroadcast(dz, shift.shape)

    def _inverse(self, variance: Any) -> Any:
        return 1.0 / np.sqrt(variance + self.eps)


def moments(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """Mean and variance along the axes, which stay, with length 1.

    The variance is the mean square of the distances from the mean: E[x^2] - E[x]^2 would lose all digits where the mean
    is large.
    """
    n = count(x.shape, axes)
    mean = summed(x, axes) / n
    distance = x - mean
    return mean, summed(distance * distance, axes) / n


def count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """How many elements there are along the axes."""
    return math.prod(shape[axis] for axis in axes)


def known(x: Any) -> Any:
    """The value of an array; while a function is recorded the array itself, as a constant."""
    return raw(x) if MODE.get().recorder is None else x.detach()


def standardised(x: Any, axes: tuple[int, ...], eps: float, scale: Any, shift: Any) -> tuple[Any, Any, Any]:
    """x with mean 0 and variance 1 along the axes (no negative ones), then scaled and shifted; its mean and variance.

    The moments are constants. ``eps`` is added to the variance: equal values become 0. There must be an element along
    the axes.
    """
    mean, variance = moments(known(x), axes)
    return Standardised.of(axes, eps)(x, mean, variance, scale, shift), mean, variance

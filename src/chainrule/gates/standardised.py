"""Standardised values: mean 0 and variance 1 along the axes. Batch and layer normalisation are made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.primitive import Primitive, primitive
from chainrule.graph.sums import summed


@primitive
class Standardised(Primitive):
    """z = (x - mean) / sqrt(variance + eps), with the moments of x along the axes, which are computed beforehand

    Mean and variance are operands because who normalises by them may want to average them, too. They are functions of x
    all the same, and the rule counts what flows back through them (Ioffe and Szegedy 2015):
    dL/dx = (dz - mean(dz) - z mean(dz z)) / sqrt(variance + eps).
    """

    axes: tuple[int, ...]
    eps: float

    def forward(self, x: Any, mean: Any, variance: Any) -> Any:
        scale = self._scale(variance)
        return (x - mean) * scale, scale

    def dissolved(self, x: Any, mean: Any, variance: Any) -> Any:
        return (x - mean) * self._scale(variance)

    def recall(self, x: Any, mean: Any, variance: Any) -> Any:
        return self._scale(moments(x, self.axes)[1])

    def dx(self, dz: Any, z: Any, cached: Any) -> Any:
        n = count(z.shape, self.axes)
        return cached * (dz - summed(dz, self.axes) / n - z * (summed(dz * z, self.axes) / n))

    def _scale(self, variance: Any) -> Any:
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


def standardised(x: Any, axes: tuple[int, ...], eps: float) -> tuple[Any, Any, Any]:
    """x with mean 0 and variance 1 along the axes (no negative ones), and its mean and variance, as constants.

    ``eps`` is added to the variance: equal values become 0. There must be an element along the axes.
    """
    mean, variance = moments(x if isinstance(x, np.ndarray) else x.detach(), axes)
    return Standardised.of(axes, eps)(x, mean, variance), mean, variance

"""Reductions along axes. ``axis`` is None or a tuple of axes, all non-negative; the public functions normalise it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.gates.primitive import Primitive, primitive
from chainrule.graph.array import ndim_of, shape_of
from chainrule.graph.sums import spread, summed

Axes = tuple[int, ...] | None


def called(function: str, axis: Axes, keepdims: bool) -> str:
    """The source of a reduction: ``np.sum({0}, axis=1)``."""
    along = "" if axis is None else f", axis={axis[0] if len(axis) == 1 else axis}"
    return f"{function}({{0}}{along}{', keepdims=True' if keepdims else ''})"


def kept(z: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """A reduced array with the reduced axes as length 1, ready to broadcast against ``x``."""
    if keepdims:
        return z
    return z if axis is None else np.expand_dims(z, axis)


@primitive
class Sum(Primitive):
    """z = the sum of x along the axes; distributes its upstream gradient to every element"""

    axis: Axes
    keepdims: bool

    @property
    def source(self) -> str:  # type: ignore[override]
        return called("np.sum", self.axis, self.keepdims)

    def forward(self, x: Any) -> Any:
        return reduced(np.add, x, self.axis, self.keepdims)

    def dx(self, dz: Any, x: Any) -> Any:
        return spread(kept(dz, x, self.axis, self.keepdims), x.shape)


@primitive
class Mean(Primitive):
    """z = the mean of x along the axes; shares its upstream gradient equally among the elements"""

    axis: Axes
    keepdims: bool

    @property
    def source(self) -> str:  # type: ignore[override]
        return called("np.mean", self.axis, self.keepdims)

    def forward(self, x: Any) -> Any:
        return reduced(np.add, x, self.axis, self.keepdims) / self.count(x)

    def dissolved(self, x: Any) -> Any:
        return np.sum(x, axis=self.axis, keepdims=self.keepdims) / self.count(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return spread(kept(dz / self.count(x), x, self.axis, self.keepdims), x.shape)

    def count(self, x: Any) -> int:
        """How many elements each mean is of."""
        shape = shape_of(x)
        return math.prod(shape if self.axis is None else (shape[i] for i in self.axis))


@dataclass(frozen=True, repr=False)
class Extreme(Primitive):
    """What the largest and the smallest element have in common: elements that tie share the gradient equally."""

    axis: Axes
    keepdims: bool

    def choice(self, x: Any) -> Any:
        return x == kept(self.forward(x), x, self.axis, self.keepdims)

    def tie(self, x: Any) -> Any:
        return np.sum(self.choice(x), axis=self.axis) > 1

    def dx(self, dz: Any, z: Any, x: Any) -> Any:
        chosen = (x == kept(z, x, self.axis, self.keepdims)) | np.isnan(x)  # a NaN among the elements is chosen
        winners = chosen.astype(dz.dtype)
        share = kept(dz, x, self.axis, self.keepdims) / summed(winners, every_axis(self.axis, len(x.shape)))
        return winners * share


@primitive
class Max(Extreme):
    """z = the largest element of x along the axes; elements that tie share the gradient equally"""

    @property
    def source(self) -> str:  # type: ignore[override]
        return called("np.max", self.axis, self.keepdims)

    def forward(self, x: Any) -> Any:
        return reduced(np.maximum, x, self.axis, self.keepdims)


@primitive
class Min(Extreme):
    """z = the smallest element of x along the axes; elements that tie share the gradient equally"""

    @property
    def source(self) -> str:  # type: ignore[override]
        return called("np.min", self.axis, self.keepdims)

    def forward(self, x: Any) -> Any:
        return reduced(np.minimum, x, self.axis, self.keepdims)


@primitive
class Prod(Primitive):
    """z = the product of x along one axis

    dz/dx is the product of the others: exact where x has zeros, unlike z / x.
    """

    axis: int

    def forward(self, x: Any) -> Any:
        return np.multiply.reduce(x, axis=self.axis)

    def dx(self, dz: Any, x: Any) -> Any:
        before, after = products_before(x, self.axis), products_after(x, self.axis)
        return np.expand_dims(dz, self.axis) * before * after


@primitive
class Cumsum(Primitive):
    """z[k] = x[0] + ... + x[k] along one axis"""

    axis: int

    def forward(self, x: Any) -> Any:
        return np.add.accumulate(x, axis=self.axis)

    def dx(self, dz: Any) -> Any:
        return np.flip(np.cumsum(np.flip(dz, self.axis), self.axis), self.axis)


@primitive
class Cumprod(Primitive):
    """z[k] = x[0] * ... * x[k] along one axis

    dL/dx[i] = (x[0] ... x[i-1]) * R[i] with R[i] = dz[i] + x[i+1] R[i+1]: no division, so zeros do no harm.
    """

    axis: int

    def forward(self, x: Any) -> Any:
        return np.multiply.accumulate(x, axis=self.axis)

    def dx(self, dz: Any, x: Any) -> Any:
        following = shifted(x, self.axis, 1, 1.0)
        return products_before(x, self.axis) * suffix_recurrence(following, dz, self.axis)


def shifted(x: Any, axis: int, by: int, fill: float) -> Any:
    """x moved towards the front by ``by`` places (to the back if negative), ``fill`` where nothing is left."""
    n = x.shape[axis]
    distance = min(abs(by), n)
    gap = np.full((*x.shape[:axis], distance, *x.shape[axis + 1 :]), fill, x.dtype)
    lead = (slice(None),) * axis
    if by > 0:
        return np.concatenate((x[(*lead, slice(distance, None))], gap), axis)
    return np.concatenate((gap, x[(*lead, slice(None, n - distance))]), axis)


def products_before(x: Any, axis: int) -> Any:
    """The product of all elements before each one, in log2(n) doubling steps (Hillis and Steele 1986)."""
    return _scan_products(x, axis, -1)


def products_after(x: Any, axis: int) -> Any:
    """The product of all elements after each one."""
    return _scan_products(x, axis, 1)


def _scan_products(x: Any, axis: int, towards: int) -> Any:
    total = shifted(x, axis, towards, 1.0)
    for step in range(math.ceil(math.log2(max(x.shape[axis], 1)))):
        total = total * shifted(total, axis, towards * 2**step, 1.0)
    return total


def suffix_recurrence(a: Any, b: Any, axis: int) -> Any:
    """R[i] = b[i] + a[i] R[i+1], in log2(n) doubling steps: affine maps compose."""
    for step in range(math.ceil(math.log2(max(b.shape[axis], 1)))):
        b = b + a * shifted(b, axis, 2**step, 0.0)
        a = a * shifted(a, axis, 2**step, 1.0)
    return b


@primitive
class LogSumExp(Primitive):
    """z = log(sum(e ** x)) along the axes, without overflow; its local gradient is the softmax"""

    axis: Axes
    keepdims: bool

    def forward(self, x: Any) -> Any:
        top = np.maximum.reduce(x, axis=self.axis, keepdims=True, initial=-np.inf)
        top = np.where(np.isfinite(top), top, 0.0)
        with np.errstate(divide="ignore"):
            z = np.log(np.add.reduce(np.exp(x - top), axis=self.axis, keepdims=True)) + top
        return z if self.keepdims else np.squeeze(z, self.axis)

    def dissolved(self, x: Any) -> Any:
        if 0 in (x.shape if self.axis is None else (x.shape[i] for i in self.axis)):  # the sum of nothing
            return np.sum(x, axis=self.axis, keepdims=self.keepdims) - math.inf
        top = np.max(x, axis=self.axis, keepdims=True)
        top = np.where(np.isfinite(top), top, 0.0)
        with np.errstate(divide="ignore"):
            z = np.log(np.sum(np.exp(x - top), axis=self.axis, keepdims=True)) + top
        return z if self.keepdims else np.squeeze(z, self.axis)

    def dx(self, dz: Any, z: Any, x: Any) -> Any:
        z = kept(z, x, self.axis, self.keepdims)
        top = np.where(np.isfinite(z), z, np.zeros_like(z))
        return kept(dz, x, self.axis, self.keepdims) * np.exp(x - top)


def normal_axes(axis: Any, ndim: int) -> Axes:
    """``axis`` as a tuple of non-negative axes, None for all of them; raises AxisError like NumPy."""
    if axis is None:
        return None
    if type(axis) is int and -ndim <= axis < ndim:  # NumPy's own check costs more than the reduction
        return (axis % ndim,)
    return tuple(np.lib.array_utils.normalize_axis_tuple(axis, ndim))


def every_axis(axis: Axes, ndim: int) -> tuple[int, ...]:
    """Normalised axes spelled out, where None stands for all of them."""
    return tuple(range(ndim)) if axis is None else axis


def few_columns(ufunc: Any, x: Any, axis: Axes) -> bool:
    """Whether to reduce rows so short that NumPy's loop over rows costs more than a transposed copy.

    Below 8 columns NumPy adds from left to right, so the order, and every bit of a sum, stays the same; a maximum does
    not depend on the order.
    """
    return axis == (1,) and x.ndim == 2 and x.shape[1] < (8 if ufunc is np.add else 64)


def reduced(ufunc: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """``ufunc.reduce``, by way of a transposed copy where that is faster."""
    if few_columns(ufunc, x, axis):
        z = ufunc.reduce(x.T.copy(), axis=0)
        return z[:, None] if keepdims else z
    return ufunc.reduce(x, axis=axis, keepdims=keepdims)


def log_sum_exp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return LogSumExp.of(normal_axes(axis, ndim_of(x)), bool(keepdims))(x)

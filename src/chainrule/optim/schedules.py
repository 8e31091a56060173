"""Schedules: what becomes of the step size in the course of learning.

A schedule is a function of the number of updates done, which gives a factor on the optimiser's ``lr``. It takes a whole
number, an ndarray of them (to be drawn), or the State that counts the steps of an optimiser: then it is computed inside
the step, compiled ones included, and nothing is recorded anew. A function of your own does as well, as long as it uses
operators and functions of NumPy: ``lambda step: 0.95 ** (step // 100)``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


class Schedule(ABC):
    """The base of the schedules here, which are frozen dataclasses with a ``scale``.

    >>> import numpy as np, chainrule as cr
    >>> schedule = cr.optim.Warmup(4, then=cr.optim.Exponential(0.5))
    >>> [schedule(step) for step in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.5]
    >>> schedule(np.arange(3, 7))
    array([1.  , 1.  , 0.5 , 0.25])
    """

    def __call__(self, step: Any) -> Any:
        """The factor after so many updates: a float for a whole number, otherwise as NumPy gives it."""
        factor = self.scale(step)
        return float(factor) if isinstance(step, (int, np.integer)) else factor

    @abstractmethod
    def scale(self, step: Any) -> Any:
        """The factor, in operators and functions of NumPy."""


@dataclass(frozen=True)
class Step(Schedule):
    """The step size times ``factor`` after each ``every`` updates, or once after each of the numbers in ``at``.

    The course's step decay: half the step size every few epochs, say.

    >>> from chainrule.optim import Step
    >>> [Step(every=10, factor=0.5)(step) for step in (0, 9, 10, 25)]
    [1.0, 1.0, 0.5, 0.25]
    >>> [Step(at=(10, 15), factor=0.5)(step) for step in (9, 10, 14, 15)]
    [1.0, 0.5, 0.5, 0.25]
    """

    every: int | None = None
    at: Sequence[int] = ()
    factor: float = 0.1

    def __post_init__(self) -> None:
        if not isinstance(self.at, Sequence):
            raise TypeError(
                f"at= are several numbers of updates, not {self.at!r}; a factor is given as factor={self.at!r}"
            )
        object.__setattr__(self, "at", tuple(self.at))
        if (self.every is None) == (not self.at):
            raise ValueError("Step takes either every=, a number of updates, or at=, several such numbers")
        _above_zero(every=1 if self.every is None else self.every, factor=self.factor)

    def scale(self, step: Any) -> Any:
        """As above."""
        times = sum(1 * (step >= start) for start in self.at) if self.every is None else step // self.every
        return float(self.factor) ** times


@dataclass(frozen=True)
class Exponential(Schedule):
    """factor^(step / every): what Step does, without steps.

    >>> from chainrule.optim import Exponential
    >>> [Exponential(0.25, every=10)(step) for step in (0, 5, 10)]
    [1.0, 0.5, 0.25]
    """

    factor: float
    every: int = 1

    def __post_init__(self) -> None:
        _above_zero(factor=self.factor, every=self.every)

    def scale(self, step: Any) -> Any:
        """As above."""
        return float(self.factor) ** (step / self.every)


@dataclass(frozen=True)
class InverseTime(Schedule):
    """1 / (1 + decay step): the course's 1/t decay.

    >>> from chainrule.optim import InverseTime
    >>> [InverseTime(0.01)(step) for step in (0, 100, 300)]
    [1.0, 0.5, 0.25]
    """

    decay: float

    def __post_init__(self) -> None:
        _above_zero(decay=self.decay)

    def scale(self, step: Any) -> Any:
        """As above."""
        return 1 / (1 + self.decay * step)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from 1 down to ``floor`` in so many ``steps`` (Loshchilov & Hutter, SGDR, 2017).

    After that it stays there; with ``restart`` it begins anew, and every cycle is ``restart`` times as long as the one
    before.

    >>> from chainrule.optim import Cosine
    >>> [round(Cosine(100)(step), 3) for step in (0, 50, 100, 120)]
    [1.0, 0.5, 0.0, 0.0]
    >>> [round(Cosine(100, floor=0.5, restart=2)(step), 3) for step in (99, 100, 200, 300)]
    [0.5, 1.0, 0.75, 1.0]
    """

    steps: int
    floor: float = 0.0
    restart: float | None = None

    def __post_init__(self) -> None:
        _above_zero(steps=self.steps)
        if not 0 <= self.floor <= 1:
            raise ValueError(f"floor is a factor in [0, 1], not {self.floor}")
        if self.restart is not None and not 1 <= self.restart < math.inf:
            raise ValueError(f"restart is by what factor cycles become longer, at least 1, not {self.restart}")

    def scale(self, step: Any) -> Any:
        """As above."""
        return self.floor + (1 - self.floor) * _half_cosine(self._position(step))

    def _position(self, step: Any) -> Any:
        """How much of the cycle is over, from 0 to 1."""
        if self.restart is None:
            return np.minimum(step / self.steps, 1.0)
        if self.restart == 1:
            return step % self.steps / self.steps
        growth = float(self.restart)
        # Cycle number n begins at steps (growth^n - 1) / (growth - 1); a little more hides the logarithm's rounding.
        n = np.floor(np.log(1 + step * ((growth - 1) / self.steps)) / math.log(growth) + 1e-9)
        begin = self.steps * (growth**n - 1) / (growth - 1)
        return (step - begin) / (self.steps * growth**n)


@dataclass(frozen=True)
class Warmup(Schedule):
    """A straight line from ``start`` to 1 over the first ``steps`` updates, the first of which is above it; ``then``.

    What comes then begins to count after the warm-up.

    >>> from chainrule.optim import Cosine, Warmup
    >>> [Warmup(4, then=Cosine(100))(step) for step in (0, 1, 2, 3, 4, 54)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.5]
    """

    steps: int
    then: Callable[[Any], Any] | None = None
    start: float = 0.0

    def __post_init__(self) -> None:
        _above_zero(steps=self.steps)
        if not 0 <= self.start <= 1:
            raise ValueError(f"start is a factor in [0, 1], not {self.start}")

    def scale(self, step: Any) -> Any:
        """As above."""
        ramp = self.start + (1 - self.start) * np.minimum((step + 1) / self.steps, 1.0)
        return ramp if self.then is None else ramp * self.then(np.maximum(step - self.steps, 0))


@dataclass(frozen=True)
class OneCycle(Schedule):
    """From ``start`` up to 1 in the first part of so many ``steps``, then down to ``end``, along cosines.

    ``lr`` is the largest step size, reached after ``peak`` of the steps (Smith & Topin, Super-Convergence, 2018).

    >>> from chainrule.optim import OneCycle
    >>> [round(OneCycle(100, peak=0.2)(step), 4) for step in (0, 10, 20, 60, 100)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """

    steps: int
    peak: float = 0.3
    start: float = 0.04
    end: float = 4e-6

    def __post_init__(self) -> None:
        _above_zero(steps=self.steps)
        for name, value in (("peak", self.peak), ("start", self.start), ("end", self.end)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is in [0, 1], not {value}")

    def scale(self, step: Any) -> Any:
        """As above."""
        top = self.peak * self.steps
        up = _half_cosine(1 - np.minimum(step / max(top, 1e-9), 1.0))
        down = _half_cosine(np.clip((step - top) / max(self.steps - top, 1e-9), 0.0, 1.0))
        return np.where(step < top, self.start + (1 - self.start) * up, self.end + (1 - self.end) * down)


@dataclass(frozen=True)
class Chain(Schedule):
    """One schedule after the other, by the number of updates at which each begins; each counts from there.

    A number stands for itself. Raises ValueError if none begins at 0.

    >>> from chainrule.optim import Chain, Exponential
    >>> [Chain({0: 0.1, 10: Exponential(0.5), 20: 0.01})(step) for step in (9, 10, 12, 30)]
    [0.1, 1.0, 0.25, 0.01]
    """

    parts: Mapping[int, Callable[[Any], Any] | float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", dict(sorted(self.parts.items())))
        if next(iter(self.parts), None) != 0:
            raise ValueError("the first schedule of a chain begins at 0: Chain({0: ..., 1000: ...})")

    def scale(self, step: Any) -> Any:
        """As above."""
        factor: Any = None
        for start, part in self.parts.items():
            value = part(np.maximum(step - start, 0)) if callable(part) else part
            factor = value + 0.0 * step if start == 0 else np.where(step < start, factor, value)
        return factor

    def __hash__(self) -> int:
        return hash(tuple(self.parts.items()))


def _half_cosine(position: Any) -> Any:
    """From 1 at position 0 down to 0 at position 1."""
    return (1 + np.cos(math.pi * position)) / 2


def _above_zero(**numbers: float) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise TypeError(f"{name} is a number, not {value!r}")
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be above 0, not {value}")

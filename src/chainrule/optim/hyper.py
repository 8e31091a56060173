"""What a rule declares, once: its hyper-parameters and what it keeps for each parameter.

Validation, attributes, documentation, state dicts and compiled programs come from these declarations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import Parameter as Argument
from inspect import Signature
from numbers import Real
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph.array import Array, raw
from chainrule.graph.mode import MODE
from chainrule.graph.state import Parameter, State

NEVER: Any = object()
"""``off`` of a hyper-parameter that a step always reads."""
SHARED = -1
"""The row of the options that all groups share."""


class Hyper:
    """A hyper-parameter: a class attribute of an optimiser that tells the values it may have, and what it is for.

    Each optimiser keeps the value in a State, so it can be read and set at any time, and a compiled step reads it when
    it runs. Only whether it is ``off`` is part of the recording: what is off costs nothing.

    Args:
        default: the value unless told otherwise; None is for 'not at all'.
        allowed: an interval as one writes it: ``[0, 1)`` has the 0 and not the 1.
        about: what it is, for the documentation.
        off: the value at which it has no effect.

    >>> import chainrule as cr
    >>> cr.optim.SGD.momentum
    Hyper(0.0, '[0, 1)', 'how much of the last update is kept')
    >>> optimizer = cr.optim.SGD([cr.Parameter(1.0)], momentum=0.9)
    >>> optimizer.momentum = 1.5
    Traceback (most recent call last):
      ...
    ValueError: momentum must be in [0, 1), not 1.5
    """

    name: str

    def __init__(self, default: float | None, allowed: str, about: str, *, off: float | None = NEVER) -> None:
        self.default, self.allowed, self.about, self.off = default, allowed, about, off

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        return self if owner is None else owner._option(SHARED, self)

    def __set__(self, owner: Any, value: Any) -> None:
        owner._set_option(SHARED, self, value)

    def by_default(self, default: float) -> Hyper:
        """The same one with another default."""
        return Hyper(default, self.allowed, self.about, off=self.off)

    @property
    def switchable(self) -> bool:
        """Whether there is a value at which it has no effect."""
        return self.off is not NEVER

    def checked(self, value: Any) -> float | None:
        """``value`` as a float. TypeError if it is no number, ValueError if it is not in the interval."""
        if value is None and self.off is None:
            return None
        number = raw(value)
        if isinstance(number, np.ndarray) and number.shape == ():
            number = number.item()
        if isinstance(number, bool) or not isinstance(number, Real):
            raise TypeError(f"{self.name} is a number{self._or_none}, not {value!r}")
        if not self._allows(float(number)):
            raise ValueError(f"{self.name} must be in {self.allowed}{self._or_none}, not {value}")
        return float(number)

    @property
    def _or_none(self) -> str:
        return " or None" if self.off is None else ""

    def _allows(self, x: float) -> bool:
        low, high = map(float, self.allowed[1:-1].split(","))
        return (low <= x if self.allowed[0] == "[" else low < x) and (
            x <= high if self.allowed[-1] == "]" else x < high
        )

    def state(self, value: Any) -> State:
        """A State that holds ``value``, checked."""
        return State(self.stored(self.checked(value)), name=self.name)

    def write(self, state: State, value: Any) -> None:
        """Set it, checked; what is computed in a recorded function is not known yet."""
        unknown = MODE.get().recorder is not None and isinstance(value, Array)
        state.assign(value if unknown else self.stored(self.checked(value)))

    def stored(self, value: Any) -> Any:
        """What a State holds for ``value``: NaN for None."""
        return math.nan if value is None else value

    def told(self, held: NDArray[Any]) -> Any:
        """The value, of what a State holds."""
        value = held.item()
        return None if value != value else value

    def __repr__(self) -> str:
        return f"Hyper({self.default!r}, {self.allowed!r}, {self.about!r})"


class Flag(Hyper):
    """A hyper-parameter that is True or False. Which of them is part of a recording.

    >>> import chainrule as cr
    >>> cr.optim.SGD([cr.Parameter(1.0)], momentum=0.9, nesterov=True)
    SGD(1 parameter, lr=0.1, momentum=0.9, nesterov=True)
    """

    def __init__(self, about: str) -> None:
        super().__init__(False, "{False, True}", about, off=False)

    def checked(self, value: Any) -> bool:
        """``value``; TypeError if it is neither True nor False."""
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{self.name} is True or False, not {value!r}")
        return bool(value)


@dataclass(frozen=True)
class Slot:
    """What a rule keeps for each parameter: a State of the parameter's shape and dtype that begins at zero.

    Attributes:
        name: the optimiser's list of these States has this name, and the formula's argument.
        needs: a hyper-parameter: as long as that is off nothing is kept, and the formula does not get it.
        count: the number of its updates, this one included, instead. The formula only reads it.

    >>> import chainrule as cr
    >>> [slot.name for slot in cr.optim.Adam.slots]
    ['mean', 'mean_square', 'updates']
    >>> cr.optim.Adam([cr.Parameter([1.0, 2.0])]).mean
    [State([0., 0.], name='mean', dtype=float32, constant)]
    """

    name: str
    needs: str | None = None
    count: bool = False

    def begin(self, p: Parameter) -> State:
        """The State for ``p``."""
        return State(0 if self.count else np.zeros(p.shape, p.dtype), name=self.name)

    def kept_if(self, on: Mapping[str, bool]) -> bool:
        """Whether it is kept where these hyper-parameters are on."""
        return self.needs is None or on[self.needs]


# ---- what is made of the declarations


def signature_of(hypers: Mapping[str, Hyper]) -> Signature:
    """How an optimiser with these hyper-parameters is made."""
    keywords = [Argument(name, Argument.KEYWORD_ONLY, default=h.default) for name, h in hypers.items()]
    lr = keywords[0].replace(kind=Argument.POSITIONAL_OR_KEYWORD)
    schedule = Argument("schedule", Argument.KEYWORD_ONLY, default=None)
    return Signature([Argument("parameters", Argument.POSITIONAL_OR_KEYWORD), lr, *keywords[1:], schedule])


def documentation_of(hypers: Mapping[str, Hyper]) -> str:
    """The hyper-parameters in words."""
    lines = [
        "parameters: Parameters, or groups of them as dicts: {'parameters': ..., 'lr': 0.01}.",
        *(f"{name}: {h.about}; in {h.allowed}, {h.default} by default." for name, h in hypers.items()),
        "schedule: a function of the number of updates done; its result times lr is the step size (optim.schedules).",
    ]
    return "Args:\n" + "\n".join(fill(line, 110, initial_indent="    ", subsequent_indent="        ") for line in lines)

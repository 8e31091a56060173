"""What each parameter of an estimator may be: declared here once, checked when fit begins.

scikit-learn's rule is that ``__init__`` and ``set_params`` take anything, so that a search can build any combination.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from chainrule.estimators.network import SOLVERS
from chainrule.nn import ACTIVATIONS, INITIALISERS


@dataclass(frozen=True)
class Rule:
    """A condition on a value, and the same in words."""

    holds: Callable[[Any], bool]
    words: str


def number(low: float, high: float = math.inf, *, open_low: bool = False) -> Rule:
    """A real number from ``low`` (or above it) to below ``high``."""

    def holds(x: Any) -> bool:
        if not isinstance(x, Real) or isinstance(x, bool):
            return False
        return (low < float(x) if open_low else low <= float(x)) and float(x) < high

    return Rule(holds, f"a number {'above' if open_low else 'of at least'} {low:g} and below {high:g}")


def whole(low: int) -> Rule:
    """A whole number of at least ``low``."""
    return Rule(lambda x: _is_whole(x) and x >= low, f"a whole number of at least {low}")


def one_of(*values: Any) -> Rule:
    """One of a few values."""
    return Rule(
        lambda x: any(x is each or (isinstance(x, str) and x == each) for each in values),
        " or ".join(map(repr, values)),
    )


def either(*rules: Rule) -> Rule:
    """What one of several rules allows."""
    return Rule(lambda x: any(rule.holds(x) for rule in rules), " or ".join(rule.words for rule in rules))


FLAG = Rule(lambda x: isinstance(x, (bool, np.bool_)), "True or False")
FUNCTION = Rule(callable, "a function")

RULES = {
    "hidden": Rule(lambda x: bool(_sizes(x)), "a number of neurons of at least 1, or a sequence of such numbers"),
    "activation": either(one_of(*ACTIVATIONS), FUNCTION),
    "init": either(one_of(None, *INITIALISERS), FUNCTION),
    "dropout": number(0, 1),
    "solver": either(one_of(*SOLVERS), FUNCTION),
    "solver_options": Rule(lambda x: x is None or isinstance(x, dict), "a dict or None"),
    "lr": either(one_of(None), number(0, open_low=True)),
    "l1": number(0),
    "l2": number(0),
    "batch_size": either(one_of("auto"), whole(1)),
    "max_iter": whole(1),
    "shuffle": FLAG,
    "tol": number(0),
    "patience": either(whole(1), Rule(lambda x: x == math.inf, "infinity")),
    "early_stopping": FLAG,
    "validation_fraction": number(0, 1, open_low=True),
    "warm_start": FLAG,
    "compiled": either(one_of("auto"), FLAG),
    "verbose": either(FLAG, whole(0)),
}


def check(values: dict[str, Any]) -> None:
    """Raise ValueError for the first of the named ``values`` that breaks its rule."""
    for name, rule in RULES.items():
        if not rule.holds(values[name]):
            raise ValueError(f"{name} is {rule.words}, not {values[name]!r}")


def hidden_sizes(hidden: Any) -> tuple[int, ...]:
    """Neurons of each hidden layer.

    >>> hidden_sizes(3), hidden_sizes([5, 4]), hidden_sizes(())
    ((3,), (5, 4), ())
    """
    return tuple(int(n) for n in np.atleast_1d(hidden)) if np.size(hidden) else ()


def _sizes(hidden: Any) -> Any:
    if isinstance(hidden, (Sequence, np.ndarray)) and not isinstance(hidden, str):
        return all(_is_whole(n) and n >= 1 for n in hidden)
    return _is_whole(hidden) and hidden >= 1


def _is_whole(x: Any) -> bool:
    return isinstance(x, Integral) and not isinstance(x, bool)

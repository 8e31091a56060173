"""The gradient table: functions with points at which they are smooth.

Tests differentiate every row; together the rows must reach every primitive gate (``test_table.py`` fails otherwise).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Row(NamedTuple):
    """``function(*args)`` on float64 arrays, away from kinks."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]


def draw(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> Any:
    """Random numbers of a shape, the same each time."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape)

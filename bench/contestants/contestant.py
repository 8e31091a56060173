"""What a worker needs to know of a contestant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class NotHereError(Exception):
    """A contestant that cannot take part on this machine; the text says why."""


@dataclass
class Contestant:
    """A training step, ready to run.

    Attributes:
        step: one call, one training step: ``step(images, labels)`` returns the loss, which is there when it returns.
        images, labels: what is passed, in the contestant's own kind of array, made beforehand.
        reset: back to the initial weights and no momentum.
        versions: of the libraries that take part.
        gates: after a first step, how many gates it was compiled from; None if nobody knows.
    """

    step: Callable[[Any, Any], Any]
    images: Any
    labels: Any
    reset: Callable[[], None]
    versions: dict[str, str]
    gates: Callable[[], int] | None = None

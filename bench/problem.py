"""The workloads, and the data and initial weights that every contestant gets.

Workers of every peer's environment import this file, so it needs NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

LR, MOMENTUM = 0.01, 0.9
CHECKED_STEPS = (1, 5, 20)
"""After so many steps from the initial weights the contestants' losses must agree."""


@dataclass(frozen=True)
class Workload:
    """A training step: a fully connected net, softmax cross-entropy, SGD with momentum, float32.

    Attributes:
        sizes: of the layers, the inputs first.
        activation: of the hidden layers; ``tanh``, ``relu`` or ``sigmoid``.
        batch: examples a step.
        aim: how many times faster than the best peer chainrule is meant to be; 0 where nothing is aimed at.
    """

    sizes: tuple[int, ...]
    activation: str
    batch: int
    aim: float = 0.0

    @property
    def net(self) -> str:
        """The name of the net without its activation."""
        return "-".join(map(str, self.sizes))

    @property
    def name(self) -> str:
        return f"{self.net} {self.activation} b{self.batch}"

    def with_activation(self, activation: str) -> Workload:
        """The same net with another activation; no aim."""
        return Workload(self.sizes, activation, self.batch)


WORKLOADS = (
    Workload((2, 6, 2, 2), "tanh", 100, 8.0),
    Workload((2, 100, 3), "relu", 300, 3.0),
    Workload((784, 100, 10), "relu", 64, 1.6),
    Workload((784, 256, 256, 10), "relu", 128, 1.4),
    Workload((1024, 1024, 1024, 10), "relu", 256, 1.1),
)
AIM_OF_ALL = 2.3
"""The geometric mean of the five ratios that is aimed at."""


class Problem:
    """Data and initial weights of a workload, the same in every process.

    Attributes:
        images: (batch, inputs) float32, standard normal.
        labels: (batch,) int64, drawn at random.
        initial: weight (in, out) and bias (out,) of the first layer, then of the next, and so on; float32. Weights are
            drawn with a standard deviation of sqrt(1 / in), biases are 0.
    """

    def __init__(self, workload: Workload) -> None:
        rng = np.random.default_rng(0)
        self.workload = workload
        sizes = workload.sizes
        self.images = rng.standard_normal((workload.batch, sizes[0])).astype(np.float32)
        self.labels = rng.integers(0, sizes[-1], workload.batch)
        self.initial: list[np.ndarray[Any, Any]] = []
        for n_in, n_out in pairwise(sizes):
            weight = rng.standard_normal((n_in, n_out)) * np.sqrt(1 / n_in)
            self.initial += [weight.astype(np.float32), np.zeros(n_out, np.float32)]

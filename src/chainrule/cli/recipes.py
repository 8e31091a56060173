"""What ``chainrule train`` trains: the data sets by name, each with settings that work, and nets by their sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from chainrule import data, nn


class DataName(StrEnum):
    """The data sets that the command knows."""

    DIGITS = "digits"
    SPIRAL = "spiral"
    CIRCLE = "circle"
    MOONS = "moons"


class ActivationName(StrEnum):
    """The activation functions of the lecture, and none."""

    RELU = "relu"
    LEAKY_RELU = "leaky_relu"
    TANH = "tanh"
    SIGMOID = "sigmoid"
    MAXOUT = "maxout"
    NONE = "none"


@dataclass(frozen=True)
class Recipe:
    """How to train on a data set: what ``run.json`` keeps."""

    hidden: tuple[int, ...] = (100,)
    activation: ActivationName = ActivationName.RELU
    epochs: int = 30
    lr: float = 0.1
    momentum: float = 0.9
    l2: float = 3e-4
    batch: int = 16
    held_out: float = 0.2


def load_data(name: DataName, seed: int) -> data.Dataset:
    """The data set; points in the plane are drawn from the seed."""
    makers: dict[DataName, Callable[[], data.Dataset]] = {
        DataName.DIGITS: data.digits,
        DataName.SPIRAL: lambda: data.spiral(seed=seed),
        DataName.CIRCLE: lambda: data.circle(seed=seed),
        DataName.MOONS: lambda: data.moons(seed=seed),
    }
    return makers[name]()


RECIPES = {
    DataName.DIGITS: Recipe(),
    DataName.SPIRAL: Recipe(epochs=200, batch=32),
    DataName.CIRCLE: Recipe(hidden=(20,), epochs=50, batch=32),
    DataName.MOONS: Recipe(hidden=(20,), epochs=50, batch=32),
}


def build(sizes: tuple[int, ...], activation: ActivationName, rng: np.random.Generator) -> nn.Sequential:
    """A net of fully connected layers, ``sizes`` from the inputs to the scores; nothing follows the last layer."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes[:-1]):
        layers += _hidden_layer(n_in, n_out, activation, rng)
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1], rng=rng))


def _hidden_layer(n_in: int, n_out: int, activation: ActivationName, rng: np.random.Generator) -> list[nn.Module]:
    if activation is ActivationName.MAXOUT:
        return [nn.Maxout(n_in, n_out, rng=rng)]
    linear = nn.Linear(n_in, n_out, rng=rng)
    followed_by: dict[ActivationName, Callable[[], nn.Module]] = {
        ActivationName.RELU: nn.ReLU,
        ActivationName.LEAKY_RELU: nn.LeakyReLU,
        ActivationName.TANH: nn.Tanh,
        ActivationName.SIGMOID: nn.Sigmoid,
    }
    return [linear] if activation is ActivationName.NONE else [linear, followed_by[activation]()]

"""How to train: a recipe, which ``run.json`` keeps, and the known data sets, each with one that works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chainrule import data


@dataclass(frozen=True)
class Recipe:
    """A net, what it is to make small, and how it gets there.

    Attributes:
        hidden: neurons of each hidden layer.
        activation: after each of them; "maxout" and "none" besides the names of ``nn.ACTIVATIONS``.
        dropout: the share of the hidden neurons that is left out at each step.
        loss: a name of ``nn.LOSSES``; "" for the usual one, cross_entropy or mse.
        l1, l2: strengths of regularisation.
        max_norm: bound on the norm of the weights into each neuron; 0 for none.
        optimizer: a name of ``optim.OPTIMIZERS``.
        lr: its step size; None for its own default.
        momentum: for those that have one.
        schedule: what becomes of the step size.
        epochs, batch: how often each example is seen, and how many in a step.
        patience: for so many epochs the validation loss may fail to fall; 0 for no end before the end.
    """

    hidden: tuple[int, ...] = (100,)
    activation: str = "relu"
    dropout: float = 0.0
    loss: str = ""
    l1: float = 0.0
    l2: float = 3e-4
    max_norm: float = 0.0
    optimizer: str = "sgd"
    lr: float | None = 0.1
    momentum: float = 0.9
    schedule: str = "constant"
    epochs: int = 30
    batch: int = 16
    patience: int = 0


TABLE = Recipe(optimizer="adam", lr=0.001, l2=1e-4, epochs=50, batch=32)
"""For tables of which nothing is known."""

SMALL_TABLE = Recipe(hidden=(20,), lr=0.01, l2=1e-3, epochs=50)
IMAGES = Recipe(hidden=(256, 128), lr=0.05, epochs=10, batch=32)
PLANE = Recipe(hidden=(20,), epochs=50, batch=32)


@dataclass(frozen=True)
class Known:
    """A data set by name.

    Attributes:
        load: makes it, from a seed where it is drawn; a pair where training and test data were published apart.
        recipe: with which a net learns it.
        scaled: whether its inputs are of one scale already.
    """

    load: Callable[[int], data.Dataset | tuple[data.Dataset, data.Dataset]]
    recipe: Recipe = field(default=SMALL_TABLE)
    scaled: bool = False


KNOWN = {
    "digits": Known(lambda seed: data.digits(), Recipe(), scaled=True),
    "spiral": Known(lambda seed: data.spiral(seed=seed), Recipe(epochs=200, batch=32), scaled=True),
    "circle": Known(lambda seed: data.circle(seed=seed), PLANE, scaled=True),
    "moons": Known(lambda seed: data.moons(seed=seed), PLANE, scaled=True),
    "iris": Known(lambda seed: data.iris()),
    "wine": Known(lambda seed: data.wine()),
    "breast_cancer": Known(lambda seed: data.breast_cancer()),
    "diabetes": Known(lambda seed: data.diabetes(), Recipe(hidden=(20,), dropout=0.3, lr=0.01, l2=0.01, epochs=50)),
    "mnist_5k": Known(lambda seed: data.mnist_5k(), IMAGES, scaled=True),
    "mnist": Known(lambda seed: data.mnist(), IMAGES, scaled=True),
    "fashion_mnist": Known(lambda seed: data.fashion_mnist(), IMAGES, scaled=True),
    "cifar10": Known(lambda seed: data.cifar10(), IMAGES, scaled=True),
}
"""Data sets by the name that the command knows them by."""

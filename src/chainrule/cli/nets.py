"""From a recipe to a net, its loss and what trains it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from itertools import pairwise

import numpy as np

from chainrule import nn, optim
from chainrule.cli.errors import Stop
from chainrule.cli.recipes import Recipe

LOSSES = {"classes": ("cross_entropy", "hinge"), "numbers": ("mse", "mae", "huber")}
"""The losses that fit a task, the usual one first."""

ACTIVATIONS: dict[str, Callable[[], nn.Module] | None] = {
    **{name: made for name, made in nn.ACTIVATIONS.items() if "softmax" not in name and name != "identity"},
    "maxout": None,
    "none": None,
}
"""What may follow a hidden layer: maxout brings weights of its own, and nothing is a choice, too."""


def build(sizes: tuple[int, ...], recipe: Recipe, seed: int) -> nn.Sequential:
    """A net of fully connected layers, ``sizes`` from the inputs to the outputs; nothing follows the last layer."""
    rng = np.random.default_rng([seed, 1])  # weights do not repeat the draws that made the data
    layers: list[nn.Module] = []
    for number, (n_in, n_out) in enumerate(pairwise(sizes[:-1])):
        layers += _hidden_layer(n_in, n_out, recipe.activation, rng)
        if recipe.dropout:
            layers.append(nn.Dropout(recipe.dropout, rng=seed * 1000 + number))
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1], rng=rng))


def _hidden_layer(n_in: int, n_out: int, activation: str, rng: np.random.Generator) -> list[nn.Module]:
    if activation == "maxout":
        return [nn.Maxout(n_in, n_out, rng=rng)]
    linear = nn.Linear(n_in, n_out, rng=rng)
    made = ACTIVATIONS[activation]
    return [linear] if made is None else [linear, made()]


def loss_of(recipe: Recipe, task: str) -> str:
    """The name of the loss; Stop for one that does not fit the task."""
    if recipe.loss in LOSSES[task]:
        return recipe.loss
    known("--loss", recipe.loss or None, (name for names in LOSSES.values() for name in names))
    if recipe.loss:
        raise Stop(f"--loss {recipe.loss} is not for {task}, which the target holds: take {', '.join(LOSSES[task])}")
    return LOSSES[task][0]


OPTIMIZERS = (*optim.OPTIMIZERS, "lbfgs")


def has_momentum(name: str) -> bool:
    """Whether the optimiser of this name keeps a part of its last step."""
    return name in optim.OPTIMIZERS and "momentum" in optim.OPTIMIZERS[name].hypers


def optimizer_of(recipe: Recipe, model: nn.Module, steps: int) -> optim.Optimizer | optim.LBFGS:
    """The optimiser for a run of so many steps. Raises ValueError for numbers out of range."""
    if recipe.optimizer == "lbfgs":
        if recipe.lr is not None or recipe.schedule != "constant":
            raise Stop("--optimizer lbfgs finds its step size by itself: leave out --lr and --schedule")
        if recipe.dropout:
            raise Stop("--optimizer lbfgs needs a loss that is the same when computed again: leave out --dropout")
        return optim.LBFGS(model.parameters(), l2=recipe.l2)
    kind = optim.OPTIMIZERS[recipe.optimizer]
    options = {"momentum": recipe.momentum} if has_momentum(recipe.optimizer) else {}
    schedule = SCHEDULES[recipe.schedule](steps)
    return kind(model.parameters(), recipe.lr, l2=recipe.l2, schedule=schedule, **options)


PLATEAU = "plateau"
SCHEDULES: dict[str, Callable[[int], optim.Schedule | None]] = {
    "constant": lambda steps: None,
    "step": lambda steps: optim.Step(every=max(1, -(-steps // 3)), factor=0.1),
    "exponential": lambda steps: optim.Exponential(0.01, every=steps),
    "inverse_time": lambda steps: optim.InverseTime(9 / steps),
    "cosine": lambda steps: optim.Cosine(steps),
    "warmup": lambda steps: optim.Warmup(steps // 20 + 1, then=optim.Cosine(steps - steps // 20)),
    "one_cycle": lambda steps: optim.OneCycle(steps),
    PLATEAU: lambda steps: None,  # it is no function of the step: see Trial.callbacks
}
"""What becomes of the step size in a run of so many steps: in thirds, down to a hundredth, a tenth, nothing."""


def known(option: str, value: str | None, among: Iterable[str]) -> None:
    """Stop, with the nearest, if a value is given and is none of these."""
    names = list(among)
    if value is not None and value not in names:
        near = get_close_matches(value, names, n=1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise Stop(f"{option} {value} is not known: {meant}")

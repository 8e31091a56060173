"""The net and the optimiser that an estimator's parameters describe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph.array import raw
from chainrule.graph.mode import no_grad
from chainrule.nn import ACTIVATIONS, Dropout, Linear, Module, Sequential
from chainrule.optim import LBFGS, OPTIMIZERS
from chainrule.random import Generator

SOLVERS: dict[str, Callable[..., Any]] = {**OPTIMIZERS, "lbfgs": LBFGS}
"""The optimisers by name."""
USUAL_OPTIONS = {"sgd": {"momentum": 0.9, "nesterov": True}}
"""What a solver is given unless the user says otherwise."""


def build(
    sizes: Sequence[int],
    activation: str | Callable[[], Module],
    dropout: float,
    init: Any,
    dtype: np.dtype[Any],
    seed: int,
) -> Sequential:
    """A net of fully connected layers; ``sizes`` are the inputs, the neurons of each hidden layer and the outputs.

    Hidden layers are a Linear, an activation function and, if asked for, Dropout. The output layer begins smaller than
    ReLU layers do (variance 1 / inputs: LeCun et al. 1998), so that no class has a head start.

    >>> build([2, 3, 1], "relu", 0.0, None, np.dtype(np.float32), 0)
    Sequential(Linear(2, 3), ReLU(), Linear(3, 1))
    """
    rng = np.random.default_rng(seed)
    noise = Generator(seed)
    make = ACTIVATIONS[activation] if isinstance(activation, str) else activation
    layers: list[Module] = []
    for n_in, n_out in pairwise(sizes[:-1]):
        layers += [Linear(n_in, n_out, dtype=dtype, rng=rng, init=init), _made(make)]
        if dropout:
            layers.append(Dropout(dropout, rng=noise))
    beginning = {"scale": float(sizes[-2]) ** -0.5} if init is None else {"init": init}
    return Sequential(*layers, Linear(sizes[-2], sizes[-1], dtype=dtype, rng=rng, **beginning))


def _made(make: Callable[[], Module]) -> Module:
    """An activation layer. ValueError for a function that makes none, NumPy's tanh say."""
    try:
        layer = make()
    except TypeError as error:
        raise ValueError(f"activation is a name or what makes a layer, cr.nn.Tanh say: {error}") from error
    if not isinstance(layer, Module):
        raise ValueError(f"activation is a name or what makes a layer, cr.nn.Tanh say, and made {layer!r}")
    return layer


def needs_all_data(solver: Any) -> bool:
    """Whether a solver takes no minibatches."""
    return bool(getattr(SOLVERS.get(solver) if isinstance(solver, str) else solver, "whole_batch", False))


def optimiser(solver: str | Callable[..., Any], model: Module, lr: float | None, options: Mapping[str, Any]) -> Any:
    """The solver for the parameters of ``model``; without ``lr`` with its own step size."""
    make = SOLVERS[solver] if isinstance(solver, str) else solver
    usual = USUAL_OPTIONS.get(solver, {}) if isinstance(solver, str) else {}
    step_size = {} if lr is None else {"lr": lr}
    return make(model.parameters(), **{**usual, **step_size, **options})


def activations(model: Sequential, x: NDArray[Any]) -> list[NDArray[Any]]:
    """What each layer with weights gives, its activation function included."""
    found: list[NDArray[Any]] = []
    with no_grad():
        for layer in model:
            x = layer(x)
            value = np.asarray(raw(x))
            if isinstance(layer, Linear):
                found.append(value)
            else:
                found[-1] = value
    return found

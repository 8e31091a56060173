"""chainrule as its users call it: layers, loss and optimiser in a step of their own, compiled or not."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

import chainrule as cr
from contestants.contestant import Contestant
from problem import LR, MOMENTUM, Problem

LAYERS: dict[str, Any] = {"tanh": cr.nn.Tanh, "relu": cr.nn.ReLU, "sigmoid": cr.nn.Sigmoid}


def make(problem: Problem, threads: int, mode: str = "compiled") -> Contestant:
    """``threads`` is 0 for as many as chainrule finds right."""
    model = network(problem)
    optimizer = cr.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)

    def step(images: Any, labels: Any) -> Any:
        loss = cr.nn.cross_entropy(model(images), labels)
        loss.backward(keep=False)
        optimizer.step()
        return loss

    def reset() -> None:
        for p, v, start in zip(optimizer.parameters, optimizer.velocity, problem.initial, strict=True):
            p.assign(start)
            v.assign(np.zeros_like(start))  # type: ignore[union-attr]

    if threads:
        cr.set_threads(threads)
    versions = {"chainrule": cr.__version__, "numpy": np.__version__}
    if mode != "compiled":
        return Contestant(step, problem.images, problem.labels, reset, versions)
    compiled = cr.compile(step)

    def gates() -> int:
        return len(compiled.programs[0].instructions)

    return Contestant(compiled, problem.images, problem.labels, reset, versions, gates)


def network(problem: Problem) -> cr.nn.Sequential:
    """The net of the workload, with the initial weights of the problem."""
    layers: list[Any] = []
    for n_in, n_out in pairwise(problem.workload.sizes):
        layers += [cr.nn.Linear(n_in, n_out), LAYERS[problem.workload.activation]()]
    model = cr.nn.Sequential(*layers[:-1])  # no activation after the last layer
    for p, start in zip(model.parameters(), problem.initial, strict=True):
        p.assign(start)
    return model

"""PyTorch, eagerly and with ``torch.compile`` of the whole step."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from contestants.contestant import Contestant
from problem import LR, MOMENTUM, Problem

FUNCTIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


def make(problem: Problem, threads: int, optimizer: str = "", mode: str = "") -> Contestant:
    """Compiled if ``mode`` names one of torch.compile's, otherwise eager with the ``fused`` or ``foreach`` SGD."""
    torch.set_num_threads(threads)
    params = [torch.from_numpy(a.copy()) for a in problem.initial]
    images, labels = torch.from_numpy(problem.images), torch.from_numpy(problem.labels)
    function = FUNCTIONS[problem.workload.activation]

    def loss_of(params: list[Any], images: Any, labels: Any) -> Any:
        h, last = images, len(params) - 2
        for i in range(0, len(params), 2):
            h = torch.addmm(params[i + 1], h, params[i])
            h = function(h) if i < last else h
        return functional.cross_entropy(h, labels)

    step, momentum = _compiled(loss_of, params, mode) if mode else _eager(loss_of, params, optimizer)

    def reset() -> None:
        with torch.no_grad():
            for p, start in zip(params, problem.initial, strict=True):
                p.copy_(torch.from_numpy(start))
            for v in momentum():
                v.zero_()

    versions = {"torch": torch.__version__, "numpy": np.__version__}
    return Contestant(step, images, labels, reset, versions)


def _compiled(loss_of: Any, params: list[Any], mode: str) -> tuple[Any, Any]:
    """Forward, backward and update as one graph, weights and momentum changed in place.

    This form is the fastest of those tried: backward() inside the compiled function, the optimiser compiled apart,
    weights passed and returned, and the C++ wrapper all took longer on the small nets and as long on the large ones.
    """
    derived = torch.func.grad_and_value(loss_of)
    velocity = [torch.zeros_like(p) for p in params]

    def step(images: Any, labels: Any) -> Any:
        gradients, loss = derived(params, images, labels)
        for p, v, g in zip(params, velocity, gradients, strict=True):
            v.copy_(MOMENTUM * v - LR * g)
            p.add_(v)
        return loss

    return torch.compile(step, fullgraph=True, dynamic=False, mode=mode), lambda: velocity


def _eager(loss_of: Any, params: list[Any], kind: str) -> tuple[Any, Any]:
    for p in params:
        p.requires_grad_()
    optimizer = torch.optim.SGD(params, lr=LR, momentum=MOMENTUM, **{kind: True})

    def step(images: Any, labels: Any) -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(params, images, labels)
        loss.backward()
        optimizer.step()
        return loss

    return step, lambda: [state["momentum_buffer"] for state in optimizer.state.values()]

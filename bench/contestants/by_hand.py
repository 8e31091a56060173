"""NumPy: forward and backward written out, as a careful programmer does."""

from __future__ import annotations

from typing import Any

import numpy as np

from contestants.contestant import Contestant
from problem import LR, MOMENTUM, Problem


def make(problem: Problem, threads: int, dtype: str = "float32") -> Contestant:
    """NumPy takes the number of threads from the environment. float64 serves as the oracle of the losses."""
    params = [a.astype(dtype) for a in problem.initial]
    velocity = [np.zeros_like(a) for a in params]
    activation, last, batch = problem.workload.activation, len(params) // 2 - 1, len(problem.images)
    rows = np.arange(batch)

    def step(images: Any, labels: Any) -> Any:
        h, inputs = images, []
        for i in range(last + 1):
            inputs.append(h)
            h = h @ params[2 * i]
            h += params[2 * i + 1]
            if i < last:
                h = activate(h, activation)
        h -= h.max(axis=1, keepdims=True)
        e = np.exp(h)
        total = e.sum(axis=1, keepdims=True)
        loss = np.mean(np.log(total[:, 0]) - h[rows, labels])
        d = e / total
        d[rows, labels] -= 1
        d /= batch
        for i in range(last, -1, -1):
            gradients = (inputs[i].T @ d, d.sum(axis=0))
            if i:
                d = d @ params[2 * i].T
                d *= local_gradient(inputs[i], activation)
            for a, v, g in zip(params[2 * i : 2 * i + 2], velocity[2 * i : 2 * i + 2], gradients, strict=True):
                v *= MOMENTUM
                g *= LR
                v -= g
                a += v
        return loss

    def reset() -> None:
        for a, v, start in zip(params, velocity, problem.initial, strict=True):
            a[...] = start
            v[...] = 0

    return Contestant(step, problem.images.astype(dtype), problem.labels, reset, {"numpy": np.__version__})


def activate(z: Any, activation: str) -> Any:
    """The activation function, in place."""
    if activation == "relu":
        return np.maximum(z, 0, out=z)
    if activation == "tanh":
        return np.tanh(z, out=z)
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1
    return np.reciprocal(z, out=z)


def local_gradient(a: Any, activation: str) -> Any:
    """The derivative of the activation function, from its value."""
    if activation == "relu":
        return a > 0
    return 1 - a * a if activation == "tanh" else a * (1 - a)

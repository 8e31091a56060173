"""JAX: the whole step under ``jit``, weights and momentum donated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from contestants.contestant import Contestant
from problem import LR, MOMENTUM, Problem

FUNCTIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}


def make(problem: Problem, threads: int) -> Contestant:
    """Each step waits for its loss, as one does who looks at it."""
    _start_threads(threads)
    images, labels = jnp.asarray(problem.images), jnp.asarray(problem.labels.astype(np.int32))
    function = FUNCTIONS[problem.workload.activation]
    params: Any = ()
    velocity: Any = ()

    def loss_of(params: Any, images: Any, labels: Any) -> Any:
        h, last = images, len(params) - 2
        for i in range(0, len(params), 2):
            h = h @ params[i] + params[i + 1]
            h = function(h) if i < last else h
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(h), labels[:, None], axis=1))

    def update(params: Any, velocity: Any, images: Any, labels: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(params, images, labels)
        velocity = tuple(MOMENTUM * v - LR * g for v, g in zip(velocity, gradients, strict=True))
        return tuple(p + v for p, v in zip(params, velocity, strict=True)), velocity, loss

    compiled = jax.jit(update, donate_argnums=(0, 1))

    def step(images: Any, labels: Any) -> Any:
        nonlocal params, velocity
        params, velocity, loss = compiled(params, velocity, images, labels)
        return loss.block_until_ready()

    def reset() -> None:
        nonlocal params, velocity
        params = tuple(jnp.array(a) for a in problem.initial)
        velocity = tuple(jnp.zeros_like(a) for a in params)

    reset()
    return Contestant(step, images, labels, reset, {"jax": jax.__version__, "numpy": np.__version__})


def _start_threads(threads: int) -> None:
    """JAX makes as many threads as it may use cores when it starts: let it see so many, then give back the rest."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(allowed)[:threads]))
    jax.devices()
    for task in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(task.name), allowed)

"""One eager training step, side by side: forward, backward and SGD with momentum, float32, one thread.

Three nets, softmax cross-entropy: 2-6-2-2 (tanh, batch 100), 2-100-3 (ReLU, 300) and 784-100-10 (ReLU, 64). NumPy by
hand is the yardstick; whichever of PyTorch, HIPS autograd and mygrad are installed run beside it. All of them take
turns in one process, so that a noisy machine is noisy for everybody; medians and ratios are printed.

Usage: python bench/eager.py [--rounds 40] [--only 2-6-2-2]
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import chainrule as cr

LR, MOMENTUM = 0.01, 0.9
STEPS_A_TURN = 100
NETS = {
    "2-6-2-2": ((2, 6, 2, 2), "tanh", 100),
    "2-100-3": ((2, 100, 3), "relu", 300),
    "784-100-10": ((784, 100, 10), "relu", 64),
}
Step = Callable[[], float]


class Problem:
    """The same data and initial weights for everybody."""

    def __init__(self, sizes: tuple[int, ...], activation: str, batch: int) -> None:
        rng = np.random.default_rng(0)
        self.activation = activation
        self.x = rng.standard_normal((batch, sizes[0])).astype(np.float32)
        self.labels = rng.integers(0, sizes[-1], batch)
        self.one_hot = np.eye(sizes[-1], dtype=np.float32)[self.labels]
        self.rows = np.arange(batch)
        self.weights = [(rng.standard_normal((a, b)) * np.sqrt(1 / a)).astype(np.float32) for a, b in pairwise(sizes)]
        self.biases = [np.zeros(n, np.float32) for n in sizes[1:]]


def numpy_by_hand(p: Problem) -> Step:
    """What a careful NumPy programmer writes."""
    params = [a.copy() for pair in zip(p.weights, p.biases, strict=True) for a in pair]
    velocity = [np.zeros_like(a) for a in params]
    tanh, last, batch = p.activation == "tanh", len(params) // 2 - 1, len(p.x)

    def step() -> float:
        h, inputs = p.x, []
        for i in range(last + 1):
            inputs.append(h)
            h = h @ params[2 * i] + params[2 * i + 1]
            if i < last:
                h = np.tanh(h) if tanh else np.maximum(h, 0)
        h = h - h.max(axis=1, keepdims=True)
        e = np.exp(h)
        total = e.sum(axis=1, keepdims=True)
        loss = float(np.mean(np.log(total[:, 0]) - h[p.rows, p.labels]))
        d = e / total
        d[p.rows, p.labels] -= 1
        d /= batch
        for i in range(last, -1, -1):
            gradients = (inputs[i].T @ d, d.sum(axis=0))
            if i:
                d = d @ params[2 * i].T
                d *= 1 - inputs[i] * inputs[i] if tanh else inputs[i] > 0
            for a, v, g in zip(params[2 * i : 2 * i + 2], velocity[2 * i : 2 * i + 2], gradients, strict=True):
                v *= MOMENTUM
                v -= LR * g
                a += v
        return loss

    return step


def chainrule_layers(p: Problem) -> Step:
    """The library's layers, loss and optimiser."""
    layers: list[Any] = []
    for i, w in enumerate(p.weights):
        layer = cr.nn.Linear(*w.shape)
        layer.weight.assign(w)
        layers += [layer, cr.nn.Tanh() if p.activation == "tanh" else cr.nn.ReLU()][
            : 2 if i < len(p.weights) - 1 else 1
        ]
    model = cr.nn.Sequential(*layers)
    optimizer = cr.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)

    def step() -> float:
        loss = cr.nn.cross_entropy(model(p.x), p.labels)
        loss.backward(keep=False)
        optimizer.step()
        return loss.item()  # type: ignore[no-any-return]

    return step


def chainrule_written_out(p: Problem) -> Step:
    """The net and the loss written out in NumPy by the user."""
    params = [cr.Parameter(a) for pair in zip(p.weights, p.biases, strict=True) for a in pair]
    optimizer = cr.optim.SGD(params, lr=LR, momentum=MOMENTUM)
    tanh = p.activation == "tanh"

    def step() -> float:
        h: Any = p.x
        for i in range(0, len(params), 2):
            h = h @ params[i] + params[i + 1]
            if i < len(params) - 2:
                h = np.tanh(h) if tanh else np.maximum(h, 0)
        h = h - np.max(h, axis=1, keepdims=True)
        log_p = h - np.log(np.sum(np.exp(h), axis=1, keepdims=True))
        loss = -np.mean(log_p[p.rows, p.labels])
        loss.backward(keep=False)
        optimizer.step()
        return loss.item()  # type: ignore[no-any-return]

    return step


def autograd_step(p: Problem) -> Step:
    """HIPS autograd, loss written out in its NumPy."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    params = [a.copy() for pair in zip(p.weights, p.biases, strict=True) for a in pair]
    velocity = [np.zeros_like(a) for a in params]
    tanh = p.activation == "tanh"

    def loss_of(params: Any) -> Any:
        h: Any = p.x
        for i in range(0, len(params), 2):
            h = anp.dot(h, params[i]) + params[i + 1]
            if i < len(params) - 2:
                h = anp.tanh(h) if tanh else anp.maximum(h, 0)
        h = h - anp.max(h, axis=1, keepdims=True)
        return -anp.mean(anp.sum((h - anp.log(anp.sum(anp.exp(h), axis=1, keepdims=True))) * p.one_hot, axis=1))

    derived = value_and_grad(loss_of)

    def step() -> float:
        loss, gradients = derived(params)
        for a, v, g in zip(params, velocity, gradients, strict=True):
            v *= MOMENTUM
            v -= LR * g
            a += v
        return float(loss)

    return step


def mygrad_step(p: Problem) -> Step:
    """mygrad with its own fused cross-entropy."""
    import mygrad as mg
    from mygrad.nnet.losses import softmax_crossentropy

    params = [mg.tensor(a) for pair in zip(p.weights, p.biases, strict=True) for a in pair]
    velocity = [np.zeros_like(a.data) for a in params]
    tanh = p.activation == "tanh"

    def step() -> float:
        h: Any = p.x
        for i in range(0, len(params), 2):
            h = mg.matmul(h, params[i]) + params[i + 1]
            if i < len(params) - 2:
                h = mg.tanh(h) if tanh else mg.maximum(h, 0)
        loss = softmax_crossentropy(h, p.labels)
        loss.backward()
        for a, v in zip(params, velocity, strict=True):
            v *= MOMENTUM
            v -= LR * a.grad
            a.data += v
            a.null_grad()
        return float(loss.data)

    return step


def torch_step(p: Problem) -> Step:
    """PyTorch eager: its layers, loss and optimiser."""
    import torch

    torch.set_num_threads(1)
    layers: list[Any] = []
    for i, w in enumerate(p.weights):
        layer = torch.nn.Linear(*w.shape)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(w.T.copy()))
            layer.bias.zero_()
        layers.append(layer)
        if i < len(p.weights) - 1:
            layers.append(torch.nn.Tanh() if p.activation == "tanh" else torch.nn.ReLU())
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    x, labels = torch.from_numpy(p.x), torch.from_numpy(p.labels)

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


CONTESTANTS: dict[str, tuple[Callable[[Problem], Step], str | None]] = {
    "NumPy by hand": (numpy_by_hand, None),
    "chainrule, its layers": (chainrule_layers, None),
    "chainrule, loss written out": (chainrule_written_out, None),
    "PyTorch eager": (torch_step, "torch"),
    "HIPS autograd": (autograd_step, "autograd"),
    "mygrad": (mygrad_step, "mygrad"),
}


def measure(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Microseconds a step: the median over rounds, everybody taking turns in each round."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        for _ in range(50):
            step()
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.perf_counter()
            for _ in range(STEPS_A_TURN):
                step()
            times[name].append((time.perf_counter() - begin) / STEPS_A_TURN * 1e6)
    return {name: median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", choices=NETS)
    options = parser.parse_args()
    table = Table("us a step (ratio to NumPy by hand)", *NETS)
    contestants = {name: make for name, (make, module) in CONTESTANTS.items() if module is None or find_spec(module)}
    columns = {}
    for net, spec in NETS.items():
        if options.only in (None, net):
            problem = Problem(*spec)
            steps = {name: make(problem) for name, make in contestants.items()}
            losses = {name: [step() for _ in range(5)][-1] for name, step in steps.items()}
            if not np.allclose(list(losses.values()), losses["NumPy by hand"], rtol=1e-3):
                raise SystemExit(f"{net}: the contestants do not compute the same thing: {losses}")
            columns[net] = measure(steps, options.rounds)
    for name in contestants:
        cells = [
            f"{columns[net][name]:.0f} ({columns[net][name] / columns[net]['NumPy by hand']:.2f})"
            if net in columns
            else ""
            for net in NETS
        ]
        table.add_row(name, *cells)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()

"""A contestant of ``fit.py`` in a process of its own: it trains a net from given weights, in a given order, when asked.

    python fit_worker.py '{"who": "chainrule", "data": FILE.npz, "batch": 32, "optimizer": "adam", "threads": 0}'

It writes one JSON line for each line of JSON that it reads: ``{"epochs": n}`` trains from the initial weights for so
many epochs and tells the seconds and the loss of each epoch; ``{"predict": n}`` tells the seconds of n predictions of
one row.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

LR = {"adam": 1e-3, "sgd": 0.05}
MOMENTUM = 0.9


class Task(NamedTuple):
    """What is to be learned, and how."""

    x: Any
    y: Any
    weights: list[Any]
    orders: Any
    batch: int
    optimizer: str


class Contestant(NamedTuple):
    """Train for n epochs and return the losses; predict the class of one row."""

    train: Callable[[int], list[float]]
    predict: Callable[[Any], Any]


def chainrule(task: Task) -> Contestant:
    """``Trainer.fit``: the orders are those that it draws itself."""
    import chainrule as cr

    layers: list[Any] = []
    for w in task.weights:
        layers += [cr.nn.Linear(*w.shape), cr.nn.ReLU()]
    net = cr.nn.Sequential(*layers[:-1])
    for layer, w in zip(layers[::2], task.weights, strict=True):
        layer.weight.assign(w)
    if task.optimizer == "adam":
        optimizer: Any = cr.optim.Adam(net.parameters(), lr=LR["adam"])
    else:
        optimizer = cr.optim.SGD(net.parameters(), lr=LR["sgd"], momentum=MOMENTUM, nesterov=True)
    trainer = cr.training.Trainer(net, "cross_entropy", optimizer)
    begin = net.state_dict(), optimizer.state_dict()

    def train(epochs: int) -> list[float]:
        net.load_state_dict(begin[0])
        optimizer.load_state_dict(begin[1])
        return trainer.fit((task.x, task.y), epochs=epochs, batch=task.batch)["loss"]

    return Contestant(train, lambda row: trainer.forward(row).argmax(1))


def scikit_learn(task: Task) -> Contestant:
    """``MLPClassifier.fit``, whose weights and orders are replaced by ours."""
    import warnings

    from sklearn.neural_network import MLPClassifier, _multilayer_perceptron

    warnings.filterwarnings("ignore")  # that it has not converged
    weights = iter(())
    orders = iter(())

    class Same(MLPClassifier):
        def _init_coef(self, fan_in: int, fan_out: int, dtype: Any) -> tuple[Any, Any]:
            return next(weights).copy(), np.zeros(fan_out, dtype)

    _multilayer_perceptron.shuffle = lambda rows, random_state: next(orders)
    net: Any = None

    def train(epochs: int) -> list[float]:
        nonlocal net, weights, orders
        weights, orders = iter(task.weights), iter(task.orders)
        net = Same(
            [w.shape[1] for w in task.weights[:-1]],
            solver=task.optimizer,
            alpha=0,
            batch_size=task.batch,
            learning_rate_init=LR[task.optimizer],
            momentum=MOMENTUM,
            max_iter=epochs,
            n_iter_no_change=epochs + 1,
            tol=0,
        )
        return [float(loss) for loss in net.fit(task.x, task.y).loss_curve_]

    return Contestant(train, lambda row: net.predict(row))


def pytorch(task: Task) -> Contestant:
    """A plain loop, without a DataLoader, which would take longer than the steps; losses become numbers at the end."""
    import torch

    x, y = torch.from_numpy(task.x), torch.from_numpy(task.y)
    loss_of = torch.nn.CrossEntropyLoss()
    net: Any = None

    def train(epochs: int) -> list[float]:
        nonlocal net
        layers: list[Any] = []
        for w in task.weights:
            layers += [torch.nn.Linear(*w.shape), torch.nn.ReLU()]
        net = torch.nn.Sequential(*layers[:-1])
        with torch.no_grad():
            for layer, w in zip(layers[::2], task.weights, strict=True):
                layer.weight.copy_(torch.from_numpy(w.T))
                layer.bias.zero_()
        if task.optimizer == "adam":
            optimizer: Any = torch.optim.Adam(net.parameters(), lr=LR["adam"], fused=True)
        else:
            options = {"momentum": MOMENTUM, "nesterov": True, "fused": True}
            optimizer = torch.optim.SGD(net.parameters(), lr=LR["sgd"], **options)
        losses = []
        for epoch in range(epochs):
            total = torch.zeros(())
            for rows in torch.from_numpy(task.orders[epoch]).split(task.batch):
                loss = loss_of(net(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(rows)
            losses.append(total.item() / len(x))
        return losses

    def predict(row: Any) -> Any:
        with torch.no_grad():
            return net(torch.from_numpy(row)).argmax(1)

    return Contestant(train, predict)


def main() -> None:
    told = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    if told["who"] == "pytorch" and told["threads"]:
        import torch

        torch.set_num_threads(told["threads"])
    with np.load(told["data"]) as data:
        weights = [data[name] for name in sorted(data.files) if name.startswith("weight")]
        task = Task(data["x"], data["y"], weights, data["orders"], told["batch"], told["optimizer"])
    contestant = globals()[told["who"]](task)
    row = task.x[:1]
    for line in sys.stdin:
        request = json.loads(line)
        begin = time.perf_counter()
        if "epochs" in request:
            losses = contestant.train(request["epochs"])
            answer: dict[str, Any] = {"losses": losses}
        else:
            for _ in range(request["predict"]):
                contestant.predict(row)
            answer = {}
        print(json.dumps({**answer, "seconds": time.perf_counter() - begin}), file=answers)


if __name__ == "__main__":
    main()

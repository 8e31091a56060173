"""How good the nets are: NeuralClassifier and NeuralRegressor beside scikit-learn's MLP, on data that neither has seen.

Same sizes, same inputs (standardised; pixels divided by their largest), same splits: 80 % to learn from, 20 % to test,
divided anew by each of five seeds, which also are those of the nets. Everybody has the settings it comes with, but for
what the name of the row says. Scores are accuracy, or R2 for numbers.

Usage: python bench/accuracy.py [--only digits] [--seeds 5]
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule import data
from chainrule.estimators import NeuralClassifier, NeuralRegressor
from machine import description, heading, save
from report import table


@dataclass(frozen=True)
class Task:
    """A data set, and the hidden layers that everybody gets."""

    name: str
    load: Callable[[], data.Dataset]
    hidden: tuple[int, ...]
    numbers: bool = False
    pixels: bool = False


TASKS = (
    Task("digits", data.digits, (100,), pixels=True),
    Task("MNIST 5,000", data.mnist_5k, (256, 128), pixels=True),
    Task("breast cancer", data.breast_cancer, (100,)),
    Task("diabetes", data.diabetes, (100,), numbers=True),
    Task("California housing", data.california, (100,), numbers=True),
    Task("Adult", data.adult, (100,)),
)
OURS: dict[str, dict[str, Any]] = {
    "chainrule": {},
    "chainrule, early stopping": {"early_stopping": True},
    "chainrule, dropout 0.2": {"dropout": 0.2},
    "chainrule, dropout 0.5": {"dropout": 0.5},
    "chainrule, dropout 0.2, lr 0.003": {"dropout": 0.2, "lr": 0.003, "patience": math.inf},
}


def contestants(task: Task, seed: int) -> dict[str, Any]:
    """Estimators by the name of their row."""
    peer, ours = (MLPRegressor, NeuralRegressor) if task.numbers else (MLPClassifier, NeuralClassifier)
    found: dict[str, Any] = {
        "scikit-learn": peer(hidden_layer_sizes=task.hidden, random_state=seed),
        "scikit-learn, early stopping": peer(hidden_layer_sizes=task.hidden, random_state=seed, early_stopping=True),
    }
    if task.numbers:  # as somebody does who knows it well: its targets are not standardised of themselves
        found = {name: TransformedTargetRegressor(net, transformer=StandardScaler()) for name, net in found.items()}
    return found | {name: ours(task.hidden, random_state=seed, **options) for name, options in OURS.items()}


def measured(task: Task, seeds: int) -> dict[str, list[dict[str, float]]]:
    """For each contestant the score and the seconds of every seed."""
    x, y = task.load()
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        here, there, y_here, y_there = train_test_split(
            x, y, test_size=0.2, random_state=seed, stratify=None if task.numbers else y
        )
        for name, net in contestants(task, seed).items():
            model = net if task.pixels else make_pipeline(StandardScaler(), net)
            begin = time.perf_counter()
            model.fit(here, y_here)
            seconds = time.perf_counter() - begin
            rows.setdefault(name, []).append({"score": float(model.score(there, y_there)), "seconds": seconds})
    return rows


def cells(results: list[dict[str, float]]) -> list[str]:
    scores = [100 * each["score"] for each in results]
    spread = stdev(scores) if len(scores) > 1 else 0.0
    return [f"{mean(scores):.2f} ± {spread:.2f}", f"{mean(each['seconds'] for each in results):.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="the data set to take")
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    machine = description()
    print(heading(machine))
    results = {}
    for task in TASKS:
        if chosen.only in (None, task.name):
            results[task.name] = measured(task, chosen.seeds)
            print(f"\n{task.name}, {'-'.join(map(str, task.hidden))}\n")
            rows = results[task.name].items()
            print(
                table(["", "R2, %" if task.numbers else "accuracy, %", "s"], *([n, *cells(r)] for n, r in rows)),
                flush=True,
            )
    print(f"\nwritten to {save('accuracy', machine, tasks=results)}")


if __name__ == "__main__":
    main()

"""How long one row takes: ``predict`` and ``predict_proba`` of NeuralClassifier beside those of scikit-learn's MLP.

The digits, 100 hidden neurons, float64, one thread. Both are asked through their public methods, input checks included.
They take turns; figures are medians over the rounds, with bests in brackets.

Usage: python bench/predict.py [--rounds 30]
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import chainrule as cr
from chainrule import data
from chainrule.estimators import NeuralClassifier
from machine import description, heading, save
from report import table

CALLS = 300
ROWS = (1, 100)


def microseconds(function: Callable[[Any], Any], x: Any) -> float:
    begin = time.perf_counter()
    for _ in range(CALLS):
        function(x)
    return (time.perf_counter() - begin) / CALLS * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore", ConvergenceWarning)
    cr.set_threads(1)
    x, y = data.digits()
    x = x.astype(float)
    nets = {
        "scikit-learn": MLPClassifier(max_iter=10, random_state=0).fit(x, y),
        "chainrule": NeuralClassifier(max_iter=10, random_state=0).fit(x, y),
    }
    asked = [(method, rows) for method in ("predict", "predict_proba") for rows in ROWS]
    times: dict[tuple[str, str, int], list[float]] = {}
    for _ in range(rounds):
        for method, rows in asked:
            for name, net in nets.items():
                us = microseconds(getattr(net, method), x[:rows].copy())
                times.setdefault((name, method, rows), []).append(us)
    machine = description()
    print(heading(machine) + "\n")
    lines = []
    for method, rows in asked:
        peer, ours = (times[name, method, rows] for name in nets)
        shown = [f"{median(us):.1f} ({min(us):.1f})" for us in (peer, ours)]
        lines.append(
            [f"{method}, {rows} rows", *shown, f"**{median(peer) / median(ours):.1f}** ({min(peer) / min(ours):.1f})"]
        )
    print(table(["us a call: median (best)", *nets, "times faster"], *lines))
    rows_of_json = [{"net": n, "method": m, "rows": r, "us": us} for (n, m, r), us in times.items()]
    print(f"\nwritten to {save('predict', machine, rows=rows_of_json)}")


if __name__ == "__main__":
    main()

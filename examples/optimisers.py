"""Optimisers in a ravine: who creeps, who swings from wall to wall, and who gets along.

    python optimisers.py [FOLDER]      draws into FOLDER/optimisers.png (default: runs)

The loss is steep across and flat along, as losses of nets are (course notes, neural networks 3). Plain gradient descent
can take no steps larger than the walls allow, so it creeps. Momentum gathers speed along the bottom. AdaGrad, RMSProp
and Adam give each direction a step size of its own; RMSProp would tremble at the end, if a schedule did not make its
steps smaller. L-BFGS finds out the curvature, and jumps.
"""

import sys
from pathlib import Path

import numpy as np

import chainrule as cr

START, STEPS = [-9.0, 1.0], 150
KINDS = {
    "SGD": lambda w: cr.optim.SGD([w], lr=0.035),
    "momentum": lambda w: cr.optim.SGD([w], lr=0.035, momentum=0.8),
    "AdaGrad": lambda w: cr.optim.AdaGrad([w], lr=1.5),
    "RMSProp": lambda w: cr.optim.RMSProp([w], lr=0.3, schedule=cr.optim.Cosine(STEPS)),
    "Adam": lambda w: cr.optim.Adam([w], lr=0.5),
}


def ravine(w):
    """50 times as steep across as along."""
    return (w[0] ** 2 + 50 * w[1] ** 2) / 2


def path_of(make):
    """Where the steps of an optimiser lead."""
    w = cr.Parameter(START, dtype=float)
    optimizer = make(w)

    @cr.compile
    def step(row):
        ravine(w).backward()
        optimizer.step()
        return w

    return np.vstack([START, step.over(np.zeros(STEPS), batch=1)])


def path_of_lbfgs():
    """The same, for all data at once."""
    w, path = cr.Parameter(START, dtype=float), [START]

    def closure():
        loss = ravine(w)
        loss.backward()
        return loss

    cr.optim.LBFGS([w]).minimise(closure, after_iteration=lambda *_: path.append(w.value.copy()))
    return np.array(path)


def arrival(path):
    """After how many steps the loss stays below 0.01."""
    return np.flatnonzero([ravine(w) >= 0.01 for w in path])[-1] + 1


paths = {name: path_of(make) for name, make in KINDS.items()} | {"L-BFGS": path_of_lbfgs()}
print("            loss below 0.01   loss at the end")
for name, path in paths.items():
    print(f"{name:10}  after {arrival(path):3} steps   {ravine(path[-1]):15.1e}")
ahead = all(arrival(path) < arrival(paths["SGD"]) for name, path in paths.items() if name != "SGD")
print(f"\nAll the others are there before plain SGD: {ahead}")

(folder := Path(sys.argv[1] if len(sys.argv) > 1 else "runs")).mkdir(parents=True, exist_ok=True)
try:
    from matplotlib.figure import Figure
except ModuleNotFoundError:
    sys.exit("no picture: matplotlib is not installed (pip install 'chainrule[plot]')")
figure = Figure(figsize=(12, 6), dpi=120, layout="constrained")
x, y = np.meshgrid(np.linspace(-10, 3, 200), np.linspace(-1.6, 1.6, 100))
for axes, (name, path) in zip(figure.subplots(2, 3, sharex=True, sharey=True).flat, paths.items(), strict=True):
    axes.contour(x, y, ravine(np.stack([x, y])), levels=np.geomspace(0.1, 80, 12), colors="#cccccc", linewidths=0.7)
    axes.plot(*path.T, marker=".", markersize=4, linewidth=1, color="#0072b2")
    axes.plot(0, 0, marker="+", color="#d55e00", markersize=10)
    axes.set(title=f"{name}: {len(path) - 1} steps")
figure.savefig(folder / "optimisers.png")
print(f"paths drawn in {folder / 'optimisers.png'}")

"""12. More neurons fit more, noise included. The answer is regularisation, not fewer neurons.

    python 12_capacity_and_regularisation.py [FOLDER]      draws into FOLDER/capacity.png (default: runs)

A disc in a ring, with noise: 60 points to learn from and 1000 to test on, five times with other points and weights.
"""

import sys
from pathlib import Path

import numpy as np

import chainrule as cr

NOISE = 0.25
NETS = [(3, 0.0), (6, 0.0), (20, 0.0), (20, 0.001), (20, 0.01), (20, 0.1)]  # hidden neurons, strength of L2


def train(inputs, labels, hidden, l2, seed):
    rng = np.random.default_rng(seed)
    model = cr.nn.Sequential(cr.nn.Linear(2, hidden, rng=rng), cr.nn.Tanh(), cr.nn.Linear(hidden, 2, rng=rng))
    optimizer = cr.optim.SGD(model.parameters(), lr=0.3, momentum=0.9, l2=l2)
    for _ in range(1000):
        cr.nn.cross_entropy(model(inputs), labels).backward(keep=False)
        optimizer.step()
    return model


def classes(model, inputs):
    with cr.no_grad():
        return model(inputs).value.argmax(axis=1)


print("Means of five runs:")
print("hidden neurons      L2   training accuracy   test accuracy")
first = {}
for hidden, l2 in NETS:
    accuracies = []
    for seed in range(5):
        train_x, train_y = cr.data.circle(points=30, noise=NOISE, seed=seed)
        test_x, test_y = cr.data.circle(points=500, noise=NOISE, seed=100 + seed)
        model = train(train_x, train_y, hidden, l2, seed)
        first.setdefault((hidden, l2), model)
        pairs = [(train_x, train_y), (test_x, test_y)]
        accuracies.append([100 * np.mean(classes(model, x) == y) for x, y in pairs])
    on_train, on_test = np.mean(accuracies, axis=0)
    print(f"{hidden:14}   {l2:5.3f}   {on_train:15.1f} %   {on_test:11.1f} %", flush=True)
print("More neurons fit the training points, noise included, and the test data gain nothing. L2 keeps many neurons")
print("smooth; too much of it, and they no longer learn at all.")


def draw(path):
    """What each net makes of the plane, and the points it learned from."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), dpi=120, layout="constrained")
    x, y = cr.data.circle(points=30, noise=NOISE, seed=0)
    across, up = np.meshgrid(np.linspace(-1.8, 1.8, 200), np.linspace(-1.8, 1.8, 200))
    for axes, ((hidden, l2), model) in zip(figure.subplots(2, 3).flat, first.items(), strict=True):
        regions = classes(model, np.stack([across.ravel(), up.ravel()], axis=1)).reshape(across.shape)
        axes.contourf(across, up, regions, levels=[-0.5, 0.5, 1.5], colors=["#cce4f2", "#f8dccb"])
        axes.plot(*x[y == 0].T, "o", color="#0072b2", markersize=5)
        axes.plot(*x[y == 1].T, "^", color="#d55e00", markersize=5)
        axes.set(title=f"{hidden} hidden neurons, L2 {l2:g}", xticks=[], yticks=[])
    figure.savefig(path)


folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
folder.mkdir(parents=True, exist_ok=True)
try:
    draw(folder / "capacity.png")
    print(f"\nregions drawn in {folder / 'capacity.png'}")
except ModuleNotFoundError:
    print("\nno picture: matplotlib is not installed (pip install 'chainrule[plot]')")

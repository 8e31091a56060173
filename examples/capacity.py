"""The lesson on capacity: nets of 3, 6 and 20 hidden neurons on noisy points, and 20 neurons with more and more L2.

    python capacity.py [FOLDER]      draws into FOLDER/capacity.png (default: runs)

After the figures of the course notes (neural networks 1, "setting number of layers and their sizes"): a larger net fits
more complicated functions, down to single outliers. Fewer neurons are not the answer; a penalty on the weights is: the
boundary of 20 neurons becomes as smooth as one likes, and too smooth in the end.
"""

import sys
from pathlib import Path

import numpy as np

import chainrule as cr

NEURONS = [(3, 0.0), (6, 0.0), (20, 0.0)]  # hidden neurons and strength of L2: the upper row
STRENGTHS = [(20, 0.001), (20, 0.01), (20, 0.1)]  # the lower row
RUNS = 3
here = cr.data.moons(points=80, noise=0.35, seed=1)
unseen = cr.data.moons(points=2000, noise=0.35, seed=2)


def trained(hidden, strength, seed):
    """A net of one hidden layer, after 1,400 steps."""
    rng = np.random.default_rng(seed)
    net = cr.nn.Sequential(cr.nn.Linear(2, hidden, rng=rng), cr.nn.Tanh(), cr.nn.Linear(hidden, 2, rng=rng))
    optimizer = cr.optim.SGD(net.parameters(), lr=0.7, momentum=0.9)
    cr.training.fit(net, "cross_entropy", optimizer, here, epochs=700, batch=80, penalty=cr.nn.L2(strength))
    return net


def accuracy(net, data):
    """In percent."""
    return 100 * cr.training.evaluate(net, data)["accuracy"]


def weight_size(net):
    """The root of the mean square of all weights."""
    return np.sqrt(np.mean(np.concatenate([p.value.ravel() for p in net.parameters() if p.ndim > 1]) ** 2))


print(f"{len(here.inputs)} noisy points of two moons; {RUNS} nets of each kind, from other weights. Means:\n")
print("hidden neurons      L2   on these points   on unseen ones   size of weights")
nets, means = {}, {}
for kind in NEURONS + STRENGTHS:
    nets[kind] = [trained(*kind, seed) for seed in range(RUNS)]
    of_each = [(accuracy(net, here), accuracy(net, unseen), weight_size(net)) for net in nets[kind]]
    seen, new, size = means[kind] = np.mean(of_each, axis=0)
    print(f"{kind[0]:14}   {kind[1]:5.3f}   {seen:13.1f} %   {new:12.1f} %   {size:15.2f}", flush=True)
most, little = means[20, 0.0], means[20, 0.001]
print(f"\nOf all, 20 neurons without L2 fit these points best: {most[0] == max(seen for seen, *_ in means.values())}")
print(f"With a little L2 they do better on unseen ones: {little[1] > most[1]}")


def draw(path):
    """What the first net of each kind makes of the plane, and the points it learned from."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7.4), dpi=120, layout="constrained")
    across, up = np.meshgrid(np.linspace(-2.1, 3.1, 260), np.linspace(-1.7, 2.2, 200))
    plane = np.stack([across.ravel(), up.ravel()], axis=1)
    x, y = here
    for axes, kind in zip(figure.subplots(2, 3).flat, NEURONS + STRENGTHS, strict=True):
        with cr.no_grad():
            share = cr.softmax(nets[kind][0](plane)).value[:, 1].reshape(across.shape)
        axes.contourf(across, up, share, levels=[0, 0.5, 1], colors=["#d3e7f5", "#fbe0cd"])
        axes.contour(across, up, share, levels=[0.5], colors="#3d4a58", linewidths=1.2)
        axes.plot(*x[y == 0].T, "o", color="#0072b2", markeredgecolor="white", markersize=6.5)
        axes.plot(*x[y == 1].T, "^", color="#d55e00", markeredgecolor="white", markersize=7)
        hidden, strength = kind
        axes.set(
            xticks=[], yticks=[], title=f"{hidden} hidden neurons" if not strength else f"20 neurons, L2 {strength:g}"
        )
    figure.savefig(path)


folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
folder.mkdir(parents=True, exist_ok=True)
try:
    draw(folder / "capacity.png")
    print(f"\nregions drawn in {folder / 'capacity.png'}")
except ModuleNotFoundError:
    print("\nno picture: matplotlib is not installed (pip install 'chainrule[plot]')")

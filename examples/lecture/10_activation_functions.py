"""10. Activation functions: what makes a net more than a linear classifier.

python 10_activation_functions.py [FOLDER]      draws into FOLDER/activations.png (default: runs)
"""

import sys
from pathlib import Path

import numpy as np

import chainrule as cr


def maxout(x):
    """The largest of two affine maps of x: the weights are learned, these are for show."""
    return np.maximum(-0.5 * x - 1.0, 0.8 * x)


FUNCTIONS = {
    "sigmoid": (cr.sigmoid, "1 / (1 + e^-x): in (0, 1), saturates, not centred at zero"),
    "tanh": (np.tanh, "2 sigmoid(2x) - 1: in (-1, 1), saturates, centred at zero"),
    "ReLU": (cr.relu, "max(0, x): does not saturate for x > 0, can die"),
    "leaky ReLU": (cr.leaky_relu, "x or 0.1 x: does not die"),
    "maxout": (maxout, "max(w1 x + b1, w2 x + b2): contains both ReLUs, twice the parameters"),
}

points = np.array([-5.0, -1.0, 0.5, 5.0])
print(f"{'x':24}" + "".join(f"{x:8.1f}" for x in points))
for name, (function, note) in FUNCTIONS.items():
    x = cr.array(points)
    value = function(x)
    np.sum(value).backward()
    print(f"\n{name}: {note}")
    print(f"{'  value':24}" + "".join(f"{z:8.3f}" for z in value.value))
    print(f"{'  derivative':24}" + "".join(f"{dx:8.3f}" for dx in x.grad))

# A ReLU that is negative for all of its inputs is dead: no gradient comes through, and so it stays as it is.
inputs = np.array([[1.0, 2.0], [3.0, 1.0]])
weights, bias = cr.array([[1.0], [0.5]], name="weights"), cr.array([-10.0], name="bias")
rates = cr.relu(inputs @ weights + bias)
loss = np.sum(rates)
loss.backward()
print(f"\na ReLU with bias -10: rates {rates.value.ravel().tolist()}, gradient {weights.grad.ravel().tolist()}. Why?")
print(cr.why(weights, loss))


def draw(path):
    """The five functions side by side, each with its derivative."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 3.2), dpi=120, layout="constrained")
    grid = np.linspace(-5, 5, 401)
    for axes, (name, (function, _)) in zip(figure.subplots(1, 5), FUNCTIONS.items(), strict=True):
        x = cr.array(grid)
        value = function(x)
        np.sum(value).backward()
        axes.plot(grid, value.value, color="#0072b2", label="value")
        axes.plot(grid, x.grad, color="#d55e00", linestyle="--", label="derivative")
        axes.set(title=name, xlabel="x", ylim=(-1.6, 5.1 if value.value.max() > 2 else 1.6))
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    figure.savefig(path)


folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
folder.mkdir(parents=True, exist_ok=True)
try:
    draw(folder / "activations.png")
    print(f"\nplotted in {folder / 'activations.png'}")
except ModuleNotFoundError:
    print("\nno plot: matplotlib is not installed (pip install 'chainrule[plot]')")

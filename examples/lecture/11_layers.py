"""11. Layers turn neurons into matrix products. A net is named by its layers with weights.

A layer of 4 neurons that see 3 inputs is a matrix (3, 4) and 4 biases; a whole batch of examples goes through it in one
product. Inputs are no layer: a net with one hidden layer is a 2-layer net.
"""

import numpy as np

import chainrule as cr


def sizes(name, model):
    weights = sum(p.size for p in model.parameters() if p.ndim == 2)
    biases = model.parameter_count - weights
    print(f"{name}: {model.neuron_count} neurons, {weights} weights and {biases} biases, {weights + biases} parameters")


two = cr.nn.Sequential(cr.nn.Linear(3, 4, rng=0), cr.nn.ReLU(), cr.nn.Linear(4, 2, rng=1))
three = cr.nn.Sequential(
    cr.nn.Linear(3, 4, rng=0), cr.nn.ReLU(), cr.nn.Linear(4, 4, rng=1), cr.nn.ReLU(), cr.nn.Linear(4, 1, rng=2)
)
sizes("2-layer net, 3-4-2  ", two)
sizes("3-layer net, 3-4-4-1", three)

# The layers in plain NumPy. The output layer has no activation: its numbers are scores.
(w1, b1, w2, b2), batch = (p.value for p in two.parameters()), np.random.default_rng(3).standard_normal((5, 3))
hidden = np.maximum(0, batch @ w1 + b1)
scores = hidden @ w2 + b2
print(f"\nfive examples at once: {batch.shape} -> {hidden.shape} -> {scores.shape}")
print(f"the model computes the same: {np.allclose(scores, two(batch).value, atol=1e-6)}")

# Without a nonlinearity in between, two layers collapse into one linear classifier.
stacked = cr.nn.Sequential(cr.nn.Linear(3, 4, dtype=np.float64, rng=0), cr.nn.Linear(4, 2, dtype=np.float64, rng=1))
(w1, b1, w2, b2) = (p.value for p in stacked.parameters())
single_weight, single_bias = w1 @ w2, b1 @ w2 + b2
difference = np.abs(stacked(batch).value - (batch @ single_weight + single_bias)).max()
print(f"\ntwo linear layers ({stacked.parameter_count} parameters) equal one (8): largest difference {difference:.0e}")
for warning in stacked.stacked_linear():
    print(f"the model says so: {warning}")
print(f"with a ReLU in between it has nothing to say: {two.stacked_linear()}")

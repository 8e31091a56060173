"""9. One neuron: a weighted sum of its inputs plus a bias, through an activation function.

The cell body sums what the dendrites bring; the sigmoid makes a firing rate of the sum. It is only loosely a model of a
biological neuron, and mathematically a linear classifier: the rate is a probability, 0.5 along a straight line.
"""

import numpy as np

import chainrule as cr

neuron = cr.nn.Neuron(weights=[2.0, -3.0], bias=-3.0)
rate = neuron.forward([-1.0, -2.0])
rate.backward()
print(f"cell body sum {neuron.cell_body_sum:.2f}, firing rate {neuron.firing_rate:.2f}")
dw0, dw1 = neuron.weights.grad
print(f"gradient of the rate: weights {dw0:.2f} and {dw1:.2f}, bias {neuron.bias.grad:.2f}")

inputs = cr.array([-1.0, -2.0])
neuron.forward(inputs).backward()
dx0, dx1 = inputs.grad
print(f"                      inputs  {dx0:.2f} and {dx1:.2f}")

# A neuron learns: with the cross-entropy it is logistic regression, a binary softmax classifier.
points = np.array([[1.0, 2.0], [2.0, 1.5], [1.5, 3.0], [-1.0, -1.0], [-2.0, 0.0], [0.0, -2.0]])
fires = np.array([1, 1, 1, 0, 0, 0])
learner = cr.nn.Neuron(weights=[0.0, 0.0])
optimizer = cr.optim.SGD(learner.parameters(), lr=1.0)
for step in range(101):
    rates = np.stack([learner.forward(point) for point in points])
    loss = -np.mean(fires * np.log(rates) + (1 - fires) * np.log(1 - rates))
    if step in (0, 10, 100):
        print(f"step {step:3}: loss {loss:.3f}, rates {[round(r, 2) for r in rates.tolist()]}")
    loss.backward()
    optimizer.step()

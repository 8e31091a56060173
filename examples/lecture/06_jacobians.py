"""6. In practice activations are vectors; then the local gradient of a gate is a Jacobian, a whole matrix.

For an elementwise gate only its diagonal is not zero: output i depends on input i alone. With 4096 inputs the matrix
would have 16 million elements, so it is never built unless somebody asks to see it.
"""

import numpy as np

import chainrule as cr

x = cr.array([1.0, -2.0, 3.0, -1.0], name="x")
z = np.maximum(0, x)  # the activation of a layer of ReLU neurons
edge = next(edge for edge in cr.edges(z) if edge.live)
print(f"max(0, x) = {z.value.tolist()}")
print(f"its Jacobian, diagonal: {edge.diagonal}")
print(edge.jacobian())
print(f"kept as the diagonal alone: {edge.local_gradient.tolist()}")

upstream = np.array([4.0, 1.0, 5.0, 9.0])
z.backward(upstream=upstream)
print(f"upstream {upstream.tolist()} -> {x.grad.tolist()}: a product with the diagonal, element by element")

print("\nA softmax mixes its inputs, so its Jacobian is full:")
scores = np.log([0.2, 0.3, 0.5])
print(cr.jacobian(cr.softmax)(scores).round(2))

print("\nTogether with the cross-entropy it becomes simple again: the probabilities, less 1 at the true class.")
scores = cr.array(scores[None])
loss = cr.nn.cross_entropy(scores, np.array([1]))
loss.backward()
print(f"probabilities (0.2, 0.3, 0.5), true class the second: loss {loss:.2f} = -log 0.3")
print(f"gradient of the scores: {scores.grad[0].round(2).tolist()}")

# A matrix product Y = X W. The shapes alone tell where the transpose goes.
rng = np.random.default_rng(0)
data, weights = cr.array(rng.standard_normal((5, 10))), cr.array(rng.standard_normal((10, 3)))
product = data @ weights
dy = rng.standard_normal(product.shape)
product.backward(upstream=dy)
print("\nY = X W with X (5, 10), W (10, 3):")
print(f"  dW = X^T dY has shape {weights.grad.shape}, and agrees: {np.allclose(weights.grad, data.value.T @ dy)}")
print(f"  dX = dY W^T has shape {data.grad.shape}, and agrees: {np.allclose(data.grad, dy @ weights.value.T)}")

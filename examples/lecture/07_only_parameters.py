"""7. In practice the gradients of the parameters are wanted, and not those of the training data.

A NumPy array is data, a chainrule array is a variable. No work is spent on gradients of data: the product that would
give them is not computed. Wrap the data in cr.array to have them all the same, for instance to see what a net looks at.
"""

from time import perf_counter

import numpy as np

import chainrule as cr

rng = np.random.default_rng(0)
images = rng.standard_normal((64, 784)).astype(np.float32)
labels = rng.integers(0, 10, 64)
model = cr.nn.Sequential(cr.nn.Linear(784, 100, rng=1), cr.nn.ReLU(), cr.nn.Linear(100, 10, rng=2))


def milliseconds(inputs):
    """The time of forward and backward together: the shortest of many, which other programs disturb least."""
    times = []
    for _ in range(50):
        start = perf_counter()
        cr.nn.cross_entropy(model(inputs), labels).backward()
        times.append(perf_counter() - start)
    return 1000 * min(times)


loss = cr.nn.cross_entropy(model(images), labels)
loss.backward()
print("images as an ndarray: they are data")
for name, parameter in model.named_parameters().items():
    print(f"  dL/d({name:15}) has shape {parameter.grad.shape}")

variable = cr.array(images)
cr.nn.cross_entropy(model(variable), labels).backward()
print(f"images as a cr.array: dL/d(images) has shape {variable.grad.shape}")
brightest = np.abs(variable.grad[0]).argmax()
print(f"  the pixel of the first image that matters most to its loss is number {brightest}")

without, with_it = milliseconds(images), milliseconds(variable)
print(f"forward + backward take {without:.2f} ms without dL/d(images) and {with_it:.2f} ms with it")

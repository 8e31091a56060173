"""8. Parameters are learned with stochastic gradient descent: a step against the gradient, computed on a few examples.

Going down a hill in fog: the gradient tells which way is up, here and now, so take a small step the other way, and ask
again.
"""

import numpy as np

import chainrule as cr

rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, 200)
y = 3.0 * x + 0.5 + 0.1 * rng.standard_normal(200)  # a line with slope 3 and height 0.5, and noise


def loss(params, x, y):
    return np.mean((params["slope"] * x + params["height"] - y) ** 2)


# By hand: w <- w - lr * dL/dw, and nothing else.
params = {"slope": np.array(0.0), "height": np.array(0.0)}
for _ in range(200):
    gradient = cr.grad(loss)(params, x, y)
    params = {name: value - 0.2 * gradient[name] for name, value in params.items()}
print(f"by hand, all examples in each step:  slope {params['slope']:.2f}, height {params['height']:.2f}")

# Stochastic: ten examples a step give a rough gradient, twenty times as often.
slope, height = cr.Parameter(0.0), cr.Parameter(0.0)
optimizer = cr.optim.SGD([slope, height], lr=0.1)
for _ in range(10):
    for some_x, some_y in cr.data.batches(x, y, 10, rng):
        error = cr.nn.mse(slope * some_x + height, some_y)
        error.backward()  # writes gradients afresh: there is nothing to set to zero
        optimizer.step()
print(f"SGD, ten examples in each step:      slope {slope:.2f}, height {height:.2f}")

# The step size decides. In a valley that is 50 times steeper across than along, momentum helps.
print("\nL(w) = (50 * w0^2 + w1^2) / 2 from (1, 1), after 50 steps:")
for lr, momentum in [(0.001, 0.0), (0.03, 0.0), (0.05, 0.0), (0.03, 0.7)]:
    w = cr.Parameter([1.0, 1.0])
    optimizer = cr.optim.SGD([w], lr=lr, momentum=momentum)
    for _ in range(50):
        valley = np.sum(np.array([50.0, 1.0]) * w**2) / 2
        valley.backward()
        optimizer.step()
    end = (50 * w.value[0] ** 2 + w.value[1] ** 2) / 2
    remark = "  <- too large: it climbs" if end > 25.5 else ""
    print(f"  lr {lr:.3f}, momentum {momentum:.1f}: L = {end:.2g}{remark}")

"""A small net with its training step, and data for it."""

import numpy as np

import chainrule as cr


def make_net(hidden=cr.nn.Tanh, *, momentum=0.9, l2=0.0, dtype=np.float32):
    model = cr.nn.Sequential(cr.nn.Linear(2, 6, rng=1, dtype=dtype), hidden(), cr.nn.Linear(6, 3, rng=2, dtype=dtype))
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1, momentum=momentum, l2=l2)

    def step(x, labels):
        loss = cr.nn.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


def batches(n, size=10):
    rng = np.random.default_rng(0)
    return [(rng.standard_normal((size, 2)), rng.integers(0, 3, size)) for _ in range(n)]


def values(model):
    return [p.value.copy() for p in model.parameters()]

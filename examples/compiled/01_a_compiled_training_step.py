"""1. A whole training step in one native call: write it as always, and put `@cr.compile` in front.

    python 01_a_compiled_training_step.py

Three ways through the same data: step by step with NumPy, step by step compiled, and a whole epoch in one call.
"""

from time import perf_counter

import numpy as np

import chainrule as cr

EPOCHS, BATCH = 10, 32
(images, labels), (new_images, new_labels) = cr.data.split(*cr.data.digits(), seed=0)


def setting():
    """A net with weights drawn from the same seeds, its training step, and the step compiled."""
    model = cr.nn.Sequential(cr.nn.Linear(64, 100, rng=0), cr.nn.ReLU(), cr.nn.Linear(100, 10, rng=1))
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x, y):
        loss = cr.nn.cross_entropy(model(x), y)  # forward
        loss.backward()  # backward
        optimizer.step()  # update
        return loss

    return model, step, cr.compile(step)


def accuracy(model):
    return np.mean(np.argmax(model(new_images), axis=1) == new_labels).item()


def run(how, epoch):
    """Some epochs, of which `epoch(rng)` does one and returns its losses; the second one and those after it timed."""
    rng = np.random.default_rng(0)  # shuffles
    begin = perf_counter()
    losses = [epoch(rng)]
    first, begin = perf_counter() - begin, perf_counter()
    losses += [epoch(rng) for _ in range(EPOCHS - 1)]
    steps = (EPOCHS - 1) * len(losses[0])
    rate = steps / (perf_counter() - begin)
    print(f"{how:<22} first epoch {first:6.3f} s, then {rate:8,.0f} steps a second, loss {np.mean(losses[-1]):.4f}")
    return np.mean(losses[-1])


# Every call goes through Python, gate by gate.
model, step, _ = setting()
eager = run("eager", lambda rng: [step(x, y).item() for x, y in cr.data.batches(images, labels, BATCH, rng)])

# The first call records the step and compiles it, and the second one makes sure that it was the same. The last batch
# of an epoch is shorter, so it is compiled, too. All of that is in the first epoch.
model, _, compiled = setting()
called = run("compiled", lambda rng: [compiled(x, y).item() for x, y in cr.data.batches(images, labels, BATCH, rng)])

# An epoch in one call: minibatches are gathered and trained on natively. Everything is compiled by now.
model, _, compiled = setting()
over = run("compiled, step.over", lambda rng: compiled.over(images, labels, batch=BATCH, order=rng))

# They learn the same. Sums are added up in another order, so losses agree up to rounding, which training magnifies.
print(f"\nlosses agree: {np.allclose([called, over], eager, rtol=0.05)}")
print(f"test accuracy above 95%: {accuracy(model) > 0.95}")
print(f"{len(compiled.programs)} Programs: one for batches of {BATCH}, one for the last of {len(labels) % BATCH}")

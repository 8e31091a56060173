"""2. Compiled code that can be looked into: its source, its costs, its kernels, and where a NaN comes from.

    python 02_looking_into_it.py [FOLDER]      draws into FOLDER/kernels.svg (default: runs)

A few lines of NumPy are trained for one step; all the rest of the script looks at what was made of them.
"""

import sys
from pathlib import Path

import numpy as np

import chainrule as cr

(images, labels), _ = cr.data.split(*cr.data.digits(), seed=0)
images, labels = images[:64], labels[:64]
W1, b1 = cr.Parameter(0.1 * np.random.default_rng(0).standard_normal((64, 100))), cr.Parameter(np.zeros(100))
W2, b2 = cr.Parameter(0.1 * np.random.default_rng(1).standard_normal((100, 10))), cr.Parameter(np.zeros(10))
optimizer = cr.optim.SGD([W1, b1, W2, b2], lr=0.1)


@cr.compile
def step(x, y):
    h = np.tanh(x @ W1 + b1)
    loss = cr.nn.cross_entropy(h @ W2 + b2, y)
    loss.backward()
    optimizer.step()
    return loss


# What is computed: forward pass, backward pass and update, with the names and lines of the code above. You can paste
# it into a file and run it; nothing in it needs chainrule.
print(step.source(images, labels))

# What became of the recording: gates that nobody needs go, equal ones are merged. And which line costs what.
print(step.explain(images, labels))

# Values of the inside beside the result, by name; nothing is slower while nobody watches.
loss, seen = step.watch("h", "dL/dh")(images, labels)
print(f"loss {loss:.2f}; h within {np.abs(seen['h']).max():.2f}, its gradient dL/dh of shape {seen['dL/dh'].shape}\n")

# How long each kernel takes, and what the machine could do at best. Chains of gates run in one loop, and what is done
# with a matrix product runs on its finished tiles: bias and tanh on the way forward, the update on the way back.
try:
    print(step.profile(images, labels))
except RuntimeError as error:  # no native code on this machine
    print(error)

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
folder.mkdir(parents=True, exist_ok=True)
step(images, labels)
cr.draw(step).save(folder / "kernels.svg")
print(f"the kernels are drawn in {folder / 'kernels.svg'}")

# A learning rate far too large. The weights are put back to what they were before the step that went wrong, and the
# step is run again, gate by gate, up to the first value that is not finite.
optimizer.lr = 1e38
before = W1.value.copy()
with np.errstate(all="ignore"):
    try:
        with cr.nonfinite():
            for _ in range(10):
                before = W1.value.copy()
                step(images, labels)
    except cr.NonFiniteError as error:
        print(f"\n{error}")
print(f"the weights are those before that step: {np.array_equal(W1.value, before)}")

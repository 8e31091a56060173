"""4. A loop that carries something along is one gate, `cr.scan`, and a native loop once it is compiled.

    python 04_a_loop.py

A recurrent net reads a handwritten digit line by line, eight lines of eight pixels, and keeps 32 numbers in mind.
"""

import numpy as np

import chainrule as cr

(images, labels), (new_images, new_labels) = cr.data.split(*cr.data.digits(), seed=0)


def lines(images):
    """The lines first, since the loop goes over the first axis: (8, images, 8 pixels)."""
    return np.transpose(np.reshape(images, (-1, 8, 8)), (1, 0, 2))


rng = np.random.default_rng(0)
READ = cr.Parameter(0.3 * rng.standard_normal((8, 32)))
KEEP = cr.Parameter(0.9 * np.linalg.qr(rng.standard_normal((32, 32)))[0])
BIAS = cr.Parameter(np.zeros(32))
SAY = cr.nn.Linear(32, 10, rng=1)
optimizer = cr.optim.SGD([READ, KEEP, BIAS, *SAY.parameters()], lr=0.02, momentum=0.9)


def scores(images):
    def read(memory, line):
        memory = np.tanh(line @ READ + memory @ KEEP + BIAS)
        return memory, None  # nothing is given line by line

    memory, _ = cr.scan(read, np.zeros((len(images), 32), np.float32), lines(images))
    return SAY(memory)


@cr.compile
def step(images, labels):
    loss = cr.nn.cross_entropy(scores(images), labels)
    loss.backward()  # a scan, too: from the last line to the first
    optimizer.step()
    return loss


for epoch in range(30):
    losses = step.over(images, labels, batch=32, order=epoch)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1:>2}: loss {losses.mean():.3f}")

classify = cr.compile(lambda images: np.argmax(scores(images), axis=1))
accuracy = np.mean(classify(new_images) == new_labels).item()
print(f"test accuracy above 93%: {accuracy > 0.93}")

# However long the loop is, the Program stays as it is: a loop of 10,000 steps is one gate.
numbers = np.linspace(0.0, 1.0, 10_000)
average = cr.compile(lambda rate, xs: cr.scan(lambda m, x: (m + rate * (x - m), None), 0.0, xs)[0])
print(f"a moving average over {len(numbers):,} numbers: {average(0.01, numbers):.4f}, ", end="")
print(f"{len(average.last.instructions)} gates")

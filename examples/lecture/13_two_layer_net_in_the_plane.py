"""13. A two-layer net learns the points that you place in the plane.

Draw your own below: o and x are points of the two classes, everything else is empty. The net has two inputs, a layer of
tanh neurons and two outputs; after some steps it says for every place of the plane which class it takes it for.
"""

import numpy as np

import chainrule as cr

PLANE = """
    x              x            x
              x           x
       x                            x
             o    o    o
    x       o    o  o     o     x
              o    o   o
         x       o                x
    x                    x
           x        x          x
"""
HIDDEN, STEPS, LR = 8, 500, 0.3

rows = PLANE.strip("\n").splitlines()
height, width = len(rows), max(map(len, rows)) + 4
placed = [(row, column, mark) for row, line in enumerate(rows) for column, mark in enumerate(line) if mark in "ox"]


def coordinates(rows, columns):
    """Places of the drawing as points of the plane, both coordinates from -2 to 2."""
    return np.stack([4 * np.asarray(columns) / (width - 1) - 2, 2 - 4 * np.asarray(rows) / (height - 1)], axis=-1)


points = coordinates([row for row, _, _ in placed], [column for _, column, _ in placed])
labels = np.array([mark == "x" for _, _, mark in placed]).astype(int)

model = cr.nn.Sequential(cr.nn.Linear(2, HIDDEN, rng=0), cr.nn.Tanh(), cr.nn.Linear(HIDDEN, 2, rng=1))
optimizer = cr.optim.SGD(model.parameters(), lr=LR, momentum=0.9, l2=1e-3)


def picture():
    """The plane as the net sees it: . where it says o, : where it says x, and the points themselves."""
    with cr.no_grad():
        said = model(coordinates(*np.indices((height, width)))).value.argmax(axis=-1)
    drawing = [[".:"[label] for label in line] for line in said]
    for row, column, mark in placed:
        drawing[row][column] = mark
    return "\n".join("".join(line) for line in drawing)


for step in range(STEPS + 1):
    loss = cr.nn.cross_entropy(model(points), labels)
    if step in (0, 20, STEPS):
        accuracy = np.mean(model(points).value.argmax(axis=1) == labels)
        print(f"step {step}: loss {loss:.3f}, {accuracy:.0%} of {len(placed)} points right\n{picture()}\n")
    loss.backward()
    optimizer.step()

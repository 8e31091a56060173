"""A run that may be killed at any moment: what the tests of checkpoints train, in a process of its own.

    python killed_run.py FOLDER OUT compiled|eager [DIES_AT]

trains with checkpoints in FOLDER and leaves in OUT what it became. With DIES_AT it kills itself at that call of a
function that changes files.
"""

import json
import os
import signal
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.program import minibatches
from chainrule.training import steps


class Slowly(cr.training.Callback):
    """Time to be killed in."""

    pause = 0.0

    def on_steps(self, run, losses):
        time.sleep(self.pause)


def train(folder, compiled, epochs=4, resume=True, every=0.0):
    random = np.random.default_rng(0)
    x, y = random.standard_normal((203, 4)), random.integers(0, 3, 203)
    net = cr.nn.Sequential(
        cr.nn.Linear(4, 16, rng=1),
        cr.nn.BatchNorm(16),
        cr.nn.ReLU(),
        cr.nn.Dropout(0.3, rng=2),
        cr.nn.Linear(16, 3, rng=3),
    )
    optimizer = cr.optim.Adam(net.parameters(), lr=0.05, schedule=cr.optim.schedules.Exponential(0.99))
    history = cr.training.fit(
        net,
        "cross_entropy",
        optimizer,
        (x, y, random.uniform(0.5, 1.5, 203)),
        epochs=epochs,
        batch=8,
        validation=(x[:50], y[:50]),
        metrics=["accuracy"],
        penalty=lambda model: 1e-3 * np.sum(model[0].weight ** 2),
        callbacks=[cr.training.EarlyStopping(3), cr.training.ReduceOnPlateau(patience=0), Slowly()],
        compiled=compiled,
        checkpoint=None if folder is None else cr.training.Checkpoint(folder, every),
        resume=resume,
    )
    return net, optimizer, history


def outcome(net, optimizer, history):
    """All numbers to the last bit."""
    values = {**net.state_dict(), **{f"optimizer.{name}": value for name, value in optimizer.state_dict().items()}}
    records = [{name: value for name, value in record.items() if name != "seconds"} for record in history]
    return {"states": {name: value.tobytes().hex() for name, value in values.items()}, "history": records}


def die_at(call):
    """Kill this process before the given call of a function that changes files."""
    calls = count(1)

    def dying(function):
        def called(*args, **kwargs):
            if next(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return called

    for name in ("replace", "fsync", "unlink", "rmdir", "mkdir"):
        setattr(os, name, dying(getattr(os, name)))
    Path.write_bytes = dying(Path.write_bytes)


if __name__ == "__main__":
    folder, out, how, *dies = sys.argv[1:]
    minibatches.A_WHILE = steps.A_WHILE = 1e-4  # few steps in a piece, so that there are checkpoints within epochs
    Slowly.pause = 0.001
    if dies:
        die_at(int(dies[0]))
    Path(out).write_text(json.dumps(outcome(*train(folder, how == "compiled"))))

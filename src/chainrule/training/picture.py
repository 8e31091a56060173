"""The history of a run as a picture."""

from __future__ import annotations

from pathlib import Path

from chainrule.training.files import written_whole
from chainrule.training.history import History

DATA = {"train": "training data", "test": "test data"}


def draw_history(history: History, path: str | Path, title: str = "") -> None:
    """Draw loss and accuracy over the epochs, on training and test data, into ``path`` (.png, .svg or .pdf).

    The gap between the two lines is what over-fitting looks like. Raises ModuleNotFoundError where matplotlib is
    missing, ValueError for an empty history.

    >>> import tempfile
    >>> from chainrule.training import Epoch, History
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     draw_history(History([Epoch(1, 0.5, 0.8, 0.6, 0.75, 0.1)]), f"{folder}/loss.svg")
    """
    if not len(history):
        raise ValueError("there is no epoch to draw")
    try:
        from matplotlib.figure import Figure  # a Figure of its own: no window, no global state
        from matplotlib.ticker import MaxNLocator
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "pictures are drawn with matplotlib, which is not installed: pip install 'chainrule[plot]'",
            name=error.name,
        ) from error
    figure = Figure(figsize=(9, 3.8), dpi=120, layout="constrained")
    figure.suptitle(title)
    epochs = [e.epoch for e in history]
    losses, accuracies = figure.subplots(1, 2)
    marker = "." if len(history) == 1 else ""  # one point is no line
    for axes, label in ((losses, "loss"), (accuracies, "accuracy")):
        for prefix, color, style in (("train", "#0072b2", "-"), ("test", "#d55e00", "--")):
            values = [getattr(epoch, f"{prefix}_{label}") for epoch in history]
            axes.plot(epochs, values, color=color, linestyle=style, marker=marker, label=DATA[prefix])
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    if min(e.train_loss for e in history) > 0:
        losses.set_yscale("log")
    with written_whole(path) as partial:
        figure.savefig(partial)

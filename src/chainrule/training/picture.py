"""The history of a run as a picture."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

from chainrule.data.files import written_whole
from chainrule.training.history import History

SETS = {"": "training data, on the way", "train": "training data", "val": "validation data", "test": "test data"}
"""What the sets of examples are called, by the prefix of their columns."""
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


def draw_history(history: History, path: str | Path, title: str = "") -> None:
    """Draw loss and metrics over the epochs into ``path`` (.png, .svg or .pdf): a panel each, a line for each set.

    The gap between the lines of training and validation data is what over-fitting looks like. Raises
    ModuleNotFoundError where matplotlib is missing, ValueError for an empty history.

    >>> import tempfile
    >>> from chainrule.training import History
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     draw_history(History([{"epoch": 1, "loss": 0.5, "val_loss": 0.6}]), f"{folder}/loss.svg")
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
    panels = _panels(history)
    figure = Figure(figsize=(4.5 * len(panels), 3.8), dpi=120, layout="constrained")
    figure.suptitle(title)
    marker = "." if len(history) == 1 else ""  # one point is no line
    for axes, (label, columns) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for (prefix, name), color, style in zip(columns.items(), cycle(COLORS), cycle(("-", "--", ":"))):
            told = SETS.get(prefix, prefix)
            axes.plot(history["epoch"], history[name], color=color, linestyle=style, marker=marker, label=told)
        axes.set(xlabel="epoch", ylabel=label.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
        if label == "loss" and min(min(history[name]) for name in columns.values()) > 0:
            axes.set_yscale("log")
    with written_whole(path) as partial:
        figure.savefig(partial)


def _panels(history: History) -> dict[str, dict[str, str]]:
    """For each number, the loss first, its columns by the set that they are of.

    Where a loss of the training data was measured at the end of each epoch, that on the way is left out.
    """
    sets = [name.removesuffix("_loss") for name in history.names if name.endswith("_loss")]
    panels: dict[str, dict[str, str]] = {"loss": {} if "train" in sets else {"": "loss"}}
    for name in history.names:
        prefix = next((s for s in sets if name.startswith(f"{s}_")), None)
        if prefix is not None:
            panels.setdefault(name.removeprefix(f"{prefix}_"), {})[prefix] = name
    return panels

"""The options that describe data, a net and how it learns: declared once, for the commands that take them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli import nets
from chainrule.cli.errors import Stop
from chainrule.cli.recipes import KNOWN
from chainrule.data.measurements import FILES

TABLE, NET, LEARNING, RUN = "Tables", "The net", "Learning", "The run"

SETS = ", ".join((*KNOWN, *FILES))


def _option(panel: str, words: str, default: str | None, **more: Any) -> Any:
    """An option that may be left out; ``default`` tells what happens then."""
    return typer.Option(help=words, rich_help_panel=panel, show_default=default or False, **more)


Target = Annotated[str | None, _option(TABLE, "What is to be predicted.", None, metavar="COLUMN")]
Drop = Annotated[list[str] | None, _option(TABLE, "Leave a column out; once for each.", None, metavar="COLUMN")]
Task = Annotated[str | None, _option(TABLE, "What the target is: classes or numbers.", "by its values")]

Hidden = Annotated[
    list[str] | None,
    _option(
        NET,
        "Neurons of the hidden layers: 100, or 100,50, or once for each; 'none' for a linear model.",
        "by the data",
        metavar="SIZES",
    ),
]
Activation = Annotated[str | None, _option(NET, f"After each hidden layer: {', '.join(nets.ACTIVATIONS)}.", "relu")]
Dropout = Annotated[float | None, _option(NET, "Share of hidden neurons left out at each step.", "0")]

Loss = Annotated[
    str | None,
    _option(
        LEARNING,
        "; ".join(f"for {kind}: {', '.join(names)}" for kind, names in nets.LOSSES.items()) + ".",
        "the first",
    ),
]
Optimizer = Annotated[str | None, _option(LEARNING, f"{', '.join(nets.OPTIMIZERS)}.", "sgd; adam for files")]
Lr = Annotated[float | None, _option(LEARNING, "Learning rate, the size of a step.", "by data and optimizer")]
Momentum = Annotated[
    float | None,
    _option(
        LEARNING,
        f"How much of the last step is kept, 0 to 1; for {', '.join(filter(nets.has_momentum, nets.OPTIMIZERS))}.",
        "0.9",
    ),
]
Schedule = Annotated[str | None, _option(LEARNING, f"Of the learning rate: {', '.join(nets.SCHEDULES)}.", "constant")]
L1 = Annotated[float | None, _option(LEARNING, "Strength of L1 regularisation.", "0")]
L2 = Annotated[float | None, _option(LEARNING, "Strength of L2 regularisation.", "by the data")]
MaxNorm = Annotated[float | None, _option(LEARNING, "Bound on the norm of the weights into a neuron.", "none")]
Epochs = Annotated[int | None, _option(LEARNING, "Passes over the training data.", "10 to 200", min=1)]
Batch = Annotated[int | None, _option(LEARNING, "Examples in a step.", "16 or 32", min=1)]
Patience = Annotated[
    int | None,
    _option(
        LEARNING,
        "Stop when the loss of validation data, 15 % of all, has not fallen for so many epochs; the best weights stay.",
        "never",
        min=1,
    ),
]

Compiled = Annotated[
    bool | None,
    typer.Option(
        "--compile/--eager",
        help="Run steps natively, or gate by gate.",
        show_default="native from 1,000 steps on",
        rich_help_panel=RUN,
    ),
]
Threads = Annotated[int | None, _option(RUN, "For native steps.", "all cores", min=1, max=256)]
Seed = Annotated[int, typer.Option(min=0, help="Of points, held-out data, weights and shuffling.", rich_help_panel=RUN)]
Seeds = Annotated[
    int,
    typer.Option(min=1, help="Train so often, from --seed on, tell the mean, write nothing.", rich_help_panel=RUN),
]
Out = Annotated[
    Path | None, _option(RUN, "A new or empty folder for the results.", "runs/DATA, numbered", metavar="DIR")
]
Resume = Annotated[
    Path | None,
    _option(
        RUN,
        "Go on with a run that was interrupted, or with --epochs train a finished one further.",
        None,
        metavar="RUN",
    ),
]


def chosen(**values: Any) -> dict[str, Any]:
    """The parts of a recipe that were given, checked; Stop for a name that is not known."""
    nets.known("--activation", values.get("activation"), nets.ACTIVATIONS)
    nets.known("--optimizer", values.get("optimizer"), nets.OPTIMIZERS)
    nets.known("--schedule", values.get("schedule"), nets.SCHEDULES)
    given = {name: value for name, value in values.items() if value is not None}
    return given | ({"hidden": _sizes(given["hidden"])} if "hidden" in given else {})


def _sizes(texts: list[str]) -> tuple[int, ...]:
    """Sizes of layers as they are given on the command line."""
    if texts == ["none"]:
        return ()
    try:
        sizes = tuple(int(size) for text in texts for size in text.split(","))
    except ValueError as error:
        raise Stop(f"--hidden takes whole numbers separated by commas, or none, not {' '.join(texts)!r}") from error
    if min(sizes) < 1 or max(sizes) > 100_000:
        raise Stop(f"a hidden layer has 1 to 100,000 neurons, not {' '.join(texts)!r}")
    return sizes

"""``chainrule train``: a net learns a data set or a table, and leaves a folder with what it became."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from chainrule import optim, set_threads
from chainrule.cli import nets
from chainrule.cli.errors import Stop
from chainrule.cli.progress import shown
from chainrule.cli.recipes import KNOWN
from chainrule.cli.run_folder import RunFolder, settings_of
from chainrule.cli.scoring import SHOWN, in_words, metrics_of
from chainrule.cli.sources import Asked
from chainrule.cli.trial import Trial
from chainrule.data.measurements import FILES

TABLE, NET, LEARNING, RUN = "Tables", "The net", "Learning", "The run"
VALIDATION = 0.15
"""The share of data by which training is ended early."""


def train(
    name: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help=f"A CSV or parquet file, or a known set: {', '.join((*KNOWN, *FILES))}.",
            show_default=False,
        ),
    ],
    target: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="What is to be predicted.", rich_help_panel=TABLE, show_default=False),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Leave a column out; once for each.", rich_help_panel=TABLE),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="What the target is, classes or numbers.", rich_help_panel=TABLE, show_default="by its values"
        ),
    ] = None,
    hidden: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SIZES",
            help="Neurons of the hidden layers: 100, or 100,50, or once for each; 'none' for a linear model.",
            show_default="by the data",
            rich_help_panel=NET,
        ),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(
            help=f"After each hidden layer: {', '.join(nets.ACTIVATIONS)}.", show_default="relu", rich_help_panel=NET
        ),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(help="Share of hidden neurons left out at each step.", show_default="0", rich_help_panel=NET),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help="; ".join(f"for {kind}: {', '.join(names)}" for kind, names in nets.LOSSES.items()) + ".",
            show_default="the first",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(optim.OPTIMIZERS)}.", show_default="sgd; adam for files", rich_help_panel=LEARNING
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            help="Learning rate, the size of a step.", show_default="by data and optimizer", rich_help_panel=LEARNING
        ),
    ] = None,
    momentum: Annotated[
        float | None,
        typer.Option(help="How much of the last step is kept, 0 to 1.", show_default="0.9", rich_help_panel=LEARNING),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help=f"Of the learning rate: {', '.join(nets.SCHEDULES)}.",
            show_default="constant",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    l1: Annotated[
        float | None,
        typer.Option(help="Strength of L1 regularisation.", show_default="0", rich_help_panel=LEARNING),
    ] = None,
    l2: Annotated[
        float | None,
        typer.Option(help="Strength of L2 regularisation.", show_default="by the data", rich_help_panel=LEARNING),
    ] = None,
    max_norm: Annotated[
        float | None,
        typer.Option(
            help="Bound on the norm of the weights into a neuron.", show_default="none", rich_help_panel=LEARNING
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the training data.", show_default="10 to 200", rich_help_panel=LEARNING),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Examples in a step.", show_default="16 or 32", rich_help_panel=LEARNING),
    ] = None,
    compiled: Annotated[
        bool | None,
        typer.Option(
            "--compile/--eager",
            help="Run steps natively, or gate by gate.",
            show_default="compile from 1,000 steps on",
            rich_help_panel=RUN,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="For compiled steps.", show_default="all cores", rich_help_panel=RUN),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of points, held-out data, weights and shuffling.", rich_help_panel=RUN)
    ] = 0,
    seeds: Annotated[
        int,
        typer.Option(
            min=1, help="Train so many times, from --seed on, tell the mean, write nothing.", rich_help_panel=RUN
        ),
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A new or empty folder for the results.",
            show_default="runs/DATA, numbered",
            rich_help_panel=RUN,
        ),
    ] = None,
) -> None:
    """Train a net on data of which a fifth is held out, and see how it goes.

    The gradient of the first batch is checked numerically before the first step. The folder gets the weights, how the
    data became numbers, loss and metrics of each epoch, and the settings; chainrule evaluate and predict read it.

    For example:

      chainrule train digits

      chainrule train houses.csv --target price --drop address

      chainrule train spiral --hidden none

      chainrule train moons --hidden 20,20 --activation tanh --l2 0.01 --out moons-tanh
    """
    nets.chosen("--activation", activation, nets.ACTIVATIONS)
    nets.chosen("--optimizer", optimizer, optim.OPTIMIZERS)
    nets.chosen("--schedule", schedule, nets.SCHEDULES)
    given = {
        "hidden": None if hidden is None else read_sizes(hidden),
        "activation": activation,
        "dropout": dropout,
        "loss": loss,
        "optimizer": optimizer,
        "lr": lr,
        "momentum": momentum,
        "schedule": schedule,
        "l1": l1,
        "l2": l2,
        "max_norm": max_norm,
        "epochs": epochs,
        "batch": batch,
    }
    given = {key: value for key, value in given.items() if value is not None}
    asked = Asked(name, target, task, tuple(drop or ()), seed=seed)
    if threads is not None:
        set_threads(threads)
    if seeds > 1:
        if out is not None:
            raise Stop("--seeds tells the mean of several runs and writes nothing: leave out --out, or --seeds")
        _train_often(asked, given, range(seed, seed + seeds), compiled)
    else:
        _train_once(Trial.prepare(asked, given, compiled), out)


def _train_once(trial: Trial, out: Path | None) -> None:
    with RunFolder.claim(out, Path("runs") / trial.name) as folder:
        trial.introduce()
        report = trial.check_gradient()
        with shown(trial.watched, next(iter(metrics_of(trial.source.target)))) as table:
            history = trial.train([table])
        if trial.recipe.l2:
            typer.echo("(loss is the data loss; L2 pulls the weights back, so it need not keep falling)")
        typer.echo(trial.speed(history))
        scores = trial.scores()
        checked = {"gradient_check": {"relative_error": report.relative_error, "verdict": report.verdict}}
        settings = settings_of(trial.source.asked, trial.recipe, trial.sizes) | checked
        result = {**history.last, **{f"test_{name}": value for name, value in scores.items()}}
        folder.write(trial.model, trial.source.encoder, history, settings, result)
        folder.draw(history, f"{trial.name}: {trial.architecture}")
        typer.echo(f"\ntest {in_words(scores)}; written to {folder.path}:")
        folder.tell()
    if advice := trial.advice(history.last):
        typer.echo(f"warning: no better than guessing: {advice}", err=True)


def _train_often(asked: Asked, given: dict[str, Any], seeds: range, compiled: bool | None) -> None:
    """What a recipe reaches, without luck: the mean over several seeds."""
    reached = []
    for seed in seeds:
        trial = Trial.prepare(Asked(**{**vars(asked), "seed": seed}), given, compiled)
        if seed == seeds[0]:
            trial.introduce()
        history = trial.train()
        scores = trial.scores()
        metric = next(name for name in scores if name != "loss")
        reached.append(scores[metric])
        typer.echo(f"seed {seed}: test {in_words(scores)} after {sum(history['seconds']):.1f} s")
    mean, spread = (SHOWN[metric].format(value).strip() for value in (np.mean(reached), np.std(reached)))
    typer.echo(f"mean of {len(seeds)} seeds: test {metric} {mean}, standard deviation {spread}")


def read_sizes(texts: list[str]) -> tuple[int, ...]:
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

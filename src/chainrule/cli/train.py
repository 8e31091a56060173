"""``chainrule train``: a net learns a data set or a table, and leaves a folder with what it became."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from chainrule import set_threads, training
from chainrule.cli import options
from chainrule.cli.errors import INTERRUPTED, Stop
from chainrule.cli.progress import shown
from chainrule.cli.recipes import Recipe
from chainrule.cli.run_folder import RunFolder, read_settings, undamaged
from chainrule.cli.scoring import SHOWN, in_words, metrics_of
from chainrule.cli.sources import Asked
from chainrule.cli.trial import Trial, recipe_for

VALIDATION = 0.15
"""The share of data by which training is ended early."""


def train(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA", help=f"A CSV or parquet file, or a known set: {options.SETS}.", show_default=False
        ),
    ] = None,
    target: options.Target = None,
    drop: options.Drop = None,
    task: options.Task = None,
    hidden: options.Hidden = None,
    activation: options.Activation = None,
    dropout: options.Dropout = None,
    loss: options.Loss = None,
    optimizer: options.Optimizer = None,
    lr: options.Lr = None,
    momentum: options.Momentum = None,
    schedule: options.Schedule = None,
    l1: options.L1 = None,
    l2: options.L2 = None,
    max_norm: options.MaxNorm = None,
    epochs: options.Epochs = None,
    batch: options.Batch = None,
    patience: options.Patience = None,
    compiled: options.Compiled = None,
    threads: options.Threads = None,
    seed: options.Seed = 0,
    seeds: options.Seeds = 1,
    out: options.Out = None,
    resume: options.Resume = None,
) -> None:
    """Train a net on data of which a fifth is held out, and see how it goes.

    The gradient of the first batch is checked numerically before the first step. The folder gets the weights, how the
    data became numbers, a report to look at, checkpoints and the settings; chainrule evaluate and predict read it.

    For example:

      chainrule train digits

      chainrule train houses.csv --target price --drop address --patience 10

      chainrule train moons --hidden 20,20 --activation tanh --l2 0.01 --out moons-tanh

      chainrule train --resume runs/houses
    """
    given = options.chosen(
        hidden=hidden,
        activation=activation,
        dropout=dropout,
        loss=loss,
        optimizer=optimizer,
        lr=lr,
        momentum=momentum,
        schedule=schedule,
        l1=l1,
        l2=l2,
        max_norm=max_norm,
        epochs=epochs,
        batch=batch,
        patience=patience,
    )
    if threads is not None:
        set_threads(threads)
    if resume is not None:
        others = {"target": target, "task": task, "drop": drop, "out": out, "compile": compiled} | given
        told = [option for option, value in others.items() if value is not None and option != "epochs"]
        if name is not None or told or seeds > 1:
            raise Stop(
                f"--resume goes on with the settings of {resume}: only --epochs and --threads can be given with it"
            )
        _resume(resume, epochs)
        return
    if name is None:
        raise Stop("Missing argument 'DATA'.")
    asked = Asked(name, target, task, tuple(drop or ()), validation=VALIDATION if patience else 0.0, seed=seed)
    recipe = recipe_for(asked, given)
    if seeds == 1:
        trial = Trial.prepare(asked.settled(), recipe, compiled)
        with RunFolder.claim(out, Path("runs") / asked.name) as folder:
            _train(trial, folder)
    elif out is not None:
        raise Stop("--seeds tells the mean of several runs and writes nothing: leave out --out, or --seeds")
    else:
        _train_often(asked, recipe, range(seed, seed + seeds), compiled)


def _resume(path: Path, epochs: int | None) -> None:
    folder = RunFolder(path)
    settings = read_settings(path)
    with undamaged(path):
        done = settings.get("result", {}).get("epoch", 0)
        if done and (epochs or 0) <= done:
            raise Stop(f"{path} is done, after {done} epochs: train it further with more --epochs")
        asked, recipe, fingerprint = settings.of(Asked), settings.of(Recipe), settings["fingerprint"]
        if 0 < done < recipe.epochs:
            raise Stop(f"{path} ended by itself after {done} of {recipe.epochs} epochs: there is nothing to go on with")
        trial = Trial.prepare(asked, replace(recipe, epochs=epochs or recipe.epochs), settings["compiled"])
    if trial.source.fingerprint != fingerprint:
        raise Stop(f"{asked.data} is not what it was when the run began: its data are other ones")
    typer.echo(f"going on with {path}")
    _train(trial, folder, resume=True)


def _train(trial: Trial, folder: RunFolder, resume: bool = False) -> None:
    trial.introduce()
    settings = trial.settings | {"gradient_check": trial.check_gradient()}
    folder.begin(settings, trial.source.encoder)
    stopping = trial.stopping()
    with shown(trial.watched, next(iter(metrics_of(trial.source.target)))) as table:
        try:
            history = trial.train([table, *stopping], checkpoint=folder.checkpoints, resume=resume)
        except KeyboardInterrupt:
            goes_on = f"; chainrule train --resume {folder.path} goes on" if folder.saved else ""
            raise Stop(f"interrupted{goes_on}", INTERRUPTED) from None
        except (training.CheckpointError, FileExistsError) as error:
            raise Stop(error) from error
    trial.tell(history, stopping)
    scores = trial.scores()
    folder.finish(trial, history, settings, scores)
    typer.echo(f"\ntest {in_words(scores)}; written to {folder.path}:")
    folder.tell()
    if advice := trial.advice(history.last):
        typer.echo(f"warning: no better than guessing: {advice}", err=True)


def _train_often(asked: Asked, recipe: Recipe, seeds: range, compiled: bool | None) -> None:
    """What a recipe reaches, without luck: the mean over several seeds."""
    reached: list[float] = []
    for seed in seeds:
        trial = Trial.prepare(replace(asked, seed=seed), recipe, compiled)
        if seed == seeds[0]:
            trial.introduce()
        history = trial.train(trial.stopping())
        scores = trial.scores()
        metric = next(name for name in scores if name != "loss")
        reached.append(scores[metric])
        typer.echo(f"seed {seed}: test {in_words(scores)} after {sum(history['seconds']):.1f} s")
    mean, spread = (SHOWN[metric].format(value).strip() for value in (np.mean(reached), np.std(reached)))
    typer.echo(f"mean of {len(seeds)} seeds: test {metric} {mean}, standard deviation {spread}")

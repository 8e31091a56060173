"""``chainrule diagnose``: the sanity checks of the course, on a data set or a run, before a long training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli import options
from chainrule.cli.errors import FAILED, Stop
from chainrule.cli.recipes import KNOWN, Recipe
from chainrule.cli.run_folder import SETTINGS, read_settings, undamaged
from chainrule.cli.sources import Asked
from chainrule.cli.trial import Trial, recipe_for
from chainrule.inspect import diagnose as look


def diagnose(
    name: Annotated[
        str,
        typer.Argument(
            metavar="RUN|DATA",
            help=f"The folder of a run, a CSV or parquet file, or a known set: {options.SETS}.",
            show_default=False,
        ),
    ],
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
    l2: options.L2 = None,
    batch: options.Batch = None,
    seed: options.Seed = 0,
) -> None:
    """Look at a net on its data before it is trained: what would go wrong is found in seconds.

    Inputs of one scale, the loss at first, whether it can learn 20 examples by heart, the gradient, activations and
    updates of each layer, dead neurons. Of a run that is the net as it began. The status is 1 if something is wrong.

    For example:

      chainrule diagnose digits

      chainrule diagnose digits --activation sigmoid --hidden 100,100,100,100

      chainrule diagnose runs/houses
    """
    given = options.chosen(
        hidden=hidden,
        activation=activation,
        dropout=dropout,
        loss=loss,
        optimizer=optimizer,
        lr=lr,
        momentum=momentum,
        l2=l2,
        batch=batch,
    )
    asked = Asked(name, target, task, tuple(drop or ()), seed=seed)
    if name not in KNOWN and (Path(name) / SETTINGS).is_file():
        if given or asked != Asked(name):
            raise Stop(f"{name} is a run, which has settings of its own: leave out the options")
        settings = read_settings(Path(name))
        with undamaged(Path(name)):
            trial = Trial.prepare(settings.of(Asked), settings.of(Recipe), compiled=False)
    else:
        trial = Trial.prepare(asked, recipe_for(asked, given), compiled=False)
    trial.introduce()
    train = trial.source.train
    found = look.diagnose(
        trial.model,
        trial.reported(train),
        trial.loss,
        optimizer=trial.optimizer,
        batch=min(trial.recipe.batch, len(train)),
        seed=trial.source.asked.seed,
    )
    for check in found.checks:
        typer.echo(str(check))
    if not found.ok:
        raise Stop("something is wrong with this net on these data: see above", FAILED)

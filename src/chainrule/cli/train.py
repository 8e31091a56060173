"""``chainrule train``: a net learns real digits, or points in the plane, and leaves a folder with what it became."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chainrule import data, nn, optim, training
from chainrule.calculus.check import GradientError, GradientReport
from chainrule.cli.errors import FAILED, Stop
from chainrule.cli.recipes import RECIPES, ActivationName, DataName, Recipe, build, load_data
from chainrule.cli.run_folder import RunFolder
from chainrule.cli.verdict import in_words
from chainrule.data.sampling import Examples
from chainrule.training.history import Record
from chainrule.training.position import epoch_order

MOST_LINES = 50
"""Beyond about so many epochs only every second one, every third one, ... is printed; history.csv has them all."""


def train(
    name: Annotated[
        DataName, typer.Argument(metavar="DATA", help="digits, spiral, circle or moons.", show_default=False)
    ],
    hidden: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SIZES",
            help="Neurons of the hidden layers: 100, or 100,50, or once for each; 'none' for a linear classifier.",
            show_default="100 or 20",
        ),
    ] = None,
    activation: Annotated[
        ActivationName | None, typer.Option(help="After each hidden layer.", show_default="relu")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training data.", show_default="30 to 200")
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate, the size of a step.", show_default="0.1")] = None,
    momentum: Annotated[
        float | None, typer.Option(help="How much of the last step is kept, 0 to 1.", show_default="0.9")
    ] = None,
    l2: Annotated[float | None, typer.Option(help="Strength of L2 regularisation.", show_default="0.0003")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Examples in a step.", show_default="16 or 32")] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Make each step one native call: for long runs and larger nets.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of points, held-out data, weights and shuffling.")] = 0,
    seeds: Annotated[
        int, typer.Option(min=1, help="Train so many times, from --seed on, and tell the mean; nothing is written.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A new or empty folder for the results.", show_default="runs/DATA, numbered"),
    ] = None,
) -> None:
    """Train a net on data of which a fifth is held out, and see how it goes.

    The gradient of the first batch is checked numerically before the first step. The folder gets the weights
    (model.safetensors), loss and accuracy of each epoch (history.csv, loss.png) and the settings (run.json).

    For example:

      chainrule train digits

      chainrule train spiral --hidden none

      chainrule train moons --hidden 20,20 --activation tanh --l2 0.01 --out moons-tanh
    """
    given: dict[str, Any] = {
        "hidden": None if hidden is None else _read_sizes(hidden),
        "activation": activation,
        "epochs": epochs,
        "lr": lr,
        "momentum": momentum,
        "l2": l2,
        "batch": batch,
    }
    recipe = replace(RECIPES[name], **{key: value for key, value in given.items() if value is not None})
    if seeds > 1:
        if out is not None:
            raise Stop("--seeds tells the mean of several runs and writes nothing: leave out --out, or --seeds")
        _train_often(name, recipe, range(seed, seed + seeds), compiled)
        return
    run = _prepare(name, recipe, seed, compiled)
    with RunFolder.claim(out, Path("runs") / name) as folder:
        _introduce(name, run)
        report = _check_gradient(run)
        history = _show_training(run)
        if recipe.l2:
            typer.echo("(loss is the data loss; L2 pulls the weights back, so it need not keep falling)")
        typer.echo(_speed(run, history))
        folder.write(run.model, history, f"{name}: {_architecture(run.sizes)}", _settings(name, run, seed, report))
    if advice := _advice(name, run, history.last):
        typer.echo(f"warning: no better than guessing: {advice}", err=True)


@dataclass(frozen=True)
class Run:
    """All that a run needs, before its first step."""

    recipe: Recipe
    dataset: data.Dataset
    train_data: Examples
    test_data: Examples
    sizes: tuple[int, ...]
    model: nn.Sequential
    optimizer: optim.SGD
    seed: int
    compiled: bool


def _prepare(name: DataName, recipe: Recipe, seed: int, compiled: bool) -> Run:
    try:
        dataset = load_data(name, seed)
    except ModuleNotFoundError as error:
        raise Stop(error) from error
    train_data, test_data = data.split(dataset.inputs, dataset.labels, recipe.held_out, seed)
    rng = np.random.default_rng([seed, 1])  # weights do not repeat the draws that made the data
    sizes = (len(dataset.features), *recipe.hidden, len(dataset.classes))
    model = build(sizes, recipe.activation, rng)
    try:
        optimizer = optim.SGD(model.parameters(), recipe.lr, momentum=recipe.momentum, l2=recipe.l2)
    except ValueError as error:
        raise Stop(error) from error
    return Run(recipe, dataset, train_data, test_data, sizes, model, optimizer, seed, compiled)


def _read_sizes(texts: list[str]) -> tuple[int, ...]:
    if texts == ["none"]:
        return ()
    try:
        sizes = tuple(int(size) for text in texts for size in text.split(","))
    except ValueError as error:
        raise Stop(f"--hidden takes whole numbers separated by commas, or none, not {' '.join(texts)!r}") from error
    if min(sizes) < 1 or max(sizes) > 100_000:
        raise Stop(f"a hidden layer has 1 to 100,000 neurons, not {' '.join(texts)!r}")
    return sizes


def _architecture(sizes: tuple[int, ...]) -> str:
    """Layers with weights name a net: the inputs do not count."""
    layers = len(sizes) - 1
    return f"a {layers}-layer net {'-'.join(map(str, sizes))}"


def _introduce(name: DataName, run: Run) -> None:
    typer.echo(f"data: {name}, {run.dataset.description}; {len(run.train_data[1])} to learn from, ", nl=False)
    typer.echo(f"{len(run.test_data[1])} held out")
    typer.echo(
        f"net: {_architecture(run.sizes)}, {run.recipe.activation if run.recipe.hidden else 'linear'}; "
        f"{run.model.neuron_count} neurons, {run.model.parameter_count} parameters"
    )
    for warning in run.model.stacked_linear():
        typer.echo(f"warning: {warning}", err=True)


# ---- the gradient of the first batch


def _check_gradient(run: Run) -> GradientReport:
    """Compare with numbers before trusting: on the batch that the first step will see."""
    first = epoch_order(run.seed, 0, len(run.train_data[1]))[: run.recipe.batch]
    x, y = (rows[first] for rows in run.train_data)
    try:
        report, examples = _checked(run.model, x, y)
    except GradientError as error:
        raise Stop(f"the gradient of the first batch is wrong: {error}", FAILED) from error
    size = f"{examples} examples" if examples == len(y) else f"{examples} of its {len(y)} examples, fewer kinks"
    typer.echo(f"gradient of the first batch ({size}; against centred differences in float64):")
    typer.echo(f"  {in_words(report)}")
    typer.echo("  (1e-7 and below is good, up to 1e-4 all right where there are kinks, above 1e-2 probably wrong)")
    return report


def _checked(model: nn.Module, x: Any, y: Any) -> tuple[GradientReport, int]:
    """The report, and for how many examples. Where kinks leave nothing to compare, half as many meet fewer of them."""
    report = training.check_model(model, x, y)
    return (report, len(y)) if report.compared or len(y) == 1 else _checked(model, x[::2], y[::2])


# ---- the run


def _show_training(run: Run) -> training.History:
    """Train with a progress bar below a table that grows by a line an epoch."""
    console = Console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeRemainingColumn(),
    )
    every = max(1, run.recipe.epochs // MOST_LINES)
    console.print(f"\n{'':>9} {'training data':^19}   {'test data':^19}\n{'epoch':>9}", end="")
    console.print(f" {'loss':>9} {'accuracy':>9}   {'loss':>9} {'accuracy':>9}")
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("training", total=_steps(run) * run.recipe.epochs)

        class Table(training.Callback):
            def on_steps(self, fit: training.Run, losses: Any) -> None:
                progress.advance(bar, len(losses))

            def on_epoch(self, fit: training.Run, record: Record) -> None:
                number = len(fit.history)
                if number % every and number != fit.epochs:
                    return
                progress.console.print(
                    f"{number:>5}/{fit.epochs:<3} {record['train_loss']:>9.4f} {record['train_accuracy']:>9.2%}   "
                    f"{record['test_loss']:>9.4f} {record['test_accuracy']:>9.2%}",
                    highlight=False,
                )

        return _train(run, Table())


def _steps(run: Run) -> int:
    """How many steps an epoch has."""
    return -(-len(run.train_data[1]) // run.recipe.batch)


def _speed(run: Run, history: training.History) -> str:
    """How fast it went; the fastest epoch is one in which nothing was compiled."""
    seconds = history["seconds"]
    how = "compiled" if run.compiled else "not compiled; --compile makes long runs faster"
    return f"{sum(seconds):.2f} s of training, up to {_steps(run) / min(seconds):,.0f} steps a second ({how})"


def _train(run: Run, *callbacks: training.Callback) -> training.History:
    try:
        return training.fit(
            run.model,
            "cross_entropy",
            run.optimizer,
            run.train_data,
            epochs=run.recipe.epochs,
            batch=run.recipe.batch,
            validation={"train": run.train_data, "test": run.test_data},
            metrics=["accuracy"],
            callbacks=callbacks,
            seed=run.seed,
            compiled=run.compiled,
        )
    except training.DivergedError as error:
        raise Stop(error, FAILED) from error


def _advice(name: DataName, run: Run, last: Record) -> str | None:
    """What to try where the net has learned no more than which class is the most frequent."""
    often = np.bincount(run.train_data[1])
    if last["train_accuracy"] > often.max() / often.sum():
        return None
    if run.recipe.lr > RECIPES[name].lr:  # where the net is known to learn
        return "try a smaller --lr"
    return "try more --epochs, or the defaults of --lr, --momentum, --l2 and --hidden"


def _train_often(name: DataName, recipe: Recipe, seeds: range, compiled: bool) -> None:
    """The accuracy that a recipe reaches, without luck: the mean over several seeds."""
    accuracies = []
    for seed in seeds:
        run = _prepare(name, recipe, seed, compiled)
        if seed == seeds[0]:
            _introduce(name, run)
        history = _train(run)
        accuracies.append(history.last["test_accuracy"])
        seconds = sum(history["seconds"])
        typer.echo(f"seed {seed}: test accuracy {accuracies[-1]:.2%} after {seconds:.1f} s")
    mean, spread = np.mean(accuracies), np.std(accuracies)
    typer.echo(f"mean of {len(seeds)} seeds: test accuracy {mean:.2%}, standard deviation {spread:.2%}")


def _settings(name: DataName, run: Run, seed: int, report: GradientReport) -> dict[str, Any]:
    recipe = run.recipe
    return {
        "data": str(name),
        "sizes": list(run.sizes),
        "activation": str(recipe.activation),
        "epochs": recipe.epochs,
        "lr": recipe.lr,
        "momentum": recipe.momentum,
        "l2": recipe.l2,
        "batch": recipe.batch,
        "held_out": recipe.held_out,
        "seed": seed,
        "gradient_check": {"relative_error": report.relative_error, "verdict": report.verdict},
    }

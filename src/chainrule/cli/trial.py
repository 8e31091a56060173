"""A trial: data, a net and a recipe, ready to train; what it does, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import typer

from chainrule import data, nn, optim, training
from chainrule.calculus.check import GradientError, GradientReport
from chainrule.cli import nets
from chainrule.cli.errors import FAILED, Stop
from chainrule.cli.recipes import KNOWN, TABLE, Recipe
from chainrule.cli.scoring import metrics_of, scores_of
from chainrule.cli.sources import Asked, Source, open_source
from chainrule.cli.verdict import in_words
from chainrule.training.history import Record
from chainrule.training.position import epoch_order

WORTH_COMPILING = 1000
"""Steps; for fewer, compiling takes longer than it saves."""


@dataclass(frozen=True)
class Trial:
    """All that a run of training needs, before its first step."""

    source: Source
    recipe: Recipe
    sizes: tuple[int, ...]
    model: nn.Sequential
    loss: str
    optimizer: optim.Optimizer | optim.LBFGS
    penalty: nn.L1 | None
    constraint: nn.MaxNorm | None
    compiled: bool

    @classmethod
    def prepare(cls, asked: Asked, recipe: Recipe, compiled: bool | None) -> Trial:
        """Get the data and make the net. Raises Stop where that cannot be done."""
        source = open_source(asked)
        sizes = (source.train.inputs.shape[1], *recipe.hidden, source.train.outputs)
        loss = nets.loss_of(recipe, source.target.task)
        try:
            model = nets.build(sizes, recipe, asked.seed)
            steps = recipe.epochs * _steps(recipe, source)
            optimizer = nets.optimizer_of(recipe, model, steps)
            penalty = nn.L1(recipe.l1) if recipe.l1 else None  # L2 is the optimiser's business
            constraint = nn.MaxNorm(recipe.max_norm) if recipe.max_norm else None
        except (ValueError, ModuleNotFoundError) as error:
            raise Stop(error) from error
        native = steps > WORTH_COMPILING if compiled is None else compiled
        return cls(source, recipe, sizes, model, loss, optimizer, penalty, constraint, native)

    @property
    def name(self) -> str:
        return self.source.asked.name

    @property
    def watched(self) -> str:
        """What the data are called that are held up to the training data."""
        return "validation" if len(self.source.parts) == 3 else "test"

    @property
    def architecture(self) -> str:
        """Layers with weights name a net: the inputs do not count."""
        return f"a {len(self.sizes) - 1}-layer net {'-'.join(map(str, self.sizes))}"

    @property
    def steps(self) -> int:
        """How many steps an epoch has."""
        return _steps(self.recipe, self.source)

    @property
    def settings(self) -> dict[str, Any]:
        """What ``run.json`` keeps, so that data and net can be had again."""
        more = {"sizes": self.sizes, "compiled": self.compiled, "fingerprint": self.source.fingerprint}
        return {**asdict(self.source.asked), **asdict(self.recipe), **more}

    def stopping(self) -> list[training.EarlyStopping]:
        """What ends the run before its end, if anything does."""
        patience = self.recipe.patience
        return [training.EarlyStopping(patience, f"{self.watched}_loss")] if patience else []

    def callbacks(self) -> list[training.Callback]:
        """What changes the step size by how it goes, if anything does."""
        on_plateau = training.ReduceOnPlateau("loss", factor=0.3, patience=5)
        return [on_plateau] if self.recipe.schedule == nets.PLATEAU else []

    def reported(self, part: data.Dataset) -> Any:
        """Data as the net takes them, with names where there are classes."""
        return part if self.source.target.classes else self.source.learned(part)

    def train(self, callbacks: Sequence[training.Callback] = (), **options: Any) -> training.History:
        """Train, and return how it went; Stop if it diverged."""
        recipe, source = self.recipe, self.source
        sets = {"train": source.train, self.watched: source.watched}
        try:
            return training.fit(
                self.model,
                self.loss,
                self.optimizer,
                source.learned(source.train),
                epochs=recipe.epochs,
                batch=recipe.batch,
                validation={name: source.learned(part) for name, part in sets.items()},
                metrics=metrics_of(source.target).values(),
                callbacks=[*callbacks, *self.callbacks()],
                penalty=self.penalty,
                constraint=self.constraint,
                seed=source.asked.seed,
                compiled=self.compiled,
                **options,
            )
        except training.DivergedError as error:
            raise Stop(error, FAILED) from error

    def scores(self) -> Record:
        """Loss and metrics on the test data."""
        return scores_of(self.model, self.source.target, self.source.test, self.recipe)

    # ---- told to the user

    def introduce(self) -> None:
        source, recipe = self.source, self.recipe
        counts = [f"{len(source.train)} to learn from", f"{len(source.test)} held out"]
        if len(source.parts) == 3:
            counts.insert(1, f"{len(source.watched)} to stop by")
        description = "" if source.description.startswith(self.name) else f", {source.description}"
        typer.echo(f"data: {self.name}{description}; {', '.join(counts)}")
        if source.target.task == "classes":
            told = f"{len(source.target.classes)} classes"
        else:
            told = f"a number of mean {source.target.mean:.4g} and standard deviation {source.target.std:.4g}"
        if source.asked.name not in KNOWN:
            columns = len(source.encoder.columns)
            typer.echo(f"target: {source.target.name}, {told}; {columns} columns make {self.sizes[0]} inputs")
        typer.echo(
            f"net: {self.architecture}, {recipe.activation if recipe.hidden else 'linear'}; "
            f"{self.model.neuron_count} neurons, {self.model.parameter_count} parameters"
        )
        for warning in self.model.stacked_linear():
            typer.echo(f"warning: {warning}", err=True)

    def check_gradient(self) -> dict[str, Any]:
        """Compare with numbers before trusting: on the batch that the first step will see."""
        inputs, targets = self.source.learned(self.source.train)
        first = epoch_order(self.source.asked.seed, 0, len(inputs))[: self.recipe.batch]
        x, y = inputs[first], targets[first]
        try:
            report, examples = _checked(self.model.eval(), x, y, nn.LOSSES[self.loss])  # without what dropout draws
        except GradientError as error:
            raise Stop(f"the gradient of the first batch is wrong: {error}", FAILED) from error
        size = f"{examples} examples" if examples == len(y) else f"{examples} of its {len(y)} examples, fewer kinks"
        typer.echo(f"gradient of the first batch ({size}; against centred differences in float64):")
        typer.echo(f"  {in_words(report)}")
        typer.echo("  (1e-7 and below is good, up to 1e-4 all right where there are kinks, above 1e-2 probably wrong)")
        return {"relative_error": report.relative_error, "verdict": report.verdict}

    def tell(self, history: training.History, stopping: Sequence[training.EarlyStopping]) -> None:
        """What there is to say of a run that is over; the fastest epoch is one in which nothing was compiled."""
        if self.recipe.l2:
            typer.echo("(loss is the data loss; L2 pulls the weights back, so it need not keep falling)")
        for rule in stopping:
            typer.echo(
                f"the {self.watched} loss was lowest after epoch {rule.best_epoch}: the weights are of that time"
            )
        seconds = history["seconds"]
        how = "compiled" if self.compiled else "not compiled"
        fastest = f"up to {self.steps / min(seconds):,.0f} steps a second ({how})"
        typer.echo(f"{sum(seconds):.2f} s of training, {fastest}")

    def advice(self, last: Record) -> str | None:
        """What to try where the net has learned no more than the most frequent class, or the mean."""
        source = self.source
        if source.target.task == "classes":
            often = np.bincount(source.train.targets)
            learned = last["train_accuracy"] > often.max() / often.sum()
        else:
            learned = last["train_r2"] > 0.01
        if learned:
            return None
        known = usual_recipe(source.asked).lr  # with which nets learn
        if self.recipe.lr is not None and known is not None and self.recipe.lr > known:
            return "try a smaller --lr"
        return "try more --epochs, or the defaults of --lr, --momentum, --l2 and --hidden"


def _steps(recipe: Recipe, source: Source) -> int:
    """How many steps an epoch has; L-BFGS takes all data at once."""
    return 1 if recipe.optimizer == "lbfgs" else -(-len(source.train) // recipe.batch)


def recipe_for(asked: Asked, given: dict[str, Any]) -> Recipe:
    """``given`` are the parts of the recipe that the user chose; the others are those that suit the data."""
    usual = usual_recipe(asked)
    if given.get("optimizer", usual.optimizer) != usual.optimizer:
        usual = replace(usual, lr=None)  # each has a step size of its own
    if given.get("optimizer") == "lbfgs":
        usual = replace(usual, dropout=0.0)
    recipe = replace(usual, **given)
    if "momentum" in given and not nets.has_momentum(recipe.optimizer):
        raise Stop(f"--optimizer {recipe.optimizer} has no --momentum: leave it out, or take --optimizer sgd")
    if "batch" in given and recipe.optimizer == "lbfgs":
        raise Stop("--optimizer lbfgs takes all data at once: leave out --batch")
    return recipe


def usual_recipe(asked: Asked) -> Recipe:
    return KNOWN[asked.data].recipe if asked.data in KNOWN else TABLE


def _checked(model: nn.Module, x: Any, y: Any, loss: Any) -> tuple[GradientReport, int]:
    """The report, and for how many examples. Where kinks leave nothing to compare, half as many meet fewer of them."""
    report = training.check_model(model, x, y, loss)
    return (report, len(y)) if report.compared or len(y) == 1 else _checked(model, x[::2], y[::2], loss)

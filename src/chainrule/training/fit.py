"""fit: a model, a loss, an optimiser and data, for some epochs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from chainrule.nn import Module
from chainrule.training.callbacks import Callback
from chainrule.training.checkpoint import Checkpoint
from chainrule.training.evaluation import Forward, Loss
from chainrule.training.examples import Examples
from chainrule.training.history import History
from chainrule.training.metrics import Metric, named_metrics
from chainrule.training.run import Run
from chainrule.training.steps import Steps


class Trainer:
    """A model, a loss and an optimiser that train together, again and again; what is compiled for them is kept.

    See ``training.fit`` for the arguments: it makes a Trainer and uses it once.

    >>> import numpy as np, chainrule as cr
    >>> net = cr.nn.Linear(1, 1, scale=0.0)
    >>> trainer = cr.training.Trainer(net, "mse", cr.optim.SGD(net.parameters(), lr=0.1))
    >>> x = np.array([[1.0], [2.0]])
    >>> history = cr.training.History()
    >>> for part in range(3):
    ...     _ = trainer.fit((x, 3 * x), epochs=4, history=history)
    >>> len(history), history.last["loss"] < 0.2
    (12, True)
    """

    def __init__(
        self,
        model: Module,
        loss: str | Loss,
        optimizer: Any,
        *,
        penalty: Callable[[Module], Any] | None = None,
        constraint: Any = None,
        compiled: bool = True,
    ) -> None:
        _check_parts(model, optimizer, penalty, constraint)
        self.steps = Steps(model, loss, optimizer, penalty=penalty, constraint=constraint, compiled=compiled)
        self.forward = Forward(model, compiled)

    def fit(
        self,
        data: Any,
        *,
        epochs: int,
        batch: int | None = 32,
        validation: Any = None,
        metrics: Iterable[str | Metric] = (),
        callbacks: Iterable[Callback] = (),
        seed: int = 0,
        shuffle: bool = True,
        history: History | None = None,
        checkpoint: Checkpoint | str | Path | None = None,
        resume: bool = False,
    ) -> History:
        """Train for some epochs, and return how it went."""
        examples = Examples.of(data)
        self.steps.look_at(examples)
        seed, epochs = _whole("seed", seed), _whole("epochs", epochs)
        if epochs < 0:
            raise ValueError(f"training takes a number of epochs, not {epochs}")
        if batch is not None and _whole("batch", batch) < 1:
            raise ValueError(f"a batch has at least one example, not {batch}")
        held_out = _validation(validation)
        measured = named_metrics(metrics)
        if measured and not held_out:
            raise ValueError("metrics are measured on validation data: give validation=, perhaps the same data again")
        if checkpoint is None and resume:
            raise ValueError("resume goes on from a checkpoint: give checkpoint=, the folder of the run's checkpoints")
        saving = Checkpoint(checkpoint) if isinstance(checkpoint, (str, Path)) else checkpoint
        run = Run(
            self.steps,
            self.forward,
            examples,
            epochs=epochs,
            batch=batch,
            validation=held_out,
            metrics=measured,
            callbacks=_checked_callbacks(callbacks, saving),
            seed=seed,
            shuffle=shuffle,
            history=History() if history is None else history,
        )
        if saving is not None:
            saving.open(resume)
        run.go(saving.resume if saving is not None and resume else None)
        return run.history


def fit(
    model: Module,
    loss: str | Loss,
    optimizer: Any,
    data: Any,
    *,
    epochs: int,
    batch: int | None = 32,
    validation: Any = None,
    metrics: Iterable[str | Metric] = (),
    callbacks: Iterable[Callback] = (),
    penalty: Callable[[Module], Any] | None = None,
    constraint: Any = None,
    seed: int = 0,
    shuffle: bool = True,
    compiled: bool = True,
    history: History | None = None,
    checkpoint: Checkpoint | str | Path | None = None,
    resume: bool = False,
) -> History:
    """Train ``model`` in place, and return how it went: a record for each epoch.

    Args:
        model: what turns inputs into outputs. In training during the steps; afterwards in evaluation, ready to use.
        loss: of outputs and targets, a mean over examples: a function, or its name in ``nn.LOSSES``.
        optimizer: updates the model's parameters. For one that works on all data at once, ``optim.LBFGS``, an epoch is
            an iteration, the record's ``loss`` the value after it (penalties included), and the run may converge early.
        data: ``(x, y)``, ``(x, y, weights)`` or a ``Dataset``: inputs (n, ...) and targets (n, ...), as the loss takes
            them, and weights (n,) of the examples, of which only the ratios matter. Memory-mapped arrays are read as
            they are needed.
        epochs: how many times each example is seen.
        batch: examples in a step; the last step of an epoch has what is left. None takes all.
        validation: data that are not learned from. Each epoch's record has their loss as ``val_loss`` and metrics as
            ``val_accuracy``, ... A dict of several has its keys in place of ``val``.
        metrics: of the validation data: names of ``training.METRICS``, or functions ``(outputs, targets,
            weights=None) -> float``.
        callbacks: see ``training.Callback``.
        penalty: a function of the model that is added to the loss, ``nn.L2(1e-4)`` for example.
        constraint: ``constraint.apply(model)`` follows each update, ``nn.MaxNorm(3.0)`` for example.
        seed: of the order of the examples: a function of the seed and of the optimiser's count of steps alone. So N
            fits of one epoch do the same as one fit of N.
        shuffle: whether each epoch has an order of its own; otherwise examples come as they are.
        compiled: steps run natively, one after the other. False applies each gate from Python: slower, and all can be
            looked at.
        history: an earlier one, to go on with its numbers; the epochs are added to it.
        checkpoint: a folder to save the run to now and then, or a ``training.Checkpoint`` that tells how often.
        resume: go on from the newest checkpoint there, in the middle of an epoch if it was made there; begin if there
            is none. Everything else is given as for the first run; ``epochs`` counts those from its beginning. The
            resumed run ends with the same bits as one that was not interrupted.

    Each record has ``epoch``, ``loss`` (the mean over the epoch's steps, each before its update), ``penalty`` if there
    is one, what validation gave, and ``seconds`` (of the steps).

    Raises DivergedError where a loss, a parameter or something of the optimiser becomes NaN or infinite, with the gate,
    the layer and the step where it began; the model is left as it was before that step. ValueError or TypeError for
    data that do not fit. What raises, an interrupt included, leaves model and optimiser as they were after a whole
    number of steps.

    >>> import chainrule as cr
    >>> net = cr.nn.Sequential(cr.nn.Linear(2, 20, rng=0), cr.nn.ReLU(), cr.nn.Linear(20, 2, rng=1))
    >>> optimizer = cr.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    >>> here, there = cr.data.split(*cr.data.circle())
    >>> history = cr.training.fit(
    ...     net, "cross_entropy", optimizer, here, epochs=20, batch=20, validation=there, metrics=["accuracy"]
    ... )
    >>> history["loss"][-1] < history["loss"][0] / 2, history.last["val_accuracy"] > 0.9
    (True, True)
    """
    trainer = Trainer(model, loss, optimizer, penalty=penalty, constraint=constraint, compiled=compiled)
    return trainer.fit(
        data,
        epochs=epochs,
        batch=batch,
        validation=validation,
        metrics=metrics,
        callbacks=callbacks,
        seed=seed,
        shuffle=shuffle,
        history=history,
        checkpoint=checkpoint,
        resume=resume,
    )


def _check_parts(model: Any, optimizer: Any, penalty: Any, constraint: Any) -> None:
    """TypeError for what cannot be part of a training, in place of what would go wrong in the midst of it."""
    if not isinstance(model, Module):
        raise TypeError(f"a model is a cr.nn.Module, not {model!r}")
    if isinstance(optimizer, type) or not hasattr(optimizer, "named_states"):
        raise TypeError(
            f"an optimizer is made for parameters, cr.optim.SGD(model.parameters()), and is not {optimizer!r}"
        )
    if penalty is not None and not callable(penalty):
        raise TypeError(f"a penalty is a function of the model, cr.nn.L2(1e-4) for example, not {penalty!r}")
    if constraint is not None and not hasattr(constraint, "apply"):
        raise TypeError(f"a constraint has a method apply(model), as cr.nn.MaxNorm has, and {constraint!r} has none")


def _checked_callbacks(callbacks: Any, saving: Checkpoint | None) -> list[Callback]:
    found = [callbacks] if isinstance(callbacks, Callback) else [*callbacks]
    for callback in found:
        if not isinstance(callback, Callback):
            raise TypeError(f"a callback is an object of a class derived from training.Callback, not {callback!r}")
    return found if saving is None else [*found, saving]


def _whole(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is a whole number, not {value!r}") from None


def _validation(validation: Any) -> dict[str, Examples]:
    """Sets of examples by what their numbers are called."""
    if validation is None:
        return {}
    sets: Mapping[str, Any] = validation if isinstance(validation, Mapping) else {"val": validation}
    return {name: Examples.of(data) for name, data in sets.items()}

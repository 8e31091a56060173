"""What both estimators are: parameters, validation of data, training, looking inside."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from chainrule.estimators.monitoring import Epochs, Patience, Report
from chainrule.estimators.network import activations, build, needs_all_data, optimiser
from chainrule.estimators.parameters import check, hidden_sizes
from chainrule.estimators.rows import Rows, blocks, dense
from chainrule.nn import LOSSES, Elastic, Sequential
from chainrule.training import History, Trainer

FLOATS = (np.float64, np.float32)
"""The dtypes that are computed in; all else becomes the first."""
USUAL_BATCH = 200
"""Rows in a step with ``batch_size='auto'``."""
WORTH_STEPS, WORTH_PRODUCTS = 20, 20_000_000
"""From how many steps, or multiplications forward, in an epoch on a step is compiled."""


def takes_minibatches(estimator: NeuralEstimator) -> bool:
    if needs_all_data(estimator.solver):
        raise AttributeError(
            f"partial_fit learns from a part of the data, and solver={estimator.solver!r} needs all of it"
        )
    return True


class NeuralEstimator(CallbackSupportMixin, BaseEstimator):  # type: ignore[misc]
    """The part that NeuralClassifier and NeuralRegressor share."""

    def __init__(
        self,
        hidden: int | Sequence[int] = (100,),
        activation: str | Callable[[], Any] = "relu",
        *,
        loss: str | Callable[..., Any] = "auto",
        init: str | Callable[..., Any] | None = None,
        dropout: float = 0.0,
        solver: str | Callable[..., Any] = "adam",
        lr: float | None = None,
        solver_options: dict[str, Any] | None = None,
        l1: float = 0.0,
        l2: float = 1e-4,
        batch_size: int | str = "auto",
        max_iter: int = 200,
        shuffle: bool = True,
        tol: float = 1e-4,
        patience: float = 20,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        compiled: bool | str = "auto",
        callbacks: Sequence[Any] | None = None,
        random_state: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.loss = loss
        self.init = init
        self.dropout = dropout
        self.solver = solver
        self.lr = lr
        self.solver_options = solver_options
        self.l1 = l1
        self.l2 = l2
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.tol = tol
        self.patience = patience
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.compiled = compiled
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    # ---- what the two tasks add

    _y_numeric = False
    _trainer: tuple[Any, Trainer]

    def _targets(self, y: Any, fresh: bool, classes: Any = None) -> NDArray[Any]:
        """What the net shall give for ``y``; when ``fresh``, what kind of target it is becomes an attribute."""
        raise NotImplementedError

    def _loss_name(self) -> str | None:
        """The loss by its name, None for a function; ValueError for one that does not fit."""
        raise NotImplementedError

    def _output_count(self, targets: NDArray[Any]) -> int:
        raise NotImplementedError

    def _heads(self) -> dict[str, Callable[..., Any]]:
        """What is made of the net's outputs: functions of (net, rows) by what they are for."""
        raise NotImplementedError

    def _metric(self) -> str | Callable[..., float]:
        """The metric of the net's outputs that early stopping notes."""
        raise NotImplementedError

    def _ready(self, model: Sequential, targets: NDArray[Any], weights: NDArray[Any] | None) -> None:
        """Let a new net begin where the targets are."""

    def _scale(self, targets: NDArray[Any], weights: NDArray[Any] | None) -> None:
        """Decide what targets are standardised by."""

    def _scaled(self, targets: NDArray[Any]) -> NDArray[Any]:
        return targets if targets.ndim == 1 else targets.astype(self._dtype)

    def _weights(self, sample_weight: Any, X: Any, y: Any, part: bool) -> NDArray[Any] | None:
        """How much each row counts; None for all alike."""
        if sample_weight is None:
            return None
        checked: NDArray[Any] = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        return checked

    # ---- learning

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from the rows of X.

        Args:
            X: (n, features), array, data frame or sparse matrix, which is made dense to learn from it (to predict, a
                block of rows at a time). float32 is computed in float32, all else in float64.
            y: the targets, (n,) or (n, outputs).
            sample_weight: (n,), how much each row counts; 0 is the same as leaving the row out.

        Returns the estimator. Raises ValueError for parameters and data that do not fit, ``DivergedError`` (naming the
        gate, layer and step) where numbers become infinite; warns of a ConvergenceWarning where the loss was still
        falling after ``max_iter`` epochs.
        """
        fresh = not (self.warm_start and "model_" in vars(self))
        return self._learn(X, y, sample_weight, fresh, self.max_iter)

    def _learn(
        self, X: Any, y: Any, sample_weight: Any, fresh: bool, epochs: int, classes: Any = None, part: bool = False
    ) -> Self:
        check(self.get_params(deep=False))
        if needs_all_data(self.solver) and (self.lr is not None or self.dropout):
            raise ValueError(
                f"solver={self.solver!r} finds its step size by itself, on a loss that is the same when computed "
                f"again: lr is None and dropout 0 with it, not {self.lr} and {self.dropout}"
            )
        if part and self.early_stopping:
            raise ValueError("partial_fit sees a part of the data and holds nothing out: use early_stopping=False")
        dtype = FLOATS if fresh else self._dtype
        checked, y_checked = self._validated(
            X, y, dtype=dtype, multi_output=True, y_numeric=self._y_numeric, reset=fresh
        )
        targets = self._targets(y_checked, fresh, classes)
        weights = self._weights(sample_weight, checked, y_checked, part)
        rows = dense(checked)
        if weights is not None:
            kept = weights > 0
            if not kept.any():
                raise ValueError("sample_weight and class_weight together leave no row that counts")
            rows, targets, weights = rows[kept], targets[kept], weights[kept]
        if fresh:
            self._begin(rows, targets, weights)
        elif self._described() != self._structure:
            raise ValueError(f"training goes on with the same net: {self._structure}, and now {self._described()}")
        task = {"X": X, "y": y, "metadata": {} if sample_weight is None else {"sample_weight": sample_weight}}
        self._train(Examples(rows, targets, weights), epochs, part, task)
        return self

    def _begin(self, rows: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None) -> None:
        """A new net, no optimiser yet and an empty history."""
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._dtype = rows.dtype
        self._structure = self._described()
        self._solver: Any = None
        self._scale(targets, weights)
        self.n_outputs_ = self._output_count(targets)
        sizes = (rows.shape[1], *hidden_sizes(self.hidden), self.n_outputs_)
        model = build(sizes, self.activation, self.dropout, self.init, self._dtype, self._seed)
        self._ready(model, targets, weights)
        for name, value in self._fitted(model, History()).items():
            setattr(self, name, value)

    def _fitted(self, model: Sequential, history: History) -> dict[str, Any]:
        """The attributes that change in training: with them an estimator predicts by ``model``."""
        heads = {"outputs": _outputs, **self._heads()}
        rows = {name: Rows(partial(head, model), self.n_features_in_, self._dtype) for name, head in heads.items()}
        return {"model_": model, "history_": history, "_rows": rows}

    def _train(self, data: Examples, epochs: int, part: bool, task: Mapping[str, Any]) -> None:
        held_out = None
        if self.early_stopping:
            data, held_out = self._held_out(data)
        context = self._init_callback_context(max_subtasks=epochs)
        told = {"estimator": self, **task}
        patience = Patience(self.tol, self.patience, held_out is not None)
        each = Epochs(context, told, lambda: self._fitted(deepcopy(self.model_), History(self.history_)))
        context.call_on_fit_task_begin(**told)
        batch = self._batch(len(data.rows))
        self._trainer_for(data, batch).fit(
            self._prepared(data),
            epochs=epochs,
            batch=batch,
            validation=None if held_out is None else self._prepared(held_out),
            metrics=() if held_out is None else [self._metric()],
            callbacks=[patience, *([Report()] if self.verbose else []), *(self.callbacks or ()), each],
            seed=self._seed,
            shuffle=self.shuffle,
            history=self.history_,
        )
        context.call_on_fit_task_end(**told, reconstruction_attributes=dict)
        if each.done == epochs and not (patience.ended or part or self.warm_start):
            told_of = f"the loss was still falling after max_iter={epochs} epochs"
            warnings.warn(told_of, ConvergenceWarning, stacklevel=5)

    def _described(self) -> tuple[Any, ...]:
        """What makes the net, as far as it cannot change while it is trained on."""
        return hidden_sizes(self.hidden), self.activation, self.dropout, self.init

    def _trainer_for(self, data: Examples, batch: int) -> Trainer:
        """The trainer of the training before, with what it has compiled; a new one if its parameters were changed.

        So with the optimiser and its momentum.
        """
        solver = self.solver, self.lr, dict(self.solver_options or {})
        compiled = self._compiles(len(data.rows), batch)
        told = solver, self.loss, self.l1, self.l2, compiled
        if self._solver != solver:
            self.optimizer_ = optimiser(self.solver, self.model_, self.lr, self.solver_options or {})
            self._solver = solver
        elif vars(self).get("_trainer", (None,))[0] == told:
            return self._trainer[1]
        name = self._loss_name()
        loss: Any = self.loss if name is None else LOSSES[name]
        penalty = Elastic(self.l1, self.l2) if self.l1 or self.l2 else None
        trainer = Trainer(self.model_, loss, self.optimizer_, penalty=penalty, compiled=compiled)
        self._trainer = told, trainer
        return trainer

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_trainer"}

    def _named_loss(self, allowed: Sequence[str], what: str) -> str | None:
        """The name of the loss, None for a function."""
        if callable(self.loss):
            return None
        name = allowed[0] if self.loss == "auto" else self.loss
        if name not in allowed:
            raise ValueError(f"loss is a function or, for {what}, one of {', '.join(map(repr, allowed))}, not {name!r}")
        return name

    def _batch(self, rows: int) -> int:
        return min(USUAL_BATCH if self.batch_size == "auto" else int(self.batch_size), rows)

    def _compiles(self, rows: int, batch: int) -> bool:
        """Whether compiling pays. It does not depend on how many epochs there are: the bits would."""
        if self.compiled != "auto":
            return bool(self.compiled)
        return rows // batch >= WORTH_STEPS or rows * self.model_.parameter_count >= WORTH_PRODUCTS

    def _held_out(self, data: Examples) -> tuple[Examples, Examples]:
        """The examples to learn from and those to look at."""
        numbers = np.arange(len(data.rows))
        by_class = data.targets if data.targets.ndim == 1 else None
        try:
            here, there = train_test_split(
                numbers, test_size=self.validation_fraction, random_state=self._seed, stratify=by_class
            )
        except ValueError as error:
            raise ValueError(
                f"early_stopping cannot hold out validation_fraction={self.validation_fraction} of {len(numbers)} "
                f"rows: {error}"
            ) from error
        return data.part(here), data.part(there)

    def _prepared(self, data: Examples) -> tuple[NDArray[Any], ...]:
        """As ``training.fit`` takes examples."""
        targets = self._scaled(data.targets)
        if data.weights is None:
            return data.rows, targets
        return data.rows, targets, data.weights.astype(self._dtype)

    # ---- looking inside

    @property
    def n_iter_(self) -> int:
        """How many epochs the net has been trained."""
        return len(self.history_)

    def activations(self, X: Any) -> list[NDArray[Any]]:
        """What each layer gives for the rows of X: hidden layers after their activation function, last the scores.

        Returns arrays (n, neurons), one a layer.
        """
        check_is_fitted(self)
        parts = [activations(self.model_, part) for part in blocks(self._checked(X))]
        return [np.concatenate(layer) for layer in zip(*parts, strict=True)]

    def _apply(self, head: str, X: Any) -> NDArray[Any]:
        """What one of ``_heads`` makes of rows of X."""
        mine = vars(self)
        if "_rows" not in mine:
            check_is_fitted(self)
        rows: Rows = mine["_rows"][head]
        found = None if "feature_names_in_" in mine else rows.one(X)
        return rows(self._checked(X)) if found is None else found

    def _checked(self, X: Any) -> Any:
        return self._validated(X, dtype=self._dtype, reset=False)

    def _validated(self, *data: Any, **options: Any) -> Any:
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large for the dtype is told
            return validate_data(self, *data, accept_sparse="csr", **options)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _outputs(net: Any, x: Any) -> Any:
    return net(x)


@dataclass(frozen=True)
class Examples:
    """Rows, their targets and how much each counts."""

    rows: NDArray[Any]
    targets: NDArray[Any]
    weights: NDArray[Any] | None

    def part(self, numbers: NDArray[Any]) -> Examples:
        """Some of them."""
        weights = None if self.weights is None else self.weights[numbers]
        return Examples(self.rows[numbers], self.targets[numbers], weights)

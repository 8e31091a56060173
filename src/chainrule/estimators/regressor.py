"""NeuralRegressor: numbers, one or several for each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.callback import with_callbacks
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from chainrule.estimators.base import NeuralEstimator, takes_minibatches
from chainrule.nn import Sequential
from chainrule.training import METRICS

LOSSES = ("mse", "mae", "huber", "poisson")
SMALLEST_RATE = 1e-6
"""Where the rate of counts that are all 0 begins."""


class NeuralRegressor(RegressorMixin, MultiOutputMixin, NeuralEstimator):  # type: ignore[misc]
    """A neural network for regression, with the manners of a scikit-learn estimator.

    Targets are standardised for the net, so that neither their unit nor their mean matters; predictions are in the
    unit of ``y``, and losses are in standard deviations: with 'mse', 1 - loss is the R2 score. (Counts, for
    'poisson', and targets of a loss of your own stay as they are.)

    Args:
        loss: 'auto' is 'mse'; 'mae', 'huber' (whose corner is at one standard deviation), 'poisson' for counts (the net
            gives logarithms of rates, ``predict`` rates); or any function (outputs, targets) -> scalar of two
            (n, outputs). If it is to be used with weights, it takes ``weights``, (n,).
        hidden, activation, init, dropout, solver, lr, solver_options, l1, l2, batch_size, max_iter, shuffle, tol,
        patience, early_stopping, validation_fraction, warm_start, compiled, callbacks, random_state, verbose: as for
            NeuralClassifier. Early stopping notes 'val_r2'.

    Attributes:
        model_, optimizer_, history_, n_iter_, n_features_in_, feature_names_in_, n_outputs_: as for NeuralClassifier.
            Outputs of ``model_`` are standardised targets.

    >>> from sklearn.datasets import load_diabetes
    >>> from chainrule.estimators import NeuralRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> net = NeuralRegressor(hidden=20, lr=0.01, random_state=0, early_stopping=True).fit(X, y)
    >>> net.predict(X[:2]).shape
    (2,)
    """

    _y_numeric = True

    @available_if(takes_minibatches)  # type: ignore[untyped-decorator]
    @with_callbacks  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch on these rows: arguments as for ``fit``. The first call decides what targets are standardised by.

        Returns the estimator.
        """
        return self._learn(X, y, sample_weight, "model_" not in vars(self), 1, part=True)

    def predict(self, X: Any) -> NDArray[Any]:
        """The predicted targets, in the shape of ``y``: (n,) or (n, outputs)."""
        found = self._apply("prediction", X)
        return found[:, 0] if self._one_column else found

    # ---- for the base class

    def _targets(self, y: Any, fresh: bool, classes: Any = None) -> NDArray[Any]:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        targets: NDArray[Any] = y.reshape(len(y), -1).astype(np.float64)
        if fresh:
            self._one_column = y.ndim == 1
        elif targets.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {targets.shape[1]} outputs, and there were {self.n_outputs_} at first")
        if self._loss_name() == "poisson" and (targets < 0).any():
            raise ValueError(f"loss='poisson' is for counts, which are not negative, and y has {targets.min()}")
        return targets

    def _loss_name(self) -> str | None:
        return self._named_loss(LOSSES, "numbers")

    def _output_count(self, targets: NDArray[Any]) -> int:
        return int(targets.shape[1])

    def _scale(self, targets: NDArray[Any], weights: NDArray[Any] | None) -> None:
        self._mean, self._deviation = np.zeros(targets.shape[1]), np.ones(targets.shape[1])
        if self._loss_name() in (None, "poisson"):
            return
        self._mean = np.average(targets, axis=0, weights=weights)
        deviation = np.sqrt(np.average((targets - self._mean) ** 2, axis=0, weights=weights))
        self._deviation = np.where(deviation > 0, deviation, 1.0)

    def _scaled(self, targets: NDArray[Any]) -> NDArray[Any]:
        return ((targets - self._mean) / self._deviation).astype(self._dtype)

    def _ready(self, model: Sequential, targets: NDArray[Any], weights: NDArray[Any] | None) -> None:
        """Rates begin at their mean: a net that begins at 1 would be far from counts in the hundreds."""
        if self._loss_name() == "poisson":
            rates = np.average(targets, axis=0, weights=weights)
            list(model.parameters())[-1].assign(np.log(np.maximum(rates, SMALLEST_RATE)))

    def _heads(self) -> dict[str, Callable[..., Any]]:
        if self._loss_name() == "poisson":
            return {"prediction": _rate}
        return {"prediction": _Unscaled(self._mean.astype(self._dtype), self._deviation.astype(self._dtype))}

    def _metric(self) -> str | Callable[..., float]:
        return r2 if self._loss_name() == "poisson" else "r2"


def r2(outputs: NDArray[Any], targets: NDArray[Any], weights: Any = None) -> float:
    """The R2 score of the logarithms of rates."""
    return METRICS["r2"](np.exp(outputs), targets, weights)


def _rate(net: Any, x: Any) -> Any:
    return np.exp(net(x))


class _Unscaled:
    """The net's outputs in the unit of the targets."""

    def __init__(self, mean: NDArray[Any], deviation: NDArray[Any]) -> None:
        self.mean, self.deviation = mean, deviation

    def __call__(self, net: Any, x: Any) -> Any:
        return net(x) * self.deviation + self.mean

"""How good outputs are: numbers of outputs and targets, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph.array import raw

Metric = Callable[..., float]
"""(outputs, targets, weights=None) -> a number."""


def accuracy(outputs: Any, targets: Any, weights: Any = None) -> float:
    """The share of examples (by weight, if there are weights) that are classified right.

    Args:
        outputs: scores (n, classes), of which the largest counts; or as many as there are targets, of which those
            above 0 say yes (the logits of one yes-or-no question, or of several for each example).
        targets: labels (n,); or zeros and ones of the shape of the outputs. Several for an example count together.
        weights: (n,), or None.

    Raises ValueError for shapes that do not fit and for no examples.

    >>> import numpy as np
    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    """
    outputs, targets = _pair(outputs, targets)
    if outputs.ndim == 2 and targets.shape == outputs.shape[:1] and targets.size:
        return _mean(outputs.argmax(1) == targets, weights)
    if outputs.shape != targets.shape or not targets.size:
        raise _unfit(
            "accuracy", "scores (n, classes) and labels (n,), or outputs and targets of one shape", outputs, targets
        )
    right = (outputs > 0) == (targets > 0.5)
    return _mean(right.reshape(len(right), -1).all(1), weights)


def top(k: int, outputs: Any, targets: Any, weights: Any = None) -> float:
    """The share of examples whose true class is among the ``k`` largest scores.

    >>> import numpy as np
    >>> top(2, np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]), np.array([1, 2]))
    0.5
    """
    outputs, labels = _scores(f"top_{k}", outputs, targets)
    own = np.take_along_axis(outputs, labels[:, None], 1)
    return _mean((outputs > own).sum(1) < k, weights)


def balanced_accuracy(outputs: Any, targets: Any, weights: Any = None) -> float:
    """The mean over the classes that occur of the share that is found: as if all were equally frequent."""
    table = confusion_matrix(outputs, targets, weights=weights)
    total = table.sum(1)
    return float(np.mean(np.diagonal(table)[total > 0] / total[total > 0]))


def log_loss(outputs: Any, targets: Any, weights: Any = None) -> float:
    """The mean of -log of the probability (softmax of the scores) given to the true class.

    >>> import numpy as np
    >>> log_loss(np.log([[0.25, 0.75]]), np.array([0])).__round__(4)
    1.3863
    """
    outputs, labels = _scores("log_loss", outputs, targets)
    shifted = outputs - outputs.max(1, keepdims=True)
    own = np.take_along_axis(shifted, labels[:, None], 1)[:, 0]
    return _mean(np.log(np.exp(shifted).sum(1)) - own, weights)


def mae(outputs: Any, targets: Any, weights: Any = None) -> float:
    """The mean of the absolute differences.

    >>> mae([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    return _mean(np.abs(_differences("mae", outputs, targets)).mean(1), weights)


def rmse(outputs: Any, targets: Any, weights: Any = None) -> float:
    """The square root of the mean of the squared differences: an error in the unit of the targets."""
    return float(np.sqrt(_mean(np.square(_differences("rmse", outputs, targets)).mean(1), weights)))


def r2(outputs: Any, targets: Any, weights: Any = None) -> float:
    """The share of the targets' variance that is explained, a mean over several targets; 0 for their mean as a guess.

    A target that does not vary counts as 1 where it is met exactly, else as 0 (as in scikit-learn).

    >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]).__round__(3)
    0.786
    """
    differences = _differences("r2", outputs, targets)
    y = np.asarray(raw(targets), np.float64).reshape(len(differences), -1)
    left = np.average(np.square(differences), axis=0, weights=weights)
    variance = np.average(np.square(y - np.average(y, axis=0, weights=weights)), axis=0, weights=weights)
    constant = variance == 0
    shares = np.where(constant, left == 0, 1 - left / np.where(constant, 1, variance))
    return float(shares.mean())


def confusion_matrix(
    outputs: Any, targets: Any, classes: int | None = None, weights: Any = None
) -> NDArray[np.int64] | NDArray[np.float64]:
    """How many examples of each class (row) were taken for each class (column).

    Args:
        outputs: scores (n, classes), or predicted labels (n,).
        targets: labels (n,).
        classes: how many there are; by default as many as there are scores, or as occur.
        weights: (n,); then the matrix holds sums of them.

    >>> confusion_matrix([0, 1, 1], [0, 1, 0])
    array([[1, 1],
           [0, 1]])
    """
    outputs, labels = np.asarray(raw(outputs)), np.asarray(raw(targets))
    if classes is None:
        classes = outputs.shape[1] if outputs.ndim == 2 else int(max(outputs.max(), labels.max())) + 1
    predicted = outputs.argmax(1) if outputs.ndim == 2 else outputs
    if labels.ndim != 1 or predicted.shape != labels.shape:
        raise _unfit("confusion_matrix", "scores (n, classes) or labels (n,), and labels (n,)", outputs, labels)
    table = np.bincount(labels * classes + predicted, weights, minlength=classes * classes)
    return table.reshape(classes, classes)


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "top_3": partial(top, 3),
    "top_5": partial(top, 5),
    "log_loss": log_loss,
    "mae": mae,
    "rmse": rmse,
    "r2": r2,
}
"""Metrics by name."""

LARGER_IS_BETTER = frozenset({"accuracy", "balanced_accuracy", "top_3", "top_5", "r2"})
"""Those that are to become large; the others, and losses, are to become small."""


def named_metrics(metrics: Iterable[str | Metric]) -> dict[str, Metric]:
    """Metrics by the name under which they are recorded: names of METRICS, or functions with names of their own.

    Raises ValueError for a name that is not known.
    """
    if isinstance(metrics, str):
        metrics = (metrics,)
    found = {}
    for metric in metrics:
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
        if isinstance(metric, str) and name not in METRICS:
            raise ValueError(f"there is no metric {name!r}; there are {', '.join(METRICS)}, and functions of your own")
        found[name] = METRICS[name] if isinstance(metric, str) else metric
    return found


def _mean(values: NDArray[Any], weights: Any) -> float:
    return float(np.average(values, weights=weights))


def _pair(outputs: Any, targets: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as ndarrays; a column (n, 1) and a vector (n,) fit each other, as they do for losses."""
    outputs, targets = np.asarray(raw(outputs)), np.asarray(raw(targets))
    if {outputs.shape, targets.shape} == {(targets.size,), (targets.size, 1)}:
        return np.ravel(outputs), np.ravel(targets)
    return outputs, targets


def _scores(name: str, outputs: Any, targets: Any) -> tuple[NDArray[np.float64], NDArray[Any]]:
    outputs, labels = _pair(outputs, targets)
    if outputs.ndim != 2 or labels.shape != outputs.shape[:1] or not labels.size:
        raise _unfit(name, "scores (n, classes) and labels (n,)", outputs, labels)
    return outputs.astype(np.float64), labels


def _differences(name: str, outputs: Any, targets: Any) -> NDArray[np.float64]:
    """Outputs minus targets in float64, a row an example."""
    outputs, targets = _pair(outputs, targets)
    if outputs.shape != targets.shape or not targets.size:
        raise _unfit(name, "outputs and targets of one shape", outputs, targets)
    differences: NDArray[np.float64] = outputs.astype(np.float64) - targets
    return differences.reshape(len(differences), -1)


def _unfit(name: str, wanted: str, outputs: NDArray[Any], targets: NDArray[Any]) -> ValueError:
    return ValueError(f"{name} needs {wanted}, of one or more examples, not {outputs.shape} and {targets.shape}")

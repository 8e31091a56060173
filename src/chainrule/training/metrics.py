"""How good a net is, on data it may not have seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.graph.array import raw
from chainrule.graph.mode import no_grad
from chainrule.nn import Module, cross_entropy

Loss = Callable[[Any, Any], Any]
"""(scores, labels) -> a scalar to be made small."""


class Score(NamedTuple):
    """Loss and accuracy on one set of examples."""

    loss: float
    accuracy: float


def accuracy(scores: Any, labels: Any) -> float:
    """The share of examples whose largest score is that of the true class.

    Args:
        scores: (n, classes).
        labels: (n,), integers.

    Raises ValueError for shapes that do not fit and for no examples.

    >>> import numpy as np
    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    """
    scores, labels = np.asarray(raw(scores)), np.asarray(raw(labels))
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or not labels.size:
        raise ValueError(
            f"accuracy needs scores (n, classes) and labels (n,) of one or more examples, not {scores.shape} and "
            f"{labels.shape}"
        )
    return float(np.mean(scores.argmax(1) == labels))


def evaluate(model: Module, x: NDArray[Any], y: NDArray[Any], loss: Loss = cross_entropy) -> Score:
    """Loss and accuracy of ``model`` on all of ``x`` (n, ...) and ``y`` (n,), without recording a circuit.

    >>> import numpy as np, chainrule as cr
    >>> net = cr.nn.Linear(2, 2, scale=0.0)
    >>> evaluate(net, np.ones((4, 2)), np.array([0, 0, 0, 1])).accuracy
    0.75
    """
    with no_grad():
        scores = model(x)
        return Score(float(loss(scores, y)), accuracy(scores, y))

"""Losses for targets that are numbers: the mean over examples and outputs of what each output is wrong by."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.nn.losses.mean import alike, check, mean


def mse(outputs: Any, targets: Any, *, weights: Any = None) -> Any:
    """The mean of the squared differences.

    Args:
        outputs: shape (examples,) or (examples, outputs), or any other.
        targets: numbers of the same shape: a silent broadcast would be a wrong loss. They are cast to the dtype of the
            outputs; (examples,) and (examples, 1) fit each other.
        weights: of the examples, shape (examples,), not negative.

    Raises ValueError for shapes or weights that do not fit.

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.mse(cr.array([1.0, 2.0]), np.array([1.0, 4.0])).item()
    2.0
    """
    outputs, targets = alike("mse", outputs, targets)
    return mean(np.square(outputs - targets), weights)


def mae(outputs: Any, targets: Any, *, weights: Any = None) -> Any:
    """The mean of the absolute differences; arguments and errors are those of ``mse``.

    It is smallest at the median, so a few wild targets do not count for much. The gradient is 0 where a difference is.

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.mae(cr.array([1.0, 2.0]), np.array([1.0, 4.0])).item()
    1.0
    """
    outputs, targets = alike("mae", outputs, targets)
    return mean(np.abs(outputs - targets), weights)


def huber(outputs: Any, targets: Any, *, delta: float = 1.0, weights: Any = None) -> Any:
    """Half the squared difference up to ``delta``, from there on a line of slope ``delta`` (Huber 1964).

    ``delta`` is positive, in the unit of the targets; the other arguments and errors are those of ``mse``.

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.huber(np.array([0.5, 3.0]), np.zeros(2)).item()  # (0.5 ** 2 / 2 + (3 - 1 / 2)) / 2
    1.3125
    """
    if not delta > 0:
        raise ValueError(f"delta is where the parabola goes over into a line, a positive number, not {delta}")
    outputs, targets = alike("huber", outputs, targets)
    size = np.abs(outputs - targets)
    bounded = np.minimum(size, delta)
    return mean(bounded * (size - 0.5 * bounded), weights)


def poisson(outputs: Any, targets: Any, *, weights: Any = None) -> Any:
    """Poisson regression: ``exp(output) - target * output``, for outputs that are logarithms of rates.

    It is -log of the Poisson probability of the target, less log(target!), which does not depend on the outputs; so
    its smallest value is not 0. Targets are counts, or at least not negative; the other arguments are those of ``mse``.

    >>> import numpy as np, chainrule as cr
    >>> cr.grad(cr.nn.poisson)(np.log([1.0, 2.0]), np.array([1.0, 4.0])).round(6) + 0.0
    array([ 0., -1.])
    """
    outputs, targets = alike("poisson", outputs, targets)
    check(targets, lambda t: t >= 0, "poisson needs targets that are counts, not negative")
    return mean(np.exp(outputs) - targets * outputs, weights)

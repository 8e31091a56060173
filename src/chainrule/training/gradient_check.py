"""A net's gradients against numerical ones."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.calculus.check import GradientReport, check_grads
from chainrule.nn import Module, cross_entropy
from chainrule.training.evaluation import Loss


def check_model(
    model: Module, x: NDArray[Any], y: NDArray[Any], loss: Loss = cross_entropy, **options: Any
) -> GradientReport:
    """Check dL/dw of every parameter on the examples ``x`` (n, ...) and ``y`` (n,), in float64.

    The loss is checked as a function of the parameters, on a copy: ``model`` is left alone. Few examples mean few
    kinks. ``options`` go to ``cr.check_grads``, whose errors are raised; ``order`` is 1 here unless given.

    >>> import numpy as np, chainrule as cr
    >>> net = cr.nn.Sequential(cr.nn.Linear(2, 3, rng=0), cr.nn.Tanh(), cr.nn.Linear(3, 2, rng=1))
    >>> check_model(net, np.ones((4, 2)), np.array([0, 1, 1, 0])).relative_error < 1e-7
    True
    """
    named = model.named_parameters()
    x = x.astype(np.float64) if x.dtype.kind == "f" else x  # the numbers of an embedding's rows stay integers

    def loss_of(values: dict[str, Any]) -> Any:
        # deepcopy takes what its memo holds for an object instead of copying it: here other values for parameters.
        net = deepcopy(model, {id(p): values[name] for name, p in named.items()})
        return loss(net(x), y)

    return check_grads(loss_of, {name: p.value for name, p in named.items()}, **{"order": 1, **options})

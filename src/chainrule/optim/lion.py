"""Lion: only the signs of a momentum count."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.state import State
from chainrule.optim.hyper import Hyper, Slot
from chainrule.optim.optimizer import Optimizer


class Lion(Optimizer):
    """w <- w - lr * sign(beta1 m + (1 - beta1) gradient);  m <- beta2 m + (1 - beta2) gradient

    (Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, algorithm 2.) Every weight moves by lr, so lr
    is some ten times smaller than Adam's, and ``weight_decay`` as much larger.

    >>> import numpy as np, chainrule as cr
    >>> w = cr.Parameter([1.0, 1.0, 1.0])
    >>> optimizer = cr.optim.Lion([w], lr=0.25)
    >>> np.sum(w * np.array([100.0, -0.001, 0.0], np.float32)).backward()
    >>> optimizer.step()
    >>> w.value
    array([0.75, 1.25, 1.  ], dtype=float32)
    """

    lr = Hyper(0.0001, "(0, inf)", "the step size")
    beta1 = Hyper(0.9, "[0, 1)", "how much of the momentum counts in the direction")
    beta2 = Hyper(0.99, "[0, 1)", "how much of the momentum is kept")

    slots = (Slot("momentum"),)
    momentum: list[State]

    @staticmethod
    def formula(w: Any, gradient: Any, lr: Any, beta1: Any, beta2: Any, momentum: Any) -> tuple[Any, ...]:
        """As above."""
        w -= lr * np.sign(beta1 * momentum + (1 - beta1) * gradient)
        momentum *= beta2
        momentum += (1 - beta2) * gradient
        return w, momentum

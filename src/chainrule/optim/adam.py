"""Adam and AdamW: steps that are as large where gradients are small."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.state import State
from chainrule.optim.hyper import Hyper, Slot
from chainrule.optim.optimizer import Optimizer


class Adam(Optimizer):
    """m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2;  w <- w - lr m' / (sqrt(v') + epsilon)

    m' = m / (1 - beta1^t) and v' = v / (1 - beta2^t) make up for the beginning at zero (Kingma & Ba, Adam: a Method for
    Stochastic Optimization, 2015, algorithm 1). t counts the updates of each parameter.

    >>> import numpy as np, chainrule as cr
    >>> w = cr.Parameter([1.0, -20.0])
    >>> optimizer = cr.optim.Adam([w], lr=0.5)
    >>> np.sum(w * w).backward()
    >>> optimizer.step()                # the first step is lr long, however large the gradient
    >>> w.value
    array([  0.5, -19.5], dtype=float32)
    """

    lr = Hyper(0.001, "(0, inf)", "the step size")
    beta1 = Hyper(0.9, "[0, 1)", "how much of the mean of the gradients is kept")
    beta2 = Hyper(0.999, "[0, 1)", "how much of the mean of their squares is kept")
    epsilon = Hyper(1e-8, "(0, inf)", "added to the root, so that nothing is divided by zero")

    slots = (Slot("mean"), Slot("mean_square"), Slot("updates", count=True))
    mean: list[State]
    mean_square: list[State]
    updates: list[State]

    @staticmethod
    def formula(
        w: Any, gradient: Any, lr: Any,
        beta1: Any, beta2: Any, epsilon: Any,
        mean: Any, mean_square: Any, updates: Any,
    ) -> tuple[Any, ...]:  # fmt: skip
        """As above."""
        mean *= beta1
        mean += (1 - beta1) * gradient
        mean_square *= beta2
        mean_square += (1 - beta2) * gradient * gradient
        unbiased = (1 - beta2**updates) ** 0.5  # one division an element, as section 2 of the paper suggests
        w -= lr * unbiased / (1 - beta1**updates) * mean / (np.sqrt(mean_square) + epsilon * unbiased)
        return w, mean, mean_square


class AdamW(Adam):
    """Adam with a decay of the weights that the gradients do not scale: w <- w - lr * weight_decay * w, beside Adam.

    (Loshchilov & Hutter, Decoupled Weight Decay Regularization, 2019. The schedule scales the decay, too, and so does
    lr, as in most libraries; the paper leaves lr out.)

    >>> import numpy as np, chainrule as cr
    >>> w = cr.Parameter([[10.0]])
    >>> optimizer = cr.optim.AdamW([w], lr=0.5, weight_decay=0.1)
    >>> np.sum(w).backward()
    >>> optimizer.step()
    >>> w.item()
    9.0
    """

    weight_decay = Optimizer.weight_decay.by_default(0.01)

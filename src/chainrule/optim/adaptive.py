"""AdaGrad, RMSProp, AdaDelta: each weight has a step size of its own, by how large its gradients have been."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.state import State
from chainrule.optim.hyper import Hyper, Slot
from chainrule.optim.optimizer import Optimizer

EPSILON = Hyper(1e-8, "(0, inf)", "added to the root, so that nothing is divided by zero")


class AdaGrad(Optimizer):
    """s <- s + gradient^2;  w <- w - lr * gradient / (sqrt(s) + epsilon)

    (Duchi, Hazan & Singer, Adaptive Subgradient Methods, 2011, with the diagonal of their matrix.) Steps only become
    smaller, so rare features keep large ones.

    >>> import numpy as np, chainrule as cr
    >>> w = cr.Parameter([0.0, 0.0])
    >>> optimizer = cr.optim.AdaGrad([w], lr=1.0)
    >>> for slope in ([8.0, 0.0], [8.0, 8.0]):
    ...     np.sum(w * np.array(slope, np.float32)).backward()
    ...     optimizer.step()
    >>> w.value.round(4)
    array([-1.7071, -1.    ], dtype=float32)
    """

    lr = Hyper(0.01, "(0, inf)", "the step size")
    epsilon = EPSILON

    slots = (Slot("sum_of_squares"),)
    sum_of_squares: list[State]

    @staticmethod
    def formula(w: Any, gradient: Any, lr: Any, epsilon: Any, sum_of_squares: Any) -> tuple[Any, ...]:
        """As above."""
        sum_of_squares += gradient * gradient
        w -= lr * gradient / (np.sqrt(sum_of_squares) + epsilon)
        return w, sum_of_squares


class RMSProp(Optimizer):
    """s <- decay s + (1 - decay) gradient^2;  w <- w - lr * gradient / (sqrt(s) + epsilon)

    (Tieleman & Hinton, Neural Networks for Machine Learning, lecture 6.5, 2012.) AdaGrad that forgets.

    >>> import numpy as np, chainrule as cr
    >>> w = cr.Parameter([1.0, 1.0])
    >>> optimizer = cr.optim.RMSProp([w], lr=0.1, decay=0.75)
    >>> np.sum(w * np.array([4.0, 0.01], np.float32)).backward()
    >>> optimizer.step()
    >>> w.value.round(4)
    array([0.8, 0.8], dtype=float32)
    """

    lr = Hyper(0.001, "(0, inf)", "the step size")
    decay = Hyper(0.9, "[0, 1)", "how much of the mean of the squares is kept")
    epsilon = EPSILON

    slots = (Slot("mean_square"),)
    mean_square: list[State]

    @staticmethod
    def formula(w: Any, gradient: Any, lr: Any, decay: Any, epsilon: Any, mean_square: Any) -> tuple[Any, ...]:
        """As above."""
        mean_square *= decay
        mean_square += (1 - decay) * gradient * gradient
        w -= lr * gradient / (np.sqrt(mean_square) + epsilon)
        return w, mean_square


class AdaDelta(Optimizer):
    """u = sqrt((d + epsilon) / (s + epsilon)) * gradient;  w <- w - lr * u

    Here s is the running mean of gradient^2, this one included, and d that of u^2, without this one (Zeiler, ADADELTA:
    an Adaptive Learning Rate Method, 2012, algorithm 1, where lr is 1). The update has the unit of the weights.

    >>> import numpy as np, chainrule as cr
    >>> w = cr.Parameter([1.0], dtype=float)
    >>> optimizer = cr.optim.AdaDelta([w], decay=0.75, epsilon=0.25)
    >>> np.sum(3.0 * w).backward()
    >>> optimizer.step()
    >>> round(w.item(), 6), round(float(1 - 3 * np.sqrt(0.25) / np.sqrt(9 / 4 + 0.25)), 6)
    (0.051317, 0.051317)
    """

    lr = Hyper(1.0, "(0, inf)", "a factor on the step size that the rule finds")
    decay = Hyper(0.95, "[0, 1)", "how much of the means of the squares is kept")
    epsilon = Hyper(1e-6, "(0, inf)", "what the first updates begin with")

    slots = (Slot("mean_square"), Slot("mean_square_update"))
    mean_square: list[State]
    mean_square_update: list[State]

    @staticmethod
    def formula(
        w: Any, gradient: Any, lr: Any, decay: Any, epsilon: Any, mean_square: Any, mean_square_update: Any
    ) -> tuple[Any, ...]:
        """As above."""
        mean_square *= decay
        mean_square += (1 - decay) * gradient * gradient
        update = np.sqrt((mean_square_update + epsilon) / (mean_square + epsilon)) * gradient
        mean_square_update *= decay
        mean_square_update += (1 - decay) * update * update
        w -= lr * update
        return w, mean_square, mean_square_update

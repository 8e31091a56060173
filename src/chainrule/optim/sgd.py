"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from chainrule.graph.state import State
from chainrule.optim.hyper import Flag, Hyper, Slot
from chainrule.optim.optimizer import Optimizer


class SGD(Optimizer):
    """v <- momentum * v - lr * gradient;  w <- w + v   (course notes, neural-networks-3)

    With ``nesterov`` the gradient counts as that of the place where the momentum leads (Nesterov 1983, in the form of
    Bengio et al. 2012): w <- w + momentum * v - lr * gradient, with the new v.

    >>> import numpy as np, chainrule as cr
    >>> w = cr.Parameter([1.0, 2.0])
    >>> optimizer = cr.optim.SGD([w], lr=0.1)
    >>> np.sum(w * w).backward()
    >>> optimizer.step()
    >>> w.value
    array([0.8, 1.6], dtype=float32)
    """

    lr = Hyper(0.1, "(0, inf)", "the step size")
    momentum = Hyper(0.0, "[0, 1)", "how much of the last update is kept", off=0.0)
    nesterov = Flag("whether the momentum goes before the gradient")

    slots = (Slot("velocity", needs="momentum"),)
    velocity: list[State | None]

    @staticmethod
    def formula(w: Any, gradient: Any, lr: Any, momentum: Any, nesterov: bool, velocity: Any = None) -> tuple[Any, ...]:
        """As above; without momentum there is no velocity."""
        if velocity is None:
            w -= lr * gradient
            return (w,)
        velocity *= momentum
        velocity -= lr * gradient
        w += momentum * velocity - lr * gradient if nesterov else velocity
        return w, velocity

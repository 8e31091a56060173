"""Optimisers: from gradients to parameter updates."""

from chainrule.optim.sgd import SGD

__all__ = ["SGD"]

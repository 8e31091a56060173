"""Optimisers: from gradients to parameter updates."""

from chainrule.optim.adam import Adam, AdamW
from chainrule.optim.hyper import Hyper, Slot
from chainrule.optim.optimizer import Group, Optimizer
from chainrule.optim.sgd import SGD

OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
"""The optimisers by name."""

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Group", "Hyper", "Optimizer", "Slot"]

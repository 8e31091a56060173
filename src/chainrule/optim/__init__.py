"""Optimisers: from gradients to parameter updates."""

from chainrule.optim.adam import Adam, AdamW
from chainrule.optim.adaptive import AdaDelta, AdaGrad, RMSProp
from chainrule.optim.hyper import Flag, Hyper, Slot
from chainrule.optim.lbfgs import LBFGS, Minimum
from chainrule.optim.lion import Lion
from chainrule.optim.optimizer import Group, Optimizer
from chainrule.optim.plateau import ReduceOnPlateau
from chainrule.optim.schedules import Chain, Cosine, Exponential, InverseTime, OneCycle, Schedule, Step, Warmup
from chainrule.optim.sgd import SGD

OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.__name__.lower(): kind for kind in (SGD, AdaGrad, AdaDelta, RMSProp, Adam, AdamW, Lion)
}
"""The optimisers that work on minibatches, by name."""

__all__ = [
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Chain",
    "Cosine",
    "Exponential",
    "Flag",
    "Group",
    "Hyper",
    "InverseTime",
    "Lion",
    "Minimum",
    "OneCycle",
    "Optimizer",
    "RMSProp",
    "ReduceOnPlateau",
    "Schedule",
    "Slot",
    "Step",
    "Warmup",
]

"""Neural networks: neurons, layers, losses."""

from chainrule.nn.activations import Activation, LeakyReLU, ReLU, Sigmoid, Tanh
from chainrule.nn.layers import Linear, Maxout, Sequential
from chainrule.nn.losses import (
    LOSSES,
    binary_cross_entropy,
    cross_entropy,
    hinge,
    huber,
    kl_divergence,
    mae,
    mse,
    poisson,
)
from chainrule.nn.module import Module
from chainrule.nn.neuron import Neuron

__all__ = [
    "LOSSES",
    "Activation",
    "LeakyReLU",
    "Linear",
    "Maxout",
    "Module",
    "Neuron",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "binary_cross_entropy",
    "cross_entropy",
    "hinge",
    "huber",
    "kl_divergence",
    "mae",
    "mse",
    "poisson",
]

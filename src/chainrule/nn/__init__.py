"""Neural networks: neurons, layers, losses."""

from chainrule.nn.layers import Activation, LeakyReLU, Linear, Maxout, ReLU, Sequential, Sigmoid, Tanh
from chainrule.nn.losses import cross_entropy, mse
from chainrule.nn.module import Module
from chainrule.nn.neuron import Neuron

__all__ = [
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
    "cross_entropy",
    "mse",
]

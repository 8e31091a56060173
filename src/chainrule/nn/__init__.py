"""Neural networks: neurons, layers, losses."""

from chainrule.nn.activations import Activation, LeakyReLU, ReLU, Sigmoid, Tanh
from chainrule.nn.layers import Linear, Maxout, Sequential
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

"""Neural networks: neurons, layers, losses."""

from chainrule.nn.activations import Activation, LeakyReLU, ReLU, Sigmoid, Tanh
from chainrule.nn.containers import Residual, Sequential
from chainrule.nn.dropout import Dropout
from chainrule.nn.layers import Embedding, Flatten, Linear, Maxout
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
from chainrule.nn.normalisation import BatchNorm, LayerNorm

__all__ = [
    "LOSSES",
    "Activation",
    "BatchNorm",
    "Dropout",
    "Embedding",
    "Flatten",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Maxout",
    "Module",
    "Neuron",
    "ReLU",
    "Residual",
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

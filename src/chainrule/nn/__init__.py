"""Neural networks: neurons, layers, losses."""

from chainrule.nn import initialisers
from chainrule.nn.activations import (
    ACTIVATIONS,
    ELU,
    GELU,
    SELU,
    Activation,
    HardSigmoid,
    HardSiLU,
    HardTanh,
    Identity,
    LeakyReLU,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)
from chainrule.nn.containers import Residual, Sequential
from chainrule.nn.dropout import Dropout
from chainrule.nn.initialisers import INITIALISERS
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
from chainrule.nn.regularisers import L1, L2, Elastic, MaxNorm

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "INITIALISERS",
    "L1",
    "L2",
    "LOSSES",
    "SELU",
    "Activation",
    "BatchNorm",
    "Dropout",
    "Elastic",
    "Embedding",
    "Flatten",
    "HardSiLU",
    "HardSigmoid",
    "HardTanh",
    "Identity",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MaxNorm",
    "Maxout",
    "Mish",
    "Module",
    "Neuron",
    "PReLU",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
    "binary_cross_entropy",
    "cross_entropy",
    "hinge",
    "huber",
    "initialisers",
    "kl_divergence",
    "mae",
    "mse",
    "poisson",
]

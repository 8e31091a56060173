"""Activation functions, where they are smooth and far out."""

import numpy as np

import chainrule as cr
from chainrule.gates.activation import bell, normal_share
from tests.gates.rows import Row, draw

X = np.array([-4.1, -2.0, -0.3, 0.2, 0.9, 2.5, 3.4])
FAR = np.array([-800.0, -45.0, 45.0, 800.0])
FUNCTIONS = {
    "relu": cr.relu,
    "leaky_relu": cr.leaky_relu,
    "leaky_relu with a slope": lambda x: cr.leaky_relu(x, 0.01),
    "elu": cr.elu,
    "elu with alpha": lambda x: cr.elu(x, 0.3),
    "selu": cr.selu,
    "bell": bell,
    "normal_share": normal_share,
    "gelu": cr.gelu,
    "approximate gelu": lambda x: cr.gelu(x, approximate=True),
    "silu": cr.silu,
    "mish": cr.mish,
    "softsign": cr.softsign,
    "hard_sigmoid": cr.hard_sigmoid,
    "hard_tanh": cr.hard_tanh,
    "hard_silu": cr.hard_silu,
}

ROWS = [
    *(Row(name, function, (X,)) for name, function in FUNCTIONS.items()),
    *(Row(f"{name} of a number", function, (np.array(0.7),)) for name, function in FUNCTIONS.items()),
    *(Row(f"{name}, far out", function, (FAR,)) for name, function in FUNCTIONS.items()),
    Row("prelu", cr.prelu, (draw(4, 3), np.array(0.25))),
    Row("prelu, a slope for each column", cr.prelu, (draw(4, 3), draw(3, seed=1))),
    Row("maxout", cr.maxout, (draw(4, 6),)),
    Row("maxout of three", lambda x: cr.maxout(x, 3), (draw(2, 2, 6),)),
]

"""Exponentials, logarithms and the functions of the logistic family that belong to them."""

import numpy as np

import chainrule as cr
from chainrule.gates.exponential import share, share2
from tests.gates.rows import Row, draw

UNARY = {
    "exp": (np.exp, -2.0),
    "exp2": (np.exp2, -2.0),
    "expm1": (np.expm1, -2.0),
    "log": (np.log, 0.3),
    "log2": (np.log2, 0.3),
    "log10": (np.log10, 0.3),
    "log1p": (np.log1p, -0.5),
    "sigmoid": (cr.sigmoid, -2.0),
    "softplus": (cr.softplus, -2.0),
}
PAIRS = [((), ()), ((3,), ()), ((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0,), ())]

ROWS = [
    Row("share", share, (draw(2, 3), draw(3, seed=1))),
    Row("share2", share2, (draw(3, seed=1), draw(2, 3))),
    *(
        Row(f"{name}: {shape}", function, (draw(*shape, low=low),))
        for name, (function, low) in UNARY.items()
        for shape in [(), (5,), (2, 3), (0,)]
    ),
    *(
        Row(f"{function.__name__}: {left} {right}", function, (draw(*left, seed=1), draw(*right, seed=2)))
        for function in (np.logaddexp, np.logaddexp2)
        for left, right in PAIRS
    ),
    Row("logaddexp: far apart", np.logaddexp, (np.array([700.0, -700.0, 0.0]), np.array([-700.0, 700.0, 0.0]))),
    Row("logaddexp: with a number", lambda x: np.logaddexp(x, 0.0) + np.logaddexp(1, x), (draw(3),)),
    Row("log1p and expm1 near 0", lambda x: np.log1p(x) + np.expm1(x), (np.array([1e-9, -1e-9, 0.0]),)),
    Row("sigmoid: saturated", cr.sigmoid, (np.array([-800.0, -40.0, 40.0, 800.0]),)),
    Row("softplus: saturated", cr.softplus, (np.array([-800.0, -40.0, 40.0, 800.0]),)),
]

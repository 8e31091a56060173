"""Trigonometric and hyperbolic functions with their inverses."""

import numpy as np

from tests.gates.rows import Row, draw

UNARY = {
    "sin": (np.sin, -2.0, 2.0),
    "cos": (np.cos, -2.0, 2.0),
    "tan": (np.tan, -1.2, 1.2),
    "arcsin": (np.arcsin, -0.9, 0.9),
    "arccos": (np.arccos, -0.9, 0.9),
    "arctan": (np.arctan, -2.0, 2.0),
    "sinh": (np.sinh, -2.0, 2.0),
    "cosh": (np.cosh, -2.0, 2.0),
    "tanh": (np.tanh, -2.0, 2.0),
    "arcsinh": (np.arcsinh, -2.0, 2.0),
    "arccosh": (np.arccosh, 1.2, 3.0),
    "arctanh": (np.arctanh, -0.9, 0.9),
}
QUADRANTS = (np.array([1.0, 1.0, -1.0, -1.0, 0.0, 2.0]), np.array([2.0, -2.0, 2.0, -2.0, 1.0, 0.0]))

ROWS = [
    *(
        Row(f"{name}: {shape}", function, (draw(*shape, low=low, high=high),))
        for name, (function, low, high) in UNARY.items()
        for shape in [(), (5,), (2, 3), (0,)]
    ),
    *(
        Row(f"arctan2: {left} {right}", np.arctan2, (draw(*left, low=0.3), draw(*right, low=0.3, seed=1)))
        for left, right in [((), ()), ((3,), ()), ((), (3,)), ((2, 1), (1, 3)), ((0,), ())]
    ),
    Row("arctan2: every quadrant", np.arctan2, QUADRANTS),
    Row("arctan2: with numbers", lambda x: np.arctan2(x, 2.0) + np.arctan2(1, x), (draw(3, low=0.3),)),
    Row("unwrap", np.unwrap, (np.array([0.1, 3.0, 6.5, 9.2, 12.0]),)),
    Row("arcsinh: large", np.arcsinh, (np.array([1e3, -1e3]),)),
]

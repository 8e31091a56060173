"""Arithmetic: every gate with every kind of operand pair, operators on both sides, Python numbers included."""

import numpy as np

from tests.gates.rows import Row, draw

PAIRS = {
    "numbers": ((), ()),
    "vector and number": ((3,), ()),
    "number and vector": ((), (3,)),
    "matrix and row": ((2, 3), (3,)),
    "column and row": ((2, 1), (1, 3)),
    "stretched inner axis": ((2, 1, 3), (4, 1)),
    "empty": ((0, 3), (3,)),
}
BINARY = {
    "add": (np.add, -2.0),
    "subtract": (np.subtract, -2.0),
    "multiply": (np.multiply, -2.0),
    "divide": (np.divide, 0.5),
    "power": (np.power, 0.5),
    "float_power": (np.float_power, 0.5),
    "remainder": (np.remainder, 0.7),
    "fmod": (np.fmod, 0.7),
    "hypot": (np.hypot, 0.5),
    "copysign": (np.copysign, 0.5),
}
UNARY = {
    "negative": (np.negative, -2.0),
    "positive": (np.positive, -2.0),
    "conjugate": (np.conjugate, -2.0),
    "absolute": (np.absolute, -2.0),
    "fabs": (np.fabs, -2.0),
    "reciprocal": (np.reciprocal, 0.5),
    "square": (np.square, -2.0),
    "sqrt": (np.sqrt, 0.5),
    "cbrt": (np.cbrt, 0.5),
    "deg2rad": (np.deg2rad, -2.0),
    "rad2deg": (np.rad2deg, -2.0),
    "nan_to_num": (np.nan_to_num, -2.0),
    "modf": (np.modf, 0.1),
}
OPERATORS = {
    "x + 2": lambda x: x + 2,
    "2 + x": lambda x: 2 + x,
    "x - 2.5": lambda x: x - 2.5,
    "2.5 - x": lambda x: 2.5 - x,
    "x * 3": lambda x: x * 3,
    "3 * x": lambda x: 3 * x,
    "x / 4": lambda x: x / 4,
    "4 / x": lambda x: 4 / x,
    "x % 0.7": lambda x: x % 0.7,
    "2.9 % x": lambda x: 2.9 % x,
    "divmod": lambda x: divmod(x, 0.7),
    "x ** 0": lambda x: x**0,
    "x ** 1": lambda x: x**1,
    "x ** 2": lambda x: x**2,
    "x ** 3": lambda x: x**3,
    "x ** -1": lambda x: x**-1,
    "x ** 0.5": lambda x: x**0.5,
    "x ** 2.5": lambda x: x**2.5,
    "2 ** x": lambda x: 2**x,
    "0.5 ** x": lambda x: 0.5**x,
    "-x": lambda x: -x,
    "+x": lambda x: +x,
    "abs(x)": lambda x: abs(x),
    "x += x": lambda x: (lambda y: y.__add__(y))(x),
    "x * x": lambda x: x * x,
    "x / x": lambda x: x / (1 + x),
    "list on the right": lambda x: x * [1.0, 2.0, 3.0],
    "list on the left": lambda x: [1.0, 2.0, 3.0] / x,
    "list as exponent": lambda x: x ** [2.0, 0.5, -1.0],
    "NumPy number": lambda x: np.float64(2.0) * x ** np.float64(1.5),
    "integer array": lambda x: x * np.array([1, 2, 3]) - np.array([3, 2, 1]),
}

ROWS = [
    *(
        Row(f"{name}: {kind}", function, (draw(*left, low=max(low, 0.5), seed=1), draw(*right, low=low, seed=2)))
        for name, (function, low) in BINARY.items()
        for kind, (left, right) in PAIRS.items()
    ),
    *(
        Row(f"{name}: negative base", function, (draw(5, low=-2.9, high=-2.3), draw(5, low=0.81, high=1.0)))
        for name, function in {"remainder": np.remainder, "fmod": np.fmod, "copysign": np.copysign}.items()
    ),
    *(
        Row(f"{name}: {shape}", function, (draw(*shape, low=low),))
        for name, (function, low) in UNARY.items()
        for shape in [(), (5,), (2, 3), (0,)]
    ),
    *(Row(name, function, (draw(3, low=0.8, high=1.3),)) for name, function in OPERATORS.items()),
    Row("absolute: negative", np.absolute, (draw(4, low=-2, high=-1),)),
    Row("cbrt: negative", np.cbrt, (draw(4, low=-2, high=-1),)),
    Row("square: zero", np.square, (np.zeros(2),)),
    Row("power: zero base", lambda x: np.power(x, np.array([1.0, 2.0, 3.0])), (np.zeros(3),)),
    Row("power: zero exponent", lambda y: np.power([0.5, 2.0], y), (np.zeros(2),)),
    Row("power: exponents of zero and one, both variable", np.power, (draw(3, low=0.3), np.array([0.0, 1.0, 0.0]))),
    Row("x ** 3: negative and zero", lambda x: x**3, (np.array([-1.5, 0.0]),)),
    Row("power: integer exponents", lambda x: np.power(x, np.array([0, 1, 2, 3])), (draw(4),)),
    Row("add: a branch", lambda x: x + x * x + x, (draw(3),)),
    Row("ldexp", lambda x: np.ldexp(x, np.array([1, -2, 0])), (draw(3),)),
    Row("heaviside", lambda x, y: np.heaviside(np.array([-1.0, 0.0, 2.0]), y) * x, (draw(3), draw(3, seed=1))),
    Row("ufunc with dtype", lambda x, y: np.multiply(x, y, dtype=np.float64), (draw(3), draw(3, seed=1))),
]

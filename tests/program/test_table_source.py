"""Every row of the gradient table, value and gradients, recorded: no pass changes a bit, and the printed source gives
bit for bit what the gates give one by one.
"""

import numpy as np
import pytest

import chainrule as cr
from chainrule.program.interpreter import Interpreter, captured, run
from chainrule.program.passes import optimise
from chainrule.program.recording import record
from chainrule.program.verify import same_bits
from tests.gates.test_table import everything, projection, results, rows

# BLAS may raise the flag for invalid numbers over lanes that it reads beside short vectors; the values are compared.
pytestmark = pytest.mark.filterwarnings("ignore:.*(Degrees of freedom|empty slice|invalid value encountered in dot)")

SHAPE_DEPENDS_ON_VALUES = ("mask", "a single truth", "bincount", "trim_zeros", "lstsq", "piecewise")
"""Rows that cannot be recorded."""


def value_and_gradients(row):
    gradient = cr.grad(projection(row), everything(row))
    return lambda *args: [*results(row, args), *gradient(*args)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@rows(lambda row: not any(name in row.name for name in SHAPE_DEPENDS_ON_VALUES))
def test_source(row, dtype):
    inputs = [x.astype(dtype) for x in row.args]
    program = optimise(record(value_and_gradients(row), tuple(inputs)), debug=True, inputs=inputs)
    expected, _ = run(program, inputs)
    interpreter = Interpreter(program)
    assert "chainrule" not in interpreter.source.partition("def function")[0]
    found, _ = interpreter.run(inputs, captured(program))
    for a, b, value in zip(found, expected, program.outputs, strict=True):
        assert (a.shape, a.dtype) == (value.shape, value.dtype)
        assert same_bits(a, b)

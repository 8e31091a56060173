"""Random functions, forward and gradients: run eagerly, from the printed source of what was recorded, and natively.

``make fuzz`` draws many more.
"""

import numpy as np
from hypothesis import given, note

from chainrule.graph.array import raw
from chainrule.native.executor import Executor
from chainrule.program.interpreter import Interpreter, captured, run
from chainrule.program.passes import optimise
from chainrule.program.recording import record
from chainrule.program.verify import same_bits
from tests.fuzz.cases import fuzz
from tests.program.random_programs import cases

TOLERANCE = {"float32": 3e-4, "float64": 1e-11}
"""How far rounding may lead, for numbers of size 1 after some ten gates: sums are added up in another order."""


def other(args):
    """Arguments of the same kinds with other numbers: nothing in a Program may depend on those it was made with."""
    return tuple(turned(x) if isinstance(x, np.ndarray) else 0.8 * x for x in args)


def turned(x):
    """The same numbers in another order; integers are indices, and these stay."""
    return np.flip(x).copy() if x.dtype.kind == "f" and x.ndim else x


def assert_close(found, expected):
    expected = np.asarray(raw(expected))
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    allowed = TOLERANCE[str(expected.dtype)] * (1.0 + np.max(np.abs(expected), initial=0.0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)


@given(cases())
@fuzz(100)
def test_eager_and_printed(case):
    note(case.text)
    program = optimise(record(case.function, case.args), debug=True, inputs=case.args)
    interpreter = Interpreter(program)
    note(interpreter.source)
    for args in (case.args, other(case.args)):
        outputs, _ = interpreter.run(args, captured(program))
        for found, expected in zip(outputs, run(program, args)[0], strict=True):
            assert same_bits(found, expected)
        for found, expected in zip(outputs, case.function(*args), strict=True):
            assert_close(found, expected)


@given(cases())
@fuzz(100)
def test_eager_and_native(case):
    note(case.text)
    program = optimise(record(case.function, case.args))
    note(str(program))
    native = Executor(program)
    for args in (case.args, other(case.args)):
        for found, expected in zip(native.run(args), case.function(*args), strict=True):
            assert_close(found, expected)

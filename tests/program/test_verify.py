"""Programs that are not what they must be are refused, and the message says where."""

from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule.gates.arithmetic import Add
from chainrule.gates.product import Matmul
from chainrule.gates.shape import Reshape
from chainrule.gates.trigonometric import tanh
from chainrule.program.program import Instruction
from chainrule.program.verify import ProgramError, Verifier, drawn, run, same_bits
from tests.program.by_hand import apply, number, program, value

X, Y = value(3, name="x"), value(3, name="y")
STATE = cr.State(np.zeros(3, np.float32), name="count")


def refused(p, message):
    with pytest.raises(ProgramError, match=message):
        Verifier(p)


def test_order():
    a = apply(tanh, X)
    b = apply(tanh, a.result)
    Verifier(program([X], [a, b]))
    refused(program([X], [b, a], b.result), "after the recording, function: tanh reads .* before it is defined")
    refused(program([], [a]), "reads x: float32.* before it is defined")


def test_one_origin_for_each_value():
    a = apply(tanh, X)
    refused(program([X], [a, a]), "a second time")
    refused(program([X], [replace(a, result=X)]), "a second time")
    refused(program([X, X], [a]), "one value")
    refused(program([X], [a], captures=[(X, np.ones(3))]), "one value")
    data = np.ones(3)
    refused(program([X], [a], captures=[(Y, data), (value(3), data)]), "captured twice")


def test_results_are_computed():
    refused(program([X], [apply(tanh, X)], Y), "the result y: .* is never computed")


def test_operands_are_values_or_python_numbers():
    refused(program([X], [apply(Add(), X, np.float32(1))]), "no value and no number")
    refused(program([X], [apply(Add(), X, np.ones(3))]), "no value and no number")


def test_stores_fit_and_are_single():
    a = apply(tanh, X)
    Verifier(program([X], [a], stores=[(STATE, a.result)]))
    refused(program([X], [a], stores=[(STATE, a.result), (STATE, a.result)]), "stored twice")
    other = apply(tanh, value(4, name="z"))
    refused(program([other.operands[0]], [other], stores=[(STATE, other.result)]), "does not fit the State count")
    wide = apply(tanh, X, dtype=np.float64)
    refused(program([X], [wide], stores=[(STATE, wide.result)]), r"does not fit the State count, float32\[3\]")


# ---- kinds: what a gate gets and gives after a pass


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        (apply(Add(), X, value(4, name="z")), "add does not take"),
        (apply(Add(), X, value(3, dtype=np.float64, name="z")), "add would give .*float64.* not .*float32"),
        (apply(Add(), X, value(2, 3, name="z")), r"add would give \(\(2, 3\)"),
        (apply(Reshape((4,)), X, shape=(4,)), "reshape does not take"),
        (apply(Matmul(), value(2, 3, name="a"), value(2, 3, name="b")), "matmul does not take"),
    ],
    ids=["shapes", "dtypes", "broadcast", "reshape", "matmul"],
)
def test_kinds(instruction, message):
    inputs = [X, *(v for v in instruction.reads() if v is not X)]
    before = program(inputs, [apply(tanh, X)])
    verifier = Verifier(before)
    after = program(inputs, [instruction])
    with pytest.raises(ProgramError, match=message):
        verifier.check(after, "a pass")


def test_what_was_recorded_once_is_known_to_fit():
    class Odd:
        """A gate that cannot be tried out."""

        title, elementwise, builtin = "odd", False, True

        def forward(self, x):
            raise AssertionError("tried out")

    gate = Odd()
    first = Instruction(gate, (X,), value(3), "forward")
    second = Instruction(gate, (Y,), value(3), "forward")
    verifier = Verifier(program([X, Y], [first]))
    verifier.check(program([X, Y], [second]), "a pass")
    third = Instruction(gate, (Y,), value(2), "forward")
    with pytest.raises(ProgramError, match="odd does not take"):
        verifier.check(program([X, Y], [third]), "a pass")


# ---- running and comparing


def test_run_checks_kinds():
    a = apply(tanh, X, dtype=np.float64)
    with pytest.raises(ProgramError, match=r"tanh gave .*float32"):
        run(program([X], [a]), [np.ones(3, np.float32)])


def test_inputs_are_drawn_in_kind():
    inputs = [X, value(2, 2, dtype=np.int64), value(dtype=bool), number()]
    xs = drawn(program(inputs, [apply(tanh, X)]))
    assert [np.asarray(x).dtype for x in xs] == [v.dtype for v in inputs]
    assert [np.shape(x) for x in xs] == [v.shape for v in inputs]
    assert type(xs[3]) is float


def test_same_bits():
    nan, other_nan = np.array([np.nan], np.float32), -np.array([np.nan], np.float32)
    assert same_bits(nan, other_nan)
    assert not same_bits(np.array([0.0]), np.array([-0.0]))
    assert not same_bits(np.array([1.0]), np.array([np.nextafter(1.0, 2.0)]))
    assert not same_bits(np.float32(1), np.float64(1))
    assert not same_bits(np.ones(3), np.ones((3, 1)))
    assert same_bits(np.array([1, 2]), np.array([1, 2]))
    assert not same_bits(np.array([1, 2]), np.array([1, 3]))

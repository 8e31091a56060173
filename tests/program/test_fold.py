"""Each identity, and its neighbours that do not hold to the bit."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.gates.arithmetic import Add, Divide, Multiply, Negative, Power, Subtract
from chainrule.gates.constant import detach
from chainrule.gates.reduction import Max, Sum
from chainrule.gates.selection import Where
from chainrule.gates.shape import BroadcastTo, Cast, Reshape, Transpose
from chainrule.program.interpreter import run
from chainrule.program.passes import fold, optimise
from chainrule.program.recording import record
from chainrule.program.verify import same_bits
from tests.program.by_hand import apply, number, program, value

SPECIAL = np.array([0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan, 1e-45], np.float32)
X = value(8)
INT = value(8, dtype=np.int32)


def folded(*instructions, inputs=(X,)):
    """What is left of a Program, run before and after on special numbers."""
    p = program(inputs, instructions)
    q = optimise(p, debug=True, inputs=[SPECIAL if x is X else np.arange(-4, 4, dtype=x.dtype) for x in inputs])
    return [i.gate.title for i in q.instructions], q


@pytest.mark.parametrize(
    "instruction",
    [
        apply(Multiply(), X, 1),
        apply(Multiply(), X, 1.0),
        apply(Multiply(), 1.0, X),
        apply(Divide(), X, 1),
        apply(Subtract(), X, 0),
        apply(Subtract(), X, 0.0),
        apply(Add(), X, -0.0),
        apply(Cast(np.dtype("f4")), X),
        apply(BroadcastTo((8,)), X),
        apply(Reshape((8,)), X),
        apply(Transpose((0,)), X),
        apply(detach, X),
    ],
    ids=lambda i: f"{i.gate.title} {i.operands[1:]}",
)
def test_gates_that_do_nothing(instruction):
    left, q = folded(instruction)
    assert left == []
    assert q.outputs == (X,)


@pytest.mark.parametrize(
    "instruction",
    [
        apply(Add(), X, 0),
        apply(Add(), X, 0.0),
        apply(Subtract(), X, -0.0),
        apply(Subtract(), 0, X),
        apply(Divide(), 1, X),
        apply(Multiply(), X, 0.0),
        apply(Sum((), False), X),
        apply(Multiply(), X, 1.0000000001),
        apply(Negative(), X),
    ],
    ids=lambda i: f"{i.gate.title} {i.operands}",
)
def test_gates_that_do_something(instruction):
    assert folded(instruction)[0] == [instruction.gate.title]


def test_integers_have_one_zero():
    assert folded(apply(Add(), INT, 0), inputs=[INT])[0] == []
    wide = value(8, dtype=np.int64)
    assert folded(apply(Sum((), False), wide), inputs=[wide])[0] == []
    assert folded(apply(Sum((), False), INT, dtype=np.int64), inputs=[INT])[0] == ["sum"]  # int32 becomes int64
    assert folded(apply(Multiply(), INT, 1.0, dtype=np.float64), inputs=[INT])[0] == ["multiply"]


def test_minus_minus():
    a = apply(Negative(), X)
    assert folded(a, apply(Negative(), a.result))[0] == []


def test_two_transposes_are_one():
    x = value(2, 3, 4)
    a = apply(Transpose((1, 2, 0)), x, shape=(3, 4, 2))
    b = apply(Transpose((1, 0, 2)), a.result, shape=(4, 3, 2))
    p = optimise(program([x], [a, b]), debug=True)
    (i,) = p.instructions
    assert i.gate.axes == (2, 1, 0)
    back = apply(Transpose((-1, 0, 1)), a.result, shape=(2, 3, 4))
    assert optimise(program([x], [a, back]), debug=True).outputs == (x,)


def test_the_last_reshape_counts():
    x = value(2, 6)
    a = apply(Reshape((3, 4)), x, shape=(3, 4))
    b = apply(Reshape((12,)), a.result, shape=(12,))
    back = apply(Reshape((2, 6)), b.result, shape=(2, 6))
    assert [i.gate.shape for i in optimise(program([x], [a, b]), debug=True).instructions] == [(12,)]
    assert optimise(program([x], [a, b, back]), debug=True).outputs == (x,)


def test_casts_there_and_back():
    wide = apply(Cast(np.dtype("f8")), X, dtype=np.float64)
    assert folded(wide, apply(Cast(np.dtype("f4")), wide.result, dtype=np.float32))[0] == []
    narrow = apply(Cast(np.dtype("f2")), X, dtype=np.float16)
    with np.errstate(all="ignore"):
        assert folded(narrow, apply(Cast(np.dtype("f4")), narrow.result, dtype=np.float32))[0] == ["cast", "cast"]


def test_a_reduction_that_keeps_axes_for_a_reshape():
    x = value(3, 4, 5)
    for gate in (Sum, Max):
        kept = apply(gate((0, 2), True), x, shape=(1, 4, 1))
        dropped = apply(Reshape((4,)), kept.result, shape=(4,))
        other = apply(Reshape((2, 2)), kept.result, shape=(2, 2))
        (i,) = optimise(program([x], [kept, dropped]), debug=True).instructions
        assert (type(i.gate), i.gate.axis, i.gate.keepdims) == (gate, (0, 2), False)
        assert len(optimise(program([x], [kept, other]), debug=True).instructions) == 2
        both = optimise(program([x], [kept, dropped], kept.result, dropped.result), debug=True)
        assert [i.gate.title for i in both.instructions] == [kept.gate.title, "reshape"]


# ---- numbers known beforehand


def test_arithmetic_on_python_numbers():
    x = value(3)
    a = apply(Multiply(), 2.0, 3.0, shape=(), dtype=np.float64, weak=True)
    b = apply(Add(), a.result, 1, weak=True)
    c = apply(Multiply(), x, b.result)
    (i,) = optimise(program([x], [a, b, c]), debug=True).instructions
    assert i.operands == (x, 7.0)


def test_a_number_that_is_an_output_stays_a_gate():
    a = apply(Multiply(), 2.0, 3.0, shape=(), dtype=np.float64, weak=True)
    p = optimise(program([], [a]))
    assert p.outputs == (a.result,)
    assert p.instructions == (a,)


def test_division_by_zero_is_left_to_run_time():
    a = apply(Divide(), 1.0, 0.0, shape=(), dtype=np.float64, weak=True)
    x = value(3)
    assert len(fold(program([x], [a, apply(Multiply(), x, a.result)])).instructions) == 2


def test_a_number_of_run_time_is_not_known():
    lr = number("lr")
    a = apply(Multiply(), lr, 2.0, shape=(), dtype=np.float64, weak=True)
    x = value(3)
    assert len(optimise(program([x, lr], [a, apply(Multiply(), x, a.result)]), debug=True).instructions) == 2


def test_what_a_mean_hands_back_is_a_number():
    """dL/dL = 1, divided by the count, spread over the shape: all known beforehand."""
    target = np.arange(12, dtype=np.float32).reshape(3, 4)

    def f(x):
        return cr.grad(lambda x: np.mean(np.square(x - target)))(x)

    x = np.ones((3, 4), np.float32)
    p = optimise(record(f, (x,)), debug=True, inputs=[x])
    assert [i.gate.title for i in p.instructions] == ["subtract", "multiply"]
    assert p.instructions[1].operands[0] == 0.16666667  # 2 / 12 as float32, in as few digits as do
    assert same_bits(run(p, [x])[0][0], cr.grad(lambda x: np.mean(np.square(x - target)))(x))


def test_a_known_number_keeps_its_dtype_where_nothing_else_has_one():
    y = value(3, dtype=np.float16)
    c = apply(Cast(np.dtype("f4")), 0.1, shape=(), dtype=np.float32)
    m = apply(Multiply(), y, c.result, dtype=np.float32)
    p = optimise(program([y], [c, m]), debug=True)
    assert p.instructions[-1].operands == (y, c.result)


def test_the_condition_of_a_choice_says_no_dtype():
    condition = value(3, dtype=np.float32)
    c = apply(Cast(np.dtype("f4")), 0.5, shape=(), dtype=np.float32)
    w = apply(Where(), condition, c.result, 1.0, dtype=np.float32)
    p = optimise(program([condition], [c, w]), debug=True)
    assert p.instructions[-1].operands == (condition, c.result, 1.0)


# ---- broadcasting


def test_an_operand_need_not_be_spread_out():
    x, y = value(1, 4), value(3, 4)
    spread = apply(BroadcastTo((3, 4)), x, shape=(3, 4))
    for gate in (Add(), Multiply()):
        (i,) = optimise(program([x, y], [spread, apply(gate, spread.result, y)]), debug=True).instructions
        assert i.operands == (x, y)


def test_but_somebody_must_have_the_shape():
    x, y = value(1, 4), value(3, 1)
    a, b = (apply(BroadcastTo((3, 4)), v, shape=(3, 4)) for v in (x, y))
    p = optimise(program([x, y], [a, b, apply(Add(), a.result, b.result)]), debug=True)
    assert [i.gate.title for i in p.instructions] == ["add"]
    alone = optimise(program([x], [a, apply(Add(), a.result, 1.0)]), debug=True)
    assert [i.gate.title for i in alone.instructions] == ["broadcast_to", "add"]


def test_powers_keep_the_layout_that_they_had():
    x, y = value(1, 4), value(3, 4)
    spread = apply(BroadcastTo((3, 4)), x, shape=(3, 4))
    p = optimise(program([x, y], [spread, apply(Power(), spread.result, y)]))
    assert [i.gate.title for i in p.instructions] == ["broadcast_to", "power"]

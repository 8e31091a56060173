"""Running from the printed source."""

import gc
import linecache
import traceback

import numpy as np
import pytest

import chainrule as cr
from chainrule.gates.trigonometric import tanh
from chainrule.program.interpreter import Interpreter, captured, run
from chainrule.program.passes import optimise
from chainrule.program.recording import record
from tests.program.by_hand import apply, program, value


def test_one_output_several_and_none():
    x = value(3, name="x")
    a = apply(tanh, x)
    b = apply(tanh, a.result)
    ones = np.ones(3, np.float32)
    for outputs in ([a.result], [a.result, b.result], [b.result, b.result, x]):
        p = program([x], [a, b], *outputs)
        for found, expected in zip(Interpreter(p).run([ones], [])[0], run(p, [ones])[0], strict=True):
            assert np.array_equal(found, expected)


def test_stores_come_in_order():
    one, other = cr.State(1.0, name="one"), cr.State(2.0, name="other")

    def swap():
        a, b = one + 0.5, other + 0.5
        one.assign(b)
        other.assign(a)

    p = optimise(record(swap))
    outputs, stored = Interpreter(p).run([], captured(p))
    assert outputs == []
    assert {state.name: float(x) for (state, _), x in zip(p.stores, stored, strict=True)} == {"one": 2.5, "other": 1.5}


def test_errors_point_to_the_printed_line():
    def f(x, i):
        return x[i]

    p = record(f, (np.ones(3), np.array([0, 1])))
    with pytest.raises(IndexError) as error:
        Interpreter(p).run([np.ones(3), np.array([0, 7])], [])
    last = traceback.extract_tb(error.value.__traceback__)[-1]
    assert last.filename.startswith("<f, printed by chainrule")
    assert last.line.startswith("get_item_1 = x[i]")


def test_lines_are_forgotten_with_the_program():
    interpreter = Interpreter(record(lambda x: np.tanh(x), (np.ones(3),)))
    filename = interpreter.function.__code__.co_filename
    assert filename in linecache.cache
    del interpreter
    gc.collect()
    assert filename not in linecache.cache

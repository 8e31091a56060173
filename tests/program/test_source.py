"""The printed source: what it looks like, and that it runs with NumPy alone. Its numbers: ``test_table_source.py``."""

import os
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.gates.arithmetic import Add, Divide, Multiply, Square
from chainrule.gates.constant import PiecewiseConstant
from chainrule.gates.product import Matmul
from chainrule.gates.shape import Cast, Reshape, Transpose
from chainrule.gates.trigonometric import tanh
from chainrule.program.interpreter import Interpreter, captured
from chainrule.program.passes import optimise
from chainrule.program.recording import record
from chainrule.program.source import source_of
from tests.program.by_hand import apply, number, program, value

rng = np.random.default_rng(0)
W1 = cr.Parameter(rng.standard_normal((3, 4)))
b1 = cr.Parameter(np.zeros(4))
optimizer = cr.optim.SGD([W1, b1], lr=0.1, momentum=0.5)
X = rng.standard_normal((5, 3)).astype(np.float32)


def step(images):
    h = np.tanh(images @ W1 + b1)
    loss = np.mean(np.square(h - 1.0))
    loss.backward()
    optimizer.step()
    return loss


EXPECTED = '''\
import numpy as np


def step(images, *, W1, b1, lr, momentum, velocity_W1, velocity_b1, steps):
    """images: float32 (5, 3)
    W1: float32 (3, 4)
    b1: float32 (4,)
    lr: float64 ()
    momentum: float64 ()
    velocity_W1: float32 (3, 4)
    velocity_b1: float32 (4,)
    steps: int64 ()
    Results are float32 where nothing else is said.
    """
    # forward
    # test_source.py:LINE+1  h = np.tanh(images @ W1 + b1)
    matmul_1 = images @ W1                      # (5, 4)
    add_1 = matmul_1 + b1                       # (5, 4)
    h = np.tanh(add_1)                          # (5, 4)
    # test_source.py:LINE+2  loss = np.mean(np.square(h - 1.0))
    subtract_1 = h - 1.0                        # (5, 4)
    square_1 = np.square(subtract_1)            # (5, 4)
    sum_1 = np.sum(square_1)                    # ()
    loss = sum_1 / 20                           # ()

    # backward
    # test_source.py:LINE+2  loss = np.mean(np.square(h - 1.0))
    dL_dh = 0.1 * subtract_1                    # (5, 4)
    # test_source.py:LINE+1  h = np.tanh(images @ W1 + b1)
    multiply_1 = h * h                          # (5, 4)
    subtract_2 = 1.0 - multiply_1               # (5, 4)
    multiply_2 = dL_dh * subtract_2             # (5, 4)
    dL_db1 = np.sum(multiply_2, axis=0)         # (4,)
    dL_dW1 = images.T @ multiply_2              # (3, 4)

    # update
    # test_source.py:LINE+4  optimizer.step()
    lr_number = float(lr)                       # a number
    momentum_number = float(momentum)           # a number
    multiply_3 = velocity_W1 * momentum_number  # (3, 4)
    multiply_4 = lr_number * dL_dW1             # (3, 4)
    velocity_W1_new = multiply_3 - multiply_4   # (3, 4)
    W1_new = W1 + velocity_W1_new               # (3, 4)
    multiply_5 = velocity_b1 * momentum_number  # (4,)
    multiply_6 = lr_number * dL_db1             # (4,)
    velocity_b1_new = multiply_5 - multiply_6   # (4,)
    b1_new = b1 + velocity_b1_new               # (4,)
    steps_new = steps + 1                       # int64 ()
    return loss, {
        "W1": W1_new, "velocity_W1": velocity_W1_new, "b1": b1_new, "velocity_b1": velocity_b1_new,
        "steps": steps_new,
    }
'''


def test_a_training_step():
    first = step.__code__.co_firstlineno
    expected = EXPECTED
    for line in range(5):
        expected = expected.replace(f":LINE+{line} ", f":{first + line} ")
    assert source_of(optimise(record(step, (X,)))) == expected


def test_it_runs_where_there_is_no_chainrule(tmp_path):
    program = optimise(record(step, (X,)))
    (tmp_path / "printed.py").write_text(source_of(program), encoding="utf-8")
    np.savez(tmp_path / "arguments.npz", *[X, *captured(program)])
    script = (
        "import sys, numpy as np, printed\n"
        "x, *captures = np.load('arguments.npz').values()\n"
        "names = printed.step.__code__.co_varnames[1:1 + len(captures)]\n"
        "loss, states = printed.step(x, **dict(zip(names, captures)))\n"
        "np.savez('results.npz', loss, *states.values())\n"
        "assert not any(name.startswith('chainrule') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, env={})  # noqa: S603
    outputs, stored = Interpreter(program).run([X], captured(program))
    found = list(np.load(tmp_path / "results.npz").values())
    for a, b in zip(found, [*outputs, *stored], strict=True):
        assert np.array_equal(a, b)


def body(p):
    """The lines that compute, without remarks."""
    lines = source_of(p).partition('"""\n    #')[2].splitlines()[1:]
    return [line.partition("  #")[0].strip() for line in lines if "# " not in line[:6]]


def test_parentheses():
    x, y = value(3, name="x"), value(3, name="y")
    turned = apply(Transpose((1, 0)), value(2, 3, name="m"), shape=(3, 2))
    total = apply(Add(), turned.result, 1.0)
    quotient = apply(Divide(), x, -2.0)
    product = apply(Multiply(), quotient.result, y)
    p = program([x, y, turned.operands[0]], [turned, total, quotient, product], total.result, product.result)
    assert body(p) == [
        "add_1 = m.T + 1.0",
        "divide_1 = x / -2.0",
        "multiply_1 = divide_1 * y",
        "return add_1, multiply_1",
    ]


def test_moves_stand_where_they_are_used_once():
    x = value(2, 3, name="x")
    a = apply(Transpose((1, 0)), x, shape=(3, 2))
    b = apply(Reshape((6,)), a.result, shape=(6,))
    once = apply(tanh, b.result)
    assert body(program([x], [a, b, once])) == ["tanh_1 = np.tanh(np.reshape(x.T, (6,)))", "return tanh_1"]
    other = apply(Square(), b.result)
    twice = body(program([x], [a, b, once, other], once.result, other.result))
    assert twice[:2] == ["reshape_1 = np.reshape(x.T, (6,))", "tanh_1 = np.tanh(reshape_1)"]
    assert body(program([x], [a], a.result)) == ["transpose_1 = x.T", "return transpose_1"]


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        (float("inf"), "np.inf"),
        (float("-inf"), "-np.inf"),
        (float("nan"), "np.nan"),
        (-0.0, "-0.0"),
        (True, "True"),
        (-3, "-3"),
        (0.1, "0.1"),
    ],
)
def test_numbers(literal, text):
    x = value(3, name="x")
    assert body(program([x], [apply(Add(), x, literal)]))[0] == f"add_1 = x + {text}"


def test_python_numbers_stay_python_numbers():
    lr, x = number("lr"), value(3, name="x")
    squared = apply(Square(), lr, weak=True)
    half = apply(Multiply(), squared.result, 0.5, weak=True)
    typed = apply(Cast(np.dtype("f8")), half.result)
    scaled = apply(Multiply(), x, half.result)
    p = program([lr, x], [squared, half, typed, scaled], typed.result, scaled.result)
    assert body(p) == [
        "square_1 = float(np.square(lr))",
        "multiply_1 = square_1 * 0.5",
        "cast_1 = np.float64(multiply_1)",
        "multiply_2 = x * multiply_1",
        "return cast_1, multiply_2",
    ]
    outputs, _ = Interpreter(p).run([0.25, np.ones(3, np.float32)], [])
    assert [x.dtype for x in outputs] == [np.float64, np.float32]


def test_a_comparison_of_python_numbers_is_an_array():
    lr = number("lr")
    p = program([lr], [apply(PiecewiseConstant(np.greater), lr, 0, dtype=bool)])
    assert body(p)[0] == "greater_1 = np.bool_(lr > 0)"
    assert Interpreter(p).run([0.5], [])[0][0].dtype == bool


def test_a_single_row_is_multiplied_as_the_gate_does():
    row, matrix = value(1, 3, name="row"), value(3, 2, name="matrix")
    p = program([row, matrix], [apply(Matmul(), row, matrix, shape=(1, 2))])
    assert body(p)[0] == "matmul_1 = np.dot(row, matrix)"


def test_gates_without_a_short_form_become_functions():
    def f(x):
        return cr.erf(x) + cr.sigmoid(np.logaddexp(x, x))

    source = source_of(optimise(record(lambda x: cr.grad(lambda x: np.sum(f(x)))(x), (X,))))
    assert source.count("def sigmoid(x):") == 1  # share uses it, too
    assert "share(" in source
    assert "chainrule" not in source
    assert source.index("def sigmoid") < source.index("def share") < source.index("def function")


def test_a_variable_may_be_called_like_a_function_in_the_source():
    def f(x):
        sigmoid = cr.sigmoid(x)
        return sigmoid * 2

    source = source_of(optimise(record(f, (X,))))
    assert "    sigmoid = sigmoid_2(x)" in source
    interpreter = Interpreter(optimise(record(f, (X,))))
    assert np.array_equal(interpreter.run([X], [])[0][0], f(X))


def test_arguments_may_have_names_that_mean_something():
    x = value(3, name="np"), value(3, name="class"), value(3, name="float")
    a = apply(Add(), x[0], x[1])
    p = program(x, [a, apply(Add(), a.result, x[2])])
    ones = np.ones(3, np.float32)
    assert "def function(np_2, class_2, float_2):" in source_of(p)
    assert np.array_equal(Interpreter(p).run([ones] * 3, [])[0][0], 3 * ones)


def test_the_text_is_the_same_each_time():
    code = (
        "import numpy as np, chainrule as cr\n"
        "from chainrule.program.recording import record\n"
        "from chainrule.program.source import source_of\n"
        "f = lambda x: cr.erf(x) + cr.sigmoid(x) + np.sinc(x)\n"
        "print(source_of(record(f, (np.ones(3),))))\n"
    )
    texts = {
        subprocess.run(  # noqa: S603
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_small_constants_are_shown():
    numbers, ones = np.arange(20), np.array([3, 1])
    source = source_of(record(lambda x: x[:, None] * numbers + np.sum(ones), (np.ones(3),)))
    assert "constant_1: int64 (20,) = np.arange(20)" in source
    assert "= [3, 1]" in source_of(record(lambda x: x * ones, (np.ones(2),)))
    assert "float64 (2,)\n" in source_of(record(lambda x: x * np.ones(2), (np.ones(2),)))


def test_nothing_to_compute():
    x = value(3, name="x")
    assert source_of(program([x], [], x)).endswith("    return x\n")
    ones = np.ones(3, np.float32)
    assert Interpreter(program([x], [], x)).run([ones], []) == ([ones], [])
    (empty,) = [program([x], [], x, stores=[])]
    assert Interpreter(empty).run([ones], [])[1] == []

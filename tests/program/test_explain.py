"""Programs in words."""

import numpy as np

import chainrule as cr
from chainrule.gates.arithmetic import Add
from chainrule.gates.trigonometric import tanh
from chainrule.program.explain import explain, listing, peak
from chainrule.program.passes import optimise
from chainrule.program.recording import record
from tests.program.by_hand import apply, program, value

W = cr.Parameter(np.ones((3, 2)))
optimizer = cr.optim.SGD([W], lr=0.5)
X = np.ones((4, 3), np.float32)


def step(x, rows):
    h = np.tanh(x[rows] @ W)
    loss = np.sum(h)
    loss.backward()
    optimizer.step()
    return loss, h[1:, 0]


def recorded():
    return record(step, (X, np.array([0, 2])))


def test_listing():
    first = step.__code__.co_firstlineno
    expected = """\
step
  x: float32[4, 3]                                # argument
  rows: int64[2]                                  # argument
  W: float32[3, 2]                                # state
  lr: float64                                     # state
  steps: int64                                    # state
  # forward
  %0: float32[2, 3] = get_item(x, [rows])         # test_explain.py:LINE+1
  %1: float32[2, 2] = matmul(%0, W)               # test_explain.py:LINE+1
  h: float32[2, 2] = tanh(%1)                     # test_explain.py:LINE+1
  loss: float32 = sum(h)                          # test_explain.py:LINE+2
  # backward
  %4: float32[2, 2] = multiply(h, h)              # test_explain.py:LINE+1
  %5: float32[2, 2] = subtract(1.0, %4)           # test_explain.py:LINE+1
  %6: float32[3, 2] = transpose(%0, axes=(1, 0))  # test_explain.py:LINE+1
  dL/dW: float32[3, 2] = matmul(%6, %5)           # test_explain.py:LINE+1
  # update
  lr_number: float = cast(lr, dtype=float64)      # test_explain.py:LINE+4
  %9: float32[3, 2] = multiply(lr_number, dL/dW)  # test_explain.py:LINE+4
  W_new: float32[3, 2] = subtract(W, %9)          # test_explain.py:LINE+4
  steps_new: int64 = add(steps, 1)                # test_explain.py:LINE+4
  # forward
  %12: float32[1] = get_item(h, [1:, 0])          # test_explain.py:LINE+5
  store W_new in W
  store steps_new in steps
  return loss, %12"""
    for k in range(6):
        expected = expected.replace(f"LINE+{k}", str(first + k))
    assert str(optimise(recorded())) == expected


def test_explain_counts_gates_by_pass_and_line():
    text = explain(recorded())
    lines = [line.split() for line in text.splitlines()]
    program = recorded()
    assert lines[0] == f"step: {len(program.instructions)} gates recorded, 13 to run".split()
    table = {line[0]: line[1:] for line in lines if line and line[0] in ("recorded", "prune", "fold", "merge")}
    assert list(table) == ["recorded", "prune", "fold", "merge"]
    for *roles, total, size in table.values():
        assert sum(map(int, roles)) == int(total)
        assert int(size.replace(",", "")) > 0
    assert int(table["recorded"][3]) == len(program.instructions)
    assert int(table["prune"][3]) == 13  # the last one
    by_line = [line for line in text.splitlines() if "h = np.tanh(x[rows] @ W)" in line]
    assert by_line[0].split()[-3:] == ["3", "4", "7"]  # forward, backward, in all


def test_the_listing_of_a_program_written_by_hand():
    x = value(3, name="x")
    a = apply(tanh, x)
    assert listing(program([x], [a, apply(Add(), a.result, 0.5)])).splitlines()[3:] == [
        "  %0: float32[3] = tanh(x)",
        "  %1: float32[3] = add(%0, 0.5)",
        "  return %1",
    ]


def test_peak_counts_what_is_needed_at_the_same_time():
    x = value(10)  # 40 bytes
    a = apply(tanh, x)
    b = apply(tanh, a.result)
    c = apply(tanh, b.result)
    assert peak(program([x], [a, b, c])) == 80
    assert peak(program([x], [a, b, c], a.result, c.result)) == 120
    unused = apply(tanh, x)
    assert peak(program([x], [unused, a], a.result)) == 40

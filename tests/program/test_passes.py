"""Prune, merge and the pass manager; single identities are in ``test_fold.py``."""

import time
from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule.gates.arithmetic import Add, Multiply, Negative, PowerOf, Subtract, multiply
from chainrule.gates.gate import Gate
from chainrule.gates.reduction import Sum
from chainrule.gates.trigonometric import tanh
from chainrule.program.identity import exact
from chainrule.program.interpreter import run
from chainrule.program.passes import PASSES, merge, optimise, prune
from chainrule.program.recording import record
from chainrule.program.verify import ProgramError, same_bits
from tests.program.by_hand import apply, program, value


def titles(p):
    return [i.gate.title for i in p.instructions]


# ---- prune


def test_prune_leaves_out_what_nobody_needs():
    x, w = value(3, name="x"), value(3, name="w")
    unused = apply(tanh, w)
    needed = apply(tanh, x)
    p = prune(program([x], [unused, needed], captures=[(w, np.ones(3))]))
    assert p.instructions == (needed,)
    assert p.captures == ()
    assert p.inputs == (x,)


def test_prune_keeps_what_is_stored():
    state = cr.State(np.zeros(3, np.float32))
    x = value(3)
    stored, returned = apply(tanh, x), apply(Negative(), x)
    p = program([x], [stored, returned], stores=[(state, stored.result)])
    assert prune(p).instructions == (stored, returned)


def test_no_gradient_of_the_data_is_computed():
    w = cr.Parameter(np.ones((3, 2)))
    optimizer = cr.optim.SGD([w])

    def step(x):
        np.sum(x @ w).backward()
        optimizer.step()

    def live(x):
        x = cr.array(x)
        np.sum(x @ w).backward()
        optimizer.step()

    x = np.ones((4, 3), np.float32)
    assert titles(optimise(record(live, (x,)))) == titles(optimise(record(step, (x,))))


# ---- merge


def test_merge_computes_once():
    x = value(3)
    a, b = apply(tanh, x), apply(tanh, x)
    c = apply(Multiply(), a.result, b.result)
    p = merge(program([x], [a, b, c]))
    assert titles(p) == ["tanh", "multiply"]
    assert p.instructions[1].operands == (a.result, a.result)


def test_merge_goes_through_chains():
    x = value(3)
    first = [apply(tanh, x)]
    second = [apply(tanh, x)]
    for _ in range(5):
        first.append(apply(Negative(), first[-1].result))
        second.append(apply(Negative(), second[-1].result))
    last = apply(Add(), first[-1].result, second[-1].result)
    assert titles(merge(program([x], [*first, *second, last]))) == ["tanh", *["negative"] * 5, "add"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((Multiply(), 0.0), (Multiply(), -0.0)),
        ((Multiply(), 1), (Multiply(), 1.0)),
        ((Multiply(), True), (Multiply(), 1)),
        ((PowerOf(2.0),), (PowerOf(2),)),
        ((Sum((0,), False), None), (Sum((0,), True), None)),
        ((Add(), 1.0), (Subtract(), 1.0)),
    ],
)
def test_merge_tells_apart(one, other):
    x = value(3)
    a, b = (apply(gate, x, *(n for n in numbers if n is not None)) for gate, *numbers in (one, other))
    assert len(merge(program([x], [a, b], a.result, b.result)).instructions) == 2


def test_merge_of_numbers_that_are_nan():
    x = value(3)
    a, b = apply(Multiply(), x, float("nan")), apply(Multiply(), x, float("nan"))
    assert len(merge(program([x], [a, b], a.result, b.result)).instructions) == 1


def test_operands_in_another_order_are_another_computation():
    x, y = value(3), value(3)
    a, b = apply(Subtract(), x, y), apply(Subtract(), y, x)
    assert len(merge(program([x, y], [a, b], a.result, b.result)).instructions) == 2


def test_gates_of_the_users_are_not_merged():
    class Twice(Gate):
        def forward(self, x):
            return 2 * x

    x = value(3)
    a, b = apply(Twice(), x), apply(Twice(), x)
    assert len(merge(program([x], [a, b], a.result, b.result)).instructions) == 2


def test_one_value_may_be_several_results():
    x = value(3, name="x")
    a, b = apply(tanh, x), apply(tanh, x)
    one, other = cr.State(np.zeros(3, np.float32)), cr.State(np.zeros(3, np.float32))
    p = optimise(program([x], [a, b], a.result, b.result, stores=[(one, a.result), (other, b.result)]))
    assert p.outputs == (a.result, a.result)
    assert p.stores == ((one, a.result), (other, a.result))


def test_names_of_what_is_merged_stay():
    x = value(3)
    a, b = apply(tanh, x), apply(tanh, x)
    p = replace(program([x], [a, b], b.result), labels={b.result: "h"})
    assert merge(p).labels == {a.result: "h"}


def test_exact_tells_apart_what_python_does_not():
    same = [(1, 1), ((0.5, "a"), (0.5, "a")), (np.dtype("f4"), np.dtype("f4")), (slice(1), slice(1)), (np.sum, np.sum)]
    same += [({"k": 0.0}, {"k": 0.0}), (np.float32("nan"), np.float32("nan"))]
    for a, b in same:
        assert exact(a) == exact(b)
    different = [(1, 1.0), (1, True), (0.0, -0.0), ((0.0,), (-0.0,)), ((1,), [1]), (None, 0), (np.float32(1), 1.0)]
    different += [({"k": 0.0}, {"k": -0.0}), (np.float32(0), -np.float32(0)), (np.float64(1), 1.0)]
    for a, b in different:
        assert exact(a) != exact(b)


# ---- the pass manager


def two_layers():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((5, 4)).astype(np.float32), np.array([0, 1, 2, 1, 0])
    model = cr.nn.Sequential(cr.nn.Linear(4, 6, rng=1), cr.nn.ReLU(), cr.nn.Linear(6, 3, rng=2))
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, l2=0.01)

    def step(x, y):
        loss = cr.nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return record(step, (x, y)), [x, y]


def test_passes_change_no_bit_and_do_change_something():
    recorded, inputs = two_layers()
    optimised = optimise(recorded, debug=True, inputs=inputs)
    assert len(optimised.instructions) < len(recorded.instructions)
    before, after = run(recorded, inputs), run(optimised, inputs)
    for a, b in zip([*before[0], *before[1]], [*after[0], *after[1]], strict=True):
        assert same_bits(a, b)


def test_passes_are_done():
    recorded, _ = two_layers()
    once = optimise(recorded)
    assert titles(optimise(once)) == titles(once)


def test_debug_names_the_pass_that_changes_numbers():
    def sloppy(p):
        changed = [replace(i, operands=(i.operands[0], 2.0)) if i.gate is multiply else i for i in p.instructions]
        return replace(p, instructions=tuple(changed))

    x = value(3)
    p = program([x], [apply(multiply, x, 3.0)])
    assert optimise(p, passes=[sloppy]).instructions[0].operands == (x, 2.0)
    with pytest.raises(ProgramError, match="the pass sloppy changes output 0"):
        optimise(p, passes=[sloppy], debug=True)


def test_a_broken_pass_is_named():
    def forgetful(p):
        return replace(p, instructions=p.instructions[1:])

    x = value(3)
    a = apply(tanh, x)
    p = program([x], [a, apply(Negative(), a.result)])
    with pytest.raises(ProgramError, match=r"after the pass forgetful.*negative reads .* before it is defined"):
        optimise(p, passes=[*PASSES, forgetful])


def test_time_is_linear_in_the_number_of_gates():
    def chain(n):
        x = value(4)
        instructions = [apply(tanh, x)]
        for k in range(n):
            instructions.append(apply(Multiply(), instructions[-1].result, float(k)))
        return program([x], instructions)

    def seconds(p):
        start = time.process_time()
        optimise(p)
        return time.process_time() - start

    small, large = chain(500), chain(4000)
    pairs = [(seconds(small), seconds(large)) for _ in range(7)]
    assert min(b for _, b in pairs) < 3 * 8 * min(a for a, _ in pairs)  # 8 times the gates

"""cr.scan beside the loop that it stands for: values, gradients of several orders, eagerly, printed and native."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.calculus.trees import leaves, map_leaves
from chainrule.graph.array import raw
from chainrule.native.target import unavailable
from chainrule.program import loop as scans
from chainrule.program.interpreter import Interpreter
from chainrule.program.loop import Scan
from chainrule.program.step import Step

BACKENDS = ["source"] if unavailable() else ["source", "native"]


def unrolled(function, carry, xs=None, *, length=None, reverse=False):
    """What cr.scan stands for."""
    lengths = {len(x) for x in leaves(xs) if x is not None}
    (n,) = lengths or {length}
    given = [None] * n
    for t in reversed(range(n)) if reverse else range(n):
        element = map_leaves(lambda x, t=t: None if x is None else x[t], xs)
        carry, given[t] = function(carry, element)
    return carry, map_leaves(lambda *ys: None if ys[0] is None else np.stack(ys), *given)


def close(found, wanted, rtol=1e-12):
    found, wanted = list(leaves(found)), list(leaves(wanted))
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        a, b = (x.value if isinstance(x, cr.Array) else np.asarray(x) for x in (a, b))
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(1.0, np.max(np.abs(b), initial=0.0)))


def numbers(*shape, seed=0, dtype=float):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.fixture
def cell():
    w = cr.Parameter(0.5 * numbers(3, 3, seed=1), dtype=float, name="W")
    b = cr.Parameter(numbers(3, seed=2), dtype=float, name="b")

    def step(h, x):
        h = np.tanh(h @ w + x + b)
        return h, np.sum(h**2)

    return step, (w, b)


def loss(scanner, step, h, xs, **options):
    h, ys = scanner(step, h, xs, **options)
    return np.sum(h) + np.sum(ys * np.arange(len(ys)))


# ---- values and gradients


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_it_gives_what_the_loop_gives(cell, n, reverse):
    step, _ = cell
    h, xs = numbers(3), numbers(n, 3)
    close(cr.scan(step, h, xs, reverse=reverse), unrolled(step, h, xs, reverse=reverse))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_gradients_reach_the_carry_the_elements_and_what_is_read_from_outside(cell, n, reverse):
    step, parameters = cell
    gradients = []
    for scanner in (cr.scan, unrolled):
        h, xs = cr.array(numbers(3)), cr.array(numbers(n, 3))
        loss(scanner, step, h, xs, reverse=reverse).backward()
        gradients.append([x.grad for x in (h, xs, *parameters)])
    close(*gradients)


def test_gradients_are_right_numerically(cell):
    _, (w, b) = cell

    def by_scan(h, xs, w, b):
        last, ys = cr.scan(lambda h, x: (np.sin(h @ w + x + b), h[0] * x), h, xs)
        return np.sum(last**2) + np.sum(ys**3)

    arguments = numbers(3), numbers(4, 3), w.value, b.value
    cr.check_grads(by_scan, *arguments, order=2)


@pytest.mark.parametrize("reverse", [False, True])
def test_second_and_third_derivatives(cell, reverse):
    step, (w, _) = cell
    h, xs = numbers(3), numbers(4, 3)
    hessians, thirds, penalties = [], [], []
    for scanner in (cr.scan, unrolled):

        def f(h, xs, scanner=scanner):
            return loss(scanner, step, h, xs, reverse=reverse)

        with cr.no_grad():
            hessians.append(cr.hessian(f, (0, 1))(h, xs))
            thirds.append(cr.grad(lambda h, f=f: np.sum(cr.hessian(f)(h, xs) ** 2))(h))
        np.sum(cr.grad(f, 1)(h, xs) ** 2).backward()
        penalties.append(w.grad)
    close(*hessians)
    close(*thirds, rtol=1e-10)
    close(*penalties)


def test_a_jacobian_and_a_directional_derivative(cell):
    step, _ = cell
    h, xs, v = numbers(3), numbers(4, 3), numbers(3, seed=5)
    with cr.no_grad():
        close(cr.jacobian(lambda h: cr.scan(step, h, xs)[1])(h), cr.jacobian(lambda h: unrolled(step, h, xs)[1])(h))
        close(
            cr.jvp(lambda h: cr.scan(step, h, xs)[1], (h,), (v,)),
            cr.jvp(lambda h: unrolled(step, h, xs)[1], (h,), (v,)),
        )


def test_a_circuit_from_outside_is_differentiated_through():
    a = cr.array(0.5)
    square = a * a
    last, _ = cr.scan(lambda c, x: (c * square + x, None), 1.0, np.ones(3))
    last.backward()
    assert a.grad == pytest.approx(6 * 0.5**5 + 2 * 0.5 + 4 * 0.5**3)


def test_a_derivative_inside_of_a_step():
    def step(x, _):
        return x - 0.1 * cr.grad(lambda x: np.sum(x**4))(x), np.sum(x)

    close(
        cr.grad(lambda x: np.sum(cr.scan(step, x, length=5)[1]))(numbers(3)),
        cr.grad(lambda x: np.sum(unrolled(step, x, length=5)[1]))(numbers(3)),
    )


def test_scans_within_scans():
    w = cr.Parameter(0.4 * numbers(2, 2), dtype=float)

    def inner(c, x):
        return np.tanh(c @ w + x), c[0]

    def outer(scanner):
        def step(c, row):
            c, ys = scanner(inner, c, row)
            return c, np.sum(ys) * c

        return step

    gradients = []
    for scanner in (cr.scan, unrolled):
        c, xs = cr.array(numbers(2)), cr.array(numbers(3, 4, 2))
        last, ys = scanner(outer(scanner), c, xs)
        (np.sum(last) + np.sum(ys**2)).backward()
        gradients.append([c.grad, xs.grad, w.grad])
    close(*gradients)


def test_rules_of_gates_are_those_of_the_gates_themselves():
    """The 2-norm has the gradient 0 at 0, though a composition of a square root would have NaN."""
    gradient = cr.grad(lambda c: cr.scan(lambda c, x: (c + x * np.linalg.norm(c), None), c, np.ones(2))[0][0])(
        np.zeros(2)
    )
    close(gradient, np.array([1.0, 0.0]))


def test_a_gate_of_ones_own_keeps_its_backward_rule():
    class Backwards(cr.Gate):
        def forward(self, x):
            return x * 1.0

        def backward(self, dz):
            return [-dz]

    step = Backwards()
    assert cr.grad(lambda c: cr.scan(lambda c, _: (step(c), None), c, length=3)[0])(2.0) == -1.0


def test_no_gradient_passes_a_cut():
    def step(c, x):
        with cr.no_grad():
            cut = c * c
        return c * x + cut, c.detach()

    def f(scanner):
        return lambda c: (lambda last, ys: last + np.sum(ys**2))(*scanner(step, c, numbers(4)))

    close(cr.grad(f(cr.scan))(0.3), cr.grad(f(unrolled))(0.3))


# ---- lengths, structures, dtypes


def test_no_steps_at_all(cell):
    step, parameters = cell
    h, xs = cr.array(numbers(3)), cr.array(np.zeros((0, 3)))
    last, ys = cr.scan(step, h, xs)
    assert ys.shape == (0,)
    close(last, h.value)
    (np.sum(last**2) + np.sum(ys)).backward()
    close([h.grad, xs.grad], [2 * h.value, np.zeros((0, 3))])
    assert all(not np.any(p.grad) for p in parameters)


def test_without_elements_there_is_a_length():
    close(cr.scan(lambda c, x: (2 * c, c), 1.0, length=4), (np.array(16.0), np.array([1.0, 2.0, 4.0, 8.0])))


def test_integers_and_booleans_keep_their_dtypes():
    def step(c, x):
        n, best, at = c
        better = x > best
        return (n + 1, np.where(better, x, best), np.where(better, n, at)), (better, n)

    xs = numbers(9)
    first = np.int64(2**60), np.float32(-10), np.int64(0)
    (n, best, at), (better, count) = cr.scan(step, first, xs.astype(np.float32))
    assert n == 2**60 + 9  # which float64 cannot tell from its neighbours
    assert best == xs.astype(np.float32).max()
    assert at == 2**60 + xs.argmax()
    assert (n.dtype, best.dtype, better.dtype, count.dtype) == (np.int64, np.float32, np.bool_, np.int64)


def test_a_carry_of_several_dtypes_is_differentiated():
    w = cr.Parameter(np.ones(3, np.float32))

    def step(c, x):
        i, h, total = c
        h = np.tanh(h * w + x[i % 3])
        return (i + 1, h, total + np.sum(h).astype(np.float64)), h[0]

    def run(scanner):
        h = cr.array(numbers(3, dtype=np.float32))
        xs = cr.array(numbers(5, 3, dtype=np.float32))
        (_, last, total), ys = scanner(step, (np.int64(0), h, np.float64(0)), xs)
        (np.sum(last) + total.astype(np.float32) + np.sum(ys * ys)).backward()
        return h.grad, xs.grad, w.grad

    close(run(cr.scan), run(unrolled), rtol=1e-5)


class Pair(NamedTuple):
    left: object
    right: object


shapes = st.sampled_from([(), (1,), (3,), (2, 3), (0,)])
trees = st.recursive(
    shapes,
    lambda below: (
        st.lists(below, max_size=3)
        | st.builds(Pair, below, below)
        | st.dictionaries(st.sampled_from("abc"), below, max_size=2)
        | st.tuples(below, st.none())
    ),
    max_leaves=4,
)


def is_shape(tree):
    return type(tree) is tuple and all(isinstance(n, int) for n in tree)


def grown(tree, make):
    """A structure of arrays from one of shapes."""
    if tree is None or is_shape(tree):
        return None if tree is None else make(tree)
    if isinstance(tree, dict):
        return {key: grown(x, make) for key, x in tree.items()}
    made = [grown(x, make) for x in tree]
    return type(tree)(*made) if hasattr(tree, "_fields") else type(tree)(made)


@given(trees, trees, st.integers(1, 4), st.booleans())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_structure(carry, element, n, reverse):
    random = np.random.default_rng(0)
    first = grown(carry, lambda shape: random.standard_normal(shape))
    xs = grown(element, lambda shape: random.standard_normal((n, *shape)))

    def step(c, x):
        total = sum((np.sum(leaf) for leaf in leaves((c, x)) if leaf is not None), start=0.25)
        return map_leaves(lambda a: None if a is None else np.sin(a) + 0.1 * total, c), {"y": (total, None), "c": c}

    def f(scanner):
        last, ys = scanner(step, first, xs, length=n, reverse=reverse)
        return last, ys

    close([x for x in leaves(f(cr.scan)) if x is not None], [x for x in leaves(f(unrolled)) if x is not None])

    def total(scanner):
        def of(first, xs):
            results = scanner(step, first, xs, length=n, reverse=reverse)
            return sum((np.sum(np.square(x)) for x in leaves(results) if x is not None), start=0.0)

        return of

    arrays = [x for x in leaves((first, xs)) if x is not None]

    def gradient(scanner):
        def of(*flat):
            rest = iter(flat)
            return total(scanner)(*map_leaves(lambda x: None if x is None else next(rest), (first, xs)))

        return cr.grad(of, range(len(arrays)))(*arrays) if arrays else ()

    close(gradient(cr.scan), gradient(unrolled))


# ---- compiled


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_compiled_training_agrees_with_eager(cell, backend, reverse, n):
    step, (w, b) = cell

    def train(h, xs):
        total = loss(cr.scan, step, h, xs, reverse=reverse)
        total.backward()
        return total, w.grad, b.grad

    compiled = cr.compile(train, backend=backend)
    h, xs = numbers(3), numbers(n, 3)
    for _ in range(3):
        close(compiled(h, xs), train(h, xs))


@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_derivatives_of_higher_order(cell, backend):
    step, (w, _) = cell
    h, xs = numbers(3), numbers(4, 3)

    def f(h, xs):
        return loss(cr.scan, step, h, xs)

    def penalty(h, xs):
        value = np.sum(cr.grad(f, 1)(h, xs) ** 2)
        value.backward()
        return value, w.grad

    close(cr.compile(penalty, backend=backend)(h, xs), penalty(h, xs))
    with cr.no_grad():
        close(cr.compile(cr.hessian(f), backend=backend)(h, xs), cr.hessian(f)(h, xs))
        close(cr.compile(cr.hessian(f, 1), backend=backend)(h, xs), cr.hessian(f, 1)(h, xs))


@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_scans_within_scans_with_large_products_and_several_dtypes(backend):
    w = cr.Parameter(numbers(40, 40) / 10)

    def inner(c, x):
        count, c = c
        c = np.tanh(c @ w + x)
        return (count + 1, c), c.T[:2, 3:]

    def step(c, row):
        c, ys = cr.scan(inner, c, row, reverse=True)
        return c, (np.sum(ys), c[0])

    def f(c, xs):
        (count, last), (sums, counts) = cr.scan(step, (np.int64(0), c), xs)
        value = np.sum(last * last) + np.sum(sums)
        value.backward()
        return value, w.grad, last, sums, count, counts

    compiled = cr.compile(f, backend=backend)
    c, xs = numbers(40, 40, dtype=np.float32), numbers(3, 2, 40, 40, dtype=np.float32)
    for _ in range(2):
        close(compiled(c, xs), f(c, xs), rtol=2e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_elements_and_captures_may_lie_anyhow(backend):
    def f(x, m):
        turned = m.T
        last, ys = cr.scan(lambda c, x: (np.sin(c + turned @ x), c), x[0, ::-1], x.T[::-2])
        first, zs = cr.scan(lambda c, x: (c + x, c * x), np.zeros(()), np.broadcast_to(x[0, 0], (4,)))
        return last, ys, first, zs

    x, m = numbers(3, 7), numbers(3, 3)
    for part in (x[:, :3].copy(), x[:, :3]):
        close(cr.compile(f, backend=backend)(part, m), f(part, m))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_number_of_run_time_stays_one(backend):
    def f(x, rate):
        last, ys = cr.scan(lambda c, x: (c - rate * x, rate * c), x[0], x)
        start, _ = cr.scan(lambda c, x: (c * 0.5 + 1.0, None), rate, length=3)
        return last, ys, start

    compiled, x = cr.compile(f, backend=backend), numbers(5, 2, dtype=np.float32)
    for rate in (0.1, 0.2, 0.3):
        close(compiled(x, rate), f(x, rate), rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_bad_index_in_a_step_raises_and_leaves_states_alone(backend):
    table, count = cr.constant(numbers(4)), cr.State(0.0)

    @cr.compile(backend=backend)
    def f(rows):
        _, picked = cr.scan(lambda c, i: (c, table[i]), 0.0, rows)
        count.assign(count + 1.0)
        return picked

    close(f(np.array([0, 3, -1])), table.value[[0, 3, -1]])
    with pytest.raises(IndexError, match="out of bounds"):
        f(np.array([0, 4, 1]))
    assert count.item() == 1.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_with_a_gate_that_numpy_runs(backend):
    def f(c, xs):
        return cr.scan(lambda c, x: (np.sort(c + x), np.linalg.det(np.outer(c, x) + np.eye(3))), c, xs)

    close(cr.compile(f, backend=backend)(numbers(3), numbers(4, 3)), f(numbers(3), numbers(4, 3)))


def test_a_long_scan_is_one_instruction_for_any_length(cell):
    step, _ = cell

    def count(n):
        program = cr.compile(lambda h, xs: cr.scan(step, h, xs)).program(numbers(3), numbers(n, 3))
        assert sum(isinstance(i.gate, Scan) for i in program.instructions) == 1
        return len(program.instructions)

    assert count(10_000) == count(2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_state_of_an_outer_recording_is_read_as_it_is_by_then(backend):
    level = cr.State(1.0)

    @cr.compile(backend=backend)
    def f(x):
        level.assign(level + 1.0)
        return cr.scan(lambda c, x: (c * level + x, level * x), 0.0, x)

    x = numbers(3)
    for k in (2.0, 3.0, 4.0):
        close(f(x), unrolled(lambda c, x, k=k: (c * k + x, k * x), np.array(0.0), x))


def test_the_printed_source_runs_by_itself(cell):
    step, (w, b) = cell
    compiled = cr.compile(lambda h, xs: cr.scan(step, h, xs, reverse=True)[1], backend="source")
    h, xs = numbers(3), numbers(4, 3)
    namespace = {}
    exec(compiled.source(h, xs), namespace)  # noqa: S102
    function = next(f for name, f in reversed(namespace.items()) if callable(f))
    close(function(h, xs, W=w.value, b=b.value), compiled(h, xs))


# ---- what does not fit is named


@pytest.mark.parametrize(
    ("step", "carry", "xs", "error", "words"),
    [
        (lambda c, x: (c, x), 0.0, None, ValueError, "needs length="),
        (lambda c, x: (c, x), 0.0, (np.ones(2), np.ones(3)), ValueError, "one length, and these have 2, 3"),
        (lambda c, x: (c, x), 0.0, np.float64(2), ValueError, "leading axis"),
        (lambda c, x: c, np.ones(2), np.ones(2), TypeError, r"return a pair \(carry, y\)"),
        (lambda c, x: ([c, c], x), 0.0, np.ones(2), TypeError, "structure that it got"),
        (lambda c, x: (np.stack([c, c]), x), 0.0, np.ones(2), TypeError, r"carry is float64\[\].*float64\[2\]"),
        (
            lambda c, x: ({"a": c["a"], "b": c["b"] + x}, x),
            {"a": 1.0, "b": np.float32(1)},
            np.ones(2),
            TypeError,
            r"carry\['b'\] is float32\[\].*float64\[\]",
        ),
        (lambda c, x: (c, "text"), 0.0, np.ones(2), TypeError, "y of a scan holds arrays and numbers, not a str"),
        (lambda c, x: (c if c > 0 else -c, x), 0.0, np.ones(2), cr.GraphError, "np.where"),
    ],
)
def test_what_does_not_fit_is_named(step, carry, xs, error, words):
    with pytest.raises(error, match=words):
        cr.scan(step, carry, xs)


def test_a_negative_length_is_refused():
    with pytest.raises(ValueError, match="not -1"):
        cr.scan(lambda c, x: (c, c), 0.0, length=-1)


def test_states_are_not_assigned_in_a_step():
    count = cr.State(0, name="count")

    def step(c, x):
        count.assign(count + 1)
        return c, x

    with pytest.raises(cr.GraphError, match=r"assigns count.*into the carry"):
        cr.scan(step, 0.0, np.ones(2))
    assert count.item() == 0


def test_a_backward_pass_inside_of_a_step_is_refused():
    w = cr.Parameter(1.0, dtype=float)

    def step(c, x):
        (w * x).backward()
        return c, x

    with pytest.raises(cr.GraphError, match=r"use cr\.grad there"):
        cr.scan(step, 0.0, np.ones(2))


def test_a_step_that_changes_before_the_backward_pass_is_refused():
    factor = 2.0
    last, _ = cr.scan(lambda c, x: (c * factor, None), cr.array(1.0), np.ones(2))
    factor = 3.0
    with pytest.raises(cr.GraphError, match="changed in between"):
        last.backward()


def test_the_last_carry_of_python_numbers_keeps_its_dtype():
    last, _ = cr.scan(lambda c, x: (0.0, c), np.float32(1), length=2)
    assert (last.dtype, math.copysign(1, last)) == (np.float32, 1)


def test_recording_does_not_go_through_all_steps(cell, monkeypatch):
    step, _ = cell
    calls = []

    def counting(self):
        return lambda *operands: calls.append(self) or Interpreter(self.flat).function(*operands)

    monkeypatch.setattr(Step, "run", property(counting))

    def f(h, xs):
        last, ys = cr.scan(step, h, xs, reverse=True)
        total = np.sum(ys) + np.sum(last)
        total.backward()
        return total

    cr.compile(f, backend="source").program(numbers(3), numbers(1000, 3))
    assert len(calls) == 2 * scans.A_FEW


@pytest.mark.parametrize("backend", [None, *BACKENDS])
@pytest.mark.parametrize("batch", [1, 2, 30])
@pytest.mark.parametrize("units", [0, 6])
def test_gradients_of_matrices_are_products_after_the_loop_or_sums_within(backend, batch, units):
    w = cr.Parameter(numbers(6, units, seed=1), dtype=float)
    v = cr.Parameter(numbers(units, 6, seed=2), dtype=float)

    def f(scanner):
        def run(h, xs):
            h, ys = scanner(lambda h, x: (np.sin((h @ w) @ v + x), h), h, xs)
            total = np.sum(h**2) + np.sum(ys**3)
            total.backward()
            return w.grad, v.grad

        return run

    h, xs = numbers(batch, 6), numbers(3, batch, 6)
    scanned = f(cr.scan) if backend is None else cr.compile(f(cr.scan), backend=backend)
    close(scanned(h, xs), f(unrolled)(h, xs))


STEPS = {
    "tanh": lambda h, x, w: (np.tanh(h + x), x),
    "matrix": lambda h, x, w: (0.5 * h @ w, np.sin(x)),
    "turned": lambda h, x, w: (h[::-1] * 0.9, x + h),
    "normal": lambda h, x, w: ((h - np.mean(h)) / (1.0 + np.std(h + x)), x),
    "where": lambda h, x, w: (np.where(x > h, h, 0.5 * x), np.maximum(x, h)),
    "softmax": lambda h, x, w: (cr.softmax(h * x), x * h),
    "outer": lambda h, x, w: (h, np.outer(h, x).T @ w[0]),
    "joined": lambda h, x, w: (np.concatenate([x[1:], h[:1]]), np.cumsum(h)),
    "picked": lambda h, x, w: (h[np.argsort(x)] + w[np.argmax(h)], x),
    "scan": lambda h, x, w: cr.scan(lambda a, b: (a * 0.5 + b * w[1], np.sum(a) + b), h, x),
}


@given(
    st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=4),
    st.sampled_from([np.float32, np.float64]),
    st.integers(1, 5),
    st.booleans(),
    st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_any_step_gives_the_same_eagerly_printed_and_native(names, dtype, n, reverse, seed):
    w = cr.Parameter(numbers(3, 3, seed=seed + 1), dtype=dtype)

    def step(h, x):
        first = x
        for name in names:
            h, x = STEPS[name](h, x, w)
        return h, (x, first * h)

    def f(scanner):
        def run(h, xs):
            def value(h, xs):
                h, ys = scanner(step, h, xs, reverse=reverse)
                return np.sum(h**2) + sum(np.sum(np.sin(y)) for y in leaves(ys)) + np.sum(w**2)

            total, gradients = cr.value_and_grad(value, (0, 1))(h, xs)
            total.backward()
            return total, gradients, w.grad

        return run

    h, xs = numbers(3, seed=seed, dtype=dtype), numbers(n, 3, seed=seed + 2, dtype=dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = f(unrolled)(h, xs)
    assume(all(np.isfinite(np.asarray(raw(x))).all() for x in leaves(expected)))  # some steps grow without bounds
    rtol = 1e-9 if dtype is np.float64 else 2e-3
    close(f(cr.scan)(h, xs), expected, rtol)
    for backend in BACKENDS:
        close(cr.compile(f(cr.scan), backend=backend)(h, xs), expected, rtol)

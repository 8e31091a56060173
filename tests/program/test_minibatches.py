"""step.over beside the same steps called one by one from Python: the same bits, whatever runs them."""

import tracemalloc

import numpy as np
import pytest

import chainrule as cr
from chainrule.native.target import unavailable
from chainrule.program import minibatches

BACKENDS = ["source"] if unavailable() else ["source", "native"]
backends = pytest.mark.parametrize("backend", BACKENDS)


def data(rows, columns=3, dtype=np.float32):
    random = np.random.default_rng(7)
    return random.standard_normal((rows, columns)).astype(dtype), random.integers(0, 2, rows)


def training(backend, columns=3, hidden=4, **options):
    """A net with its optimiser, and a State that counts; the compiled step and all that it changes."""
    random = np.random.default_rng(0)
    w = cr.Parameter(random.standard_normal((columns, hidden)), name="w")
    v = cr.Parameter(random.standard_normal((hidden, 2)), name="v")
    seen = cr.State(0)
    optimizer = cr.optim.SGD([w, v], lr=0.1, momentum=0.9)

    @cr.compile(backend=backend, **options)
    def step(x, y):
        scores = np.tanh(x @ w) @ v
        loss = -np.mean(cr.log_softmax(scores, axis=1)[np.arange(len(y)), y])
        loss.backward()
        optimizer.step()
        seen.assign(seen + len(y))
        return loss

    return step, (w, v, seen, *optimizer.velocity)


def same(one, other):
    one, other = np.asarray(one), np.asarray(other)
    assert (one.shape, one.dtype, one.tobytes()) == (other.shape, other.dtype, other.tobytes())


def compare(backend, rows, batch, order=None, *, given=None):
    """Train twice: in one go, and step by step."""
    x, y = data(rows)
    chosen = np.arange(rows) if order is None else np.asarray(order)
    whole, states = training(backend)
    single, others = training(backend)
    losses = whole.over(x, y, batch=batch, order=order if given is None else given)
    expected = [single(x[chosen[k : k + batch]], y[chosen[k : k + batch]]) for k in range(0, len(chosen), batch)]
    same(losses, expected)
    for state, other in zip(states, others, strict=True):
        same(state.value, other.value)
    return whole, states


@backends
@pytest.mark.parametrize(("rows", "batch"), [(40, 4), (43, 4), (4, 4), (3, 4), (5, 4), (200, 1)])
def test_it_is_a_loop_over_slices(backend, rows, batch):
    compare(backend, rows, batch)


@backends
@pytest.mark.parametrize("batch", [4, 7])
def test_rows_come_in_the_given_order(backend, batch):
    compare(backend, 40, batch, np.random.default_rng(1).permutation(40))
    compare(backend, 40, batch, [3, 3, -1, 0, 39, -40, 3, 8, 1] * 5)
    compare(backend, 40, batch, np.arange(40, dtype=np.uint8)[::-2])


@backends
def test_a_seed_or_a_generator_shuffles(backend):
    order = cr.random.Generator(5).permutation(30)
    compare(backend, 30, 4, order, given=5)
    compare(backend, 30, 4, order, given=cr.random.Generator(5))
    order = np.random.default_rng(5).permutation(30)
    compare(backend, 30, 4, order, given=np.random.default_rng(5))


@backends
def test_several_passes_and_single_calls_follow_each_other(backend):
    x, y = data(30)
    whole, states = training(backend)
    single, others = training(backend)
    for k in range(3):
        same(whole.over(x, y, batch=5, order=k), [single(x[i], y[i]) for i in parts(cr.random.Generator(k), 30, 5)])
        same(whole(x[:5], y[:5]), single(x[:5], y[:5]))
        states[0].assign(states[0] * 0.5)
        others[0].assign(others[0] * 0.5)
        held = states[1].value  # somebody else holds the buffer now
        same(whole.over(x, y, batch=5), [single(x[i : i + 5], y[i : i + 5]) for i in range(0, 30, 5)])
        assert not np.array_equal(held, states[1].value)
    for state, other in zip(states, others, strict=True):
        same(state.value, other.value)


def parts(generator, rows, batch):
    order = generator.permutation(rows)
    return [order[k : k + batch] for k in range(0, rows, batch)]


@backends
def test_large_steps_on_several_threads(backend):
    x, y = data(2000, 200)
    results = []
    try:
        for threads in (1, 2):
            cr.set_threads(threads)
            step, states = training(backend, 200, 300)
            results.append([step.over(x, y, batch=300, order=0), *(state.value for state in states)])
    finally:
        cr.set_threads(None)
    for one, other in zip(*results, strict=True):
        same(one, other)


@backends
def test_structures_numbers_and_arrays_that_stay(backend):
    w = cr.State(np.zeros(3))

    @cr.compile(backend=backend)
    def step(batch, rate, shift, *, offset):
        x, (y, kind) = batch["x"], batch["rest"]
        w.assign(w + rate * np.sum(x, axis=0) + shift)
        return {"mean": np.mean(x * y[:, None]), "offset": offset + w, "n": kind}, rate

    x, y = data(12, dtype=np.float64)
    made, rate = step.over({"x": x, "rest": (y, "kind")}, 0.5, np.float64(2), batch=3, order=3, offset=np.arange(3.0))
    order = cr.random.Generator(3).permutation(12)
    total, means, offsets = np.zeros(3), [], []
    for k in range(0, 12, 3):
        i = order[k : k + 3]
        total = total + 0.5 * x[i].sum(0) + 2
        means.append(np.mean(x[i] * y[i][:, None]))
        offsets.append(np.arange(3.0) + total)
    np.testing.assert_allclose(made["mean"], means)
    np.testing.assert_allclose(made["offset"], offsets)
    assert made["n"] == "kind"
    np.testing.assert_array_equal(rate, [0.5] * 4)


@backends
def test_arrays_may_lie_anyhow(backend):
    x, y = data(24)
    step, _ = training(backend)
    other, _ = training(backend)
    expected = step.over(x, y, batch=4, order=1)
    turned = np.asfortranarray(x).astype(">f4")
    same(other.over(turned, y.astype(">i8"), batch=4, order=1), expected)


@backends
def test_gradients_of_the_last_step_are_kept_where_they_are_wanted(backend):
    x, y = data(30)
    whole, (w, *_) = training(backend, keep_grads=True)
    single, (w_, *_) = training(backend, keep_grads=True)
    whole.over(x, y, batch=4)
    for k in range(0, 30, 4):
        single(x[k : k + 4], y[k : k + 4])
    same(w.grad, w_.grad)


@backends
def test_a_method(backend):
    class Model:
        def __init__(self):
            self.total = cr.State(0.0)

        @cr.compile(backend=backend)
        def step(self, x):
            self.total.assign(self.total + np.sum(x))
            return self.total * 1.0

    model = Model()
    same(model.step.over(np.arange(6.0), batch=2), np.array([1.0, 6.0, 15.0]))


@backends
def test_progress_is_told_and_the_last_step_always(backend, monkeypatch):
    monkeypatch.setattr(minibatches, "A_WHILE", 0.0)
    step, _ = training(backend)
    told = []
    step.over(*data(50), batch=4, progress=lambda done, total: told.append((done, total)))
    assert told == [(k, 13) for k in range(1, 14)]


@backends
def test_an_interrupt_leaves_what_was_done(backend, monkeypatch):
    monkeypatch.setattr(minibatches, "A_WHILE", 0.0)
    step, (*_, seen, _, _) = training(backend)

    def interrupt(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        step.over(*data(50), batch=4, progress=interrupt)
    assert seen.item() == 20
    assert step.over(*data(50), batch=4).shape == (13,)


@backends
def test_an_error_in_a_step_comes_when_it_is_its_turn(backend):
    x, y = data(40)
    y[30] = 2  # there are only two classes
    step, (w, _, seen, *_) = training(backend)
    single, others = training(backend)
    with pytest.raises(IndexError):
        step.over(x, y, batch=4)
    assert seen.item() == 28
    for k in range(0, 28, 4):
        single(x[k : k + 4], y[k : k + 4])
    same(others[0].value, w.value)


@backends
def test_what_changes_from_call_to_call_is_found(backend):
    ticks = iter(range(100))
    step = cr.compile(lambda x: np.sum(x) * float(next(ticks)), backend=backend)
    with pytest.raises(cr.GraphError, match="recorded twice"):
        step.over(np.ones(8), batch=2)


@backends
def test_a_model_changed_by_progress_is_recorded_again(backend, monkeypatch):
    monkeypatch.setattr(minibatches, "A_WHILE", 0.0)
    rate = cr.State(1.0)

    @cr.compile(backend=backend)
    def step(x):
        return np.sum(x) * float(rate)  # a guard: the number is part of the Program

    def faster(done, total):
        rate.assign(2.0 if done >= 3 else 1.0)

    same(step.over(np.ones(10), batch=2, progress=faster), np.array([2.0, 2.0, 2.0, 4.0, 4.0]))


def test_arrays_with_gradients_run_the_function_itself():
    step = cr.compile(lambda x: np.sum(x * x))
    x = cr.array([1.0, 2.0, 3.0])
    totals = step.over(x, batch=2, order=[2, 1, 0])
    np.sum(totals).backward()
    same(totals.value, np.array([13.0, 1.0]))
    same(x.grad, np.array([2.0, 4.0, 6.0]))


def test_in_another_compiled_function():
    inner = cr.compile(lambda x: np.sum(x * x))
    outer = cr.compile(lambda x: inner.over(x, batch=2))
    for _ in range(2):
        same(outer(np.arange(5.0)), np.array([1.0, 13.0, 16.0]))


@pytest.mark.parametrize(
    ("args", "options", "error", "words"),
    [
        ((np.ones(4), np.ones(5)), {"batch": 2}, ValueError, "of one length, and there are"),
        ((2.0,), {"batch": 2}, ValueError, "none among the positional arguments"),
        ((np.ones(4),), {"batch": 0}, ValueError, "at least one row, not 0"),
        ((np.ones(0),), {"batch": 2}, ValueError, "no rows"),
        ((np.ones(4),), {"batch": 2, "order": []}, TypeError, "row numbers"),
        ((np.ones(4),), {"batch": 2, "order": [0.5]}, TypeError, "row numbers"),
        ((np.ones(4),), {"batch": 2, "order": [0, 4]}, IndexError, r"order\[1\] is 4, and there are 4 rows"),
        ((np.ones(4),), {"batch": 2, "order": [-5]}, IndexError, r"order\[0\] is -5"),
    ],
)
def test_what_does_not_fit_is_named(args, options, error, words):
    step = cr.compile(lambda *xs: np.sum(xs[0]))
    with pytest.raises(error, match=words):
        step.over(*args, **options)


@backends
def test_results_that_do_not_stack_are_refused_before_anything_changes(backend):
    count = cr.State(0)

    @cr.compile(backend=backend)
    def step(x):
        count.assign(count + 1)
        return x * x

    with pytest.raises(ValueError, match="do not stack"):
        step.over(np.ones(5), batch=2)
    assert count.item() == 0
    same(step.over(np.arange(4.0), batch=2), np.array([[0.0, 1.0], [4.0, 9.0]]))


@backends
def test_pieces_are_the_results_of_over_as_they_come(backend):
    x, y = data(43)
    whole, states = training(backend)
    losses = whole.over(x, y, batch=4, order=3)
    in_pieces, others = training(backend)
    seen, counts = [], []
    for piece in in_pieces.pieces(x, y, batch=4, order=3):
        seen += list(piece)
        counts.append(others[2].item())  # what the steps so far have left
    same(seen, losses)
    assert counts == sorted(counts)
    assert counts[-1] == 43
    for state, other in zip(states, others, strict=True):
        same(state.value, other.value)


@backends
def test_pieces_of_a_method(backend):
    class Counter:
        def __init__(self):
            self.seen = cr.State(0)

        @cr.compile(backend=backend)
        def count(self, x):
            self.seen.assign(self.seen + len(x))
            return np.sum(x)

    counter = Counter()
    sums = [float(total) for piece in counter.count.pieces(np.arange(5.0), batch=2) for total in piece]
    assert sums == [1.0, 5.0, 4.0]
    assert counter.seen.item() == 5


def mapped(path, values):
    """The values in a memory map of a file, laid out as they are."""
    order = "C" if values.flags.c_contiguous else "F"
    file = np.memmap(path, values.dtype, "w+", shape=values.shape, order=order)
    file[:] = values
    file.flush()
    return np.memmap(path, values.dtype, "r", shape=values.shape, order=order)


LAYOUTS = {
    "C": lambda x: x,
    "F": np.asfortranarray,
    "swapped": lambda x: x.astype(">f4"),
}


@backends
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("order", [None, 3])
def test_a_memory_map_is_never_copied_whole(backend, layout, order, tmp_path, monkeypatch):
    """4 MB of rows, in whatever layout, and steps that see 4 kB of them at a time."""
    monkeypatch.setattr(minibatches, "LARGE", 1 << 16)
    x, y = data(4000, columns=256)
    file = mapped(tmp_path / "x", LAYOUTS[layout](x))
    expected = training(backend, columns=256)[0].over(x, y, batch=4, order=order)
    step, _ = training(backend, columns=256)
    step.over(file[:8], y[:8], batch=4)  # records and compiles, which takes memory of its own
    tracemalloc.start()
    try:
        step.over(file, y, batch=4, order=order)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < x.nbytes / 4
    largest = cr.compile(lambda x: np.max(x, axis=1), backend=backend)
    same(largest.over(file, batch=4, order=order), largest.over(x, batch=4, order=order))
    if backend == "native":  # BLAS, in the printed source, adds in an order that goes by where the rows lie
        same(training(backend, columns=256)[0].over(file, y, batch=4, order=order), expected)


@backends
def test_rows_of_a_packed_record_need_not_be_aligned(backend, tmp_path):
    x, y = data(40, columns=3)
    packed = np.zeros(40, [("label", "u1"), ("x", "f4", 3)])
    packed["x"] = x
    expected = training(backend)[0].over(x, y, batch=4)
    same(training(backend)[0].over(packed["x"], y, batch=4), expected)
    shifted = np.frombuffer(b"\0" + x.tobytes(), np.float32, offset=1).reshape(x.shape)
    assert not shifted.flags.aligned
    same(training(backend)[0].over(shifted, y, batch=4), expected)


@backends
def test_pieces_that_do_not_stack_come_apart(backend):
    step = cr.compile(lambda x: x + 1.0, backend=backend)
    found = [piece.shape for piece in step.pieces(np.arange(7.0), batch=3)]
    assert found[-1] == (1, 1)
    assert sum(shape[0] for shape in found[:-1]) == 2
    assert all(shape[1:] == (3,) for shape in found[:-1])

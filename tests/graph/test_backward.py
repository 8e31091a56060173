"""The backward pass: what it writes, what it asks for, what it frees, and how long a chain may be."""

import gc
import sys
import threading
import time
import tracemalloc
import weakref

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError, NonFiniteError


def test_every_array_of_the_circuit_gets_its_gradient():
    x, y, z = cr.array(-2.0), cr.array(5.0), cr.array(-4.0)
    q = x + y
    f = q * z
    f.backward()
    assert (x.grad, y.grad, z.grad, q.grad, f.grad) == (-4.0, -4.0, 3.0, -4.0, 1.0)


def test_none_means_not_computed():
    x, y = cr.array(1.0), cr.array(2.0)
    (x * 2.0).backward()
    assert y.grad is None


def test_gradients_are_written_afresh():
    x = cr.array(3.0)
    for _ in range(3):
        (x * x).backward()
        assert x.grad == 6.0
    f = x * x * x
    f.backward()
    f.backward()
    assert x.grad == 27.0


def test_accumulate_adds_to_leaves_and_intermediates():
    x = cr.array(3.0)
    y = x * x
    y.backward()
    y.backward(accumulate=True)
    (2.0 * y).backward(accumulate=True)
    assert x.grad == 6.0 * 4
    assert y.grad == 4.0
    w = cr.array([1.0, 2.0])
    np.sum(w).backward(accumulate=True)
    assert w.grad.tolist() == [1.0, 1.0]


def test_accumulating_does_not_change_what_was_handed_out():
    x = cr.array([1.0, 2.0])
    np.sum(x).backward()
    held = x.grad
    np.sum(x).backward(accumulate=True)
    assert held.tolist() == [1.0, 1.0]
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_branch_adds():
    x = cr.array(2.0)
    a = x * 3.0
    (a * x + a + np.sin(a)).backward()
    assert x.grad == pytest.approx(12.0 + 3.0 + 3.0 * np.cos(6.0))


def test_both_edges_of_a_square_count():
    x = cr.array(3.0)
    (x * x).backward()
    assert x.grad == 6.0


def test_a_diamond_of_diamonds():
    x = y = cr.array(1.0)
    for _ in range(60):
        y = y * 0.5 + y * 0.5
    y.backward()
    assert x.grad == 1.0


def test_a_scalar_is_needed_or_an_upstream():
    x = cr.array([1.0, 2.0], name="x")
    y = x * x
    with pytest.raises(GraphError, match=r"y has shape \(2,\): reduce it \(np.sum, np.mean\) or give upstream="):
        y.backward()
    y.backward(upstream=[1.0, 10.0])
    assert x.grad.tolist() == [2.0, 40.0]
    y.backward(upstream=cr.array([0.0, 1.0]))
    assert x.grad.tolist() == [0.0, 4.0]
    with pytest.raises(GraphError, match=r"upstream \(3,\) float64 does not fit y, \(2,\) float64"):
        y.backward(upstream=np.ones(3))
    with pytest.raises(GraphError, match=r"one-element|scalar|shape"):
        (cr.array([1.0]) * 2).backward()


def test_upstream_is_copied_and_cast():
    x = cr.array([1.0, 2.0], dtype=np.float32)
    upstream = np.ones(2)
    (x + 0.0).backward(upstream=upstream)
    upstream[0] = 9.0
    assert x.grad.tolist() == [1.0, 1.0]
    assert x.grad.dtype == np.float32


def test_backward_from_a_leaf():
    x = cr.array(3.0)
    x.backward()
    assert x.grad == 1.0


def test_a_constant_output_says_where_it_was_cut():
    x = cr.array(2.0, name="x")
    with pytest.raises(GraphError, match=r"cut off by detach at test_backward\.py:\d+"):
        (x.detach() * 2.0).backward()
    with cr.no_grad():
        y = x * x
    with pytest.raises(GraphError, match=r"y carries no gradient: it was cut off by no_grad at test_backward\.py"):
        y.backward()
    with pytest.raises(GraphError, match="cut off by floor"):
        np.floor(x).backward()
    with pytest.raises(GraphError, match=r"write 3.0, not 3"):
        cr.array(3).backward()
    with pytest.raises(GraphError, match="is a constant"):
        cr.constant(3.0).backward()


# ---- freeing


def test_keep_false_frees_the_circuit_and_reaches_the_leaves():
    x = cr.array(2.0)
    y = x * x
    z = y + x
    z.backward(keep=False)
    assert x.grad == 5.0
    assert y.grad is None
    assert y.item() == 4.0
    for node in (z, y):
        assert node.inputs == ()
        with pytest.raises(GraphError, match=r"freed by backward\(keep=False\): run the forward pass again"):
            node.backward()


def test_a_freed_part_of_another_circuit_raises():
    x = cr.array(2.0)
    shared = x * x
    (shared + 1.0).backward(keep=False)
    with pytest.raises(GraphError, match="freed"):
        (shared * 3.0).backward()


def test_results_can_be_used_after_freeing():
    x = cr.array(2.0)
    y = x * x
    y.backward(keep=False)
    assert (y.detach() * x).item() == 8.0


def test_no_work_is_spent_on_constants():
    """dL/dX of the data would be the largest product of a first layer."""
    data, w = np.ones((4, 3)), cr.array(np.ones((3, 2)))
    calls = []

    class Product(cr.Gate):
        def forward(self, x, y):
            self.x, self.y = x, y
            return x @ y

        def backward(self, dz):
            return [None, self.x.T @ dz]

    np.sum(Product()(data, w)).backward()
    assert w.grad.tolist() == [[4.0, 4.0]] * 3
    matmul = type((data @ w).gate)
    original = matmul._on_ndarrays
    matmul._on_ndarrays = tuple(
        lambda *a, rule=rule, i=i: calls.append(i) or rule(*a) for i, rule in enumerate(original)
    )
    try:
        np.sum(data @ w).backward()
    finally:
        matmul._on_ndarrays = original
    assert calls == [1]


# ---- no aliasing


def test_changing_a_leafs_gradient_changes_no_other():
    x, y = cr.array([1.0, 2.0]), cr.array([3.0, 4.0])
    s = x + y
    s.backward(upstream=np.ones(2))
    x.grad *= 10.0
    assert y.grad.tolist() == [1.0, 1.0]
    assert s.grad.tolist() == [1.0, 1.0]


def test_gradients_of_results_are_read_only():
    x = cr.array([1.0, 2.0])
    y = x * 2.0
    np.sum(y).backward()
    with pytest.raises(ValueError, match="read-only"):
        y.grad[0] = 1.0


# ---- length


def chain(n):
    x = y = cr.array(1.0)
    for _ in range(n):
        y = y + x
    return x, y


def test_a_long_chain_needs_no_recursion():
    x, y = chain(100_000)
    y.backward()
    assert x.grad == 100_001.0
    del x, y


def test_a_long_chain_in_a_small_thread():
    """Taking the graph down must not overflow a small stack either.

    Python 3.13 nests deallocation some 10,000 levels deep before it unwinds, which takes most of a MiB; the other
    versions make do with a quarter of one.
    """
    errors = []

    def work():
        try:
            x, y = chain(50_000)
            y.backward()
            assert x.grad == 50_001.0
        except BaseException as error:
            errors.append(error)
            raise

    old = threading.stack_size((1024 if sys.version_info[:2] == (3, 13) else 256) * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(old)
    assert not errors


def test_time_is_linear_in_the_length():
    def seconds(n):
        start = time.perf_counter()
        _, y = chain(n)
        y.backward()
        return time.perf_counter() - start

    seconds(1000)
    short, long = min(seconds(4_000) for _ in range(5)), min(seconds(40_000) for _ in range(3))
    assert long < 40 * short


def test_dropped_graphs_leave_no_memory_without_the_collector():
    weights = [cr.array(np.ones((4, 4))), cr.array(np.ones(4))]
    data = np.ones((2, 4))

    def use(n):
        for i in range(n):
            h = np.tanh(data @ weights[0] + weights[1])
            h[0] = h[0] * 2.0
            loss = np.mean(np.where(h > 0, h, 0.1 * h) ** 2)
            if i % 3:
                loss.backward(keep=i % 3 == 1)

    gc.collect()
    gc.disable()
    use(3_000)  # fills Python's free lists, which a collection empties
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        use(2_000)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert grown < 20_000


def test_failed_passes_leave_no_memory_either():
    def fail():
        x = cr.array([1.0, 2.0])
        try:
            (x * x).backward()
        except GraphError:
            return weakref.ref(x)

    gc.disable()
    try:
        assert fail()() is None
    finally:
        gc.enable()


# ---- not finite


def test_nonfinite_values_name_gate_inputs_and_line():
    x = cr.array([1.0, 0.0, -1.0], name="x")
    with cr.nonfinite(), np.errstate(all="ignore"), pytest.raises(NonFiniteError) as caught:
        np.log(x * 2.0)
    text = str(caught.value)
    assert "the value of log is not finite: 2 of 3 elements, the first at (1,) is -inf" in text
    assert "test_backward.py" in text
    assert "np.log(x * 2.0)" in text
    assert "(3,) float64 in [-2, 2]" in text


def test_nonfinite_gradients_name_gate_input_and_line():
    x = cr.array(0.0, name="x")
    y = np.sqrt(x)
    with (
        cr.nonfinite(),
        np.errstate(all="ignore"),
        pytest.raises(NonFiniteError, match=r"gradient that sqrt at"),
    ):
        y.backward()


def test_nonfinite_is_off_outside():
    with np.errstate(all="ignore"):
        with cr.nonfinite():
            pass
        assert np.isinf(np.log(cr.array(0.0)).item())
    with cr.nonfinite():
        assert np.max(cr.array([1.0, 2.0])).item() == 2.0


def test_constants_are_checked_too():
    with cr.nonfinite(), np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="divide"):
        cr.constant(1.0) / cr.constant(0.0)


# ---- modes are per thread


def test_no_grad_builds_no_circuit_and_nests():
    x = cr.array(2.0)
    with cr.no_grad():
        with cr.no_grad():
            assert not (x * x).live
        y = x * x
        assert y.inputs == ()
    assert (x * x).live
    with pytest.raises(ZeroDivisionError), cr.no_grad():
        raise ZeroDivisionError
    assert (x * x).live


def test_writing_under_no_grad_does_not_cut_silently():
    x = cr.array([1.0, 2.0], name="x")
    y = x * x
    with (
        cr.no_grad(),
        pytest.raises(TypeError, match=r"would cut it off from its circuit: write into a copy, x\.detach"),
    ):
        x[0] = 5.0
    np.sum(y).backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_modes_do_not_reach_other_threads():
    x = cr.array(2.0)
    seen = []
    with cr.no_grad():
        thread = threading.Thread(target=lambda: seen.append((x * x).live))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_build_and_differentiate_side_by_side():
    p = cr.Parameter(np.ones(3), dtype=np.float64)
    results = {}

    def work(k):
        for _ in range(200):
            gradient = cr.grad(lambda w: np.sum(np.sin(w * k) * p.value))(np.arange(3.0))
        results[k] = gradient

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, gradient in results.items():
        assert gradient == pytest.approx(k * np.cos(k * np.arange(3.0)))


def test_a_freeing_pass_leaves_no_gradients_of_an_earlier_one():
    x = cr.array(2.0)
    y = x * x
    y.backward()
    assert y.grad == 1.0
    (y * 3.0).backward(keep=False)
    assert y.grad is None
    assert x.grad == 12.0

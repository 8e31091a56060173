"""cr.compile: compiled functions do what the functions do, call by call, and leave the same behind."""

import copy
import gc
import pickle
import threading
import time
import warnings
import weakref
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import CompileWarning, GraphError, NonFiniteError


@cr.compile
def module_level(x):
    return x * 2


def make_net(hidden=cr.nn.Tanh, *, momentum=0.9, l2=0.0, dtype=np.float32):
    model = cr.nn.Sequential(cr.nn.Linear(2, 6, rng=1, dtype=dtype), hidden(), cr.nn.Linear(6, 3, rng=2, dtype=dtype))
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1, momentum=momentum, l2=l2)

    def step(x, labels):
        loss = cr.nn.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


def batches(n, size=10):
    rng = np.random.default_rng(0)
    return [(rng.standard_normal((size, 2)), rng.integers(0, 3, size)) for _ in range(n)]


def values(model):
    return [p.value.copy() for p in model.parameters()]


# ---- training


@pytest.mark.parametrize("backend", ["source", "native"])
@pytest.mark.parametrize(
    ("hidden", "momentum", "l2"),
    [
        (cr.nn.Tanh, 0.0, 0.0),
        (cr.nn.Tanh, 0.9, 0.01),
        (cr.nn.ReLU, 0.9, 0.0),
        (cr.nn.LeakyReLU, 0.0, 0.01),
        (cr.nn.Sigmoid, 0.9, 0.01),
        (lambda: cr.nn.Maxout(6, 6, rng=3, dtype=np.float64), 0.9, 0.0),
    ],
)
def test_a_training_step_is_the_eager_one(hidden, momentum, l2, backend):
    model, optimizer, step = make_net(hidden, momentum=momentum, l2=l2, dtype=np.float64)
    twin, twins_optimizer, eager = make_net(hidden, momentum=momentum, l2=l2, dtype=np.float64)
    compiled = cr.compile(step, backend=backend)
    for i, batch in enumerate(batches(10)):
        if i == 5:
            optimizer.lr = twins_optimizer.lr = 0.02
        loss, expected = compiled(*batch), eager(*batch)
        assert type(loss) is np.ndarray
        np.testing.assert_allclose(loss, expected.item(), rtol=1e-12)
        for a, b in zip(values(model), values(twin), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)
    assert len(compiled.programs) == 1
    assert all(p.grad is None for p in model.parameters())


def test_learning_goes_on_to_a_small_loss():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 2)).astype(np.float32)
    labels = (np.hypot(*x.T) > 1).astype(np.int64) + (x[:, 0] > 0)
    _, _, step = make_net()
    compiled = cr.compile(step)
    losses = [compiled(x, labels).item() for _ in range(500)]
    assert losses[-1] < 0.3 * losses[0]


def test_compiled_and_eager_steps_can_be_mixed():
    model, _, step = make_net(dtype=np.float64)
    twin, _, eager = make_net(dtype=np.float64)
    compiled = cr.compile(step, backend="source")
    for i, batch in enumerate(batches(8)):
        (compiled if i % 3 else step)(*batch)
        eager(*batch)
    for a, b in zip(values(model), values(twin), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_structure_follows_what_was_read_as_a_number():
    model, optimizer, step = make_net(momentum=0.0)
    twin, twins_optimizer, eager = make_net(momentum=0.0)
    compiled = cr.compile(step, backend="source")
    for i, batch in enumerate(batches(9)):
        for each in (optimizer, twins_optimizer):
            each.momentum = [0.0, 0.9, 0.0][i // 3]
            each.l2 = [0.0, 0.0, 0.1][i // 3]
        compiled(*batch)
        eager(*batch)
        for a, b in zip(values(model), values(twin), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert len(compiled.programs) == 3


def test_a_schedule_inside_the_step():
    w = cr.Parameter([1.0], dtype=np.float64)
    optimizer = cr.optim.SGD([w], lr=0.5)

    @cr.compile
    def step():
        np.sum(w * w).backward()
        optimizer.step()
        optimizer.lr = optimizer.lr * 0.5

    for _ in range(3):
        step()
    assert optimizer.lr == 0.5**4
    np.testing.assert_allclose(w.value, [0.0])


def test_keep_grads_writes_them_as_backward_does():
    model, optimizer, _ = make_net()
    twin = copy.deepcopy(model)

    def loss_of(model):
        def loss(x, labels):
            z = cr.nn.cross_entropy(model(x), labels)
            z.backward()
            return z

        return loss

    compiled = cr.compile(loss_of(model), keep_grads=True)
    twins_optimizer = cr.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
    for batch in batches(4):
        compiled(*batch)
        loss_of(twin)(*batch)
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            assert p.grad.dtype == np.float32
            np.testing.assert_allclose(p.grad, q.grad, rtol=1e-4, atol=1e-6)
        optimizer.step()
        twins_optimizer.step()
    with pytest.raises(GraphError, match="no new gradient"):
        optimizer.step()


def test_gradients_that_a_compiled_step_has_used_are_not_used_again():
    model, optimizer, step = make_net()
    compiled = cr.compile(step, keep_grads=True)
    for batch in batches(3):
        compiled(*batch)
        assert all(p.grad is not None for p in model.parameters())
        with pytest.raises(GraphError, match="no new gradient"):
            optimizer.step()


def test_a_parameter_that_the_loss_does_not_reach_stays():
    w, u = cr.Parameter([1.0]), cr.Parameter([1.0])
    optimizer = cr.optim.SGD([w, u], momentum=0.9)

    @cr.compile
    def step(x):
        np.sum(w * x).backward()
        optimizer.step()

    for _ in range(3):
        step(np.ones(1, np.float32))
    assert u.item() == 1
    assert w.item() < 1


# ---- state


def test_values_taken_before_a_step_stay_what_they_were():
    w = cr.Parameter([1.0, 2.0])
    optimizer = cr.optim.SGD([w], lr=0.1)

    @cr.compile
    def step():
        np.sum(w * w).backward()
        optimizer.step()
        return w

    before = w.value
    reshaped = w.reshape(2, 1)
    result = step()
    np.testing.assert_array_equal(before, [1, 2])
    np.testing.assert_array_equal(reshaped.value, [[1], [2]])
    np.testing.assert_allclose(result, [0.8, 1.6], rtol=1e-6)
    step()
    np.testing.assert_allclose(result, [0.8, 1.6], rtol=1e-6)
    np.testing.assert_allclose(w.value, [0.64, 1.28], rtol=1e-6)


def test_a_circuit_that_used_the_old_value_refuses_to_run_backward():
    w = cr.Parameter([1.0])
    update = cr.compile(lambda: w.assign(w * 2))
    z = np.sum(w * w)
    update()
    with pytest.raises(GraphError, match="was changed after"):
        z.backward()


def test_an_input_may_be_the_buffer_of_a_state():
    s = cr.State(np.array([1.0, 2.0, 3.0]))

    @cr.compile
    def f(x):
        s.assign(s * 10)
        s.assign(s + x[::-1])
        return s

    for factor in (1, 10):
        del factor
        before = s.value.copy()
        z = f(s.value)
        np.testing.assert_array_equal(z, before * 10 + before[::-1])
        np.testing.assert_array_equal(s.value, z)
        assert not np.shares_memory(z, s.value)


@pytest.mark.parametrize("backend", ["source", "native"])
def test_two_states_can_be_swapped(backend):
    a, b = cr.State([1.0, 2.0]), cr.State([3.0, 4.0])

    @cr.compile(backend=backend)
    def swap():
        old = a * 1  # may become a itself
        a.assign(b)
        b.assign(old)

    for _ in range(3):
        swap()
    np.testing.assert_array_equal(a.value, [3, 4])
    np.testing.assert_array_equal(b.value, [1, 2])


def test_state_is_written_only_if_everything_went_well():
    s = cr.State(np.zeros(2))

    @cr.compile
    def f(x, i):
        s.assign(s + x)
        return x[i]

    f(np.ones(2), np.array([0]))
    f(np.ones(2), np.array([1]))
    number = s.number
    with pytest.raises(IndexError):
        f(np.ones(2), np.array([5]))
    np.testing.assert_array_equal(s.value, [2, 2])
    assert s.number == number


@pytest.mark.parametrize("backend", ["source", "native"])
def test_neither_a_failed_call_nor_a_look_at_the_program_changes_states(backend):
    w = cr.Parameter(np.ones((2, 2)), dtype=np.float64)

    @cr.compile(backend=backend)
    def f(x):
        w.assign(w + 1.0)
        return np.linalg.inv(x) @ w

    for _ in range(2):
        f(np.eye(2))
    z = np.sum(w * w)
    held = w.value
    f.program(np.eye(2))
    cr.compile(f.__wrapped__, backend=backend).program(np.eye(2))
    with pytest.raises(np.linalg.LinAlgError):
        f(np.zeros((2, 2)))
    np.testing.assert_array_equal(w.value, np.full((2, 2), 3.0))
    z.backward()
    np.testing.assert_array_equal(w.grad, 2 * held)
    f(np.eye(2))
    np.testing.assert_array_equal(held, np.full((2, 2), 3.0))


def test_a_function_that_raises_leaves_everything_as_it_was():
    model, optimizer, step = make_net()

    @cr.compile
    def fails(x, labels):
        step(x, labels)
        raise KeyError("halfway")

    before = values(model)
    with pytest.raises(KeyError, match="halfway"):
        fails(*batches(1)[0])
    for a, b in zip(before, values(model), strict=True):
        np.testing.assert_array_equal(a, b)
    assert fails.programs == ()
    with pytest.raises(GraphError, match="no new gradient"):
        optimizer.step()


# ---- arguments and results


@dataclass
class Batch:
    x: Any
    labels: Any = None


Point = namedtuple("Point", "x y")


def test_nested_arguments_and_results():
    @cr.compile
    def f(data, scale, *, point):
        return {
            "sum": data["a"] + data["b"][0],
            "rest": (point.x * scale, [point], "text", None, 3, data["b"][1].labels),
            "batch": Batch(point.y * 2),
        }

    def call(k):
        return f(
            {"a": np.ones(2) * k, "b": [np.ones(2), Batch(np.ones(1), 7)]},
            0.5 * k,
            point=Point(k * 1.0, np.arange(3.0) * k),
        )

    for k in (1, 2, 3):
        z = call(k)
        np.testing.assert_array_equal(z["sum"], [k + 1, k + 1])
        scaled, (point,), *static = z["rest"]
        assert scaled.shape == ()
        assert scaled == 0.5 * k * k
        assert isinstance(point, Point)
        np.testing.assert_array_equal(point.y, np.arange(3) * k)
        assert static == ["text", None, 3, 7]
        assert isinstance(z["batch"], Batch)
        np.testing.assert_array_equal(z["batch"].x, np.arange(3) * 2 * k)
        assert z["batch"].labels is None
    assert len(f.programs) == 1


def test_inputs_are_named_after_the_arguments():
    f = cr.compile(lambda x, batch, **options: x * batch["a"][1] * options["scale"])
    f(np.ones(1), {"a": [np.ones(1), np.ones(1)]}, scale=2.0)
    assert [value.name for value in f.last.inputs] == ["x", "batch_a_0", "batch_a_1", "scale"]


def test_results_are_fresh():
    data = np.arange(3.0)
    f = cr.compile(lambda x: (x, x, x[1:], data, x * 1))
    x = np.arange(3.0)
    first = f(x)
    for i, a in enumerate(first):
        assert a.flags.writeable
        assert not np.shares_memory(a, x)
        assert not np.shares_memory(a, data)
        assert not any(np.shares_memory(a, b) for b in first[:i])
    first[4][:] = -1
    np.testing.assert_array_equal(f(x)[4], x)


@pytest.mark.parametrize(
    "x",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12.0).reshape(2, 6)[:, ::2],
        np.arange(6.0).reshape(2, 3)[::-1, ::-1],
        np.arange(6.0).reshape(3, 2).T,
        np.broadcast_to(np.arange(3.0), (2, 3)),
        np.arange(6.0).reshape(2, 3).astype(">f8"),
        np.frombuffer(b"\0" + np.arange(6.0).tobytes(), np.float64, offset=1).reshape(2, 3),
        np.lib.stride_tricks.as_strided(np.arange(6.0), (2, 3), (8, 8)),
        np.rec.array(np.arange(6.0).reshape(2, 3)),
        cr.constant(np.arange(6.0).reshape(2, 3)),
    ],
    ids=["C", "F", "strided", "reversed", "transposed", "broadcast", "swapped", "misaligned", "overlapping", "subclass",
         "Array"],
)  # fmt: skip
def test_arrays_of_every_layout(x):
    f = cr.compile(lambda x: np.sum(x * x, axis=1) + x[:, 0])
    plain = np.array(x, np.float64)
    for _ in range(3):
        z = f(x)
        assert type(z) is np.ndarray
        np.testing.assert_allclose(z, np.sum(plain * plain, axis=1) + plain[:, 0], rtol=1e-14)


def test_numpy_scalars_keep_their_dtype_and_python_floats_are_weak():
    f = cr.compile(lambda x, y: x * y)
    x = np.ones(2, np.float32)
    assert f(x, 2.0).dtype == np.float32
    assert f(x, np.float32(2)).dtype == np.float32
    assert f(x, np.float64(2)).dtype == np.float64
    assert f(x, 2).dtype == np.float32
    assert f(x, True).dtype == np.float32
    np.testing.assert_array_equal(f(x, 3.0), [3, 3])
    np.testing.assert_array_equal(f(x, np.float64(4)), [4, 4])


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.int8, np.uint64, np.bool_])
def test_every_dtype(dtype):
    x = np.array([0, 1, 1], dtype)
    f = cr.compile(lambda x: (x * x, np.sum(x), x + 0.5))
    for _ in range(3):
        for z, expected in zip(f(x), (x * x, np.sum(x), x + 0.5), strict=True):
            assert z.dtype == expected.dtype
            np.testing.assert_array_equal(z, expected)


def test_one_program_for_each_kind_of_call():
    f = cr.compile(lambda x, n, flag=True: x * n if flag else x)
    f(np.ones(2), 1)
    f(np.zeros(2), 1)
    assert len(f.programs) == 1
    f(np.ones(3), 1)
    f(np.ones(2, np.float32), 1)
    f(np.ones(2), 2)
    f(np.ones(2), True)
    f(np.ones(2), 1, flag=False)
    f(np.ones(2), 1, False)
    assert len(f.programs) == 7
    np.testing.assert_array_equal(f(np.ones(2), 2), [2, 2])
    assert f.last is f.programs[0]


def test_fixed_arguments_between_inputs():
    f = cr.compile(lambda x, n, y, flag=None: (x * n, y, flag))
    for _ in range(2):
        for n, flag in [(1, ()), (1, (True,)), (2, ("a",)), (True, ("b",))]:
            for k in (1.0, 2.0, 3.0):
                z, y, returned = f(np.ones(2) * k, n, np.arange(3.0) * k, *flag)
                np.testing.assert_array_equal(z, [k * n, k * n])
                np.testing.assert_array_equal(y, np.arange(3) * k)
                assert returned == (flag[0] if flag else None)
    assert len(f.programs) == 4
    with pytest.raises(TypeError, match="missing 1 required"):
        f(np.ones(2), 1)


def test_a_structure_that_changes_inside_is_another_argument():
    f = cr.compile(lambda x, sizes: x * sizes[0])
    sizes = [1]
    for n in (1, 1, 1, 2, 2, 2, 1):
        sizes[0] = n
        np.testing.assert_array_equal(f(np.ones(2), sizes), [n, n])


def test_static_arguments():
    f = cr.compile(lambda x, p, names: x**p * len(names), static=("p", "names"))
    np.testing.assert_array_equal(f(np.array([2.0]), 3.0, ("a", "b")), [16])
    np.testing.assert_array_equal(f(np.array([2.0]), 2.0, names=("a",)), [4])
    np.testing.assert_array_equal(f(np.array([3.0]), 2.0, names=("a",)), [9])
    assert len(f.programs) == 2
    with pytest.raises(ValueError, match="'q', which is no argument"):
        cr.compile(lambda x, p: x, static=("x", "q"))
    cr.compile(lambda x, **options: x, static="q")
    g = cr.compile(lambda n, x: x * n, static=0)
    np.testing.assert_array_equal(g(2.0, np.ones(1)), [2])
    np.testing.assert_array_equal(g(3.0, np.ones(1)), [3])
    assert len(g.programs) == 2


def test_objects_are_fixed_and_states_captured():
    model, scale = cr.nn.Linear(2, 1, rng=0), cr.State(2.0)
    f = cr.compile(lambda model, scale, x: model(x) * scale)
    x = np.ones((3, 2), np.float32)
    for value in (2.0, 3.0):
        scale.assign(value)
        np.testing.assert_allclose(f(model, scale, x), (model(x) * scale).value, rtol=1e-6)
    assert len(f.programs) == 1


def test_what_does_not_hash_is_refused_with_advice():
    class Settings:
        __hash__ = None

    with pytest.raises(TypeError, match="does not hash: pass arrays"):
        cr.compile(lambda x: x)(Settings())
    with pytest.raises(TypeError, match="complex"):
        cr.compile(lambda x: x)(np.ones(2) * 1j)
    with pytest.raises(TypeError, match="masked"):
        cr.compile(lambda x: x)(np.ma.masked_array([1.0, 2.0], [True, False]))


def test_a_bounded_number_of_programs_and_a_warning_that_names_what_changes():
    f = cr.compile(lambda x, i: x * i, limit=3)
    for i in range(3):
        f(np.ones(2), i)
    with pytest.warns(CompileWarning, match=r"'i' keeps changing \(int 0, int 1, int 2, int 3, ...\)") as caught:
        f(np.ones(2), 3)
    assert caught[0].filename == __file__
    assert len(f.programs) == 3
    g = cr.compile(lambda x: x * 2, limit=1)
    g(np.ones((2, 3)))
    with pytest.warns(CompileWarning, match=r"'x' keeps changing \(\(2, 3\) float64, \(3,\) float64"):
        g(np.ones(3))
    with pytest.raises(ValueError, match="limit"):
        cr.compile(lambda x: x, limit=0)


def test_the_program_used_least_recently_goes():
    f = cr.compile(lambda x, i: x * i, limit=2)
    f(np.ones(2), 1)
    f(np.ones(2), 2)
    f(np.ones(2), 1)
    kept = f.last
    with pytest.warns(CompileWarning):
        f(np.ones(2), 3)
    assert f.programs[1] is kept


# ---- where it runs the function itself


def test_live_arguments_run_the_function_itself():
    f = cr.compile(lambda x: np.sum(x**3))
    x = cr.array([1.0, 2.0])
    f(x).backward()
    np.testing.assert_array_equal(x.grad, [3, 12])
    np.testing.assert_array_equal(cr.grad(f)(np.array([1.0, 2.0])), [3, 12])
    np.testing.assert_array_equal(cr.hessian(f)(np.array([1.0, 2.0])), [[6, 0], [0, 12]])
    assert f.programs == ()


def test_a_compiled_function_in_another_is_recorded_through():
    inner = cr.compile(lambda x: np.sum(x**3))
    outer = cr.compile(lambda x: cr.grad(inner)(x) * 2)
    np.testing.assert_array_equal(outer(np.array([1.0, 2.0])), [6, 24])
    assert inner.programs == ()
    assert len(outer.programs) == 1


def test_modes():
    w = cr.array([1.0, 2.0])
    f = cr.compile(lambda x: np.log(x))
    with cr.nonfinite(), np.errstate(divide="ignore"), pytest.raises(NonFiniteError):
        f(cr.constant([0.0]))
    assert f.programs == ()
    g = cr.compile(lambda x: cr.array(x).live and (np.sum(cr.array(x) * w)).live)
    assert g(np.ones(2)) is True
    with cr.no_grad():
        assert g(np.ones(2)) is False


# ---- what is not the same in each call


def test_the_second_call_finds_random_numbers():
    rng = np.random.default_rng(0)

    @cr.compile
    def dropout(x):
        return x * (rng.random(3) < 0.5)

    dropout(np.ones(3))
    with pytest.raises(GraphError, match=r"(?s)array of shape \(3,\).*multiply at test_compiler\.py.*cr\.State"):
        dropout(np.ones(3))


def test_the_second_call_finds_clocks_and_schedules_and_control_flow():
    counter = iter(range(100))

    def fails(f, message):
        compiled = cr.compile(f)
        compiled(np.ones(2))
        with pytest.raises(GraphError, match=rf"(?s)recorded twice.*{message}"):
            compiled(np.ones(2))

    fails(lambda x: x * time.perf_counter(), "the number")
    fails(lambda x: x * 0.9 ** next(counter), "the number")
    fails(lambda x: (x, next(counter)), "was returned, then")
    fails(lambda x: np.tanh(x) if next(counter) % 2 else np.exp(x), "became")
    fails(lambda x: sum([x] * next(counter), start=x), "applied in one call and not in the other")
    fails(lambda x: [x] * next(counter), "values were returned")
    fails(lambda x: (x * 1, x * 2)[next(counter) % 2], "the value")


def test_the_second_call_accepts_what_is_made_anew_and_equal():
    f = cr.compile(lambda x: x * np.arange(3.0) + np.array([1.0, np.nan, 2.0]))
    for k in (1.0, 2.0, 3.0):
        np.testing.assert_array_equal(f(np.ones(3) * k), [1, np.nan, 2 + 2 * k])


def test_a_changed_module_is_recorded_again():
    class Scaled(cr.nn.Module):
        def __init__(self):
            self.factor = 2.0

        def forward(self, x):
            return x * self.factor

    model = Scaled()
    f = cr.compile(lambda x: model(x))
    for factor in (2.0, 2.0, 3.0, 3.0, 3.0):
        if model.factor != factor:
            model.factor = factor
        np.testing.assert_array_equal(f(np.ones(2)), [factor, factor])


def test_a_parameter_that_is_replaced_is_noticed_though_its_module_is_not_called():
    class Trainer:
        def __init__(self):
            self.model = cr.nn.Linear(2, 1, rng=0)

        def predict(self, x):
            return x @ self.model.weight

    trainer = Trainer()
    f = cr.compile(trainer.predict)
    x = np.ones((1, 2), np.float32)
    for w in (1.0, 1.0, 2.0, 2.0):
        if w == 2.0:
            trainer.model.weight = cr.Parameter(np.full((2, 1), w))
        else:
            trainer.model.weight.assign(w)
        np.testing.assert_array_equal(f(x), [[2 * w]])


def test_other_modules_may_change_at_any_time():
    model = cr.nn.Linear(2, 1, rng=0)
    f = cr.compile(lambda x: model(x))
    x = np.ones((1, 2), np.float32)
    programs = set()
    for _ in range(4):
        cr.nn.Linear(3, 3)
        f(x)
        programs.add(f.last)
    assert len(programs) == 1


@pytest.mark.parametrize("backend", ["source", "native"])
def test_arrays_from_outside_are_read_where_they_are(backend):
    data = np.arange(12.0)[::2][::-1]
    leaf, constant = cr.array(np.arange(6.0)), cr.constant(np.arange(12.0))[::2]
    compiled = cr.compile(lambda x: (x * data, np.sum(x * leaf), x + constant), backend=backend)

    def check():
        x = np.full(6, 2.0)
        for _ in range(3):
            a, b, c = compiled(x)
            np.testing.assert_array_equal(a, x * data)
            np.testing.assert_allclose(b, np.sum(x * leaf.value))
            np.testing.assert_array_equal(c, x + constant.value)

    check()
    data[0] = 100.0
    leaf.value[1] = -1.0
    check()
    constant[3] = -5.0  # no longer a view with gaps
    check()
    constant[1:3] = 0.0
    check()


def test_misaligned_arrays_are_arguments():
    odd = np.frombuffer(b"\0" + np.arange(4.0).tobytes(), np.float64, offset=1)
    with pytest.raises(GraphError, match="not aligned"):
        cr.compile(lambda x: x * odd)(1.0)
    np.testing.assert_array_equal(cr.compile(lambda x, odd: x * odd)(2.0, odd), 2 * odd)


def test_a_module_as_a_function():
    model = cr.nn.Sequential(cr.nn.Linear(2, 3, rng=0), cr.nn.Tanh())
    f = cr.compile(model)
    x = np.ones((4, 2), np.float32)
    for _ in range(3):
        np.testing.assert_allclose(f(x), model(x).value, rtol=1e-6)
    assert "Sequential" in repr(f)
    assert not hasattr(f, "layers")


def test_checks_for_nonfinite_values_stay_outside():
    def f(x):
        with cr.nonfinite():
            return np.log(x)

    with pytest.raises(GraphError, match=r"put cr\.nonfinite\(\) around"):
        cr.compile(f)(np.ones(2))


def test_a_value_read_from_a_state_is_part_of_the_program():
    power = cr.State(2.0)
    f = cr.compile(lambda x: x ** power.item())
    for p in (2.0, 2.0, 3.0, 3.0, 2.0):
        power.assign(p)
        np.testing.assert_array_equal(f(np.array([3.0])), [3**p])
    assert len(f.programs) == 2


# ---- as an object


def test_methods():
    class Model:
        def __init__(self, factor):
            self.factor = cr.Parameter(factor)

        @cr.compile
        def predict(self, x):
            """Doc."""
            return self.factor * x

        @cr.compile(limit=2)
        def twice(self, x):
            return x * 2

    one, other = Model(2.0), Model(3.0)
    x = np.ones(2, np.float32)
    np.testing.assert_array_equal(one.predict(x), [2, 2])
    np.testing.assert_array_equal(other.predict(x), [3, 3])
    np.testing.assert_array_equal(Model.predict(other, x), [3, 3])
    assert len(Model.predict.programs) == len(one.predict.programs) == 2
    assert one.predict.program(x).captures[0][1] is one.factor
    assert "factor" in one.predict.source(x)
    assert one.predict.__doc__ == "Doc."
    assert one.predict.__self__ is one
    np.testing.assert_array_equal(one.twice(x), [2, 2])


def test_it_looks_like_the_function():
    assert module_level.__name__ == "module_level"
    assert module_level.__wrapped__(3) == 6
    assert "module_level" in repr(module_level)
    module_level(np.ones(1))
    assert repr(module_level) == "<compiled module_level: 1 Program>"
    with pytest.raises(TypeError, match="compile takes a function"):
        cr.compile(3)
    with pytest.raises(ValueError, match="backend"):
        cr.compile(lambda x: x, backend="fortran")(1.0)


def test_programs_without_running():
    s = cr.State(0.0)
    f = cr.compile(lambda x: s.assign(s + x))
    assert f.last is None
    program = f.program(1.0)
    assert s.item() == 0
    assert program is f.last
    assert f.program(2.0) is program
    assert s.item() == 0
    f(2.0)
    assert s.item() == 2


def test_source_is_printed():
    f = cr.compile(lambda x: np.tanh(x) * 2)
    text = f.source(np.ones(2))
    assert "np.tanh(x)" in text
    assert f.source() == text
    with pytest.raises(TypeError, match="missing 1 required"):
        cr.compile(lambda x: x).source()


def test_pickling():
    assert pickle.loads(pickle.dumps(module_level)) is module_level
    assert copy.deepcopy(module_level) is module_level
    assert pickle.loads(pickle.dumps(Doubles.twice)) is Doubles.twice
    bound = pickle.loads(pickle.dumps(Doubles(3.0).twice))
    np.testing.assert_array_equal(bound(np.ones(2)), [6, 6])
    again = pickle.loads(pickle.dumps(cr.compile(double, limit=3)))
    np.testing.assert_array_equal(again(np.ones(2)), [2, 2])
    with pytest.raises((pickle.PicklingError, AttributeError), match=r"lambda|local"):
        pickle.dumps(cr.compile(lambda x: x))


def double(x):
    return x * 2


class Doubles:
    def __init__(self, factor):
        self.factor = factor

    @cr.compile
    def twice(self, x):
        return x * 2 * self.factor


def test_nothing_is_kept_alive_but_what_programs_refer_to():
    class Big:
        pass

    big = Big()
    alive = weakref.ref(big)

    def make(big):
        return cr.compile(lambda x: (x, big)[0] * 2)

    f = make(big)
    f(np.ones(3))
    del big, f
    gc.collect()
    assert alive() is None


def test_no_array_of_a_recording_survives_it():
    seen = []

    @cr.compile
    def f(x):
        h = x * 2
        seen.append(weakref.ref(h))
        return h + 1

    f(np.ones(3))
    gc.collect()
    assert seen[0]() is None


# ---- threads


def test_several_threads_share_a_compiled_function():
    total = cr.State(np.zeros(3))

    @cr.compile
    def add(x):
        total.assign(total + x)
        return x * 2

    wrong = []

    def work(k):
        for _ in range(100):
            if not np.array_equal(add(np.full(3, k)), np.full(3, 2 * k)):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(float(k),)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    np.testing.assert_array_equal(total.value, np.full(3, 100.0 * (0 + 1 + 2 + 3)))
    assert len(add.programs) == 1


def test_recording_is_of_one_thread():
    inside, done = threading.Event(), threading.Event()
    results = []

    @cr.compile
    def slow(x):
        inside.set()
        done.wait(10)
        return x * 2

    def elsewhere():
        inside.wait(10)
        results.append((cr.array([1.0, 2.0]) * 3).value[0])  # raises if this thread were recorded, too
        done.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    slow(np.ones(2))
    thread.join()
    assert results == [3.0]
    assert len(slow.last.instructions) == 1


def test_warnings_are_those_of_eager_code_only():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f = cr.compile(lambda x: np.sum(np.maximum(x, 0)) * 2)
        for _ in range(3):
            f(np.array([1.0, -1.0]))

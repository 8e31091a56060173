"""Recording: what is written down, and that the run leaves nothing behind."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError
from chainrule.program import interpreter
from chainrule.program.call import take_apart
from chainrule.program.program import Value
from chainrule.program.recording import record, recording
from tests.program import nets


def results(program, *inputs):
    outputs, stored = interpreter.run(program, inputs)
    return outputs + stored


def titles(program, role=None):
    return [i.gate.title for i in program.instructions if role in (None, i.role)]


def batch():
    rng = np.random.default_rng(0)
    return rng.standard_normal((10, 2)).astype(np.float32), rng.integers(0, 3, 10)


# ---- what is written down


def test_gates_inputs_captures_and_outputs():
    w = cr.Parameter([1.0, 2.0], name="w")
    data = np.array([3.0, 4.0], np.float32)

    def f(x):
        return np.tanh(w * x) + data

    program = record(f, (np.ones(2, np.float32),))
    assert titles(program) == ["multiply", "tanh", "add"]
    assert [x.name for x in program.inputs] == ["x"]
    assert [source for _, source in program.captures] == [w, data]
    multiply, tanh, add = program.instructions
    assert multiply.operands == (program.captures[0][0], program.inputs[0])
    assert tanh.operands == (multiply.result,)
    assert program.outputs == (add.result,)
    assert (add.result.shape, add.result.dtype) == ((2,), np.float32)
    assert program.stores == ()


def test_captures_are_read_where_they_are():
    w, data = cr.Parameter([1.0, 2.0]), np.array([3.0, 4.0])
    program = record(lambda x: w * x + data, (np.ones(2),))
    w.assign([10.0, 20.0])
    data[0] = 5.0
    np.testing.assert_array_equal(results(program, np.ones(2))[0], [15, 24])


def test_numbers_written_in_the_code_are_literals_and_numpy_scalars_keep_their_dtype():
    program = record(lambda x: x * 2 + np.float64(0.5), (np.ones(2, np.float32),))
    multiply, add = program.instructions
    assert multiply.operands[1] == 2
    assert isinstance(add.operands[1], Value)
    assert add.operands[1].dtype == np.float64
    assert add.result.dtype == np.float64


def test_every_instruction_has_its_line_and_role():
    _, _, step = nets.make_net()
    program = record(step, batch())
    assert {i.role for i in program.instructions} == {"forward", "backward", "update"}
    roles = [i.role for i in program.instructions]
    assert roles == sorted(roles, key=["forward", "backward", "update"].index)
    for i in program.instructions:
        assert i.site is not None
        assert i.site[0].co_filename == nets.__file__


def test_gradients_are_labelled():
    w = cr.Parameter([1.0, 2.0], name="w")

    def f(x):
        h = w * x
        np.sum(h * h).backward()
        return h

    program = record(f, (np.ones(2, np.float32),))
    assert {"dL/dw", "dL/dh"} <= set(program.labels.values())
    (label,) = (value for value, label in program.labels.items() if label == "dL/dw")
    assert label.shape == (2,)


def test_item_assignment_keeps_what_an_object_was_and_what_it_became():
    def f(x):
        y = x * 2
        before = y + 0
        y[0] = 7.0
        return before, y, x

    program = record(f, (np.array([1.0, 2.0]),))
    before, after, x = results(program, np.array([3.0, 4.0]))
    np.testing.assert_array_equal(before, [6, 8])
    np.testing.assert_array_equal(after, [7, 8])
    np.testing.assert_array_equal(x, [3, 4])


def test_an_argument_can_be_written_into():
    def f(x):
        x[0] = 7.0
        return x

    given = np.array([1.0, 2.0])
    program = record(f, (given,))
    np.testing.assert_array_equal(results(program, np.array([3.0, 4.0]))[0], [7, 4])
    np.testing.assert_array_equal(given, [1, 2])


def test_new_leaves_of_arguments_and_of_outside_arrays_are_not_frozen():
    data = np.array([1.0, 2.0])

    def f(x):
        return cr.array(x) * cr.constant(data) + cr.array(x, dtype=np.float32) + cr.array([1.0, 2.0])

    program = record(f, (np.ones(2),))
    data[:] = 10.0
    np.testing.assert_array_equal(results(program, np.array([2.0, 3.0]))[0], [23, 35])


# ---- weak numbers


def test_a_python_float_leaves_float32_alone_and_so_does_what_operators_make_of_it():
    def f(x, scale):
        return x * (scale * 2 + 1) ** 2

    program = record(f, (np.ones(2, np.float32), 0.5))
    _, scale = program.inputs
    assert (scale.weak, scale.dtype, scale.name) == (True, np.float64, "scale")
    assert [i.result.weak for i in program.instructions] == [True, True, True, False]
    assert program.outputs[0].dtype == np.float32
    (z,) = results(program, np.ones(2, np.float32), 1.0)
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z, [9, 9])


def test_a_numpy_function_of_a_python_float_is_float64_as_it_is_eagerly():
    def f(x, scale):
        return x * np.exp(scale), x * np.multiply(scale, 2.0), np.multiply(x, scale)

    given = np.ones(2, np.float32), 0.5
    program = record(f, given)
    for value, eager in zip(results(program, *given), f(*given), strict=True):
        assert value.dtype == eager.dtype
        np.testing.assert_array_equal(value, eager)


def test_a_state_read_as_a_number_is_read_at_each_run():
    scale = cr.State(2.0)

    def f(x):
        return x * scale.as_number()

    assert f(np.ones(2, np.float32)).dtype == np.float32
    program = record(f, (np.ones(2, np.float32),))
    scale.assign(3.0)
    (z,) = results(program, np.ones(2, np.float32))
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z, [3, 3])


def test_a_count_read_as_a_number_leaves_float32_alone():
    count = cr.State(3)
    program = record(lambda x: x * 0.5 ** count.as_number(), (np.ones(2, np.float32),))
    count.assign(4)
    (z,) = results(program, np.ones(2, np.float32))
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z, [0.0625, 0.0625])


@pytest.mark.parametrize("held", [[1.0, 2.0], True], ids=str)
def test_only_one_number_is_read_as_a_number(held):
    state = cr.State(held)
    with pytest.raises(TypeError, match="one number"):
        record(lambda x: x * state.as_number(), (1.0,))


def test_a_derivative_with_respect_to_a_python_float():
    program = record(cr.grad(lambda x: x**3), (2.0,))
    assert results(program, 3.0)[0] == 27


# ---- state


def test_assigned_states_are_stored_and_read_back_but_not_written():
    count, total = cr.State(0), cr.State(np.zeros(2))

    def f(x):
        count.assign(count + 1)
        total.assign(total + x * count)
        total.assign(total * 2)
        return total * 1

    number = count.number
    program = record(f, (np.ones(2),))
    assert count.item() == 0
    assert count.number == number
    np.testing.assert_array_equal(total.value, [0, 0])
    assert [state for state, _ in program.stores] == [count, total]
    z, new_count, new_total = results(program, np.array([3.0, 4.0]))
    assert new_count == 1
    np.testing.assert_array_equal(new_total, [6, 8])
    np.testing.assert_array_equal(z, [6, 8])


def test_stores_have_the_shape_and_dtype_of_their_state():
    s = cr.State(np.zeros((2, 3), np.float32))

    def f(x):
        s.assign(x)

    (value,) = (value for _, value in record(f, (np.float64(3.0),)).stores)
    assert (value.shape, value.dtype) == ((2, 3), np.float32)
    program = record(lambda: s.assign(1.5))
    np.testing.assert_array_equal(results(program)[0], np.full((2, 3), 1.5, np.float32))
    with pytest.raises(ValueError, match="cannot assign"):
        record(f, (np.zeros(2),))
    with pytest.raises(TypeError, match="without losing values"):
        record(cr.State(0).assign, (1.5,))


def test_a_ufunc_with_a_state_as_out_is_an_assignment():
    s = cr.State(np.ones(2))
    program = record(lambda x: np.add(s, x, out=s), (np.ones(2),))
    np.testing.assert_array_equal(s.value, [1, 1])
    np.testing.assert_array_equal(results(program, np.array([1.0, 2.0]))[1], [2, 3])


def test_gradient_flows_to_a_parameter_that_was_assigned_before():
    w = cr.Parameter([1.0, 2.0])

    def f(x):
        w.assign(w * 2)
        np.sum(w * w * x).backward()
        return w.grad

    program = record(f, (np.ones(2, np.float32),))
    np.testing.assert_array_equal(results(program, np.ones(2, np.float32))[0], [4, 8])
    assert w.grad is None


def test_a_value_used_before_its_state_changed_has_no_gradient_any_more():
    w = cr.Parameter([1.0, 2.0])

    def f(x):
        z = np.sum(w * w * x)
        w.assign(w * 2)
        z.backward()

    with pytest.raises(GraphError, match="was changed after"):
        record(f, (np.ones(2, np.float32),))
    np.testing.assert_array_equal(w.value, [1, 2])


def test_the_buffer_of_a_state_is_not_handed_out():
    s = cr.State(np.zeros(2))

    def f(x):
        s.writable()[...] = 1.0

    with pytest.raises(GraphError, match=r"use \.assign"):
        record(f, (np.ones(2),))


def test_a_state_cannot_be_made_by_what_runs_many_times():
    with pytest.raises(GraphError, match="make it outside"):
        record(lambda x: cr.Parameter([1.0]) * x, (np.ones(1),))


# ---- nothing is left behind


def state_of(model, optimizer):
    params = list(model.parameters())
    return [
        (p, p._value, p._value.copy(), p.number, p._grad, p._write) for p in params + list(optimizer.velocity)
    ], optimizer._last_write


def unchanged(before, model, optimizer):
    after = state_of(model, optimizer)
    for (p, buffer, value, *rest), (q, buffer2, value2, *rest2) in zip(before[0], after[0], strict=True):
        assert p is q
        assert buffer is buffer2
        np.testing.assert_array_equal(value, value2)
        assert rest == rest2 or rest[1] is rest2[1]
    assert before[1] == after[1]


def test_recording_a_training_step_changes_nothing():
    model, optimizer, step = nets.make_net()
    before = state_of(model, optimizer)
    record(step, batch())
    unchanged(before, model, optimizer)
    step(*batch())
    before = state_of(model, optimizer)
    record(step, batch())
    unchanged(before, model, optimizer)


def test_a_function_that_raises_halfway_leaves_everything_as_it_was():
    model, optimizer, step = nets.make_net()

    def fails(x, labels):
        step(x, labels)
        optimizer.lr = optimizer.lr * 0.5
        raise KeyError("halfway")

    before = state_of(model, optimizer)
    with pytest.raises(KeyError, match="halfway"):
        record(fails, batch())
    unchanged(before, model, optimizer)
    assert optimizer.lr == 0.1
    assert (model(batch()[0]) * 1.0).live  # and gates are applied as usual again


# ---- what would be frozen


@pytest.mark.parametrize(
    ("leave", "how"),
    [
        (lambda x: float(x[0]), r"float\(\)"),
        (lambda x: int(x[0]), r"int\(\)"),
        (lambda x: [0, 1][x.astype(int)[0]], "index"),
        (lambda x: 1.0 if x[0] > 0 else 2.0, "truth"),
        (lambda x: x.value, "value"),
        (lambda x: x.item(0), "item"),
        (lambda x: x.tolist(), "tolist"),
        (lambda x: x.tobytes(), "tobytes"),
        (lambda x: np.asarray(x), "ndarray"),
        (lambda x: np.array([x, x]), "ndarray"),
        (lambda x: complex(x[0]), "complex"),
        (lambda x: f"{x[0]:.3f}", "item"),
    ],
)
def test_ways_out_of_the_recording_are_refused_with_line_and_remedy(leave, how):
    with pytest.raises(GraphError, match=rf"(?s){how}.*test_recording\.py.*would freeze.*np\.where"):
        record(leave, (np.array([1.0, 2.0]),))


def test_a_live_value_is_refused_in_the_words_of_eager_code():
    w = cr.Parameter([1.0])
    with pytest.raises(TypeError, match="would cut the gradient"):
        record(lambda x: float((w * x)[0]), (np.ones(1),))


def test_a_python_float_argument_cannot_leave_either():
    import math

    with pytest.raises(GraphError, match="would freeze"):
        record(lambda x: math.exp(x), (1.0,))


def test_looking_at_a_recorded_array_is_no_harm():
    seen = []
    record(lambda x: seen.append((repr(x), str(x), x.shape, x.dtype, len(x))), (np.array([1.0, 2.0]),))
    assert seen[0][2:] == ((2,), np.float64, 2)


def test_arrays_from_outside_are_not_rebound():
    outside = cr.constant([1.0, 2.0])

    def f(x):
        outside[0] = x

    with pytest.raises(GraphError, match=r"cr\.State"):
        record(f, (1.0,))
    np.testing.assert_array_equal(outside.value, [1, 2])


def test_a_circuit_from_outside_is_not_captured():
    w = cr.array([1.0, 2.0])
    h = w * 2
    with pytest.raises(GraphError, match="outside of the recorded function"):
        record(lambda x: x * h, (np.ones(2),))


def test_gradients_from_outside_are_not_captured():
    w = cr.Parameter([1.0, 2.0])
    np.sum(w * w).backward()
    optimizer = cr.optim.SGD([w])
    with pytest.raises(GraphError, match="was computed outside"):
        record(lambda x: x * w.grad, (np.ones(2),))
    with pytest.raises(GraphError, match="was computed outside"):
        record(lambda: optimizer.step())
    with pytest.raises(GraphError, match="was computed outside"):
        record(lambda x: np.sum(w * x).backward(accumulate=True), (np.ones(2, np.float32),))
    w.grad = None
    with pytest.raises(GraphError, match="accumulate"):
        record(lambda x: np.sum(w * x).backward(accumulate=True), (np.ones(2, np.float32),))


def test_gradients_of_one_recording_can_be_added():
    w = cr.Parameter([1.0, 2.0])

    def f(x):
        np.sum(w * x).backward()
        np.sum(w * w).backward(accumulate=True)
        return w.grad

    x = np.array([3.0, 4.0], np.float32)
    np.testing.assert_array_equal(results(record(f, (x,)), x)[0], [5, 8])


def test_gradients_can_be_clipped_in_between():
    w = cr.Parameter([3.0, 0.5], dtype=np.float64)
    optimizer = cr.optim.SGD([w], lr=1.0)

    def f():
        np.sum(w * w / 2).backward()
        w.grad = np.clip(w.grad, -1, 1)
        optimizer.step()

    program = record(f)
    np.testing.assert_array_equal(results(program)[0], [2, 0])
    assert w.grad is None


def test_attributes_of_modules_are_not_written_but_new_modules_may_be_made():
    class Remembers(cr.nn.Module):
        def forward(self, x):
            self.last = x
            return x

    model = Remembers()
    with pytest.raises(GraphError, match=r"Remembers\.last"):
        record(lambda x: model(x), (np.ones(2),))
    assert not hasattr(model, "last")
    program = record(lambda x: cr.nn.LeakyReLU(0.5)(x), (np.ones(2),))
    np.testing.assert_array_equal(results(program, np.array([-2.0, 2.0]))[0], [-1, 2])


# ---- derivatives


def test_rules_of_users_run_on_what_is_recorded():
    calls = []

    class Square(cr.Gate):
        def forward(self, x):
            self.x = x
            return x * x

        def backward(self, dz):
            calls.append(dz)
            return [3.0 * self.x * dz]  # wrong on purpose: it is this rule that must be used

    def f(x):
        return cr.grad(lambda x: np.sum(Square()(x)))(x)

    x = np.array([1.0, 2.0])
    program = record(f, (x,))
    assert len(calls) == 1
    np.testing.assert_array_equal(results(program, np.array([2.0, 5.0]))[0], [6, 15])


def test_a_gate_that_returns_what_it_cached():
    class Exp(cr.Gate):
        def forward(self, x):
            self.z = np.exp(x)
            return self.z

        def backward(self, dz):
            return [self.z * dz]

    def f(x):
        return np.sum(Exp()(x) * 2)

    x = np.array([0.5, 1.0])
    for transform in (cr.grad, cr.hessian):
        (z,) = results(record(transform(f), (x,)), x)
        np.testing.assert_allclose(z, transform(f)(x), rtol=1e-14)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, v: cr.grad(lambda x: np.sum(np.sin(x) * x))(x),
        lambda x, v: cr.value_and_grad(lambda x: np.sum(np.sin(x) * x))(x),
        lambda x, v: cr.jacobian(np.tanh)(x),
        lambda x, v: cr.hessian(lambda x: np.sum(np.sin(x) * x**3))(x),
        lambda x, v: cr.hvp(lambda x: np.sum(np.sin(x) * x**3), (x,), (v,))[0],
        lambda x, v: cr.vjp(np.sin, x)[1](v)[0],
        lambda x, v: cr.jvp(np.sin, (x,), (v,)),
        lambda x, v: cr.grad(lambda s: np.sum(cr.grad(lambda y: np.sum(np.sin(y) * s))(x)))(2.0),
        lambda x, v: cr.grad(lambda x, unused: np.sum(x), 1)(x, v),
        lambda x, v: cr.grad(lambda p: np.sum(p["a"] * p["b"][0]))({"a": x, "b": [v]}),
    ],
)
def test_derivatives_inside_are_recorded(f):
    rng = np.random.default_rng(0)
    x, v, y, u = rng.standard_normal((4, 3))
    program = record(f, (x, v))
    from chainrule.calculus.trees import leaves

    for z, expected in zip(results(program, y, u), leaves(f(y, u)), strict=True):
        np.testing.assert_allclose(z, expected, rtol=1e-13, atol=1e-15)


def test_a_gradient_penalty():
    w = cr.Parameter([1.0, 2.0], dtype=np.float64)

    def f(x):
        slope = cr.grad(lambda x: np.sum(np.tanh(w * x)))(x)
        np.sum(slope**2).backward()
        return w.grad

    x = np.array([0.3, -0.2])
    expected = f(x).copy()
    w.grad = None
    np.testing.assert_allclose(results(record(f, (x,)), x)[0], expected, rtol=1e-13)


def test_calls_of_modules_are_noted_with_their_instructions():
    net = cr.nn.Sequential(cr.nn.Linear(2, 3), cr.nn.Sequential(cr.nn.Tanh()))
    made = recording(lambda x: net(x) * 2, take_apart((np.ones((4, 2), np.float32),), {}))
    (whole,) = made.calls
    linear, inner = whole.inner
    (tanh,) = inner.inner
    assert [call.module for call in (whole, linear, inner, tanh)] == [net, net[0], net[1], net[1][0]]
    assert (whole.first, whole.end) == (0, len(made.program.instructions) - 1)
    assert linear.end == inner.first == tanh.first
    assert [i.gate.title for i in made.program.instructions[tanh.first : tanh.end]] == ["tanh"]
    assert linear.output.shape == (4, 3)

"""Training and evaluation, frozen parameters, States by name: eagerly, compiled, and over minibatches."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError
from chainrule.nn import Linear, Module, Sequential, Tanh


class Louder(Module):
    """Ten times the input while it is trained."""

    def __init__(self):
        self.gain = cr.Parameter(10.0)

    def forward(self, x):
        return x * self.gain if self.training else x * 1.0


class Counting(Module):
    """A module with every kind of State."""

    def __init__(self):
        self.linear = Linear(2, 2, rng=0)
        self.seen = cr.State(0)
        self.parts = {"noise": [cr.random.Generator(3)], "data": cr.array([1.0])}

    def forward(self, x):
        self.seen.assign(self.seen + 1)
        return self.linear(x) + self.parts["noise"][0].uniform(2)


@pytest.fixture(params=["native", "source"])
def backend(request):
    return request.param


X = np.float32([[1.0, 2.0], [-3.0, 0.5], [0.25, 1.5], [2.0, -1.0], [0.5, 0.5]])


# ---- training and evaluation


def test_every_module_is_in_training_until_eval():
    net = Sequential(Louder(), Sequential(Louder(), Tanh()))
    assert all(part.training for part in net.named_modules().values())
    assert net.eval() is net
    assert not any(part.training for part in net.named_modules().values())
    assert net.train() is net
    assert net.training
    net[1].eval()
    assert [net.training, net[0].training, net[1].training, net[1][0].training] == [True, True, False, False]
    net.train(False)
    assert not net[0].training


def test_a_compiled_function_keeps_one_program_for_each_mode(backend):
    net = Sequential(Louder(), Louder())
    run = cr.compile(lambda x: net(x), backend=backend)
    programs = set()
    for training in (True, True, False, False, True, False, True, False, False, True, True):
        np.testing.assert_allclose(run(X) if net.train(training) else None, X * (100 if training else 1), rtol=1e-6)
        programs.add(run.last)
    assert len(programs) == len(run.programs) == 2


def test_one_layer_alone_may_be_switched(backend):
    net = Sequential(Louder(), Louder())
    run = cr.compile(lambda x: net(x), backend=backend)
    for first, second in ((1, 1), (0, 1), (1, 0), (1, 1), (0, 0), (0, 1)):
        net[0].train(bool(first))
        net[1].train(bool(second))
        for _ in range(2):
            np.testing.assert_allclose(run(X), X * 10 ** (first + second), rtol=1e-6)
    assert len(run.programs) == 4


def test_modules_that_do_not_ask_share_one_program():
    net = Linear(2, 3)
    run = cr.compile(lambda x: net(x))
    for training in (True, True, False, True, False):
        net.train(training)
        run(X)
    assert len(run.programs) == 1


def test_modes_over_minibatches(backend):
    net = Louder()
    run = cr.compile(lambda x: net(x).sum(), backend=backend)
    for training in (True, False, True, False):
        net.train(training)
        totals = run.over(X, batch=2)
        np.testing.assert_allclose(totals.sum(), X.sum() * (10 if training else 1), rtol=1e-5)
    assert len(run.programs) == 4  # whole batches and the short one


def test_switching_while_recorded_is_refused():
    net = Louder()

    def predict(x):
        return net.eval()(x)

    with pytest.raises(GraphError, match=r"call them outside"):
        cr.compile(predict)(X)
    assert net.training


def test_a_module_made_while_recording_is_in_training():
    class Plain(Module):
        def forward(self, x):
            return x * 2 if self.training else x

    run = cr.compile(lambda x: Plain()(x))
    for _ in range(3):
        np.testing.assert_array_equal(run(X), 2 * X)


@pytest.mark.parametrize(
    "twin_of", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"]
)
def test_copies_keep_mode_and_frozen_parameters_and_go_their_own_way(twin_of):
    net = Sequential(Louder(), Linear(2, 2)).eval()
    net[1].freeze()
    twin = twin_of(net)
    assert not twin.training
    assert not twin[0].training
    assert twin[1].weight.frozen
    assert not twin[0].gain.frozen
    twin.train().unfreeze()
    assert not net.training
    assert net[1].weight.frozen


# ---- frozen parameters


def make(backend=None):
    net = Sequential(Linear(2, 4, rng=0), Tanh(), Linear(4, 1, rng=1))
    optimizer = cr.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, l2=0.1)

    def step(x):
        loss = np.mean(net(x) ** 2)
        loss.backward()
        optimizer.step()
        return loss

    return net, step if backend is None else cr.compile(step, backend=backend)


def test_a_frozen_layer_gets_no_gradient_and_none_is_computed_behind_it():
    net, _ = make()
    assert net[0].freeze() is net[0]
    hidden = net[0](X)
    assert not hidden.live  # nothing is kept for a backward pass
    np.mean(net(X) ** 2).backward()
    assert [p.grad is None for p in net.parameters()] == [True, True, False, False]
    net.unfreeze()
    np.mean(net(X) ** 2).backward()
    assert all(p.grad is not None for p in net.parameters())


def test_a_gradient_from_before_does_not_move_a_frozen_parameter():
    net, _ = make()
    optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    np.mean(net(X) ** 2).backward()
    net[0].weight.frozen = True
    assert net[0].weight.grad is None
    before = net.state_dict()
    optimizer.step()
    after = net.state_dict()
    assert [bool(np.any(before[name] != after[name])) for name in before] == [False, True, True, True]


@pytest.mark.parametrize("compiled", [False, True])
def test_no_optimiser_moves_a_frozen_parameter_and_it_goes_on_where_it_was(compiled):
    net = Sequential(Linear(2, 4, rng=0), Tanh(), Linear(4, 1, rng=1))
    optimizer = cr.optim.AdamW(net.parameters(), lr=0.1, weight_decay=0.1)

    def step(x):
        loss = np.mean(net(x) ** 2)
        loss.backward()
        optimizer.step()
        return loss

    run = cr.compile(step) if compiled else step
    for frozen in (False, True, True, False):
        net[0]._hold(frozen)
        before = net.state_dict()
        run(X)
        moved = {name for name, value in net.state_dict().items() if np.any(value != before[name])}
        assert moved == {name for name in before if not (frozen and name.startswith("layers.0"))}


def test_freezing_between_forward_and_backward_counts():
    net, _ = make()
    loss = np.mean(net(X) ** 2)
    net[0].weight.frozen = True
    loss.backward()
    assert net[0].weight.grad is None
    assert net[0].bias.grad is not None


def test_freezing_twice_changes_nothing():
    net, _ = make()
    np.mean(net(X) ** 2).backward()
    net[0].weight.frozen = False
    assert net[0].weight.grad is not None


def test_compiled_steps_follow_freezing(backend):
    eager_net, eager = make()
    net, step = make(backend)
    frozen_programs = set()
    for frozen in ((), (), (0,), (0,), (), (2,), (0,), ()):
        for each in (eager_net, net):
            each.unfreeze()
            for i in frozen:
                each[i].freeze()
        before = net.state_dict()
        np.testing.assert_allclose(step(X), eager(X).item(), rtol=1e-5)
        after = net.state_dict()
        for name, value in eager_net.state_dict().items():
            np.testing.assert_allclose(after[name], value, rtol=1e-4, atol=1e-6)
        still = {name for name in before if np.array_equal(before[name], after[name])}
        assert still == {f"layers.{i}.{kind}" for i in frozen for kind in ("weight", "bias")}
        if frozen == (0,):
            frozen_programs.add(step.last)
    assert len(step.programs) == 3
    assert len(frozen_programs) == 1
    whole = max(len(program.instructions) for program in step.programs)
    assert len(frozen_programs.pop().instructions) < whole - 5  # the gradients of the first layer, and their use


def test_freezing_over_minibatches(backend):
    net, step = make(backend)
    for frozen in (False, True, False, True):
        net[0]._hold(frozen)
        before = net.state_dict()
        step.over(X, batch=2)
        after = net.state_dict()
        assert np.array_equal(before["layers.0.weight"], after["layers.0.weight"]) is frozen
        assert not np.array_equal(before["layers.2.weight"], after["layers.2.weight"])


def test_freezing_in_a_scan_is_noticed():
    w, b = cr.Parameter([0.5, 0.25], dtype=float), cr.Parameter([1.0, 1.0], dtype=float)

    @cr.compile
    def run(x):
        last, _ = cr.scan(lambda h, each: (np.tanh(h * w + each + b), None), np.zeros(2), x)
        last.sum().backward()
        return b.grad, w.grad

    both = run(np.ones((3, 2)))
    w.frozen = True
    for _ in range(2):
        np.testing.assert_allclose(run(np.ones((3, 2)))[0], both[0])
        assert run(np.ones((3, 2)))[1] is None
    w.frozen = False
    np.testing.assert_allclose(run(np.ones((3, 2)))[1], both[1])


def test_gradients_kept_by_a_compiled_step(backend):
    net, _ = make()

    @partial(cr.compile, keep_grads=True, backend=backend)
    def loss(x):
        value = np.mean(net(x) ** 2)
        value.backward()
        return value

    for frozen in (False, True, True, False, True):
        net[0]._hold(frozen)
        loss(X)
        assert (net[0].weight.grad is None) is frozen
        assert net[2].weight.grad is not None


def test_freezing_while_recorded_is_refused():
    net, _ = make()
    with pytest.raises(GraphError, match=r"freezing weight would happen once"):
        cr.compile(lambda x: net.freeze()(x))(X)
    assert not net[0].weight.frozen


def test_why_says_that_a_parameter_is_frozen():
    net, _ = make()
    net.freeze()
    answer = cr.why(net[0].weight)
    assert answer.reason == "frozen"
    assert "weight is frozen" in answer.text


# ---- States by name


def test_states_of_every_kind_are_named():
    model = Counting()
    names = ["linear.weight", "linear.bias", "seen", "parts.noise.0.key", "parts.noise.0.counter"]
    assert list(model.named_states()) == names
    assert list(model.named_parameters()) == names[:2]
    model(X)
    saved = model.state_dict()
    assert [saved["seen"], saved["parts.noise.0.counter"]] == [1, 2]
    following = model(X).value
    saved["linear.weight"][:] += 0  # a copy, writable
    model.load_state_dict(saved)
    np.testing.assert_array_equal(model(X).value, following)
    assert model.seen.item() == 2


def test_a_state_dict_is_a_copy():
    model = Counting()
    saved = model.state_dict()
    saved["linear.weight"][:] = 7.0
    model.seen.assign(9)
    assert not np.any(model.linear.weight.value == 7.0)
    assert saved["seen"] == 0


def test_what_a_counter_cannot_hold_is_refused_before_anything_changes():
    model = Counting()
    saved = model.state_dict()
    with pytest.raises(ValueError, match=r"dtypes do not fit: seen float64 for int64"):
        model.load_state_dict({**saved, "linear.weight": np.ones((2, 2)), "seen": np.array(0.5)})
    np.testing.assert_array_equal(model.linear.weight.value, saved["linear.weight"])


def test_a_shared_generator_is_named_once_and_stays_shared():
    class Two(Module):
        def __init__(self):
            self.a = self.b = cr.random.Generator(1)

    assert list(Two().named_states()) == ["a.key", "a.counter"]
    twin = copy.deepcopy(Two())
    assert twin.a is twin.b


def test_files_hold_all_states(tmp_path):
    model, other = Counting(), Counting()
    model(X)
    cr.training.save(model, tmp_path / "model.safetensors")
    cr.training.load(other, tmp_path / "model.safetensors")
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value, model.state_dict()[name])
    np.testing.assert_array_equal(other(X).value, model(X).value)

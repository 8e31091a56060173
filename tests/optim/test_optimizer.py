"""What all optimisers have in common: options, groups, clipping, states, and what is derived from a declaration."""

import copy
import inspect
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.errors import GraphError
from chainrule.optim import OPTIMIZERS, SGD, Adam, AdamW, Flag, Hyper, Lion, Optimizer, Slot

OPTIONS = {"l2": 0.01, "weight_decay": 0.02, "clip_norm": 1.0, "schedule": cr.optim.Cosine(30)}


def net(name, **options):
    rng = np.random.default_rng(0)
    model = cr.nn.Sequential(cr.nn.Linear(3, 4, rng=1), cr.nn.Tanh(), cr.nn.Linear(4, 2, rng=2))
    x, labels = rng.standard_normal((40, 3)).astype(np.float32), rng.integers(0, 2, 40)
    options = {"momentum": 0.9, **options} if name == "sgd" else options
    optimizer = OPTIMIZERS[name](model.parameters(), **options)

    def step(x, labels):
        loss = cr.nn.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step, x, labels


def weights(optimizer):
    return [p.value.copy() for p in optimizer.parameters]


def same(values, others):
    assert len(values) == len(others)
    for a, b in zip(values, others, strict=True):
        np.testing.assert_array_equal(a, b)


# ---- states


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "native"])
def test_a_resumed_run_goes_on_with_the_same_bits(name, compiled):
    model, optimizer, step, x, labels = net(name, **OPTIONS)
    step = cr.compile(step) if compiled else step
    for _ in range(7):
        step(x, labels)
    kept, saved = optimizer.state_dict(), model.state_dict()
    for _ in range(7):
        step(x, labels)
    twin, again, step, *_ = net(name, **OPTIONS)
    step = cr.compile(step) if compiled else step
    step(x, labels)
    twin.load_state_dict(saved)
    again.load_state_dict(kept)
    for _ in range(7):
        step(x, labels)
    same(weights(again), weights(optimizer))
    same(list(again.state_dict().values()), list(optimizer.state_dict().values()))
    assert again.steps.item() == 14


def test_a_state_dict_has_copies_of_everything_by_name():
    _, optimizer, step, x, labels = net("adam", clip_norm=2.0)
    kept = optimizer.state_dict()
    assert list(kept) == [
        "steps", "lr", "beta1", "beta2", "epsilon", "l2", "weight_decay", "clip_value", "clip_norm",
        *(f"{slot}.{i}" for slot in ("mean", "mean_square", "updates") for i in range(4)),
    ]  # fmt: skip
    assert np.isnan(kept["clip_value"])
    assert kept["clip_norm"] == 2
    step(x, labels)
    assert kept["steps"] == kept["updates.3"] == 0
    assert optimizer.state_dict()["updates.3"] == 1
    assert kept["mean.0"].shape == (3, 4)


def test_a_state_that_does_not_fit_is_refused_and_nothing_changes():
    _, optimizer, step, x, labels = net("sgd")
    step(x, labels)
    good = optimizer.state_dict()
    other = {name: np.array(value) for name, value in good.items()}
    other["velocity.3"] += 1
    for wrong, message in [
        ({k: v for k, v in other.items() if k != "velocity.1"}, r"lacks velocity\.1"),
        ({k: v for k, v in other.items() if k != "lr"}, "lacks lr"),
        ({**other, "mean.0": np.zeros(3)}, r"has mean\.0, which this optimiser does not know"),
        ({**other, "velocity.0": np.zeros((4, 3), np.float32)}, r"velocity\.0 is \(3, 4\) float32 .*load \(4, 3\)"),
        ({**other, "velocity.0": np.zeros((3, 4))}, r"cannot load \(3, 4\) float64"),
        ({**other, "momentum": np.array(1.0)}, r"momentum must be in \[0, 1\)"),
        ({**other, "lr": np.array(-1.0)}, r"lr must be in \(0, inf\)"),
        ({}, "lacks"),
    ]:
        with pytest.raises(ValueError, match=message):
            optimizer.load_state_dict(wrong)
        same(list(optimizer.state_dict().values()), list(good.values()))


def test_momentum_comes_and_goes_with_a_state_and_compiled_steps_notice():
    _, with_it, step, x, labels = net("sgd", momentum=0.9)
    for _ in range(3):
        step(x, labels)
    late, started = with_it.state_dict(), net("sgd", momentum=0.0)[1].state_dict()
    for first, second in ((0.0, late), (0.9, started)):
        _, optimizer, step, *_ = net("sgd", momentum=first)
        _, twin, eager, *_ = net("sgd", momentum=first)
        compiled = cr.compile(step)
        for do, each in ((compiled, optimizer), (eager, twin)):
            for _ in range(3):
                do(x, labels)
            each.load_state_dict(second)
            for _ in range(3):
                do(x, labels)
            each.momentum = 0.5
            for _ in range(3):
                do(x, labels)
        for a, b in zip(weights(optimizer), weights(twin), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        assert optimizer.state_dict().keys() == twin.state_dict().keys()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_copies_go_on_by_themselves(name, twin_of):
    model, optimizer, step, x, labels = net(name, l2=0.1, clip_value=0.5)
    for _ in range(3):
        step(x, labels)
    twin, its = twin_of((model, optimizer))
    assert repr(its) == repr(optimizer)
    its.lr = 2 * optimizer.lr
    assert optimizer.lr != its.lr
    its.lr = optimizer.lr
    for _ in range(3):
        step(x, labels)
        cr.nn.cross_entropy(twin(x), labels).backward()
        its.step()
    same(weights(its), weights(optimizer))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_eager_and_compiled_steps_can_be_mixed(name):
    _, optimizer, step, x, labels = net(name)
    _, twin, eager, *_ = net(name)
    compiled = cr.compile(step)
    for k in range(9):
        (compiled if k % 3 else step)(x, labels)
        eager(x, labels)
    for a, b in zip(weights(optimizer), weights(twin), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    assert optimizer.steps.item() == 9
    assert len(compiled.programs) == 1


def test_options_can_be_set_between_compiled_steps_without_recording_anew():
    _, optimizer, step, x, labels = net("adam", l2=0.1, clip_norm=1.0)
    _, twin, eager, *_ = net("adam", l2=0.1, clip_norm=1.0)
    compiled = cr.compile(step)
    for k in range(12):
        for each in (optimizer, twin):
            each.beta1, each.l2, each.clip_norm, each.lr = 0.9 - 0.01 * k, 0.1 + k / 50, 1 / (1 + k), 0.01 / (1 + k)
        compiled(x, labels)
        eager(x, labels)
    for a, b in zip(weights(optimizer), weights(twin), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert len(compiled.programs) == 1


def test_what_is_switched_on_or_off_is_recorded_anew_and_back_again_is_known():
    _, optimizer, step, x, labels = net("adam")
    _, twin, eager, *_ = net("adam")
    compiled = cr.compile(step)
    for norm in (None, 0.1, None, 0.01, None):
        for each in (optimizer, twin):
            each.clip_norm = norm
        for _ in range(2):
            compiled(x, labels)
            eager(x, labels)
    for a, b in zip(weights(optimizer), weights(twin), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert len(compiled.programs) == 2


# ---- groups


def test_groups_share_what_they_were_not_told():
    w, u, v = (cr.Parameter(np.ones((1, 1)), dtype=float) for _ in range(3))
    optimizer = SGD(
        [{"parameters": [w]}, {"parameters": (p for p in [u]), "lr": 0.01, "l2": 1.0}, {"parameters": [v], "lr": 0.5}],
        lr=0.1,
    )
    first, second, third = optimizer.groups
    assert (first["lr"], second["lr"], third["lr"]) == (0.1, 0.01, 0.5)
    assert (first["l2"], second["l2"], third["l2"]) == (0, 1, 0)
    assert first.own == ()
    assert second.own == ("lr", "l2")
    assert second.parameters == [u]
    assert optimizer.parameters == [w, u, v]
    assert repr(optimizer) == "SGD(3 parameters in 3 groups, lr=0.1)"
    assert repr(second) == "Group(1 parameter, lr=0.01, l2=1.0)"
    optimizer.lr = 0.2
    second["lr"], second["l2"] = 0.02, 0.5
    optimizer.l2 = 0.25
    np.sum(w + u + v).backward()
    optimizer.step()
    expected = [1 - 0.2 * 1.25, 1 - 0.02 * 1.5, 1 - 0.5 * 1.25]
    np.testing.assert_allclose([w.item(), u.item(), v.item()], expected, rtol=1e-14)
    assert {"lr", "groups.1.lr", "groups.1.l2", "groups.2.lr"} <= optimizer.state_dict().keys()


def test_setting_a_shared_option_of_a_group_is_refused():
    optimizer = SGD([{"parameters": [cr.Parameter(1.0)]}, {"parameters": [cr.Parameter(1.0)], "lr": 1.0}])
    with pytest.raises(KeyError, match=r"shares lr with others: set optimizer\.lr"):
        optimizer.groups[0]["lr"] = 0.1
    with pytest.raises(KeyError, match="beta1"):
        optimizer.groups[1]["beta1"]
    with pytest.raises(ValueError, match=r"lr must be in \(0, inf\), not -1"):
        optimizer.groups[1]["lr"] = -1


def test_momentum_of_one_group_alone():
    def path(momenta):
        w = [cr.Parameter([1.0], dtype=float) for _ in momenta]
        optimizer = SGD([{"parameters": [p], "momentum": m} for p, m in zip(w, momenta, strict=True)], lr=0.1)
        for _ in range(3):
            np.sum(sum(p * p for p in w)).backward()
            optimizer.step()
        return [p.item() for p in w], optimizer

    mixed, optimizer = path([0.0, 0.9])
    assert mixed == [path([0.0])[0][0], path([0.9])[0][0]]
    assert optimizer.velocity[0] is None
    assert list(optimizer.state_dict())[-1] == "velocity.1"
    optimizer.load_state_dict(optimizer.state_dict())


def test_the_norm_is_that_of_all_groups_together():
    w, u = cr.Parameter([1.0], dtype=float), cr.Parameter([1.0], dtype=float)
    optimizer = SGD([{"parameters": [w]}, {"parameters": [u], "lr": 1.0}], lr=0.1, clip_norm=1.0)
    np.sum(3.0 * w + 4.0 * u).backward()
    optimizer.step()
    np.testing.assert_allclose([w.item(), u.item()], [1 - 0.06, 1 - 0.8], rtol=1e-14)


def test_short_gradients_are_not_made_longer_and_long_ones_do_not_overflow():
    w = cr.Parameter([1.0, 1.0])
    optimizer = SGD([w], lr=1.0, clip_norm=1.0)
    for gradient, moved in (([0.3, 0.4], [0.3, 0.4]), ([3e30, 4e30], [0.6, 0.8])):
        before = w.value.copy()
        np.sum(w * np.array(gradient, np.float32)).backward()
        optimizer.step()
        np.testing.assert_allclose(before - w.value, moved, rtol=1e-5)


def test_frozen_parameters_stay_and_go_on_later():
    model, optimizer, step, x, labels = net("adam", weight_decay=0.1, lr=0.01)
    step = cr.compile(step)
    model.layers[0].freeze()
    before = model.state_dict()
    for _ in range(3):
        step(x, labels)
    np.testing.assert_array_equal(model.layers[0].weight.value, before["layers.0.weight"])
    assert [s.item() for s in optimizer.updates] == [0, 0, 3, 3]
    model.layers[0].unfreeze()
    step(x, labels)
    assert [s.item() for s in optimizer.updates] == [1, 1, 4, 4]
    moved = np.abs(model.layers[0].bias.value - before["layers.0.bias"])
    np.testing.assert_allclose(moved, 0.01, rtol=1e-3)  # Adam's first step


# ---- errors


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda w: Optimizer([w]), TypeError, "take one, such as SGD or Adam"),
        (lambda w: Adam([w], momentum=0.9), TypeError, "Adam has no momentum: it has lr, beta1, beta2"),
        (lambda w: SGD([{"parameters": [w], "speed": 1}]), TypeError, "SGD has no speed"),
        (lambda w: SGD([{"parameters": [w], "clip_norm": 1}]), TypeError, "no option of a group"),
        (lambda w: SGD([{"params": [w]}]), TypeError, "groups are dicts, each with its 'parameters'"),
        (lambda w: SGD([w, {"parameters": [w]}]), TypeError, "groups are dicts"),
        (lambda w: SGD([{"parameters": [w]}, {"parameters": [w]}]), ValueError, "listed twice"),
        (lambda w: SGD([{"parameters": []}]), ValueError, "no parameters"),
        (lambda w: SGD(cr.nn.Linear(2, 2)), TypeError, r"model\.parameters\(\) say, not Linear"),
        (lambda w: SGD([w], lr="fast"), TypeError, "lr is a number, not 'fast'"),
        (lambda w: SGD([w], lr=True), TypeError, "lr is a number, not True"),
        (lambda w: SGD([w], lr=[0.1]), TypeError, "lr is a number"),
        (lambda w: SGD([w], clip_norm=0), ValueError, r"clip_norm must be in \(0, inf\) or None, not 0"),
        (lambda w: SGD([w], clip_value="x"), TypeError, "clip_value is a number or None"),
        (lambda w: SGD([w], nesterov=1), TypeError, "nesterov is True or False, not 1"),
        (lambda w: SGD([w], weight_decay=-1), ValueError, "weight_decay must be in"),
        (lambda w: Adam([w], beta1=1), ValueError, r"beta1 must be in \[0, 1\), not 1"),
        (lambda w: Adam([w], epsilon=0), ValueError, r"epsilon must be in \(0, inf\), not 0"),
        (lambda w: Lion([w], None, beta2=-0.1), ValueError, "beta2 must be in"),
    ],
)
def test_what_makes_no_sense(make, error, message):
    with pytest.raises(error, match=message):
        make(cr.Parameter([1.0]))


def test_numbers_may_be_numpys():
    optimizer = Adam([cr.Parameter([1.0])], lr=np.float32(0.5), l2=np.array(0.25), clip_norm=np.int64(3))
    assert (optimizer.lr, optimizer.l2, optimizer.clip_norm, optimizer.clip_value) == (0.5, 0.25, 3.0, None)
    assert optimizer.current_lr == 0.5
    optimizer.clip_norm = None
    assert optimizer.clip_norm is None


def test_without_a_gradient_nothing_is_counted():
    optimizer = Adam([cr.Parameter([1.0])])
    with pytest.raises(GraphError, match="call backward"):
        optimizer.step()
    assert optimizer.steps.item() == optimizer.updates[0].item() == 0


# ---- declarations


class Averaged(Optimizer):
    """w <- w - lr * mean of all gradients; a formula that computes anew rather than in place."""

    share = Hyper(1.0, "(0, 1]", "how much of the mean counts")
    backwards = Flag("whether to climb")
    slots = (Slot("total"), Slot("seen", count=True))

    @staticmethod
    def formula(w, gradient, lr, share, backwards, total, seen):
        total = total + gradient
        sign = -1 if backwards else 1
        return w - sign * lr * share * total / seen, total


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "native"])
def test_a_rule_of_ones_own(compiled):
    w = cr.Parameter([1.0, 2.0], dtype=float)
    optimizer = Averaged([w], lr=0.5, share=0.5)

    def step(c):
        np.sum(w * c).backward()
        optimizer.step()

    step = cr.compile(step) if compiled else step
    for c in ([1.0, 3.0], [3.0, 5.0]):
        step(np.array(c))
    np.testing.assert_allclose(w.value, [1 - 0.25 * 1 - 0.25 * 2, 2 - 0.25 * 3 - 0.25 * 4])
    optimizer.backwards = True
    step(np.array([2.0, 1.0]))
    np.testing.assert_allclose(w.value, [0.25 + 0.25 * 2, 0.25 + 0.25 * 3])
    assert repr(optimizer) == "Averaged(1 parameter, lr=0.5, share=0.5, backwards=True)"
    with pytest.raises(ValueError, match=r"share must be in \(0, 1\]"):
        optimizer.share = 0.0


def test_a_formula_takes_what_was_declared():
    with pytest.raises(TypeError, match="the formula of Wrong takes w, gradient, lr, speed"):

        class Wrong(Optimizer):
            speed = Hyper(1.0, "(0, inf)", "of what")

            @staticmethod
            def formula(w, gradient, lr):
                return (w,)


@pytest.mark.parametrize("result", [lambda w: w, lambda w: (w, w)], ids=["bare", "many"])
def test_a_formula_gives_a_tuple(result):
    class Odd(Optimizer):
        @staticmethod
        def formula(w, gradient, lr):
            return result(w - lr * gradient)

    w = cr.Parameter([1.0, 2.0])
    optimizer = Odd([w])
    np.sum(w).backward()
    with pytest.raises(TypeError, match=r"the formula of Odd returns a tuple: \(w,\)"):
        optimizer.step()
    np.testing.assert_array_equal(w.value, [1, 2])


@pytest.mark.parametrize("kind", OPTIMIZERS.values())
def test_documentation_and_signature_come_from_the_declaration(kind):
    parameters = inspect.signature(kind).parameters
    assert list(parameters)[:2] == ["parameters", "lr"]
    for name, hyper in kind.hypers.items():
        assert f"{name}: {hyper.about}" in " ".join(kind.__doc__.split())
        assert parameters[name].default == hyper.default
    default = kind([cr.Parameter([1.0])])
    assert all(getattr(default, name) == hyper.default for name, hyper in kind.hypers.items())
    assert kind.whole_batch is False


def test_names():
    assert list(OPTIMIZERS) == ["sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "lion"]
    assert OPTIMIZERS["adamw"] is AdamW

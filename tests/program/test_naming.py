"""Values are called what the user's code calls them."""

from collections import Counter
from dataclasses import replace

import numpy as np

import chainrule as cr
from chainrule.gates.trigonometric import tanh
from chainrule.graph.site import Site
from chainrule.program.naming import identifier, identifiers_of, labels_of, reachable_from, state_names, unique
from chainrule.program.passes import optimise
from chainrule.program.recording import record
from tests.program.by_hand import apply, program, value

X = np.ones((4, 3), np.float32)
W = cr.Parameter(np.ones((3, 2)))


def labels(function, *args):
    return list(labels_of(optimise(record(function, args))).values())


def test_variables_of_the_forward_pass():
    def f(images):
        scores = images @ W
        h = np.tanh(scores)
        return np.sum(h * scores)

    assert labels(f, X) == ["images", "W", "scores", "h", "multiply_1", "sum_1"]


def test_the_variable_is_the_last_gates_of_a_call():
    def f(x):
        loss = cr.nn.cross_entropy(x, np.array([0, 1, 2, 0]))
        return loss * 2

    program = optimise(record(f, (X,)))
    named = {label: value for value, label in labels_of(program).items()}
    assert named["loss"].shape == ()
    assert "loss_2" not in named


def test_a_variable_bound_again_and_again_is_numbered():
    def f(x):
        for _ in range(3):
            x = np.tanh(x)
        return x

    assert labels(f, X) == ["x", "x_2", "x_3", "x_4"]


def test_gradients_are_called_after_what_they_belong_to():
    def f(x):
        h = np.tanh(x @ W)
        np.sum(h).backward()
        return W.grad

    assert "dL/dW" in labels(f, X)


def test_gradients_of_a_function_are_called_so_too():
    def loss(x):
        h = np.tanh(x @ W)
        return np.sum(h * h)

    program = optimise(record(lambda x: cr.grad(loss)(x), (X,)))
    assert {"x", "h", "dL/dh", "dL/dx"} <= set(labels_of(program).values())
    tanh_rule = next(i for i in program.instructions if i.role == "backward")
    assert Site(*tanh_rule.site).text == "return np.sum(h * h)"


def test_what_is_stored():
    count = cr.State(np.zeros(2, np.float32), name="count")

    def f(x):
        count.assign(count + np.sum(x, axis=0)[:2])

    assert labels(f, X)[-1] == "count_new"


def test_names_of_what_is_merged_or_folded_go_to_what_stays():
    def f(x):
        a = np.tanh(x)
        b = np.tanh(x)
        c = np.negative(np.negative(b))
        return a, c

    assert labels(f, X) == ["x", "a"]


def test_labels_are_unique_and_in_order():
    x = value(3, name="relu_1")
    gates = [apply(tanh, x) for _ in range(3)]
    p = replace(program([x], gates), labels={gates[1].result: "tanh_1"})
    assert list(labels_of(p).values()) == ["relu_1", "tanh_2", "tanh_1", "tanh_3"]


def test_unique():
    taken, counters = {"a", "b_1"}, Counter()
    assert [unique("a", taken, counters) for _ in range(3)] == ["a_2", "a_3", "a_4"]
    assert [unique("b", taken, counters, counted=True) for _ in range(2)] == ["b_2", "b_3"]
    assert unique("c", taken, counters) == "c"


def test_identifiers():
    assert identifier("dL/dlayers.0.weight") == "dL_dlayers_0_weight"
    assert identifier("sinc'") == "sinc"
    assert identifier("0") == "x0"
    assert identifier("'") == "x"
    assert identifier("\u00b5") == "\u03bc"  # two ways to write one name


def test_no_identifier_is_reserved():
    x, y = value(3, name="lambda"), value(3, name="np")
    names = identifiers_of(program([x, y], [apply(tanh, x)]), {"lambda", "np"})
    assert list(names.values()) == ["lambda_2", "np_2", "tanh_1"]


# ---- States and modules


def named(function, arguments=None):
    """The names that are found, in the order of the States given."""
    return state_names(reachable_from(function, arguments or {}))


def test_variables_in_reach():
    inside = cr.State(1.0)
    assert named(lambda: (inside, W)) == {id(inside): "inside", id(W): "W"}


def test_paths_in_models_and_optimisers():
    model = cr.nn.Sequential(cr.nn.Linear(3, 2, rng=0), cr.nn.Tanh(), cr.nn.Linear(2, 2, bias=False, rng=0))
    optimizer = cr.optim.SGD(model.parameters(), momentum=0.9)
    names = named(lambda: (model, optimizer))
    assert names[id(model.layers[1])] == "layers.1"
    first, bias, second = model.parameters()
    assert [names[id(p)] for p in (first, bias, second)] == ["layers.0.weight", "layers.0.bias", "layers.2.weight"]
    assert names[id(optimizer._lr)] == "lr"
    assert names[id(optimizer.velocity[2])] == "velocity_layers.2.weight"


def test_two_models_are_told_apart():
    one, other = cr.nn.Linear(1, 1, rng=0), cr.nn.Linear(1, 1, rng=0)
    names = named(lambda: (one, other))
    assert (names[id(one.weight)], names[id(other.weight)]) == ("one.weight", "other.weight")


def test_what_modules_compute_is_called_by_their_paths():
    model = cr.nn.Sequential(cr.nn.Linear(3, 2, rng=0), cr.nn.Tanh(), cr.nn.Linear(2, 2, rng=0))

    def f(x):
        scores = model(x)
        np.sum(scores).backward()
        return next(model.parameters()).grad

    found = labels(f, X)
    assert {"layers.0", "layers.1"} <= set(found)
    assert {"dL/dlayers.0.weight", "dL/dlayers.0"} <= set(found)
    assert "layers.2" not in found  # its variable goes before


def test_a_variable_goes_before_a_path():
    layer = cr.nn.Linear(1, 1, rng=0)
    w = layer.weight
    assert named(lambda: (layer, w))[id(w)] == "w"


def test_methods_reach_what_their_object_has():
    class Trainer:
        def __init__(self):
            self.model = cr.nn.Linear(1, 1, rng=0)

        def step(self, x):
            return self.model(x)

    trainer = Trainer()
    assert named(Trainer.step, {"self": trainer})[id(trainer.model.weight)] == "model.weight"
    assert id(trainer.model.weight) in named(trainer)


def test_objects_that_refer_to_each_other():
    class Node:
        pass

    a, b = Node(), Node()
    a.other, b.other, b.w = b, a, W
    assert named(lambda: a)[id(W)] == "other.w"


def test_a_large_list_costs_no_time():
    data = [[i] for i in range(50_000)]
    kept = {"w": W}
    assert named(lambda: (data, kept))[id(W)] == "w"

"""Module: where parameters are found, under which names; counting, loading, copying."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import Linear, Module, Neuron, ReLU, Sequential


class Branches(Module):
    """Parameters and modules in attributes, lists, tuples and dicts, one of them twice."""

    def __init__(self):
        self.scale = cr.Parameter(2.0)
        self.parts = [Linear(2, 3, rng=0), {"deep": (ReLU(), Linear(3, 1, bias=False, rng=1))}]
        self.again = self.parts[0]
        self.rate = cr.State(0.1)
        self.data = cr.array([1.0])
        self.name = "not a module"

    def forward(self, x):
        first, rest = self.parts
        return self.scale * rest["deep"][1](rest["deep"][0](first(x)))


def test_parameters_by_path_in_the_order_of_assignment_each_once():
    model = Branches()
    named = model.named_parameters()
    assert list(named) == ["scale", "parts.0.weight", "parts.0.bias", "parts.1.deep.1.weight"]
    assert named["parts.0.weight"] is model.again.weight
    assert list(model.parameters()) == list(named.values())
    assert model.parameter_count == 1 + 6 + 3 + 3


def test_a_parameter_shared_between_layers_is_listed_once_and_gets_the_sum():
    a, b = Linear(2, 2, bias=False, rng=0), Linear(2, 2, bias=False, rng=1)
    b.weight = a.weight
    model = Sequential(a, b)
    assert list(model.named_parameters()) == ["layers.0.weight"]
    x = np.float32([[1.0, 2.0]])
    np.sum(model(x)).backward()
    w, one = a.weight.value, np.ones((1, 2), np.float32)
    np.testing.assert_allclose(a.weight.grad, x.T @ (one @ w.T) + (x @ w).T @ one, rtol=1e-5)


def test_a_private_attribute_is_no_hiding_place():
    class Hidden(Module):
        def __init__(self):
            self._weight = cr.Parameter(1.0)

    assert list(Hidden().named_parameters()) == ["_weight"]


def test_modules_by_path():
    model = Branches()
    assert list(model.named_modules()) == ["", "parts.0", "parts.1.deep.0", "parts.1.deep.1"]
    assert model.named_modules()[""] is model
    assert model.neuron_count == 4  # a second name makes no second layer


def test_two_parameters_of_one_path_are_refused():
    class Ambiguous(Module):
        def __init__(self):
            self.table = {0: cr.Parameter(1.0), "0": cr.Parameter(2.0)}

    with pytest.raises(ValueError, match=r"the same path 'table\.0'"):
        Ambiguous().named_parameters()


def test_keyword_arguments_reach_forward():
    class Scaled(Module):
        def forward(self, x, *, by=1.0):
            return x * by

    assert Scaled()(2.0, by=3.0) == 6


def test_calling_a_module_without_forward_names_it():
    class Lazy(Module):
        pass

    with pytest.raises(NotImplementedError, match="Lazy must define forward"):
        Lazy()(1.0)


def test_a_users_module_learns():
    model = Branches()
    x = np.float32([[1.0, -2.0], [0.5, 1.0]])
    before = {name: p.value.copy() for name, p in model.named_parameters().items()}
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(20):
        loss = cr.nn.mse(model(x), np.float32([[1.0], [2.0]]))
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]
    assert any(np.any(p.value != before[name]) for name, p in model.named_parameters().items())


def values(model):
    return {name: p.value.copy() for name, p in model.named_parameters().items()}


def test_load_state_dict_takes_what_named_states_gives():
    source, target = Linear(3, 2, rng=0), Linear(3, 2, rng=1)
    weight = target.weight
    target.load_state_dict(source.named_states())
    np.testing.assert_array_equal(target.weight.value, source.weight.value)
    assert target.weight is weight
    source.weight.assign(0.0)
    assert np.any(target.weight.value != 0)  # a copy, no alias


def test_load_takes_nested_lists_and_other_dtypes():
    layer = Linear(2, 1)
    layer.load_state_dict({"weight": [[1], [2]], "bias": np.array([3.0])})
    np.testing.assert_array_equal(layer([[10.0, 100.0]]).value, [[213]])
    assert layer.weight.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("bias"), r"missing \['bias'\]"),
        (lambda v: v.update(extra=np.ones(2)), r"unexpected \['extra'\]"),
        (lambda v: v.update(bias=np.ones(3)), r"bias \(3,\) for \(2,\)"),
        (lambda v: v.update(bias=np.array(1.0)), r"bias \(\) for \(2,\)"),
        (lambda v: v.update(bias=np.ones(2, complex)), "bias complex128"),
        (lambda v: v.update(bias=np.array(["a", "b"])), "bias <U1"),
    ],
)
def test_load_changes_nothing_when_something_does_not_fit(change, message):
    layer = Linear(3, 2, rng=0)
    before, new = values(layer), {"weight": np.ones((3, 2)), "bias": np.ones(2)}
    change(new)
    with pytest.raises(ValueError, match=message):
        layer.load_state_dict(new)
    for name, value in values(layer).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize(
    "twin_of", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"]
)
def test_copies_compute_the_same_and_share_nothing(twin_of):
    model = Branches()
    x = np.float32([[1.0, -2.0]])
    np.sum(model(x)).backward()
    twin = twin_of(model)
    np.testing.assert_array_equal(twin(x).value, model(x).value)
    assert list(twin.named_parameters()) == list(model.named_parameters())
    assert twin.again is twin.parts[0]  # what was shared is shared
    for mine, its in zip(model.parameters(), twin.parameters(), strict=True):
        assert mine is not its
        np.testing.assert_array_equal(mine.grad, its.grad)
    twin.scale.assign(0.0)
    assert model.scale.item() == 2


def test_repr():
    assert repr(Branches()) == "Branches(again=Linear(2, 3))"
    model = Sequential(Linear(2, 3, bias=False), cr.nn.LeakyReLU(0.2), cr.nn.Maxout(3, 2, pieces=3))
    assert repr(model) == "Sequential(Linear(2, 3, bias=False), LeakyReLU(slope=0.2), Maxout(3, 2, pieces=3))"
    assert repr(Neuron([1.0, 2.0])) == "Neuron(2 inputs)"


def test_users_may_call_their_layers_linear_and_neurons():
    class Block(Module):
        def __init__(self):
            self.linear = Linear(2, 2)
            self.neurons = [Neuron([0.5, 0.5])]

        def forward(self, x):
            return cr.relu(self.linear(x))

    net = Sequential(Block(), Block())
    assert net.stacked_linear() == []
    assert net.neuron_count == 2 * 3


def test_a_part_may_refer_back_to_its_parent():
    model = Sequential(Linear(2, 3), cr.nn.Tanh())
    model.parts = [model, {"again": model}]
    model.parts.append(model.parts)
    for module in model.named_modules().values():
        module.parent = model
    assert model.parameter_count == 9
    names = [type(module).__name__ for module in model.named_modules().values()]
    assert sorted(names) == ["Linear", "Sequential", "Tanh"]


def test_a_dataclass_is_a_module_if_it_hashes_by_identity():
    class Scaled(Module):
        factor: float

        def __post_init__(self):
            self.linear = Linear(2, 3, rng=0)

        def forward(self, x):
            return self.linear(x) * self.factor

    x = np.ones((4, 2), np.float32)
    model = dataclasses.dataclass(eq=False)(Scaled)(2.0)
    np.testing.assert_allclose(cr.compile(model)(x), model(x).value, rtol=1e-6)
    with pytest.raises(TypeError, match=r"Scaled does not: write @dataclass\(eq=False\)"):
        dataclasses.dataclass(Scaled)(2.0)

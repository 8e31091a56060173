"""``model.summary()``: sizes and costs, counted by hand beside it."""

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import (
    BatchNorm,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    Linear,
    Maxout,
    Module,
    Neuron,
    ReLU,
    Residual,
    Sequential,
    Tanh,
)


def small():
    return Sequential(Linear(3, 4), ReLU(), Linear(4, 2))


def test_the_sizes_of_the_lecture():
    two = small().summary()
    assert (two.neurons, two.parameters, two.multiply_adds) == (6, 26, 20)
    three = Sequential(Linear(3, 4), ReLU(), Linear(4, 4), ReLU(), Linear(4, 1)).summary()
    assert (three.neurons, three.parameters, three.multiply_adds) == (9, 41, 32)
    assert [row.neurons for row in three.rows] == [4, 0, 4, 0, 1]
    assert [row.parameters for row in three.rows] == [16, 0, 20, 0, 5]


def test_operations_are_counted_gate_by_gate():
    summary = small().summary()
    forward = (2 * 12 + 4) + 4 + (2 * 8 + 2)  # products and biases, relu
    # gradients of the second layer's bias, weights and inputs; relu; the first layer's bias and weights, not the data's
    backward = (2 + 2 * 8 + 2 * 8) + (4 + 4) + (4 + 2 * 12)
    assert (summary.operations, summary.step_operations) == (forward, forward + backward)


def test_memory_is_counted_as_the_course_does():
    summary = small().summary()
    assert summary.activations == 3 + 4 + 4 + 2
    assert (summary.parameter_bytes, summary.activation_bytes) == (26 * 4, 13 * 4)
    assert summary.training_bytes() == 2 * 26 * 4 + 2 * 13 * 4
    assert summary.training_bytes(batch=100, slots=1) == 3 * 26 * 4 + 100 * 2 * 13 * 4
    double = Sequential(Linear(3, 4, dtype=np.float64), Linear(4, 2, dtype=np.float64)).summary()
    assert (double.parameter_bytes, double.activation_bytes) == (26 * 8, 9 * 8)
    mixed = Sequential(Embedding(10, 4), Flatten(), Linear(8, 3, dtype=np.float64)).summary(2)
    assert mixed.activation_bytes == 2 * 8 + (8 + 8) * 4 + 3 * 8  # integers and doubles take 8, the table's numbers 4


def test_shapes_paths_and_depth():
    net = Sequential(Flatten(), Linear(12, 5), Residual(Sequential(Linear(5, 7), Tanh(), Linear(7, 5))), Maxout(5, 2))
    rows = net.summary((3, 4)).rows
    assert [(row.depth, row.path, row.output_shape) for row in rows] == [
        (0, "layers.0", (12,)),
        (0, "layers.1", (5,)),
        (0, "layers.2", (5,)),
        (1, "layers.2.body", (5,)),
        (2, "layers.2.body.layers.0", (7,)),
        (2, "layers.2.body.layers.1", (7,)),
        (2, "layers.2.body.layers.2", (5,)),
        (0, "layers.3", (2,)),
    ]
    assert [row.opened for row in rows] == [False, False, True, True, False, False, False, False]
    assert rows[-1].multiply_adds == 5 * 2 * 2
    assert (sum(row.neurons for row in rows), sum(row.parameters for row in rows)) == (
        net.neuron_count,
        net.parameter_count,
    )


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (Linear(7, 2), (7,)),
        (Maxout(7, 2), (7,)),
        (LayerNorm(7), (7,)),
        (BatchNorm(7), (7,)),
        (Residual(Linear(7, 7)), (7,)),
        (Sequential(Dropout(), Sequential(ReLU(), Linear(7, 3))), (7,)),
        (Sequential(Embedding(10, 3), Flatten(), Linear(6, 2)), None),
        (Neuron([1.0, 2.0]), None),
        (ReLU(), None),
        (Sequential(), None),
    ],
    ids=lambda x: repr(x) if isinstance(x, Module) else None,
)
def test_the_input_is_taken_from_the_first_layer_if_it_tells(net, shape):
    assert net.summary().input_shape == shape


def test_without_an_input_what_does_not_depend_on_it():
    summary = Sequential(Embedding(10, 3), Flatten(), Linear(6, 2)).summary()
    assert (summary.neurons, summary.parameters) == (2, 44)
    unknown = (summary.multiply_adds, summary.operations, summary.step_operations, summary.activation_bytes)
    assert unknown == (None,) * 4
    assert [row.output_shape for row in summary.rows] == [None] * 3
    assert "summary(input_shape=...)" in str(summary)
    with pytest.raises(ValueError, match="depends on the input"):
        summary.training_bytes()


def test_an_embedding_gets_integers():
    summary = Sequential(Embedding(10, 3), Flatten(), Linear(6, 2)).summary(2)
    assert [row.output_shape for row in summary.rows] == [(2, 3), (6,), (2,)]
    assert summary.multiply_adds == 12


def test_an_input_that_does_not_fit_says_what_was_tried():
    class Channels(Module):
        def forward(self, x):
            return np.reshape(x, (x.shape[0], 3, 4))

    with pytest.raises(ValueError, match=r"Linear\(3, 4\) needs") as caught:
        small().summary((2, 4))
    assert not [note for note in caught.value.__notes__ if "input_shape" in note]
    with pytest.raises(ValueError, match="reshape") as caught:
        Sequential(Channels(), Linear(4, 2)).summary()
    assert caught.value.__notes__[-1] == "(4,) was taken for the shape of an example: tell it by input_shape=..."
    with pytest.raises(TypeError):
        small().summary("three")


class Own(Module):
    """A layer called twice, one never, and a parameter of its own."""

    def __init__(self):
        self.layer = Linear(3, 3, rng=0)
        self.unused = Sequential(Linear(5, 7))
        self.gain = cr.Parameter(1.0)

    def forward(self, x):
        return self.gain * self.layer(cr.relu(self.layer(x)))


def test_modules_of_ones_own():
    rows = Own().summary(3).rows
    assert [(row.depth, row.path, row.neurons, row.parameters, row.multiply_adds) for row in rows] == [
        (0, "", 0, 1, 0),
        (1, "layer", 3, 12, 9),
        (1, "layer", 0, 0, 9),
        (1, "unused", 0, 0, None),
        (2, "unused.layers.0", 7, 42, None),
    ]


def test_frozen_parameters_are_told_and_cost_no_backward_pass():
    net = small()
    whole = net.summary()
    net[0].freeze()
    summary = net.summary()
    assert (summary.frozen, summary.parameters) == (16, 26)
    assert summary.step_operations == whole.step_operations - (2 * 8) - (4 + 4) - (4 + 2 * 12)
    assert "parameters: 10 to learn, 16 frozen" in str(summary)
    assert net.freeze().summary().step_operations is None


def test_nothing_is_left_behind():
    net = Sequential(Linear(3, 4, rng=0), BatchNorm(4), Dropout(0.5, rng=0), Linear(4, 2, rng=1))
    before = net.state_dict()
    net.summary()
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert all(p.grad is None for p in net.parameters())
    assert net.training


def test_evaluation_costs_less():
    net = Sequential(Linear(3, 4), BatchNorm(4))
    assert net.eval().summary().operations < net.train().summary().operations


def test_a_forward_that_catches_an_error():
    class Tries(Module):
        def __init__(self):
            self.first, self.second = Linear(5, 2), Linear(3, 2)

        def forward(self, x):
            try:
                return self.first(x)
            except ValueError:
                return self.second(x)

    rows = Tries().summary(3).rows
    assert [(row.path, row.output_shape) for row in rows] == [("first", None), ("second", (2,))]


def test_the_table():
    text = str(Sequential(Linear(784, 100), ReLU(), Linear(100, 10)).summary())
    assert text.splitlines()[:7] == [
        "layer               output  neurons  parameters  multiply-adds",
        "--------------------------------------------------------------",
        "input               (784,)",
        "0 Linear(784, 100)  (100,)      100      78,500         78,400",
        "1 ReLU()            (100,)",
        "2 Linear(100, 10)    (10,)       10       1,010          1,000",
        "--------------------------------------------------------------",
    ]
    assert repr(small().summary()) == str(small().summary())


def test_html_has_the_same_cells_and_escapes_names():
    summary = Sequential(Linear(3, 4), ReLU(), Linear(4, 2)).summary()
    html = summary._repr_html_()
    cells = [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<t[dh][^>]*>.*?</t[dh]>", html)]
    assert cells[:5] == ["layer", "output", "neurons", "parameters", "multiply-adds"]
    assert cells[-5:] == ["Sequential", "", "6", "26", "20"]

    class Odd(ReLU):
        def describe(self):
            return "<b>"

    assert "Odd(&lt;b&gt;)" in Odd().summary(3)._repr_html_()

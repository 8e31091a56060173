"""Drawings of nets: neurons, connections and words are read back from the SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

import chainrule as cr
from chainrule.inspect.anatomy import depth, layers_of
from chainrule.nn import (
    BatchNorm,
    Dropout,
    Embedding,
    Flatten,
    Linear,
    Maxout,
    Module,
    Neuron,
    ReLU,
    Residual,
    Sequential,
    Tanh,
)

SVG = "{http://www.w3.org/2000/svg}"


class Read:
    """What a drawing shows."""

    def __init__(self, drawing):
        self.root = ElementTree.fromstring(drawing.svg)  # noqa: S314 (our own)

    def of(self, tag, style):
        return [e for e in self.root.iter(SVG + tag) if style in e.get("class", "").split()]

    def texts(self, style):
        return [e.text for e in self.of("text", style)]

    @property
    def columns(self):
        """How many neurons are drawn in each column."""
        places = [float(e.get("cx")) for e in self.of("circle", "cr-unit")]
        return [places.count(x) for x in sorted(set(places))]


def lecture():
    return Sequential(Linear(3, 4, rng=0), ReLU(), Linear(4, 2, rng=1))


def test_the_two_layer_net_of_the_lecture():
    picture = Read(cr.draw(lecture()))
    assert picture.columns == [3, 4, 2]
    assert len(picture.of("line", "cr-link")) == 3 * 4 + 4 * 2
    assert picture.texts("cr-word") == ["2-layer net: 6 neurons, 26 parameters"]
    assert picture.texts("cr-name") == ["input layer", "hidden layer", "output layer"]
    assert picture.texts("cr-count") == [
        "3 inputs", "4 neurons", "16 parameters", "2 neurons", "10 parameters",
    ]  # fmt: skip
    assert picture.texts("cr-shape") == ["layers.0 Linear(3, 4)", "→ ReLU()", "layers.2 Linear(4, 2)"]
    assert not picture.of("path", "cr-skip")


def test_the_three_layer_net_of_the_lecture():
    picture = Read(cr.draw(Sequential(Linear(3, 4), ReLU(), Linear(4, 4), ReLU(), Linear(4, 1))))
    assert picture.columns == [3, 4, 4, 1]
    assert picture.texts("cr-word") == ["3-layer net: 9 neurons, 41 parameters"]
    assert picture.texts("cr-name") == ["input layer", "hidden layer 1", "hidden layer 2", "output layer"]
    assert picture.texts("cr-count")[-2:] == ["1 neuron", "5 parameters"]


def test_connections_end_in_the_middle_of_neurons():
    picture = Read(cr.draw(Sequential(Linear(3, 40), ReLU(), Linear(40, 12)), limit=5))
    centres = {(e.get("cx"), e.get("cy")) for e in picture.of("circle", "cr-unit")}
    for line in picture.of("line", "cr-link"):
        assert {(line.get("x1"), line.get("y1")), (line.get("x2"), line.get("y2"))} <= centres


def test_wide_layers_are_shortened_by_dots():
    drawing = cr.draw(Sequential(Linear(784, 100), ReLU(), Linear(100, 10)))
    picture = Read(drawing)
    assert picture.columns == [10, 10, 10]
    assert len(picture.of("circle", "cr-dot")) == 3 + 3
    titles = [e.text for e in picture.root.iter(SVG + "title")]
    assert "774 more" in titles
    assert "90 more" in titles
    assert "hidden layer, number 99: bias 0.00" in titles  # the last one is there
    assert Read(cr.draw(Sequential(Linear(784, 100)), limit=3)).columns == [3, 3]
    with pytest.raises(ValueError, match="at least 2, not 1"):
        cr.draw(lecture(), limit=1)


def test_weights_are_told_by_thickness_colour_and_dashes():
    net = lecture()
    net[0].weight.assign([[1.0, -0.5, 0.0, 0.25], [0.0, 0.0, 0.0, -1.0], [0.5, 0.5, 0.5, 0.5]])
    picture = Read(cr.draw(net, weights=True))
    lines = picture.of("line", "cr-link")[:12]
    widths = [float(e.get("style").split(":")[1].split(";")[0]) for e in lines]
    np.testing.assert_allclose(widths, 0.3 + 3.2 * np.abs(net[0].weight.value).reshape(-1), atol=0.006)
    negative = ["cr-minus" in e.get("class") for e in lines]
    assert negative == [w < 0 for w in net[0].weight.value.reshape(-1)]
    assert lines[1].find(SVG + "title").text == "layers.0: weight [0, 1] is -0.50"
    assert "stroke-dasharray" in "".join(picture.root.find(SVG + "style").itertext())
    assert "dashed" in picture.texts("cr-note")[1]


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_weights_that_cannot_be_compared(value):
    net = lecture()
    net[0].weight.assign(np.full((3, 4), value))
    svg = cr.draw(net, weights=True).svg
    assert "width: nan" not in svg
    assert "opacity: nan" not in svg
    Read(cr.draw(net, weights=True))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_others_are_compared_without_those_that_cannot_be(value):
    net = lecture()
    net[0].weight.assign(np.where(np.arange(12).reshape(3, 4) == 5, value, 0.5))
    lines = Read(cr.draw(net, weights=True)).of("line", "cr-link")[:12]
    widths = [float(e.get("style").split(":")[1].split(";")[0]) for e in lines]
    assert widths == [3.5 if k != 5 else 0.3 for k in range(12)]


def test_what_lies_between_layers_is_told_below_the_one_before():
    net = Sequential(Flatten(), Linear(12, 5), BatchNorm(5), ReLU(), Dropout(0.25), Linear(5, 2))
    layers = layers_of(net, (3, 4))
    assert [layer.after for layer in layers] == [["Flatten()"], ["BatchNorm(5)", "ReLU()", "Dropout(0.25)"], []]
    assert Read(cr.draw(net, input_shape=(3, 4))).texts("cr-count")[0] == "12 inputs (3 × 4)"


def test_a_residual_connection_is_an_arc():
    net = Sequential(Linear(6, 8), ReLU(), Residual(Sequential(Linear(8, 4), Tanh(), Linear(4, 8))), Maxout(8, 3))
    layers = layers_of(net)
    assert [layer.sources for layer in layers] == [(), (0,), (1,), (2,), (1, 3)]
    assert depth(layers) == 4
    picture = Read(cr.draw(net))
    assert picture.columns == [6, 8, 4, 8, 3]
    assert len(picture.of("path", "cr-skip")) == 1


def test_a_residual_connection_to_the_output():
    layers = layers_of(Residual(Linear(4, 4)))
    assert [layer.last for layer in layers] == [True, True]
    picture = Read(cr.draw(Residual(Linear(4, 4))))
    assert picture.texts("cr-name") == ["output", "input layer", "output layer"]
    assert len(picture.of("path", "cr-skip")) == 2


class Branches(Module):
    def __init__(self):
        self.a, self.b, self.c = Linear(4, 3, rng=0), Linear(4, 5, rng=1), Linear(8, 2, rng=2)

    def forward(self, x):
        return self.c(np.concatenate([cr.relu(self.a(x)), np.tanh(self.b(x))], axis=-1))


def test_branches_of_a_module_of_ones_own():
    layers = layers_of(Branches(), 4)
    assert [layer.sources for layer in layers] == [(), (0,), (0,), (1, 2)]
    assert [layer.after for layer in layers] == [[], ["relu"], ["tanh"], []]
    assert depth(layers) == 2
    picture = Read(cr.draw(Branches(), input_shape=4, weights=True))
    assert len(picture.of("path", "cr-skip")) == 2
    # c has 8 inputs, 5 of them from b: which weights those are, the drawing does not guess
    assert len(picture.of("line", "cr-plus")) + len(picture.of("line", "cr-minus")) == 4 * 3
    assert picture.texts("cr-word") == ["2-layer net: 10 neurons, 58 parameters"]


def test_an_embedding_is_read_by_its_own_input():
    net = Sequential(Embedding(50, 3), Flatten(), Linear(12, 5), ReLU(), Linear(5, 2))
    picture = Read(cr.draw(net, input_shape=4, limit=12))
    assert picture.columns == [4, 12, 5, 2]
    assert len(picture.of("line", "cr-link")) == 12 + 12 * 5 + 5 * 2
    assert picture.texts("cr-name") == ["input layer", "embedding", "hidden layer", "output layer"]


def test_a_neuron():
    picture = Read(cr.draw(Neuron([2.0, -3.0], -3.0), weights=True))
    assert picture.columns == [2, 1]
    assert picture.texts("cr-word") == ["1-layer net: 1 neuron, 3 parameters"]
    assert len(picture.of("line", "cr-minus")) == 1


def test_frozen_layers_and_shared_layers():
    net = lecture()
    net[0].freeze()
    assert Read(cr.draw(net)).texts("cr-count")[2] == "16 parameters, frozen"
    shared = Linear(3, 3)
    assert Read(cr.draw(Sequential(shared, ReLU(), shared))).columns == [3, 3, 3]


def test_nothing_is_left_behind():
    net = Sequential(Linear(3, 4, rng=0), BatchNorm(4), Dropout(0.5, rng=0), Linear(4, 2, rng=1))
    before = net.state_dict()
    cr.draw(net)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match=r"does not tell what its inputs look like: pass input_shape"):
        cr.draw(Branches())
    with pytest.raises(ValueError, match="no layers of neurons"):
        cr.draw(ReLU(), input_shape=3)
    with pytest.raises(TypeError, match="for drawings of nets, not of Array"):
        cr.draw(cr.array(1.0), weights=True)


def test_files_and_notebooks(tmp_path):
    drawing = cr.draw(lecture(), tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text(encoding="utf-8") == drawing.svg == drawing._repr_svg_()
    drawing.save(tmp_path / "net.html")
    assert drawing.svg in (tmp_path / "net.html").read_text(encoding="utf-8")
    assert repr(drawing) == '<Drawing of Sequential: 6 neurons, 26 parameters; .save("Sequential.svg") writes it>'
    assert "prefers-color-scheme: dark" in drawing.svg

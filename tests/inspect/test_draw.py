"""Drawings: their structure is read back from the SVG."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.inspect.naming import mean_and_spread

SVG = "{http://www.w3.org/2000/svg}"


class Area(NamedTuple):
    what: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Area) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


class Picture:
    """A parsed drawing."""

    def __init__(self, drawing: Any) -> None:
        self.root = ET.fromstring(drawing.svg)  # noqa: S314

    def nodes(self, kind: str | None = None) -> list[ET.Element]:
        found = [g for g in self.root.iter(f"{SVG}g") if "data-node" in g.attrib]
        return [g for g in found if kind is None or g.attrib["data-kind"] == kind]

    def edges(self) -> list[tuple[str, str]]:
        return [
            (g.attrib["data-edge"], g.attrib["data-argument"])
            for g in self.root.iter(f"{SVG}g")
            if "data-edge" in g.attrib
        ]

    def texts(self, style: str) -> list[str]:
        return [t.text or "" for t in self.root.iter(f"{SVG}text") if style in t.attrib["class"].split()]

    def node(self, name: str) -> ET.Element:
        [found] = [g for g in self.nodes() if g.attrib["data-node"] == name]
        return found

    def place(self, name: str) -> Area:
        return body(self.node(name))

    def areas(self) -> list[tuple[int, Area]]:
        """Bodies and texts with the number of their node; a text inside its own body belongs there."""
        found = []
        for k, g in enumerate(self.nodes()):
            inside = body(g)
            found.append((k, inside))
            for text in g.iter(f"{SVG}text"):
                area = text_area(text)
                if not (inside.left <= area.left and area.right <= inside.right and area.overlaps(inside)):
                    found.append((-1, area))
        found += [(-1, text_area(t)) for t in self.root.findall(f"{SVG}text")]
        return found


def body(g: ET.Element) -> Area:
    circle, rect = g.find(f"{SVG}circle"), g.find(f"{SVG}rect")
    if circle is not None:
        x, y, r = (float(circle.attrib[key]) for key in ("cx", "cy", "r"))
        return Area(g.attrib["data-node"], x - r, y - r, x + r, y + r)
    assert rect is not None
    x, y, w, h = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
    return Area(g.attrib["data-node"], x, y, x + w, y + h)


def text_area(text: ET.Element) -> Area:
    """With widths of characters, ascent and descent as common sans-serif fonts have them."""
    size, content = float(text.attrib["font-size"]), text.text or ""
    width = size * sum(0.6 if ch.isdigit() or ch.isupper() or ch in "+=×±" else 0.5 for ch in content)
    x, y = float(text.attrib["x"]), float(text.attrib["y"])
    left = x if text.attrib["text-anchor"] == "start" else x - width / 2
    return Area(content, left, y - 0.74 * size, left + width, y + 0.21 * size)


def assert_nothing_overlaps(picture: Picture) -> None:
    for (i, a), (j, b) in itertools.combinations(picture.areas(), 2):
        if i < 0 or i != j:
            assert not a.overlaps(b), f"{a} overlaps {b}"
    width, height = (float(picture.root.attrib[key]) for key in ("width", "height"))
    for _, area in picture.areas():
        assert area.left >= 0
        assert area.top >= 0
        assert area.right <= width
        assert area.bottom <= height


def points_on(path: str) -> list[tuple[float, float]]:
    """Points along a wire: straight pieces (H) and cubic curves (C)."""
    at, points = (0.0, 0.0), []
    for command, numbers in re.findall(r"([MHC])([^MHC]*)", path):
        values = [float(v) for v in re.split(r"[ ,]+", numbers.strip())]
        ends = [at, *zip(values[::2], values[1::2], strict=False)] if command != "H" else [at, (values[0], at[1])]
        if command == "M":
            at = ends[1]
            continue
        for k in range(41):
            t = k / 40
            if command == "H":
                points.append((ends[0][0] + t * (ends[1][0] - ends[0][0]), at[1]))
            else:
                weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3]
                points.append(tuple(sum(w * e[i] for w, e in zip(weights, ends, strict=True)) for i in (0, 1)))
        at = ends[-1]
    return points


def assert_wires_cross_no_text(picture: Picture) -> None:
    texts = [area for owner, area in picture.areas() if owner < 0]
    for path in picture.root.iter(f"{SVG}path"):
        for x, y in points_on(path.attrib["d"]):
            for area in texts:
                assert not (area.left < x < area.right and area.top < y < area.bottom), f"a wire crosses {area}"


def lecture() -> cr.Array:
    x, y, z = cr.array(-2.0), cr.array(5.0), cr.array(-4.0)
    q = x + y
    f = q * z
    return f  # noqa: RET504  (the variable's name is what is drawn)


def neuron() -> cr.Array:
    values = {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}
    w0, x0, w1, x1, w2 = (cr.array(v, name=name) for name, v in values.items())
    return 1 / (1 + np.exp(-(w0 * x0 + w1 * x1 + w2)))


def max_circuit() -> cr.Array:
    x, y, z, w = cr.array(3.0), cr.array(-4.0), cr.array(2.0), cr.array(-1.0)
    return (x * y + np.maximum(z, w)) * 2


def squared() -> cr.Array:
    x = cr.array(3.0)
    f = x * x
    return f  # noqa: RET504


def branching() -> cr.Array:
    x, y = cr.array(3.0), cr.array(-4.0)
    return (x + cr.sigmoid(y)) / (cr.sigmoid(x) + (x + y) ** 2)


def net() -> cr.Array:
    layers = cr.nn.Sequential(cr.nn.Linear(2, 6, rng=0), cr.nn.ReLU(), cr.nn.Linear(6, 3, rng=1))
    points = np.random.default_rng(0).normal(size=(100, 2))
    return cr.nn.cross_entropy(layers(points), np.arange(100) % 3)


def net_written_out() -> cr.Array:
    rng = np.random.default_rng(0)
    points, targets = rng.normal(size=(100, 2)), rng.normal(size=(100, 1))
    w1, b1 = cr.array(rng.normal(size=(2, 6)), name="W1"), cr.array(np.zeros(6), name="b1")
    w2, b2 = cr.array(rng.normal(size=(6, 1)), name="W2"), cr.array(np.zeros(1), name="b2")
    scores = np.tanh(points @ w1 + b1) @ w2 + b2
    return np.mean((scores - targets) ** 2) + 1e-3 * (np.sum(w1 * w1) + np.sum(w2 * w2))


CIRCUITS = [lecture, neuron, max_circuit, squared, branching, net, net_written_out]


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("unfold", [False, True], ids=["folded", "unfolded"])
@pytest.mark.parametrize("make", CIRCUITS, ids=lambda make: make.__name__)
def test_nothing_overlaps_or_leaves_the_paper(make: Any, unfold: bool, done: bool) -> None:
    f = make()
    if done:
        f.backward()
    picture = Picture(cr.draw(f, unfold=unfold))
    assert_nothing_overlaps(picture)
    assert_wires_cross_no_text(picture)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=25))
def test_random_circuits_are_drawn_whole_and_without_overlap(steps: list[tuple[int, int, int]]) -> None:
    pool = [cr.array(v, name=name) for v, name in ((0.5, "x"), (-1.5, "y"), (12345.678, "z"))]
    for kind, i, j in steps:
        a, b = pool[-1 - i % len(pool)], pool[-1 - j % len(pool)]
        pool.append([lambda: a + b, lambda: a * b, lambda: np.tanh(a), lambda: np.maximum(a, b)][kind]())  # noqa: B023
    f = pool[-1]
    f.backward()
    picture = Picture(cr.draw(f))
    gates = {id(node): node for node in reached(f) if node.inputs}
    assert len(picture.nodes("gate")) == len(gates)
    assert len(picture.edges()) == sum(len(gate.inputs) for gate in gates.values())
    assert_nothing_overlaps(picture)
    assert_wires_cross_no_text(picture)
    assert_left_to_right(picture)


def reached(f: cr.Array) -> list[cr.Array]:
    found, todo = {}, [f]
    while todo:
        node = todo.pop()
        found[id(node)] = node
        todo += [x for x in node.inputs if isinstance(x, cr.Array) and id(x) not in found]
    return list(found.values())


def assert_left_to_right(picture: Picture) -> None:
    places = {g.attrib["data-node"]: body(g) for g in picture.nodes()}
    for edge, _ in picture.edges():
        source, target = edge.split("->")
        if source in places:  # a plain number's box is named after the gate it flows into
            assert places[source].right < places[target].left


@pytest.mark.parametrize("make", [lecture, neuron, max_circuit, squared, branching], ids=lambda make: make.__name__)
def test_wires_run_from_left_to_right(make: Any) -> None:
    assert_left_to_right(Picture(cr.draw(make())))


def test_the_first_circuit_has_its_gates_leaves_edges_and_numbers() -> None:
    f = lecture()
    f.backward()
    picture = Picture(cr.draw(f))
    assert [g.attrib["data-node"] for g in picture.nodes("leaf")] == ["x", "y", "z"]
    assert {g.attrib["data-node"]: g.attrib["data-gate"] for g in picture.nodes("gate")} == {
        "q": "add",
        "f": "multiply",
    }
    assert sorted(picture.edges()) == [("q->f", "x"), ("x->q", "x"), ("y->q", "y"), ("z->f", "y")]
    assert sorted(picture.texts("cr-value")) == ["-2.00", "-4.00", "5.00", "f = -12.00", "q = 3.00"]
    assert sorted(picture.texts("cr-grad")) == ["-4.00", "-4.00", "-4.00", "1.00", "3.00"]
    assert sorted(picture.texts("cr-local")) == ["× -4.00", "× 1.00", "× 1.00", "× 3.00"]
    assert picture.texts("cr-sign") == ["+", "×"]


def test_activations_stand_above_the_wire_and_gradients_below() -> None:
    f = lecture()
    f.backward()
    picture = Picture(cr.draw(f))
    for g in picture.nodes():
        area = body(g)
        middle = (area.top + area.bottom) / 2
        for text in g.iter(f"{SVG}text"):
            where = text_area(text)
            if text.attrib["class"] == "cr-value":
                assert where.bottom < middle
            if text.attrib["class"] == "cr-grad":
                assert where.top > middle


def test_a_gradient_that_is_not_computed_yet_is_a_dash_and_never_zero() -> None:
    before = Picture(cr.draw(lecture()))
    assert before.texts("cr-grad") == []
    assert before.texts("cr-missing") == ["–"] * 5
    assert len(before.texts("cr-local")) == 4  # local gradients exist since the forward pass
    m = np.maximum(cr.array(2.0), cr.array(-1.0))
    m.backward()
    after = Picture(cr.draw(m))
    assert after.texts("cr-missing") == []
    assert sorted(after.texts("cr-grad")) == ["0.00", "1.00", "1.00"]


def test_a_value_used_twice_by_one_gate_has_two_edges() -> None:
    f = squared()
    f.backward()
    picture = Picture(cr.draw(f))
    assert picture.edges() == [("x->f", "x"), ("x->f", "y")]
    assert picture.texts("cr-part") == ["3.00", "3.00"]
    paths = [p.attrib["d"] for p in picture.root.iter(f"{SVG}path") if p.attrib["class"] == "cr-wire"]
    assert len(set(paths)) == 2
    assert len(picture.root.findall(f"{SVG}circle[@class='cr-dot']")) == 1


def test_a_branch_shows_the_part_of_each_wire() -> None:
    f = branching()
    f.backward()
    picture = Picture(cr.draw(f))
    assert sorted(picture.texts("cr-part")) == ["-0.04", "0.01", "0.51", "1.58", "1.58"]
    assert {"2.06", "1.59"} <= set(picture.texts("cr-grad"))


def test_constants_are_boxes_of_their_own_kind_without_gradient() -> None:
    f = max_circuit()
    f.backward()
    picture = Picture(cr.draw(f))
    [two] = picture.nodes("constant")
    assert [t.text for t in two.iter(f"{SVG}text")] == ["2"]
    assert len(picture.root.findall(".//*[@class='cr-wire cr-dead']")) == 1


def test_a_net_is_folded_by_layer_until_asked_to_unfold() -> None:
    loss = net()
    folded = Picture(cr.draw(loss))
    assert [g.attrib["data-node"] for g in folded.nodes("layer")] == ["Linear_0", "ReLU_1", "Linear_2"]
    assert [g.attrib["data-gate"] for g in folded.nodes("gate")] == ["softmax_cross_entropy"]
    assert folded.texts("cr-title") == ["Linear_0", "ReLU_1", "Linear_2"]
    assert {"weight 2×6", "bias 6", "weight 6×3", "bias 3"} <= set(folded.texts("cr-name"))
    whole = Picture(cr.draw(loss, unfold=True))
    assert whole.nodes("layer") == []
    assert sorted(g.attrib["data-gate"] for g in whole.nodes("gate")) == [
        "affine", "affine", "relu", "softmax_cross_entropy",
    ]  # fmt: skip
    assert "Linear_0.weight" in [g.attrib["data-node"] for g in whole.nodes("leaf")]
    one = Picture(cr.draw(loss, unfold="Linear_0"))
    assert [g.attrib["data-node"] for g in one.nodes("layer")] == ["ReLU_1", "Linear_2"]
    with pytest.raises(ValueError, match=r"no layer 'Linear_9'.*Linear_0"):
        cr.draw(loss, unfold="Linear_9")


def test_a_parameter_used_outside_its_layer_too_has_a_box_of_its_own() -> None:
    layer = cr.nn.Linear(2, 3, rng=0)
    loss = np.sum(layer(np.ones((4, 2), np.float32))) + np.sum(layer.weight * layer.weight)
    loss.backward()
    picture = Picture(cr.draw(loss))
    assert "Linear.weight" in [g.attrib["data-node"] for g in picture.nodes("leaf")]
    [box] = picture.nodes("layer")
    assert [t.text for t in box.iter(f"{SVG}text") if t.attrib["class"] == "cr-name"] == ["bias 3"]
    assert_nothing_overlaps(picture)
    assert_wires_cross_no_text(picture)


def test_after_a_step_local_gradients_are_left_out() -> None:
    w, x = cr.Parameter(2.0, name="w"), cr.array(3.0, dtype=np.float32)
    f = np.tanh(w * x)
    f.backward()
    w.assign(7.0)
    picture = Picture(cr.draw(f))
    assert len(picture.texts("cr-local")) == 1  # tanh's, whose input is as it was
    assert len(picture.texts("cr-grad")) == 4


def test_a_layer_applied_twice_is_drawn_twice() -> None:
    layer = cr.nn.Linear(2, 2, rng=0)
    x = np.ones((1, 2), np.float32)
    total = np.sum(layer(np.tanh(layer(x))))
    total.backward()
    picture = Picture(cr.draw(total))
    assert len(picture.nodes("layer")) == 2
    assert_nothing_overlaps(picture)


def test_a_big_circuit_is_cut_and_says_so() -> None:
    h = cr.array(0.5)
    for _ in range(1000):
        h = np.tanh(h)
    picture = Picture(cr.draw(h))
    assert len(picture.nodes("gate")) == 150
    assert len(picture.nodes("more")) == 1
    assert "850 of 1000 gates left out: cr.draw(h, limit=1000) shows all" in picture.texts("cr-note")[0]


def test_tooltips_have_values_and_the_users_line() -> None:
    f = lecture()
    f.backward()
    picture = Picture(cr.draw(f))
    title = picture.node("q").findtext(f"{SVG}title") or ""
    assert "q = x + y" in title
    assert "gradient: -4." in title
    assert "test_draw.py:" in title
    assert picture.node("q").attrib["data-line"].startswith("test_draw.py:")


def test_it_is_accessible_and_adapts_to_dark() -> None:
    root = Picture(cr.draw(lecture())).root
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "Circuit of f"
    assert root.findtext(f"{SVG}title") == "Circuit of f"
    assert "2 gates" in (root.findtext(f"{SVG}desc") or "")
    assert "prefers-color-scheme: dark" in (root.findtext(f"{SVG}style") or "")


def test_names_are_escaped() -> None:
    f = cr.array(1.0, name='a<b&"c"') * 2.0
    assert 'a<b&"c"' in [g.attrib["data-node"] for g in Picture(cr.draw(f)).nodes()]


def test_what_xml_cannot_hold_is_replaced() -> None:
    x = cr.array(1.0, name="a\x00\x1b[31m")
    assert "a\ufffd\ufffd[31m" in Picture(cr.draw(x * 2.0)).texts("cr-name")


def test_files_and_notebooks(tmp_path: Path) -> None:
    f = lecture()
    drawing = cr.draw(f, tmp_path / "f.svg")
    assert (tmp_path / "f.svg").read_text(encoding="utf-8") == drawing.svg == drawing._repr_svg_()
    cr.draw(f, str(tmp_path / "f.html"))
    page = (tmp_path / "f.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert drawing.svg in page
    assert drawing.svg in drawing._repr_html_()
    with pytest.raises(ValueError, match=r"\.svg or \.html"):
        cr.draw(f, tmp_path / "f.png")


def test_the_repr_is_one_short_line() -> None:
    assert repr(cr.draw(lecture())) == '<Drawing of f: 2 gates; .save("f.svg") writes it>'
    assert ": 1 gate;" in repr(cr.draw(squared()))
    assert repr(cr.draw(cr.array(1.0, name="a/b"))) == '<Drawing of a/b: 0 gates; .save("circuit.svg") writes it>'


def test_html_fits_the_window_down_to_a_size_that_can_be_read(tmp_path: Path) -> None:
    drawing = cr.draw(net(), tmp_path / "net.html")
    width = float(ET.fromstring(drawing.svg).attrib["width"])  # noqa: S314
    for text in ((tmp_path / "net.html").read_text(encoding="utf-8"), drawing._repr_html_()):
        assert "max-width: 100%" in text
        assert "overflow-x: auto" in text
        assert f"--cr-width: {width:.0f}px" in text
        [smallest] = re.findall(r"min-width: calc\(([\d.]+) \* var\(--cr-width\)\)", text)
        assert float(smallest) * width < 1280 - 16
        assert float(smallest) * 13 > 8


def test_a_mean_has_no_digits_beyond_its_spread() -> None:
    assert mean_and_spread(np.array([-0.56, 0.5602])) == "0.00 ± 0.56"
    assert mean_and_spread(np.array([-0.5602, 0.56])) == "0.00 ± 0.56"
    assert mean_and_spread(np.array([1.0, 3.0])) == "2.00 ± 1.00"
    assert mean_and_spread(np.array([1e-5, 3e-5])) == "2.00e-05 ± 1.00e-05"
    assert mean_and_spread(np.array([-1e-5, 1.000002e-5])) == "0.00 ± 1.00e-05"
    assert mean_and_spread(np.array([1e-5, 1e-5])) == "1.00e-05 ± 0.00"
    assert mean_and_spread(np.array([-2e7, 2.1e7])) == "500000.00 ± 2.05e+07"


def test_lone_arrays_arrays_and_what_is_not_finite() -> None:
    assert len(Picture(cr.draw(cr.array(1.0))).nodes()) == 1
    x = cr.array(np.array([np.nan, 1.0, 2.0, 3.0]), name="x")
    picture = Picture(cr.draw(x * 2.0))
    assert "1 not finite" in picture.texts("cr-value")
    empty = cr.array(np.zeros((0, 3)), name="e")
    assert "0×3" in Picture(cr.draw(empty)).texts("cr-shape")[0]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="draw needs an Array"):
        cr.draw(3.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1"):
        cr.draw(cr.array(1.0), limit=0)

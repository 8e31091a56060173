"""Charts: well-formed SVG that shows the numbers it was given."""

import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

from chainrule.inspect import chart

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text):
    return ET.fromstring(text)  # noqa: S314


def points(svg):
    return [
        [tuple(map(float, p.split(","))) for p in line.get("points").split()] for line in svg.iter(f"{SVG}polyline")
    ]


def texts(svg):
    return [element.text for element in svg.iter(f"{SVG}text")]


def test_lines_go_down_where_numbers_do_and_begin_together():
    svg = parsed(chart.line_chart([1, 2, 3], {"a": [3.0, 2.0, 1.0], "b": [3.0, 3.0, 3.0]}, title="Loss & more"))
    falling, level = points(svg)
    assert falling[0] == level[0]
    assert falling[0][1] < falling[1][1] < falling[2][1]
    assert {"Loss & more", "a", "b", "epoch"} <= set(texts(svg))
    assert len({line.get("stroke-dasharray") for line in svg.iter(f"{SVG}polyline")}) == 2


def test_a_logarithmic_axis_makes_a_line_of_a_decay():
    decay = {"loss": [1.0, 0.1, 0.01]}
    (line,) = points(parsed(chart.line_chart([1, 2, 3], decay, title="", log=True)))
    assert line[1][1] - line[0][1] == pytest.approx(line[2][1] - line[1][1], abs=0.11)
    (bent,) = points(parsed(chart.line_chart([1, 2, 3], {"loss": [1.0, 0.1, 0.0]}, title="", log=True)))
    assert bent[1][1] - bent[0][1] > 2 * (bent[2][1] - bent[1][1])


def test_gaps_single_points_and_nothing():
    svg = parsed(chart.line_chart([1, 2, 3, 4], {"a": [1.0, np.nan, 2.0, 3.0]}, title=""))
    assert [len(line) for line in points(svg)] == [1, 2]
    assert len(list(svg.iter(f"{SVG}circle"))) == 1
    assert "no finite number" in chart.line_chart([1], {"a": [np.nan]}, title="Loss")
    assert "no finite number" in chart.point_chart([np.inf], [1.0], title="", across="", upwards="")
    assert "no finite number" in chart.histogram([], title="")
    parsed(chart.line_chart([1], {"a": [0.0]}, title="one epoch"))


@pytest.mark.parametrize(
    ("low", "high", "ticks"), [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-3, 14, [0, 5, 10]), (5e-4, 9e-4, 3)]
)
def test_ticks_are_round_numbers(low, high, ticks):
    found = chart.Scale(low, high, 0, 100).ticks(5)
    if isinstance(ticks, list):
        np.testing.assert_allclose(found, ticks, atol=1e-15)
    else:
        assert len(found) >= ticks
        assert all(0.999 * low <= tick <= 1.001 * high for tick in found)


def test_ticks_of_a_logarithmic_axis_are_powers_of_ten():
    np.testing.assert_allclose(chart.Scale(0.05, 300.0, 0, 100, True).ticks(), [0.1, 1, 10, 100])
    assert len(chart.Scale(2.0, 7.0, 0, 100, True).ticks()) >= 3


def test_points_and_bars():
    svg = parsed(chart.point_chart([1.0, 2.0, np.nan], [0.5, -0.5, 0.0], title="", across="x", upwards="y"))
    first, second = svg.iter(f"{SVG}circle")
    assert float(first.get("cx")) < float(second.get("cx"))
    assert float(first.get("cy")) < float(second.get("cy"))
    bars = [r for r in parsed(chart.histogram([0, 0, 0, 1], title="", bins=2)).iter(f"{SVG}rect") if r.get("class")]
    assert float(bars[0].get("height")) == pytest.approx(3 * float(bars[1].get("height")), abs=0.1)


def test_a_matrix_shows_counts_and_names():
    svg = parsed(chart.matrix([[5, 0], [1, 2]], ["<a>", "b"], ["<a>", "b"], title="t", down="true", across="taken for"))
    assert texts(svg).count("<a>") == 2
    assert [t for t in texts(svg) if t.isdigit()] == ["5", "1", "2"]
    assert "b taken for <a>: 1" in [title.text for title in svg.iter(f"{SVG}title")]


def test_a_png_holds_the_pixels():
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 3)).astype(np.uint8)
    data = chart.png(image)
    at, chunks = 8, {}
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + length
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (5, 3, 8, 2, 0, 0, 0)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(3, 16)
    np.testing.assert_array_equal(rows[:, 1:].reshape(3, 5, 3), image)
    assert not rows[:, 0].any()


def test_pictures_of_numbers_and_of_colours():
    assert len(list(parsed(chart.pictures(np.ones((5, 4, 4)), title="w")).iter(f"{SVG}image"))) == 5
    np.testing.assert_array_equal(chart.colours(np.zeros((2, 2))), np.full((2, 2, 3), 255))
    np.testing.assert_array_equal(chart.stretched(np.array([[[-1.0, 0.0, 1.0]]])), [[[0, 128, 255]]])
    assert not chart.stretched(np.full((2, 2), 3.0)).any()
    named = parsed(chart.pictures(np.ones((2, 4, 4)), title="w", captions=["a", "<b>"], grey=True))
    assert {"a", "<b>"} <= set(texts(named))

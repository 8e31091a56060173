"""A layout as SVG text that stands alone: its styles, light and dark, are inside."""

from __future__ import annotations

import html
import re
from math import sqrt

from chainrule.inspect.layout import Box, Layout, Port, Wire

SIZES = {
    "cr-value": 13.0, "cr-grad": 13.0, "cr-missing": 13.0, "cr-part": 11.5, "cr-local": 11.5, "cr-shape": 11.5,
    "cr-name": 13.5, "cr-sign": 18.0, "cr-word": 14.0,
    "cr-note": 11.5, "cr-count": 13.0,
}  # fmt: skip
"""Font sizes by class of text."""

FOOT = 26.0
LINE = 17.0
SMALLEST = 0.65
"""To what part of its size a drawing may shrink: numbers of 13 pixels can just be read at 8."""
ROUND = 9.0

STYLE = """
.cr-drawing { --paper: #ffffff; --ink: #1d2733; --soft: #66707c; --line: #8a94a0; --edge: #3d4a58; --fill: #f2f5f9;
  --leaf: #e6eefb; --layer: #f3effa; --value: #14599d; --grad: #b3470b; --local: #6d4fa3; }
@media (prefers-color-scheme: dark) { .cr-drawing { --paper: #14181d; --ink: #e8edf2; --soft: #98a3b0; --line: #7b8794;
  --edge: #a9b6c4; --fill: #232a33; --leaf: #1d2f47; --layer: #2c2640; --value: #86bdf5; --grad: #f5a06a;
  --local: #c1a8f0; } }
.cr-drawing text { font-family: "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; fill: var(--ink); }
.cr-paper { fill: var(--paper); }
.cr-body { fill: var(--fill); stroke: var(--edge); stroke-width: 1.5; }
.cr-leaf .cr-body { fill: var(--leaf); }
.cr-layer .cr-body { fill: var(--layer); stroke-width: 2; }
.cr-constant .cr-body { fill: none; stroke: var(--line); stroke-width: 1; stroke-dasharray: 3 3; }
.cr-more .cr-body { fill: none; stroke: var(--line); stroke-dasharray: 1 4; stroke-linecap: round; }
.cr-drawing .cr-constant text, .cr-drawing .cr-more text { fill: var(--soft); }
.cr-wire { fill: none; stroke: var(--line); stroke-width: 1.6; }
.cr-wire.cr-dead { stroke-width: 1; stroke-dasharray: 3 3; }
.cr-dot { fill: var(--line); }
.cr-drawing .cr-sign, .cr-drawing .cr-word, .cr-drawing .cr-title { font-weight: 600; }
.cr-drawing .cr-value { fill: var(--value); font-weight: 600; }
.cr-drawing .cr-grad { fill: var(--grad); font-style: italic; }
.cr-drawing .cr-part { fill: var(--grad); font-style: italic; }
.cr-drawing .cr-local { fill: var(--local); }
.cr-drawing .cr-missing { font-weight: 700; }
.cr-drawing .cr-missing, .cr-drawing .cr-shape, .cr-drawing .cr-note { fill: var(--soft); }
.cr-node:hover .cr-body { stroke-width: 3; }
.cr-edge:hover .cr-wire { stroke: var(--ink); stroke-width: 3; }
""".strip()

_WIDE = {"m": 0.98, "w": 0.82, "M": 0.87, "W": 0.99, "@": 1.0, "Σ": 0.66, "×": 0.84, "±": 0.84, "=": 0.84, "+": 0.84}
_NARROW = dict.fromkeys("il.,:;|'!j", 0.33) | dict.fromkeys(" ft()[]-r", 0.41)


def size_of(style: str) -> float:
    """The font size of a class of text; of several classes the first tells."""
    return SIZES[style.split()[0]]


def text_width(text: str, size: float) -> float:
    """How wide a text is at most, in the widest of the fonts that the drawing asks for."""
    return size * sum(_WIDE.get(ch) or _NARROW.get(ch) or (0.7 if ch.isupper() else 0.64) for ch in text)


def escape(text: str) -> str:
    """Text for an XML document, which has no way to write control characters."""
    return html.escape(re.sub("[^\\t\\n\\r -\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]", "\ufffd", text))


def page(svg: str) -> str:
    """An HTML page that holds nothing but the drawing."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f"<title>Circuit</title></head>\n<body>\n{fitted(svg)}\n</body></html>\n"
    )


def fitted(svg: str) -> str:
    """The drawing in HTML: as wide as there is room for, and scrolled where its texts would become too small."""
    return (
        '<div class="cr-fitted" style="overflow-x: auto"><style>.cr-fitted > svg { display: block; max-width: 100%; '
        f"min-width: calc({SMALLEST} * var(--cr-width)); height: auto; }}</style>\n{svg}</div>"
    )


def render(layout: Layout, wires: list[Wire], end: tuple[Box, int], label: str, description: str, note: str) -> str:
    """The whole drawing as one <svg> element; ``end`` is the box and port of the output."""
    width = max(layout.width, text_width(note, SIZES["cr-note"]) + 36)
    height = layout.height + FOOT
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    size += f' style="--cr-width: {width:.0f}px"'  # for ``fitted``
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cr-drawing" role="img" aria-label="{escape(label)}" {size}>',
        f"<title>{escape(label)}</title><desc>{escape(description)}</desc>",
        f"<style>{STYLE}</style>",
        f'<rect class="cr-paper" width="{width:.0f}" height="{height:.0f}" rx="10"/>',
    ]
    fans = {(wire.source, wire.out): 0 for wire in wires}
    for wire in wires:
        fans[wire.source, wire.out] += 1
        parts.append(_wire(wire, layout))
    for (box, k), count in fans.items():
        if count > 1:
            x, y = layout.edges[box.column][1], box.y + box.outputs[k].y
            parts.append(f'<circle class="cr-dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
    box, k = end
    x, y = _right_side(box, box.outputs[k]), box.y + box.outputs[k].y
    parts.append(f'<path class="cr-wire cr-out" d="M{x:.1f},{y:.1f} H{layout.edges[box.column][1]:.1f}"/>')
    parts += [_box(box, layout) for column in layout.columns for box in column if box.kind != "lane"]
    parts.append(text_at("cr-note", 18, height - 14, note, "start"))
    parts.append("</svg>")
    return "\n".join(parts)


def _attributes(data: dict[str, str]) -> str:
    return "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())


def text_at(style: str, x: float, y: float, text: str, anchor: str = "middle") -> str:
    """A line of text of one class."""
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size_of(style):g}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place}>{escape(text)}</text>'


def _wire(wire: Wire, layout: Layout) -> str:
    """Straight inside columns, bent between them."""
    source, target = wire.source, wire.target
    ya, yb = source.y + source.outputs[wire.out].y, target.y + target.inputs[wire.into].y
    path = [f"M{_right_side(source, source.outputs[wire.out]):.1f},{ya:.1f}"]
    x, y = layout.edges[source.column][1], ya
    path.append(f"H{x:.1f}")
    for stop in [*wire.via, target]:
        left, right = layout.edges[stop.column]
        height = yb if stop is target else stop.y
        middle = (x + left) / 2
        path.append(f"C{middle:.1f},{y:.1f} {middle:.1f},{height:.1f} {left:.1f},{height:.1f}")
        x, y = right, height
        path.append(f"H{_left_side(target, target.inputs[wire.into]) if stop is target else right:.1f}")
    style = "cr-wire" if wire.live else "cr-wire cr-dead"
    return (
        f'<g class="cr-edge"{_attributes(wire.data)}><title>{escape(wire.title)}</title>'
        f'<path class="{style}" d="{" ".join(path)}"/></g>'
    )


def _is_circle(box: Box) -> bool:
    return box.kind == "gate" and box.width == box.height and len(box.lines) == 1 and len(box.inputs) <= 2


def _reach_at(box: Box, y: float) -> float:
    """How far the body reaches to the side at a height."""
    return sqrt(max((box.width / 2) ** 2 - y**2, 0.0)) if _is_circle(box) else box.width / 2


def _left_side(box: Box, port: Port) -> float:
    return box.x - _reach_at(box, port.y)


def _right_side(box: Box, port: Port) -> float:
    return box.x + _reach_at(box, port.y)


def _box(box: Box, layout: Layout) -> str:
    parts = [f'<g class="cr-node cr-{box.kind}" data-node="{escape(box.key)}" data-kind="{box.kind}"']
    parts.append(f"{_attributes(box.data)}><title>{escape(box.title)}</title>")
    if _is_circle(box):
        parts.append(f'<circle class="cr-body" cx="{box.x:.1f}" cy="{box.y:.1f}" r="{box.width / 2:g}"/>')
    else:
        rounding = ROUND if box.kind in ("gate", "layer") else min(box.width, box.height) / 2
        parts.append(
            f'<rect class="cr-body" x="{box.x - box.width / 2:.1f}" y="{box.y - box.height / 2:.1f}" '
            f'width="{box.width:.1f}" height="{box.height:.1f}" rx="{rounding:g}"/>'
        )
    top = box.y - LINE / 2 * (len(box.lines) - 1)
    parts += [
        text_at(style, box.x, top + LINE * k + size_of(style) * 0.36, t) for k, (style, t) in enumerate(box.lines)
    ]
    left = layout.edges[box.column][0]
    for port in box.inputs:
        parts += _texts(port, box.y + port.y, (left + _left_side(box, port)) / 2)
    for port in box.outputs:
        parts += _texts(port, box.y + port.y, _right_side(box, port) + box.right / 2)
    parts.append("</g>")
    return "".join(parts)


def _texts(port: Port, y: float, x: float) -> list[str]:
    """The texts of a wire, those above stacked upwards, those below downwards."""
    parts, at = [], y - 6
    for style, text in port.above:
        parts.append(text_at(style, x, at, text))
        at -= size_of(style) + 4
    at = y + 3
    for style, text in port.below:
        at += size_of(style)
        parts.append(text_at(style, x, at, text))
        at += 4
    return parts

"""Charts as SVG text that stands alone: lines, points, bars, matrices and pictures, in light and dark.

What differs in colour differs in its dashes or its label, too. The colours are those of Okabe and Ito, which can
be told apart with any kind of colour vision.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.inspect.svg import escape, text_width

STYLE = """
.cr-chart { --paper: #ffffff; --ink: #1d2733; --soft: #66707c; --rule: #dde2e8; --c0: #0072b2; --c1: #d55e00;
  --c2: #6d4fa3; --c3: #4d5967; --full: #0072b2; }
@media (prefers-color-scheme: dark) { .cr-chart { --paper: #14181d; --ink: #e8edf2; --soft: #98a3b0; --rule: #323b46;
  --c0: #6cb8f0; --c1: #f5965a; --c2: #c1a8f0; --c3: #c3ccd6; --full: #3d9be0; } }
.cr-chart text { font-family: "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; font-size: 11.5px;
  fill: var(--soft); }
.cr-chart .cr-title { font-size: 13.5px; font-weight: 600; fill: var(--ink); }
.cr-chart .cr-label { fill: var(--ink); }
.cr-chart .cr-rule { stroke: var(--rule); stroke-width: 1; }
.cr-chart .cr-axis { stroke: var(--soft); stroke-width: 1; }
.cr-chart .cr-line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.cr-chart .cr-bar { fill: var(--c0); }
.cr-chart .cr-point { fill: var(--c0); fill-opacity: 0.45; }
""".strip()
DASHES = ("", "7 4", "2 4", "9 3 2 3")
MARGIN = (34.0, 16.0, 44.0, 58.0)
"""Above, right, below and left of what is drawn."""
FONT = 11.5


@dataclass(frozen=True)
class Scale:
    """Numbers from ``low`` to ``high`` on pixels from ``start`` to ``end``; by their logarithms if ``log``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, x: Any) -> Any:
        bend: Callable[[Any], Any] = np.log10 if self.log else np.asarray
        share = (bend(x) - bend(self.low)) / (bend(self.high) - bend(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers within, about ``most`` of them."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            decades = [10.0**k for k in range(first, last + 1, max(1, math.ceil((last - first + 1) / most)))]
            if len(decades) > 1:
                return decades
        span = self.high - self.low
        rough = span / most
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= rough * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def scale(values: NDArray[Any], start: float, end: float, log: bool = False) -> Scale:
    """A scale for these values, with a little room; a single value lies in the middle."""
    low, high = float(values.min()), float(values.max())
    if log:
        return Scale(low / 1.15, high * 1.15, start, end, True)
    room = 0.04 * (high - low) or max(0.5, 0.05 * abs(high))
    return Scale(low - room, high + room, start, end)


def line_chart(
    x: Sequence[float],
    columns: Mapping[str, Sequence[float]],
    *,
    title: str,
    across: str = "epoch",
    log: bool = False,
    width: float = 460,
    height: float = 280,
) -> str:
    """Lines over ``x``, one for each column, with a legend; numbers that are not finite leave gaps.

    With ``log`` the y axis is logarithmic, if all numbers are positive.

    >>> line_chart([1, 2, 3], {"loss": [2.0, 1.0, 0.5]}, title="Loss").count("<polyline")
    1
    """
    lines = {name: np.asarray(column, float) for name, column in columns.items()}
    values = np.concatenate([line[np.isfinite(line)] for line in lines.values()])
    if not values.size:
        return note(f"{title}: no finite number", width)
    at = np.asarray(x, float)
    above, right, below, left = MARGIN
    over = scale(at, left, width - right)
    up = scale(values, height - below, above + 18, log and bool(values.min() > 0))
    parts = [_axes(over, up, across, whole=bool(np.all(at == np.round(at))))]
    for k, line in enumerate(lines.values()):
        for run in _runs(np.isfinite(line)):
            points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(over(at[run]), up(line[run]), strict=True))
            dash = f' stroke-dasharray="{DASHES[k % 4]}"' if DASHES[k % 4] else ""
            parts.append(f'<polyline class="cr-line" stroke="var(--c{k % 4})"{dash} points="{points}"/>')
            if run.stop - run.start == 1:  # a line of one point cannot be seen
                parts.append(
                    f'<circle cx="{points.split(",")[0]}" cy="{points.split(",")[1]}" r="3" fill="var(--c{k % 4})"/>'
                )
    parts.append(_legend(list(lines), left))
    return _svg(title, width, height, parts)


def point_chart(
    x: Any, y: Any, *, title: str, across: str, upwards: str, width: float = 460, height: float = 300
) -> str:
    """Points in the plane, with a line at height 0: what is left of targets over what was predicted, for example.

    >>> point_chart([1.0, 2.0], [0.1, -0.1], title="Residuals", across="predicted", upwards="residual").count("<circle")
    2
    """
    x, y = np.ravel(np.asarray(x, float)), np.ravel(np.asarray(y, float))
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        return note(f"{title}: no finite number", width)
    above, right, below, left = MARGIN
    over, up = scale(x[finite], left, width - right), scale(np.append(y[finite], 0.0), height - below, above + 18)
    parts = [_axes(over, up, across)]
    parts.append(f'<line class="cr-axis" x1="{left}" x2="{width - right}" y1="{up(0.0):.1f}" y2="{up(0.0):.1f}"/>')
    parts.append(f'<text x="{left}" y="{above + 6}">{escape(upwards)}</text>')
    for a, b in zip(over(x[finite]), up(y[finite]), strict=True):
        parts.append(f'<circle class="cr-point" cx="{a:.1f}" cy="{b:.1f}" r="2.6"/>')
    return _svg(title, width, height, parts)


def histogram(values: Any, *, title: str, bins: int = 40, width: float = 220, height: float = 116) -> str:
    """How often values occur: bars from the smallest to the largest, which are written below them.

    >>> histogram([0.0, 0.0, 1.0], title="Activations", bins=2).count('class="cr-bar"')
    2
    """
    values = np.ravel(np.asarray(values, float))
    finite = values[np.isfinite(values)]
    if not finite.size:
        return note(f"{title}: no finite number", width)
    counts, edges = np.histogram(finite, bins)
    over, top, floor = Scale(edges[0], edges[-1], 8, width - 8), 28.0, height - 18
    parts = [f'<line class="cr-axis" x1="8" x2="{width - 8:g}" y1="{floor:g}" y2="{floor:g}"/>']
    for count, left, right in zip(counts, over(edges[:-1]), over(edges[1:]), strict=True):
        if count:
            tall = max(1.0, (floor - top) * count / counts.max())
            box = f'x="{left:.1f}" y="{floor - tall:.1f}" width="{right - left - 0.6:.1f}" height="{tall:.1f}"'
            parts.append(f'<rect class="cr-bar" {box}/>')
    parts.append(f'<text x="8" y="{height - 5:g}">{edges[0]:.3g}</text>')
    parts.append(f'<text x="{width - 8:g}" y="{height - 5:g}" text-anchor="end">{edges[-1]:.3g}</text>')
    return _svg(title, width, height, parts, 8)


def matrix(table: Any, rows: Sequence[str], columns: Sequence[str], *, title: str, down: str, across: str) -> str:
    """A table of counts, darker where there are more in their row: a confusion matrix.

    >>> matrix([[3, 1], [0, 2]], "ab", "ab", title="Classes", down="true", across="taken for").count("<rect")
    5
    """
    table = np.asarray(table)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    digits = max(len(f"{x:g}") for x in table.flat)
    cell = max(26.0, 7.5 * digits + 10, *(text_width(name, FONT) + 8 for name in columns))
    cell = min(cell, 110.0)
    left = max(text_width(name, FONT) for name in rows) + 30
    top, tall = 62.0, 26.0
    caption = f"{down} (rows), {across} (columns)"
    width = max(left + cell * len(columns) + 14, text_width(title, 15) + 24, left + text_width(caption, FONT))
    height = top + tall * len(rows) + 14
    parts = [f'<text x="{left}" y="{top - 22}">{escape(caption)}</text>']
    for k, name in enumerate(columns):
        parts.append(_centred(left + cell * (k + 0.5), top - 6, name))
    for i, name in enumerate(rows):
        y = top + tall * i
        parts.append(
            f'<text class="cr-label" x="{left - 8:.1f}" y="{y + 17:.1f}" text-anchor="end">{escape(name)}</text>'
        )
        for k, count in enumerate(table[i]):
            x, strong = left + cell * k, float(share[i, k])
            box = f'x="{x:.1f}" y="{y:.1f}" width="{cell - 1:.1f}" height="{tall - 1:.1f}"'
            words = escape(f"{name} taken for {columns[k]}: {count:g}")
            box += f' rx="2" fill="var(--full)" fill-opacity="{0.05 + 0.85 * strong:.2f}"'
            parts.append(f"<rect {box}><title>{words}</title></rect>")
            if count:
                ink = ' style="fill: #ffffff"' if strong > 0.5 else ""
                parts.append(_centred(x + cell / 2, y + 17, f"{count:g}", ink))
    return _svg(title, width, height, parts)


def pictures(
    images: NDArray[Any], *, title: str, captions: Sequence[str] = (), grey: bool = False, width: float = 640
) -> str:
    """Arrays (n, rows, columns) as pictures, each on its own scale: 0 is white, blue is below and orange above.

    With ``grey``, and for arrays (n, rows, columns, 3) of colours, they are stretched from the smallest number to the
    largest. Captions stand below.

    >>> pictures(np.zeros((3, 8, 8)), title="Weights").count("<image")
    3
    """
    side = 56.0
    wide = max([side, *(text_width(caption, FONT) for caption in captions)]) + 4
    tall = side + (20 if captions else 4)
    across = max(1, int((width - 16) // wide))
    parts = []
    for k, image in enumerate(images):
        x, y = 8 + (k % across) * wide, 30 + (k // across) * tall
        data = base64.b64encode(png(stretched(image) if grey or image.ndim == 3 else colours(image))).decode()
        parts.append(
            f'<image x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" style="image-rendering: pixelated" '
            f'href="data:image/png;base64,{data}"/>'
        )
        if captions:
            parts.append(f'<text x="{x:g}" y="{y + side + 13:g}">{escape(captions[k])}</text>')
    lines = -(-len(images) // across)
    return _svg(
        title, max(16 + min(across, len(images)) * wide, text_width(title, 15) + 16), 34 + lines * tall, parts, 8
    )


def colours(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Numbers (rows, columns) as colours (rows, columns, 3): blue below 0, white at 0, orange above.

    >>> colours(np.array([[-1.0, 0.0, 2.0]])).tolist()
    [[[127, 184, 216], [255, 255, 255], [213, 94, 0]]]
    """
    share = (image / (np.abs(image).max() or 1.0))[:, :, None]
    blue, orange = np.array([0.0, 114.0, 178.0]), np.array([213.0, 94.0, 0.0])
    return np.asarray(255 + np.abs(share) * (np.where(share < 0, blue, orange) - 255), np.uint8)


def stretched(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Numbers (rows, columns) or (rows, columns, 3) as colours (rows, columns, 3), from dark to bright.

    >>> stretched(np.array([[1.0, 3.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    low, high = float(image.min()), float(image.max())
    bright = np.asarray(np.round(255 * (image - low) / ((high - low) or 1.0)), np.uint8)
    return bright if image.ndim == 3 else np.repeat(bright[:, :, None], 3, axis=2)


def png(image: NDArray[np.uint8]) -> bytes:
    r"""An image (rows, columns, 3) as a PNG file (ISO/IEC 15948): unfiltered rows, deflated.

    >>> png(np.zeros((2, 2, 3), np.uint8))[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    rows, columns, _ = image.shape
    lines = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(image))
    head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)  # 8 bits a colour, of three

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def note(text: str, width: float = 460) -> str:
    """A chart of nothing but words."""
    return _svg(text, width, 34, [])


def _axes(over: Scale, up: Scale, across: str, whole: bool = False) -> str:
    parts = []
    for tick in up.ticks(5):
        y = up(tick)
        parts.append(f'<line class="cr-rule" x1="{over.start:g}" x2="{over.end:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{over.start - 7:g}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>')
    for tick in over.ticks(7):
        if not whole or tick == round(tick):
            parts.append(_centred(over(tick), up.start + 17, _number(tick)))
    parts.append(f'<line class="cr-axis" x1="{over.start:g}" x2="{over.end:g}" y1="{up.start:g}" y2="{up.start:g}"/>')
    parts.append(_centred((over.start + over.end) / 2, up.start + 35, across))
    return "".join(parts)


def _legend(names: list[str], left: float) -> str:
    """A short piece of each line, and what it is; nothing for a single line, which the title names."""
    parts, x = [], left
    for k, name in enumerate(names if len(names) > 1 else []):
        dash = f' stroke-dasharray="{DASHES[k % 4]}"' if DASHES[k % 4] else ""
        parts.append(
            f'<line x1="{x:.1f}" x2="{x + 24:.1f}" y1="36" y2="36" stroke="var(--c{k % 4})" stroke-width="2"{dash}/>'
        )
        parts.append(f'<text class="cr-label" x="{x + 30:.1f}" y="40">{escape(name)}</text>')
        x += 44 + text_width(name, FONT)
    return "".join(parts)


def _runs(there: NDArray[np.bool_]) -> list[slice]:
    """The stretches in which all are there."""
    ends = np.flatnonzero(np.diff(np.concatenate(([False], there, [False])).astype(int)))
    return [slice(int(a), int(b)) for a, b in ends.reshape(-1, 2)]


def _number(x: float) -> str:
    return "0" if x == 0 else f"{x:.4g}"


def _centred(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle"{more}>{escape(text)}</text>'


def _svg(title: str, width: float, height: float, parts: list[str], left: float = 12) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cr-chart" role="img" aria-label="{escape(title)}" {size}>'
        f"<style>{STYLE}</style>"
        f'<rect width="{width:.0f}" height="{height:.0f}" rx="8" style="fill: var(--paper)"/>'
        f'<text class="cr-title" x="{left:g}" y="18">{escape(title)}</text>{"".join(parts)}</svg>'
    )

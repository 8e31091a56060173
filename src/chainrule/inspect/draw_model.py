"""``cr.draw(model)``: the layers of a net as columns of neurons, as the lecture draws them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from chainrule.inspect.anatomy import Layer, depth, layers_of
from chainrule.inspect.naming import number
from chainrule.inspect.picture import Picture
from chainrule.inspect.svg import STYLE, escape, size_of, text_at, text_width
from chainrule.nn import Module

RADIUS = 11.0
BETWEEN = 31.0
"""From one neuron to the next."""
MARGIN = 24.0
CAPTION = 17.0
"""The height of a line of text below a layer."""
NARROWEST = 130.0
"""The width of a column."""
ABOVE = 46.0
"""Room for the heading."""
ROOM = 60.0
"""The width of the word 'output', where a net's output is not that of its last layer alone."""
ARC = 34.0
"""How far above the neurons a connection passes that skips layers."""

NET_STYLE = """
.cr-link { stroke: var(--line); stroke-width: 0.8; opacity: 0.6; fill: none; }
.cr-plus { stroke: var(--value); opacity: 1; }
.cr-minus { stroke: var(--grad); opacity: 1; stroke-dasharray: 5 3; }
.cr-skip { stroke: var(--local); stroke-width: 1.6; opacity: 1; fill: none; }
.cr-head { fill: var(--local); }
.cr-unit { fill: var(--layer); stroke: var(--edge); stroke-width: 1.5; }
.cr-unit.cr-input { fill: var(--leaf); }
.cr-unit.cr-last { fill: var(--fill); stroke-width: 2.2; }
.cr-unit.cr-table { fill: var(--fill); stroke: var(--line); }
.cr-unit:hover { stroke-width: 3.5; }
""".strip()


@dataclass(frozen=True, repr=False)
class NetDrawing(Picture):
    """The drawing of a net."""

    neurons: int
    parameters: int

    def _told(self) -> str:
        return f"{self.neurons:,} neurons, {self.parameters:,} parameters"


def draw_model(
    model: Module, limit: int, *, weights: bool = False, input_shape: int | Sequence[int] | None = None
) -> NetDrawing:
    """See ``chainrule.draw``."""
    layers = layers_of(model, input_shape)
    neurons, parameters = model.neuron_count, model.parameter_count
    heading = f"{depth(layers)}-layer net: {_many(neurons, 'neuron')}, {_many(parameters, 'parameter')}"
    return NetDrawing(_Plan(layers, limit, weights).svg(heading), type(model).__name__, neurons, parameters)


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"


class _Column:
    """A layer on paper: which neurons are shown, where, and what stands below."""

    def __init__(self, layer: Layer, title: str, limit: int) -> None:
        self.layer, self.title = layer, title
        head = max(limit - 1, 1)
        self.shown = [*range(layer.size)] if layer.size <= limit else [*range(head), layer.size - 1]
        self.rows = len(self.shown) + (layer.size > limit)  # the dots take a place
        self.captions = list(self._captions())
        widest = max(text_width(text, size_of(style)) for style, text in self.captions)
        self.width = max(widest + 18, NARROWEST)
        self.x = 0.0
        self.middle = 0.0

    def _captions(self) -> Iterator[tuple[str, str]]:
        layer = self.layer
        yield "cr-name", self.title
        if layer.module is None:
            shape = f" ({' × '.join(map(str, layer.shape))})" if len(layer.shape) > 1 else ""
            yield "cr-count", _many(layer.size, "input") + shape
        else:
            yield "cr-count", _many(layer.size, "neuron" if layer.neurons else "number")
            frozen = any(p.frozen for p in layer.module.parameters())
            yield "cr-count", _many(layer.parameters, "parameter") + (", frozen" if frozen else "")
            yield "cr-shape", f"{layer.path} {layer.module!r}".strip()
        for text in layer.after:
            yield "cr-shape", f"→ {text}"

    def y(self, k: int) -> float:
        """The height of the shown neuron number k, the last one below the dots."""
        place = k if k < len(self.shown) - 1 or self.rows == len(self.shown) else k + 1
        return self.middle + (place - (self.rows - 1) / 2) * BETWEEN

    @property
    def dots(self) -> float | None:
        """The height of the dots that stand for the neurons left out."""
        last = len(self.shown) - 1
        return None if self.rows == len(self.shown) else (self.y(last - 1) + self.y(last)) / 2

    @property
    def top(self) -> float:
        return self.y(0)


class _Plan:
    """One drawing in the making."""

    def __init__(self, layers: Sequence[Layer], limit: int, weights: bool) -> None:
        if limit < 2:
            raise ValueError(f"limit is how many neurons of a layer to draw, at least 2, not {limit}")
        self.columns = [_Column(layer, title, limit) for layer, title in zip(layers, _titles(layers), strict=True)]
        self.weights = weights
        self.skips = [
            (source, target) for target, layer in enumerate(layers) for source in layer.sources if source != target - 1
        ]
        self.ends = [k for k, layer in enumerate(layers) if layer.last and k != len(layers) - 1]
        self.height = max(column.rows for column in self.columns) * BETWEEN
        self.top = ABOVE + (ARC + 8 if self.skips or self.ends else 0)
        x = MARGIN
        for column in self.columns:
            column.x, column.middle = x + column.width / 2, self.top + self.height / 2
            x += column.width
        self.width = x + MARGIN + (ROOM if self.ends else 0)

    def svg(self, heading: str) -> str:
        """The whole drawing as one <svg> element."""
        foot = self.top + self.height
        height = foot + CAPTION * max(len(column.captions) for column in self.columns) + MARGIN
        texts = [("cr-word", 28.0, heading)]
        if self.weights:
            texts += [("cr-note", height + CAPTION * k, line) for k, line in enumerate(WEIGHTS)]
            height += CAPTION * len(WEIGHTS)
        width = max(self.width, *(text_width(text, size_of(style)) + 2 * MARGIN for style, _, text in texts))
        size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
        begin = f'<svg xmlns="http://www.w3.org/2000/svg" class="cr-drawing" role="img" aria-label="{escape(heading)}"'
        parts = [
            f'{begin} {size} style="--cr-width: {width:.0f}px">',
            f"<title>{escape(heading)}</title><desc>{escape(self._described())}</desc>",
            f"<style>{STYLE}\n{NET_STYLE}</style>",
            f'<rect class="cr-paper" width="{width:.0f}" height="{height:.0f}" rx="10"/>',
            *(text_at(style, MARGIN, y, text, "start") for style, y, text in texts),
            *self._links(),
            *self._skips(),
            *(part for column in self.columns for part in _drawn(column, foot)),
        ]
        return "\n".join([*parts, "</svg>"])

    def _described(self) -> str:
        return "; ".join(", ".join(text for _, text in column.captions) for column in self.columns)

    def _links(self) -> Iterator[str]:
        for k, (source, target) in enumerate(pairwise(self.columns)):
            if k in target.layer.sources:
                yield from self._between(source, target)

    def _between(self, source: _Column, target: _Column) -> Iterator[str]:
        weights = target.layer.weights if self.weights else None
        if weights is not None and weights.shape != (source.layer.size, target.layer.size):
            weights = None  # another axis lies between, whose elements share the weights
        scale = 0.0 if weights is None else float(np.max(np.abs(weights), initial=0.0, where=np.isfinite(weights)))
        for a, i in enumerate(source.shown):
            for b, j in enumerate(target.shown):
                if not _connected(source.layer, target.layer, i, j):
                    continue
                ends = f'x1="{source.x:.1f}" y1="{source.y(a):.1f}" x2="{target.x:.1f}" y2="{target.y(b):.1f}"'
                if weights is None:
                    yield f'<line class="cr-link" {ends}/>'
                    continue
                w = float(weights[i, j])
                sign = "cr-minus" if w < 0 else "cr-plus"
                strength = abs(w) / scale if scale and math.isfinite(w) else 0.0
                told = f"{target.layer.path or target.title}: weight [{i}, {j}] is {number(w)}"
                yield (
                    f'<line class="cr-link {sign}" {ends} style="stroke-width: {0.3 + 3.2 * strength:.2f}; '
                    f'opacity: {0.15 + 0.85 * strength:.2f}"><title>{escape(told)}</title></line>'
                )

    def _skips(self) -> Iterator[str]:
        """Connections past layers, as arcs above them."""
        for source, target in self.skips:
            yield from _arc(self.columns[source], self.columns[target].x, self.columns[target].top, self.top)
        if self.ends:
            last = self.columns[-1]
            x, y = last.x + last.width / 2 + ROOM / 2, last.middle
            for k in self.ends:
                yield from _arc(self.columns[k], x, y - 6, self.top)
            yield f'<path class="cr-skip" d="M{last.x + RADIUS + 2:.1f},{y:.1f} H{x - ROOM / 2 - 2:.1f}"/>'
            yield text_at("cr-name", x, y + 5, "output")


WEIGHTS = (
    "thickness: the size of the weight, beside the largest of its layer",
    "solid blue: positive · dashed orange: negative",
)


def _titles(layers: Sequence[Layer]) -> list[str]:
    """Input layer, hidden layers, output layer, where the output is what no other layer reads."""
    read = {k for layer in layers for k in layer.sources}
    hidden = [k for k, layer in enumerate(layers) if layer.neurons and k in read]
    titles = {k: f"hidden layer {n}" if len(hidden) > 1 else "hidden layer" for n, k in enumerate(hidden, 1)}
    for k, layer in enumerate(layers):
        titles.setdefault(
            k, "input layer" if layer.module is None else "output layer" if layer.neurons else "embedding"
        )
    return [titles[k] for k in range(len(layers))]


def _connected(source: Layer, target: Layer, i: int, j: int) -> bool:
    """Whether neuron j reads number i: all do, but what an embedding reads belongs to one input each."""
    return bool(target.neurons) or j // (target.size // source.size) == i


def _drawn(column: _Column, foot: float) -> Iterator[str]:
    """The neurons of a layer, and what is told of it, below ``foot``."""
    layer = column.layer
    kind = {"input layer": " cr-input", "output layer": " cr-last", "embedding": " cr-table"}.get(column.title, "")
    biases = layer.biases
    for k, i in enumerate(column.shown):
        told = f"{column.title}, number {i}"
        if biases is not None and len(biases) == layer.size:
            told += f": bias {number(float(biases[i]))}"
        place = f'cx="{column.x:.1f}" cy="{column.y(k):.1f}" r="{RADIUS:g}"'
        yield f'<circle class="cr-unit{kind}" {place}><title>{escape(told)}</title></circle>'
    if column.dots is not None:
        left_out = f"{layer.size - len(column.shown):,} more"
        yield f"<g><title>{left_out}</title>"
        for step in (-7, 0, 7):
            yield f'<circle class="cr-dot" cx="{column.x:.1f}" cy="{column.dots + step:.1f}" r="2.2"/>'
        yield "</g>"
    for k, (style, text) in enumerate(column.captions):
        yield text_at(style, column.x, foot + CAPTION * (k + 1), text)


def _arc(source: _Column, x: float, y: float, top: float) -> Iterator[str]:
    begin, high = source.top - RADIUS, top - ARC
    end = y - RADIUS - 6
    yield (
        f'<path class="cr-skip" d="M{source.x:.1f},{begin:.1f} C{source.x:.1f},{high:.1f} {x:.1f},{high:.1f} '
        f'{x:.1f},{end:.1f}"/>'
    )
    yield f'<path class="cr-head" d="M{x:.1f},{end + 7:.1f} l-4.5,-9 h9 z"/>'

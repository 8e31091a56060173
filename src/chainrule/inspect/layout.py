"""Where things stand in a drawing: boxes in columns from left to right, wires between them.

The layered method of Sugiyama, Tagawa and Toda (1981): columns by longest path, dummies where a wire crosses columns,
order within a column by barycentres, then heights that keep wires straight. Texts belong to boxes, boxes to columns,
and wires bend only between columns, so nothing overlaps by construction.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field

SWEEPS = 12
BETWEEN_BOXES = 16.0
BETWEEN_LANES = 9.0
MARGIN = 18.0


@dataclass
class Port:
    """Where a wire meets a box, ``y`` from the box's middle, with the texts above and below the wire there."""

    y: float = 0.0
    above: list[tuple[str, str]] = field(default_factory=list)
    """(class, text), the nearest to the wire first."""
    below: list[tuple[str, str]] = field(default_factory=list)


@dataclass(eq=False)
class Box:
    """What stands in one place: a body, wires with texts to its left and right. A body of no size is a lane."""

    key: str
    kind: str = "lane"
    lines: list[tuple[str, str]] = field(default_factory=list)
    """What stands in the body: (class, text) line by line."""
    width: float = 0.0
    height: float = 0.0
    left: float = 0.0
    """Room for the wires and texts on the left of the body."""
    right: float = 0.0
    up: float = 0.0
    """How far body and texts reach up from the middle."""
    down: float = 0.0
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    late: bool = False
    """Stands beside what uses it rather than at the left edge."""
    data: dict[str, str] = field(default_factory=dict)
    title: str = ""
    x: float = 0.0
    y: float = 0.0
    column: int = 0


@dataclass(eq=False)
class Wire:
    """One argument of one gate. ``via`` are the lanes on which it crosses columns."""

    source: Box
    out: int
    target: Box
    into: int
    live: bool = True
    data: dict[str, str] = field(default_factory=dict)
    title: str = ""
    via: list[Box] = field(default_factory=list)


@dataclass
class Layout:
    """Columns of placed boxes (lanes included), their left and right edges, and the size of the whole."""

    columns: list[list[Box]]
    edges: list[tuple[float, float]]
    width: float
    height: float


@dataclass
class _Hop:
    """A piece of a wire between neighbouring columns, with the heights of its ends relative to the boxes' middles."""

    a: Box
    ya: float
    b: Box
    yb: float
    weight: float


def arrange(boxes: list[Box], wires: list[Wire]) -> Layout:
    """Give every box its place. ``boxes`` come in the order of the forward pass."""
    _choose_columns(boxes, wires)
    columns, hops = _with_lanes(boxes, wires)
    _order(columns, hops)
    _choose_heights(columns, hops)
    return _choose_widths(columns, hops)


def _choose_columns(boxes: list[Box], wires: list[Wire]) -> None:
    into: dict[Box, list[Box]] = {box: [] for box in boxes}
    out: dict[Box, list[Box]] = {box: [] for box in boxes}
    for wire in wires:
        into[wire.target].append(wire.source)
        out[wire.source].append(wire.target)
    for box in boxes:
        box.column = 1 + max((source.column for source in into[box]), default=-1)
    for box in reversed(boxes):
        if box.late and out[box]:
            box.column = min(target.column for target in out[box]) - 1


def _with_lanes(boxes: list[Box], wires: list[Wire]) -> tuple[list[list[Box]], list[_Hop]]:
    """Columns in a first order (depth first from the output, as one would read the formula), and the hops."""
    into: dict[Box, list[Wire]] = {box: [] for box in boxes}
    for wire in wires:
        into[wire.target].append(wire)
    columns: list[list[Box]] = [[] for _ in range(1 + max(box.column for box in boxes))]
    hops: list[_Hop] = []
    placed: set[Box] = set()
    todo = list(boxes)  # the newest is taken first: the output
    while todo:
        box = todo.pop()
        if box in placed:
            continue
        placed.add(box)
        columns[box.column].append(box)
        for wire in sorted(into[box], key=lambda wire: wire.into):
            hops += _hops(wire, columns)
        todo.extend(wire.source for wire in sorted(into[box], key=lambda wire: -wire.into))
    return columns, hops


def _hops(wire: Wire, columns: list[list[Box]]) -> list[_Hop]:
    wire.via = [Box(f"{wire.target.key}:{wire.into}:{k}") for k in range(wire.source.column + 1, wire.target.column)]
    for k, lane in enumerate(wire.via, wire.source.column + 1):
        lane.column = k
        columns[k].append(lane)
    stops = [wire.source, *wire.via, wire.target]
    heights = [wire.source.outputs[wire.out].y, *(0.0 for _ in wire.via), wire.target.inputs[wire.into].y]
    return [
        _Hop(a, ya, b, yb, 1.0 + 3.0 * (a.kind == "lane") + 3.0 * (b.kind == "lane"))
        for a, b, ya, yb in zip(stops, stops[1:], heights, heights[1:], strict=False)
    ]


def _order(columns: list[list[Box]], hops: list[_Hop]) -> None:
    """Sort each column by the mean place of its neighbours, to and fro; keep the order with the fewest crossings."""
    ways: tuple[dict[Box, list[tuple[Box, float]]], ...] = ({}, {})
    for hop in hops:
        ways[0].setdefault(hop.b, []).append((hop.a, hop.ya))
        ways[1].setdefault(hop.a, []).append((hop.b, hop.yb))
    best, fewest = [list(column) for column in columns], _crossings(columns, hops)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        neighbours = ways[sweep % 2]
        for column in columns if sweep % 2 == 0 else reversed(columns):
            place = {box: float(i) for c in columns for i, box in enumerate(c)}
            mean = {
                box: sum(place[other] + y * 1e-3 for other, y in neighbours[box]) / len(neighbours[box])
                if box in neighbours
                else place[box]
                for box in column
            }
            column.sort(key=mean.__getitem__)
        crossings = _crossings(columns, hops)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    for column, ordered in zip(columns, best, strict=True):
        column[:] = ordered


def _crossings(columns: list[list[Box]], hops: list[_Hop]) -> int:
    place = {box: i for column in columns for i, box in enumerate(column)}
    total = 0
    for k in range(len(columns) - 1):
        ends = sorted(((place[h.a], h.ya), (place[h.b], h.yb)) for h in hops if h.a.column == k)
        seen: list[tuple[int, float]] = []
        for _, end in ends:
            total += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return total


def _choose_heights(columns: list[list[Box]], hops: list[_Hop]) -> None:
    """Move each column as close as possible to the heights at which its wires would be straight, in turn."""
    wishes: tuple[dict[Box, list[_Hop]], ...] = ({}, {})
    for hop in hops:
        wishes[0].setdefault(hop.b, []).append(hop)
        wishes[1].setdefault(hop.a, []).append(hop)
    for column in columns:
        _settle(column, [0.0] * len(column), [1.0] * len(column))
    for sweep in range(2 * SWEEPS):
        backwards = sweep % 2 == 0
        for column in reversed(columns) if backwards else columns:
            wanted, weights = [], []
            for box in column:
                pairs = [(h.a.y + h.ya - h.yb, h.weight) for h in wishes[0].get(box, ()) if not backwards]
                pairs += [(h.b.y + h.yb - h.ya, h.weight) for h in wishes[1].get(box, ()) if backwards]
                total = sum(weight for _, weight in pairs)
                wanted.append(sum(y * weight for y, weight in pairs) / total if pairs else box.y)
                weights.append(total if pairs else 0.1)
            _settle(column, wanted, weights)


def _settle(column: list[Box], wanted: list[float], weights: list[float]) -> None:
    """The heights nearest to those wanted (least squares) that keep the order and the distances.

    With the distances subtracted this is isotonic regression, solved by pooling neighbours that conflict.
    """
    offsets, at = [], 0.0
    for i, box in enumerate(column):
        if i:
            above = column[i - 1]
            lanes = box.kind == above.kind == "lane"
            at += above.down + box.up + (BETWEEN_LANES if lanes else BETWEEN_BOXES)
        offsets.append(at)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many boxes
    for wish, weight, offset in zip(wanted, weights, offsets, strict=True):
        pool = (wish - offset, weight, 1)
        while pools and pools[-1][0] >= pool[0]:
            mean, heavy, count = pools.pop()
            together = heavy + pool[1]
            pool = ((mean * heavy + pool[0] * pool[1]) / together, together, count + pool[2])
        pools.append(pool)
    heights = [mean for mean, _, count in pools for _ in range(count)]
    for box, height, offset in zip(column, heights, offsets, strict=True):
        box.y = height + offset


def _choose_widths(columns: list[list[Box]], hops: list[_Hop]) -> Layout:
    top = min(box.y - box.up for column in columns for box in column)
    for column in columns:
        for box in column:
            box.y += MARGIN - top
    height = max(box.y + box.down for column in columns for box in column) + MARGIN
    edges, at = [], MARGIN
    for k, column in enumerate(columns):
        left = max(box.left for box in column)
        body = max(box.width for box in column)
        right = max(box.right for box in column)
        for box in column:
            box.x = at + left + body / 2
        edges.append((at, at + left + body + right))
        steep = max((abs(h.a.y + h.ya - h.b.y - h.yb) for h in hops if h.a.column == k), default=0.0)
        at = edges[-1][1] + 24.0 + min(0.16 * steep, 56.0)
    return Layout(columns, edges, edges[-1][1] + MARGIN, height)

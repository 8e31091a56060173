"""Drawings of compiled functions: the Program gate by gate, or the kernels that its gates were fused to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.graph.site import Site, at
from chainrule.inspect.draw import Drawing, measure, spaced
from chainrule.inspect.layout import Box, Port, Wire, arrange
from chainrule.inspect.svg import render
from chainrule.native.target import unavailable
from chainrule.program.explain import kind
from chainrule.program.naming import labels_of
from chainrule.program.program import Instruction, Program, Value

BETWEEN_PORTS = 26.0
BETWEEN_RESULTS = 40.0
WORDS_IN_A_LINE = 4


@dataclass(frozen=True)
class Work:
    """A box of the drawing: the instructions in it, and the values that go in and come out."""

    instructions: tuple[Instruction, ...]
    reads: tuple[Value, ...]
    makes: tuple[Value, ...]


def draw_program(program: Program, *, fused: bool, limit: int) -> Drawing:
    """Draw a Program from left to right: what it reads, each kernel (or gate), what it returns and stores.

    Raises RuntimeError for kernels where there is no native code, ValueError for more boxes than ``limit``.
    """
    works = list(kernels(program) if fused else gates(program))
    if len(works) > limit:
        what = "kernels" if fused else "gates"
        raise ValueError(f"the Program has {len(works)} {what}: pass limit={len(works)} to draw so many")
    return _Plan(program, works, fused).drawing()


def gates(program: Program) -> Iterator[Work]:
    """A box for each instruction."""
    for i in program.instructions:
        yield Work((i,), tuple(i.reads()), (i.result,))


def kernels(program: Program) -> Iterator[Work]:
    """A box for each group of gates that run in one kernel."""
    if unavailable() is not None:
        raise RuntimeError(f"nothing is fused without native code ({unavailable()}): draw it with unfold=True")
    from chainrule.native.fusion import Fusion  # with llvmlite

    fusion = Fusion(program)
    for group in fusion.groups:
        inside = {i.result for i in group.instructions}
        reads = dict.fromkeys(v for v in map(fusion.root, group.reads()) if v not in inside)
        yield Work(tuple(group.instructions), tuple(reads), tuple(fusion.root(v) for v in inside))


class _Plan:
    """One drawing in the making."""

    def __init__(self, program: Program, works: list[Work], fused: bool) -> None:
        self.program, self.works, self.fused = program, works, fused
        self.labels = labels_of(program)
        self.boxes: list[Box] = []
        self.wires: list[Wire] = []
        self.ports: dict[Value, tuple[Box, int]] = {}
        read = {v for work in works for v in work.reads}
        for value in program.sources():
            if value in read or value in program.outputs:
                self._add_source(value)
        for work in works:
            self._add_work(work, read | set(program.results()))
        states = {id(source): self.labels[value] for value, source in program.captures}
        for state, value in program.stores:
            self._add_end(value, f"{states.get(id(state)) or state.label()} ←")
        for value in program.outputs[:-1]:
            self._add_end(value, "return")
        self.end = self._end(program.outputs[-1] if program.outputs else None)

    def _add_source(self, value: Value) -> None:
        inputs = value in self.program.inputs
        box = Box(
            self.labels[value], "leaf" if inputs else "constant", [("cr-name", self.labels[value])], late=not inputs
        )
        box.outputs = [Port(above=[("cr-shape", kind(value))])]
        box.title = f"{'argument' if inputs else 'read from outside'}: {self.labels[value]} {kind(value)}"
        self.boxes.append(box)
        self.ports[value] = (box, 0)

    def _add_work(self, work: Work, needed: set[Value]) -> None:
        words = [i.gate.title for i in work.instructions] or ["copy"]
        rows = [" ".join(words[k : k + WORDS_IN_A_LINE]) for k in range(0, len(words), WORDS_IN_A_LINE)]
        roles = {i.role for i in work.instructions}
        role = next((r for r in ("update", "backward", "forward") if r in roles), "forward")
        style = {"forward": "cr-value", "backward": "cr-grad", "update": "cr-local"}[role]
        box = Box(f"{len(self.boxes)}", "layer", [(style, row) for row in rows], title=self._tooltip(work))
        box.data = {"role": role, "gates": str(len(work.instructions))}
        made = [v for v in work.makes if v in needed]
        box.outputs = [
            Port(y, above=[("cr-shape", self._name(v))]) for v, y in zip(made, spaced(len(made), 40.0), strict=True)
        ]
        self.ports.update({v: (box, k) for k, v in enumerate(made)})
        self.boxes.append(box)
        self._connect(box, [v for v in work.reads if v in self.ports])

    def _add_end(self, value: Value, text: str) -> Box:
        box = Box(f"{len(self.boxes)}", "leaf", [("cr-name", text)], title=f"{text} {self.labels.get(value, '')}")
        self.boxes.append(box)
        if value in self.ports:
            self._connect(box, [value])
        return box

    def _end(self, result: Value | None) -> tuple[Box, int]:
        """The box and the port that the last result leaves from."""
        if result is None:
            return self.boxes[-1], 0
        return self.ports.get(result) or (self._add_end(result, "return"), 0)

    def _connect(self, box: Box, values: list[Value]) -> None:
        box.inputs = [Port(y) for y in spaced(len(values), BETWEEN_PORTS)]
        for k, value in enumerate(values):
            source, port = self.ports[value]
            wire = Wire(source, port, box, k)
            wire.title = self._name(value)
            self.wires.append(wire)

    def _name(self, value: Value) -> str:
        return f"{self.labels.get(value, '')} {kind(value)}".strip()

    def _tooltip(self, work: Work) -> str:
        lines = []
        for i in work.instructions:
            place = at(Site(*i.site)) if i.site is not None else ""
            lines.append(f"{i.role}: {self._name(i.result)} = {i.gate.title}{place}")
        return "\n".join(lines) or "a copy"

    def drawing(self) -> Drawing:
        for box in self.boxes:
            measure(box)
            if not box.outputs:
                box.outputs = [Port()]
        name = self.program.name
        count = len(self.works)
        what = f"{count} {'kernel' if self.fused else 'gate'}{'s' * (count != 1)}"
        note = "blue: forward · orange: backward · violet: update · ← what is stored"
        svg = render(
            arrange(self.boxes, self.wires), self.wires, self.end, f"Program of {name}", f"{name} in {what}", note
        )
        return Drawing(svg, name, sum(len(work.instructions) for work in self.works))

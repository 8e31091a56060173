"""What ``cr.diagnose`` has found: to be printed, shown in a notebook, or read by code."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.calculus.check import GradientReport
from chainrule.inspect.chart import histogram, line_chart
from chainrule.inspect.probe import Probe
from chainrule.inspect.svg import escape

FINE, LOOK, WRONG = "fine", "look", "wrong"
SIGNS = {FINE: "✓", LOOK: "?", WRONG: "✗"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        title: what: ``initial loss``.
        verdict: "fine", "look" (it may be meant so) or "wrong" (it hardly can).
        text: what was found, and what to do about it, in a sentence.
        value: the number that the verdict is about, if there is one.
    """

    title: str
    verdict: str
    text: str
    value: float | None = None

    def __str__(self) -> str:
        return f"{SIGNS[self.verdict]} {self.verdict:5}  {self.title}: {self.text}"


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """The report of ``cr.diagnose``.

    Attributes:
        model, examples: what was looked at, and on how many examples.
        checks: one Check for each thing; ``diagnosis["gradient"]`` is the one of that title.
        before, after: activations, gradients and neurons of all layers, at first and after 20 updates.
        expected_loss: of a net that knows nothing.
        by_heart: the loss while 20 examples are learned.
        gradient: the report of the gradient check; None where it failed.
        updates: by the path of a weight, how long an update is beside what it changes.

    >>> import numpy as np, chainrule as cr
    >>> net = cr.nn.Sequential(cr.nn.Linear(2, 8, rng=0), cr.nn.Linear(8, 2, rng=1))
    >>> report = cr.diagnose(net, cr.data.moons())
    >>> report["layers"].verdict, report.ok
    ('wrong', False)
    """

    model: str
    examples: int
    checks: tuple[Check, ...]
    before: Probe
    after: Probe
    expected_loss: float
    by_heart: tuple[float, ...]
    gradient: GradientReport | None
    updates: dict[str, float]

    def __getitem__(self, title: str) -> Check:
        """The check of this title; KeyError if there is none."""
        for check in self.checks:
            if check.title == title:
                return check
        raise KeyError(f"there is no check {title!r}; there are {', '.join(check.title for check in self.checks)}")

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(check.verdict != WRONG for check in self.checks)

    def __str__(self) -> str:
        return "\n".join([f"{self.model} on {self.examples} examples", *map(str, self.checks)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align: left; white-space: nowrap'>{SIGNS[c.verdict]} {c.verdict}</td>"
            f"<td style='text-align: left; white-space: nowrap'>{escape(c.title)}</td>"
            f"<td style='text-align: left'>{escape(c.text)}</td></tr>"
            for c in self.checks
        )
        head = f"<p>{escape(self.model)} on {self.examples} examples</p>"
        return f"{head}<table>{rows}</table>{self.charts()}"

    def charts(self) -> str:
        """How 20 examples were learned, and what goes out of each layer and comes back to it, as SVG."""
        steps = range(len(self.by_heart))
        parts = [line_chart(steps, {"loss": self.by_heart}, title="20 examples by heart", across="step", log=True)]
        for layer in self.before.layers:
            name = f"{layer.path} {layer.name}".strip()
            pair = histogram(layer.activations, title=name if len(name) < 32 else layer.path)
            if layer.gradients is not None:
                pair += histogram(layer.gradients, title="its gradients")
            parts.append(f"<span style='white-space: nowrap'>{pair}</span>")
        return "".join(
            f"<div style='display: inline-block; margin: 4px; vertical-align: top'>{part}</div>" for part in parts
        )

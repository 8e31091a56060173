"""Which layer applied which gate.

A module notes on its output where its call began. Gates applied in between have creation numbers in between, so
nothing needs to be noted on each of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule.graph.array import Array


def mark(output: Any, label: str, start: int) -> None:
    """Note that ``output`` is the result of the module ``label``, whose call began after creation number ``start``."""
    if isinstance(output, Array) and output.number > start:
        span = ((label, start),)
        output._scope = span if output._scope is None else output._scope + span
    elif isinstance(output, (tuple, list)):
        for x in output:
            mark(x, label, start)


def scopes(nodes: Iterable[Array]) -> dict[Array, tuple[str, ...]]:
    """For each node of a circuit the modules it was applied in, outermost first; () outside of all."""
    nodes = list(nodes)
    spans = [(*span, node.number) for node in nodes for span in node._scope or ()]
    spans.sort(key=lambda span: span[1] - span[2])
    return {
        node: tuple(label for label, start, end in spans if start < node.number <= end) if node.gate else ()
        for node in nodes
    }

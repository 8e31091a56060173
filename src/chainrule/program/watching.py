"""Looking at values inside of a Program: it is given further outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from chainrule.program.naming import labels_of
from chainrule.program.passes import optimise
from chainrule.program.program import Program, Value
from chainrule.program.source import printed_names


def watched(recorded: Program, optimised: Program, labels: Sequence[str]) -> Program:
    """The Program with the values of these labels as its last outputs, in this order.

    The labels are those of ``optimised`` (``dL/dW``, as its listing says, or ``dL_dW``, as its printed source does),
    then those of the recording, where there are values that the function itself does not need, then gates by number,
    ``relu_1``. Raises ValueError for a label that is nobody's.
    """
    by_label = dict(_by_gate(optimised))
    by_label |= {name: value for value, name in printed_names(recorded).items()}
    by_label |= {name: value for value, name in printed_names(optimised).items()}
    by_label |= {label: value for value, label in labels_of(recorded).items()}
    by_label |= {label: value for value, label in labels_of(optimised).items()}
    values = tuple(_found(label, by_label, optimised.name) for label in labels)
    there = {*optimised.sources(), *(i.result for i in optimised.instructions)}
    if there.issuperset(values):
        return replace(optimised, outputs=(*optimised.outputs, *values))
    return optimise(replace(recorded, outputs=(*recorded.outputs, *values)))


def _by_gate(program: Program) -> Iterator[tuple[str, Value]]:
    """Values by gate and number: ``relu_1`` is the first ReLU, whatever else it is called."""
    counters: Counter[str] = Counter()
    for i in program.instructions:
        counters[i.gate.title] += 1
        yield f"{i.gate.title}_{counters[i.gate.title]}", i.result


def _found(label: str, by_label: dict[str, Value], name: str) -> Value:
    if label in by_label:
        return by_label[label]
    from difflib import get_close_matches  # takes a while to import

    close = get_close_matches(label, by_label, n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "its explain() and source() tell the names"
    raise ValueError(f"there is no value {label!r} in {name}: {hint}")

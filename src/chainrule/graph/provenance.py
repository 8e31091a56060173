"""What was cut off: a constant computed from variables remembers, in a few numbers, which ones it no longer reaches.

A constant keeps none of its inputs (a running average must not keep every batch alive), so ``cr.why`` could not tell
'cut by detach in line 12' from 'never used'. A Cut is that memory: the kind of cut, its place, and the creation
numbers of what lies behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from chainrule.graph.array import Array
from chainrule.graph.site import Site

DEPTH = 256
"""How many arrays behind a cut are remembered at most: detaching a long circuit must stay cheap."""


class Cut(NamedTuple):
    """how: 'detach', 'no_grad' or the name of a gate without a derivative; behind: creation numbers cut off."""

    how: str
    place: tuple[Any, int] | None
    behind: frozenset[int]
    complete: bool
    """Whether ``behind`` is everything, or only the DEPTH nearest."""

    @property
    def site(self) -> Site | None:
        return None if self.place is None else Site(*self.place)


def cut_off(how: str, place: tuple[Any, int] | None, arrays: Iterable[Array]) -> Cut:
    """The Cut that separates a new constant from ``arrays``, earlier cuts behind them included."""
    behind: set[int] = set()
    todo = list(arrays)
    for node in todo:
        if len(behind) >= DEPTH:
            break
        cut = getattr(node, "_cut", None)
        if cut is not None:
            behind |= cut.behind
        if node.live and node.number not in behind:
            behind.add(node.number)
            todo.extend(x for x in node.inputs if isinstance(x, Array))
    return Cut(how, place, frozenset(behind), len(behind) < DEPTH)


def inherited(operands: Sequence[Any]) -> Cut | None:
    """The Cut that a constant takes over from constant operands: the only one, or all of them merged."""
    cuts = [cut for x in operands if isinstance(x, Array) and (cut := getattr(x, "_cut", None)) is not None]
    if len(cuts) < 2:
        return cuts[0] if cuts else None
    latest = max(cuts, key=lambda cut: max(cut.behind, default=0))
    behind = frozenset(sorted(frozenset().union(*(cut.behind for cut in cuts)))[-DEPTH:])
    return Cut(latest.how, latest.place, behind, all(cut.complete for cut in cuts) and len(behind) < DEPTH)

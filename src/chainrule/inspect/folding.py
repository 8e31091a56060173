"""Which gates of a circuit stand together in one box of a drawing: those of one layer, until it is unfolded."""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.graph.array import Array
from chainrule.graph.scope import scopes


class Fold:
    """A layer in one box: its label and the gates that it applied."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.gates: list[Array] = []


def folds(nodes: list[Array], unfold: bool | str | Iterable[str] = False) -> dict[Array, Fold]:
    """For each gate that was applied inside a layer, the layer's box.

    What is folded is the outermost module that does not hold the whole net: the layers of a Sequential, the blocks of
    a net of blocks. ``unfold`` names those to open (True: all); what is inside then is folded in its turn. Gates of
    one box follow each other in the forward pass, so boxes cannot depend on each other in a circle, even where a layer
    is applied twice.

    Raises ValueError if ``unfold`` names a layer that is not there.
    """
    if unfold is True:
        return {}
    opened = {unfold} if isinstance(unfold, str) else set(unfold or ())
    applied_in = {node: path for node, path in scopes(nodes).items() if node.inputs}
    labels = {label for path in applied_in.values() for label in path}
    if opened - labels:
        missing, there = sorted(opened - labels)[0], ", ".join(sorted(labels)) or "none"
        raise ValueError(f"there is no layer {missing!r} to unfold; the layers here: {there}")
    shared = _holds_everything([path for path in applied_in.values() if path])
    found: dict[Array, Fold] = {}
    fold: Fold | None = None
    for node, path in applied_in.items():
        label = next((label for label in path[shared:] if label not in opened), None)
        if label is None:
            fold = None
            continue
        if fold is None or fold.label != label:
            fold = Fold(label)
        fold.gates.append(node)
        found[node] = fold
    return found


def _holds_everything(paths: list[tuple[str, ...]]) -> int:
    """How many outer modules hold all gates that stand in any module, a layer of their own left to each."""
    if not paths:
        return 0
    shared = 0
    for labels in zip(*paths, strict=False):
        if len(set(labels)) > 1:
            break
        shared += 1
    return min(shared, min(map(len, paths)) - 1)

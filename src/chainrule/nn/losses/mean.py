"""What losses have in common: outputs and targets that belong together, and the mean over examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.gates.operands import floating
from chainrule.graph.array import raw
from chainrule.graph.errors import describe
from chainrule.nn.inputs import given, in_dtype


def mean(losses: Any, weights: Any) -> Any:
    """The mean of all losses; with weights, of the means of the examples, which lie along the first axis.

    Where all weights are 0 (those of a minibatch, say) the mean is 0.
    """
    if weights is None:
        return np.mean(losses)
    weights = example_weights(weights, losses)
    if losses.ndim > 1:
        losses = np.mean(losses, axis=tuple(range(1, losses.ndim)))
    smallest = float(np.finfo(weights.dtype).tiny)
    share = weights / np.maximum(np.sum(weights), smallest)
    return np.sum(losses * in_dtype(share, losses.dtype))


def example_weights(weights: Any, losses: Any) -> Any:
    """The weights of the examples in a dtype that holds them; TypeError or ValueError for what cannot be weights."""
    weights = given(weights)
    if weights.dtype.kind not in "fiub":
        raise TypeError(f"weights are numbers, not {weights.dtype}")
    if not losses.ndim or weights.shape != losses.shape[:1]:
        examples = f"{losses.shape[0]} examples" if losses.ndim else "a loss without examples"
        raise ValueError(f"there is one weight for each example: {examples}, and weights {describe(weights)}")
    check(weights, lambda w: np.isfinite(w) & (w >= 0), "weights are finite and not negative")
    return in_dtype(weights, np.result_type(weights.dtype, losses.dtype))


def alike(name: str, outputs: Any, targets: Any) -> tuple[Any, Any]:
    """Floating outputs, and targets in their dtype and shape.

    A column (examples, 1) and a vector (examples,) fit each other; any other broadcast would be a wrong loss.
    """
    outputs, targets = floating(given(outputs)), given(targets)
    if targets.dtype.kind not in "fiub":
        raise TypeError(f"{name} needs targets that are numbers, not {targets.dtype}")
    if outputs.shape != targets.shape:
        if not {outputs.shape, targets.shape} == {(outputs.size,), (outputs.size, 1)}:
            raise ValueError(f"{name} needs outputs and targets of one shape, not {outputs.shape} and {targets.shape}")
        targets = np.reshape(targets, outputs.shape)
    if not outputs.size:
        raise ValueError(f"{name} needs at least one example and one output, not {describe(outputs)}")
    return outputs, in_dtype(targets, outputs.dtype)


def check(values: Any, holds: Callable[[Any], Any], rule: str) -> None:
    """ValueError with the rule and the first value that breaks it; compiled, in the calls that are recorded."""
    values = np.asarray(raw(values))
    wrong = values[~holds(values)]
    if wrong.size:
        raise ValueError(f"{rule}, and here is {wrong.flat[0]}")

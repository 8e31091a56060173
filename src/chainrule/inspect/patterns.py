"""How gates behave in the backward pass, in the lecture's words, and the signs that drawings give them."""

from __future__ import annotations

from typing import Any, NamedTuple


class Look(NamedTuple):
    """sign: what a drawing writes on the gate. pattern: what the gate does to its upstream gradient."""

    sign: str
    pattern: str


_DISTRIBUTES = "distributes its upstream gradient unchanged to all inputs"
_SCALES = "scales its upstream gradient by a function of its input"
_SQUASHES = "squashes: its local gradient shrinks to 0 where it saturates, far from 0"
_MOVES = "only moves elements about, and moves their gradients back"
_ROUTES = "routes its upstream gradient to the {} input; at a tie both get it"

LOOKS: dict[str, Look] = {
    "add": Look("+", _DISTRIBUTES),
    "subtract": Look("−", "distributes its upstream gradient, with the sign turned for what is subtracted"),
    "multiply": Look("×", "swaps its inputs and scales them by its upstream gradient"),
    "divide": Look("÷", "scales by 1 / the denominator; the denominator gets it with the sign turned"),
    "negative": Look("−", "turns the sign of its upstream gradient"),
    "absolute": Look("|x|", "passes its upstream gradient on with the sign of its input"),
    "reciprocal": Look("1/x", _SCALES),
    "square": Look("x²", "scales its upstream gradient by twice its input"),
    "power_of": Look("xⁿ", _SCALES),
    "power": Look("xʸ", _SCALES),
    "sqrt": Look("√", _SCALES),
    "maximum": Look("max", _ROUTES.format("larger")),
    "minimum": Look("min", _ROUTES.format("smaller")),
    "fmax": Look("max", _ROUTES.format("larger")),
    "fmin": Look("min", _ROUTES.format("smaller")),
    "relu": Look("ReLU", "gates: passes its upstream gradient on where its input is positive, blocks it elsewhere"),
    "leaky_relu": Look("leaky", "gates: passes its upstream gradient on whole or, for negative inputs, in small part"),
    "clip": Look("clip", "gates: passes its upstream gradient on between the bounds, blocks it outside"),
    "where": Look("where", "routes its upstream gradient to the branch that was taken"),
    "sigmoid": Look("σ", _SQUASHES),
    "tanh": Look("tanh", _SQUASHES),
    "erf": Look("erf", _SQUASHES),
    "exp": Look("exp", "scales its upstream gradient by its own output"),
    "log": Look("log", "scales its upstream gradient by 1 / its input"),
    "sum": Look("Σ", "distributes its upstream gradient unchanged to every element"),
    "mean": Look("mean", "shares its upstream gradient out equally among all elements"),
    "max": Look("max", "routes its upstream gradient to the largest element; elements that tie share it"),
    "min": Look("min", "routes its upstream gradient to the smallest element; elements that tie share it"),
    "log_sum_exp": Look("log Σ exp", "shares its upstream gradient out by the softmax of its input"),
    "matmul": Look("@", "swaps its inputs, transposed, and multiplies them by its upstream gradient"),
    "affine": Look("x W + b", "multiplies by the other factor, transposed; the bias gets the sum over rows"),
    "softmax_cross_entropy": Look("softmax loss", "hands the scores (softmax − one-hot) / rows, scaled"),
    "reshape": Look("reshape", _MOVES),
    "transpose": Look("ᵀ", _MOVES),
    "broadcast_to": Look("repeat", "repeats; the gradients of the copies add"),
    "get_item": Look("[ ]", "reads; the gradient goes back to where it was read, and 0 elsewhere"),
    "concatenate": Look("concat", "joins; each input gets its own part of the gradient back"),
}  # fmt: skip


def sign(gate: Any) -> str:
    """What a drawing writes on the gate: its sign, or its title."""
    look = LOOKS.get(gate.title)
    return look.sign if look else str(gate.title).replace("_", " ")


def pattern(gate: Any) -> str:
    """What the gate does in the backward pass, in words; empty for gates without a pattern of their own."""
    look = LOOKS.get(gate.title)
    return f"{gate.title} {look.pattern}" if look else ""

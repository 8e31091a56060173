"""The Program: one recorded computation, forward, backward and update alike, as an ordered list of primitive gates.

Each instruction applies one gate to values and makes one new value (static single assignment), with the shape and dtype
that the recording saw. Nothing in it depends on the data: shapes and dtypes are fixed, values are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(eq=False, slots=True)
class Value:
    """What an argument, a capture or an instruction stands for; compared by identity.

    A ``weak`` value is a Python number known only at run time: 0-d, and without a say in the dtype of results.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    weak: bool = False
    name: str | None = None
    """A name from the user's code, unique within a Program once ``naming`` has run."""

    def __repr__(self) -> str:
        kind = type(self.dtype.type(0).item()).__name__ if self.weak else str(self.dtype)
        return f"{self.name or '_'}: {kind}{list(self.shape) if self.shape else ''}"


Operand = Value | bool | int | float
"""What a gate is applied to: a value, or a Python number written in the code. Arrays are always values."""


@dataclass(frozen=True, eq=False, slots=True)
class Instruction:
    """One application of a primitive gate."""

    gate: Any
    operands: tuple[Operand, ...]
    result: Value
    role: str
    """``forward``, ``backward`` or ``update``."""
    site: tuple[Any, int] | None = None
    """The user's line, the two fields of a ``graph.site.Site``."""

    def reads(self) -> Iterator[Value]:
        """The values among the operands."""
        return (x for x in self.operands if isinstance(x, Value))


@dataclass(frozen=True, eq=False, slots=True)
class Program:
    """Inputs, captures, instructions, outputs and stores.

    ``captures`` are the values that the function reads from outside, each with where it comes from: a State (read at
    every call), or an Array or ndarray that is bound by reference. ``stores`` are the States that the function assigns,
    each once, with the value that it holds afterwards; they take effect together, at the end.
    """

    inputs: tuple[Value, ...]
    captures: tuple[tuple[Value, Any], ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[Value, ...]
    stores: tuple[tuple[Any, Value], ...] = ()
    name: str = "function"
    labels: dict[Value, str] = field(default_factory=dict)
    """What a value is called in watching and reports: ``relu_1``, ``dL/dW1``."""

    def __str__(self) -> str:
        from chainrule.program.explain import listing  # which knows how, and what Programs are

        return listing(self)

    def results(self) -> Iterator[Value]:
        """All that the Program is run for: outputs, then what is stored."""
        yield from self.outputs
        yield from (value for _, value in self.stores)

    def sources(self) -> Iterator[Value]:
        """All that is there before the first instruction."""
        yield from self.inputs
        yield from (value for value, _ in self.captures)

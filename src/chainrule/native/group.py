"""Groups: the gates that run in one kernel, step by step, before it is known where their operands lie in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.native.axes import Axes
from chainrule.native.indexing import Piece
from chainrule.native.nest import Ref
from chainrule.native.views import View
from chainrule.program.program import Instruction, Value

MOST_STEPS = 96
"""How many steps a nest has at most: beyond that registers and compile time suffer."""


@dataclass(frozen=True)
class Read:
    """Load elements of a value from memory. ``computed`` are the steps that index some of its axes."""

    value: Value
    axes: Axes
    computed: tuple[tuple[int, Ref], ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Sought:
    """How many elements of a sorted sequence come before the number of a step: see ``nest.Search``."""

    value: Value
    number: Ref
    side: str
    dtype: np.dtype[Any] = np.dtype(np.int64)  # noqa: RUF009  dtypes do not change


@dataclass(frozen=True)
class Within:
    """Whether the index lies within bounds, by axis of the group."""

    bounds: dict[int, tuple[int, int]]
    dtype: np.dtype[Any] = np.dtype(np.bool_)  # noqa: RUF009  dtypes do not change


@dataclass(frozen=True)
class Alias:
    """A value whose elements lie where those of ``base`` do."""

    base: Value
    view: Callable[[View], View | None]
    axes: Callable[[Axes], Axes] | None
    """The base's axes from this value's; None where elements are not simply along other axes."""


@dataclass(eq=False)
class Group:
    """What runs in one kernel: steps over a space, of which some axes may be reduced.

    ``product`` are the operands of a matrix product, or of a batch of them, whose result the steps read; ``pieces`` are
    what a value is put together of; ``library`` is an instruction that NumPy runs.
    """

    full: tuple[int, ...]
    reduced: frozenset[int] = frozenset()
    steps: list[Any] = field(default_factory=list)
    refs: dict[tuple[Value, Axes], Ref] = field(default_factory=dict)
    late: set[Ref] = field(default_factory=set)
    made: dict[Value, tuple[Ref, Axes]] = field(default_factory=dict)
    """The values that are computed here: by which step, and along which axes."""
    number: int = -1
    closed: bool = False
    """Whether nothing more joins it."""
    product: tuple[Value, Value, Value] | None = None
    pieces: tuple[Value, tuple[Piece, ...]] | None = None
    library: Instruction | None = None
    instructions: list[Instruction] = field(default_factory=list)

    @property
    def kept(self) -> tuple[int, ...]:
        return tuple(a for a in range(len(self.full)) if a not in self.reduced)

    @property
    def is_nest(self) -> bool:
        """Whether it is a loop nest and nothing else."""
        return self.product is None and self.pieces is None and self.library is None

    @property
    def open(self) -> bool:
        return self.pieces is None and self.library is None and not self.closed and len(self.steps) < MOST_STEPS

    @property
    def can_fail(self) -> bool:
        """Whether it can meet a bad index, or what NumPy raises."""
        pieces = self.pieces[1] if self.pieces is not None else ()
        reading = any(isinstance(s, Read) and s.computed for s in self.steps)
        return self.library is not None or reading or any(piece.place is not None for piece in pieces)

    def add(self, step: Any, late: bool) -> Ref:
        self.steps.append(step)
        ref = len(self.steps) - 1
        if late:
            self.late.add(ref)
        return ref

    def reads(self) -> list[Value]:
        """The values that are read from memory."""
        values = [s.value for s in self.steps if isinstance(s, (Read, Sought))]
        if self.product is not None:
            values = [v for v in values if v is not self.product[2]] + list(self.product[:2])
        if self.pieces is not None:
            for piece in self.pieces[1]:
                values += piece.reads()
        if self.library is not None:
            values += list(self.library.reads())
        return values

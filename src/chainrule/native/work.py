"""What the kernels of a plan do: loop nests, matrix products, loops, and gates that NumPy runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.native.group import Group
from chainrule.native.nest import Nest
from chainrule.native.repeat import Repeat
from chainrule.native.views import Buffer, View
from chainrule.program.program import Instruction


@dataclass(frozen=True, eq=False)
class Output:
    """The source of a buffer that holds a result: its number."""

    number: int


@dataclass(frozen=True, eq=False)
class Product:
    """A matrix product, c = a @ b, and what is done with each finished block of it; or ``count`` products, each of
    whose operands lie ``steps`` elements behind those of the one before.
    """

    a: View
    b: View
    c: View
    epilogue: Nest | None = None
    count: int = 1
    steps: tuple[int, ...] = (0, 0, 0)


@dataclass(frozen=True, eq=False)
class Library:
    """A gate that NumPy runs: where its operands and its result lie."""

    instruction: Instruction
    operands: tuple[View | bool | int | float, ...]
    result: View


Work = Nest | Product | Library | Repeat


@dataclass(frozen=True, eq=False)
class Kernel:
    """One row of the step: the work, and the group it came from."""

    work: Work
    group: Group
    checked: bool
    """Whether it can meet a bad index."""


@dataclass(eq=False)
class Plan:
    """Kernels in order, the buffers they use, and the size of the arena in bytes."""

    kernels: list[Kernel]
    arena: int
    outputs: list[Buffer]
    in_place: dict[Any, Buffer] = field(default_factory=dict)
    """For each State that is stored, the buffer that stands for its memory."""

    def every(self) -> Iterator[Kernel]:
        """All kernels, those in loops included."""
        for kernel in self.kernels:
            yield kernel
            if isinstance(kernel.work, Repeat):
                yield from kernel.work.plan.every()


def batch(a: View, b: View, c: View) -> Iterator[Product]:
    """The products c[...] = a[...] @ b[...] of stacks of matrices, as few as possible.

    Where one b is for the whole stack, the rows of all a's are those of one matrix; else the longest axis is a batch.
    """
    stack = c.shape[:-2]
    a, b = (v.broadcast((*stack, *v.shape[-2:])) for v in (a, b))
    if not any(step for n, step in zip(stack, b.strides, strict=False) if n != 1):
        one_a, one_c = (v.reshaped((math.prod(v.shape[:-1]), v.shape[-1])) for v in (a, c))
        if one_a is not None and one_c is not None:
            yield Product(one_a, b.sliced((0,) * len(stack)), one_c)
            return
    along = max(range(len(stack)), key=lambda d: stack[d])
    steps = tuple(v.strides[along] for v in (a, b, c))
    for index in np.ndindex(*(1 if d == along else n for d, n in enumerate(stack))):
        first_a, first_b, first_c = (v.sliced(index) for v in (a, b, c))
        yield Product(first_a, first_b, first_c, None, stack[along], steps)


def buffers_of(work: Work) -> list[Buffer]:
    """The buffers that a kernel touches."""
    if isinstance(work, Nest):
        return [access.buffer for access in work.accesses()]
    if isinstance(work, Product):
        inner = [] if work.epilogue is None else buffers_of(work.epilogue)
        return [work.a.buffer, work.b.buffer, work.c.buffer, *inner]
    if isinstance(work, Repeat):
        return list(work.buffers())
    return [v.buffer for v in (*work.operands, work.result) if isinstance(v, View)]

"""Where the values of a Program lie, and how its kernels go over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.native.nest import Nest
from chainrule.native.plan import plan
from chainrule.native.views import Buffer
from chainrule.program.passes import optimise
from chainrule.program.recording import record


def inside(function: Any, *args: Any) -> dict[int, set[tuple[int, ...]]]:
    """How kernels go over the buffers inside of a step: the strides of the accesses, by the buffers' sizes."""
    made: dict[int, set[tuple[int, ...]]] = {}
    for kernel in plan(optimise(record(function, args))).kernels:
        assert isinstance(kernel.work, Nest)
        for access in kernel.work.accesses():
            if is_inside(access.buffer):
                made.setdefault(access.buffer.size, set()).add(access.strides)
    return made


def is_inside(buffer: Buffer) -> bool:
    return buffer.source is None


def test_what_is_made_and_read_along_a_long_axis_lies_along_it() -> None:
    def f(x: Any, w: Any, v: Any) -> Any:
        return np.tanh(x @ w) @ v

    x, w, v = np.ones((500, 2), np.float32), np.ones((2, 20), np.float32), np.ones((20, 2), np.float32)
    assert (500, 1, 0) in inside(f, x, w, v)[500 * 20]  # 20 rows of 500, written over 2 reduced elements


def test_what_is_read_beside_an_argument_lies_as_that_does() -> None:
    def f(x: Any) -> Any:
        y = np.exp(x)
        return y / np.sum(y, axis=1, keepdims=True)

    assert inside(f, np.ones((500, 20), np.float32))[500 * 20] == {(20, 1)}


def test_short_rows_are_turned() -> None:
    def f(x: Any) -> Any:
        y = np.exp(x)
        return y / np.sum(y, axis=1, keepdims=True)

    assert inside(f, np.ones((500, 3), np.float32))[500 * 3] == {(1, 500), (500, 1)}

"""Draws run natively, in the loop nests of what is made of them. ``random/test_recorded`` has that they are right."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.native import target
from chainrule.native.random_words import with_random_words

pytestmark = pytest.mark.skipif(target.unavailable() is not None, reason="no native code here")


def test_a_draw_and_what_is_made_of_it_is_native() -> None:
    from chainrule.native.executor import Executor
    from chainrule.native.nest import Nest

    rng, x = cr.random.Generator(0), np.ones((50, 20), np.float32)
    step = cr.compile(lambda x: np.where(rng.uniform(x.shape) < 0.5, x, 0.0))
    step(x)
    assert {type(kernel.work) for kernel in Executor(step.program(x)).plan.every()} == {Nest}


def test_programs_without_draws_stay_as_they_are() -> None:
    step = cr.compile(lambda x: x * 2.0)
    step(np.ones(3))
    program = step.program(np.ones(3))
    assert with_random_words(program) is program


def test_draws_of_one_length_share_their_positions() -> None:
    rng = cr.random.Generator(0)
    step = cr.compile(lambda: (rng.bits(4), rng.bits(4), rng.bits(5)))
    step()
    program = step.program()
    added = len(with_random_words(program).captures) - len(program.captures)
    assert added == 2

"""Drawings of compiled functions: every gate or kernel has its box, every state its end."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr


def training() -> tuple[Any, Any, Any]:
    model = cr.nn.Sequential(cr.nn.Linear(4, 8), cr.nn.Tanh(), cr.nn.Linear(8, 3))
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)

    @cr.compile
    def step(x, labels):
        loss = cr.nn.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step, np.ones((5, 4), np.float32), np.zeros(5, int)


def test_kernels_and_gates_of_a_training_step(tmp_path) -> None:
    step, x, labels = training()
    step(x, labels)
    fused, whole = cr.draw(step, tmp_path / "step.svg"), cr.draw(step, unfold=True)
    assert (tmp_path / "step.svg").read_text() == fused.svg
    assert fused.name == "step"
    for drawing in (fused, whole):
        for role in ("forward", "backward", "update"):
            assert f'data-role="{role}"' in drawing.svg
        assert "layers.0.weight ←" in drawing.svg
        assert "test_draw_program.py" in drawing.svg
    boxes = [len(re.findall(r"data-role=", d.svg)) for d in (fused, whole)]
    assert boxes[1] == whole.gates == len(step.last.instructions)
    assert boxes[0] < boxes[1] / 2


def test_functions_without_gates_or_with_several_results() -> None:
    f = cr.compile(lambda x: (x, x + 1, x.T))
    f(np.ones((2, 3)))
    for unfold in (False, True):
        assert "<svg" in cr.draw(f, unfold=unfold).svg
    g = cr.compile(lambda x: x)
    g(np.ones(2))
    assert "<svg" in cr.draw(g).svg


def test_what_cannot_be_drawn_says_so() -> None:
    step, x, labels = training()
    with pytest.raises(ValueError, match="not been called yet"):
        cr.draw(step)
    step(x, labels)
    with pytest.raises(ValueError, match="limit="):
        cr.draw(step, limit=2)

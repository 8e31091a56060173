"""Watching values of a compiled step: they are those of the eager run, and the step itself stays what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr


def training() -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    model = cr.nn.Sequential(cr.nn.Linear(4, 8, rng=rng), cr.nn.ReLU(), cr.nn.Linear(8, 3, rng=rng))
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any, labels: Any) -> Any:
        scores = model(x)
        loss = cr.nn.cross_entropy(scores, labels)
        loss.backward()
        optimizer.step()
        return loss

    x, labels = rng.standard_normal((5, 4)).astype(np.float32), np.array([0, 1, 2, 1, 0])
    return model, step, x, labels


@pytest.mark.parametrize("backend", ["native", "source"])
def test_activations_and_gradients_beside_the_result(backend: str) -> None:
    model, step, x, labels = training()
    twin, eager, _, _ = training()
    compiled = cr.compile(step, backend=backend)
    watching = compiled.watch("relu_1", "dL/dlayers.0.weight")
    for _ in range(3):
        weight = next(iter(twin.parameters()))
        hidden = np.maximum(x @ weight.value + list(twin.parameters())[1].value, 0)
        loss, seen = watching(x, labels)
        np.testing.assert_allclose(loss, eager(x, labels).value, rtol=1e-6)
        np.testing.assert_allclose(seen["relu_1"], hidden, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(seen["dL/dlayers.0.weight"], weight.grad, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(next(iter(model.parameters())).value, next(iter(twin.parameters())).value, rtol=1e-5)


def test_watching_and_plain_calls_in_turn() -> None:
    _, step, x, labels = training()
    _, eager, _, _ = training()
    compiled = cr.compile(step)
    watching = compiled.watch("relu_1")
    for k in range(6):
        loss = compiled(x, labels) if k % 2 else watching(x, labels)[0]
        np.testing.assert_allclose(loss, eager(x, labels).value, rtol=1e-6)
    assert len(compiled.last.outputs) == 1


def test_unknown_labels_and_none() -> None:
    _, step, x, labels = training()
    compiled = cr.compile(step)
    with pytest.raises(ValueError, match=r"no value 'rellu_1'.*relu_1"):
        compiled.watch("rellu_1")(x, labels)
    with pytest.raises(ValueError, match="labels"):
        compiled.watch()


def test_methods_are_watched_too() -> None:
    class Model:
        def __init__(self) -> None:
            self.w = cr.Parameter(np.ones(3), dtype=np.float64)

        @cr.compile
        def predict(self, x: Any) -> Any:
            hidden = self.w * x
            return np.sum(hidden)

    model = Model()
    total, seen = model.predict.watch("hidden")(np.arange(3.0))
    assert total == 3
    np.testing.assert_array_equal(seen["hidden"], np.arange(3.0))
    assert "sum" in str(model.predict.profile(np.arange(3.0)))
    assert "define" in model.predict.llvm(np.arange(3.0))

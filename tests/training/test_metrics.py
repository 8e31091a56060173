"""accuracy and evaluate."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import training


def test_accuracy_counts_the_largest_scores():
    scores = np.array([[1.0, 2.0, 0.0], [5.0, 1.0, 1.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert training.accuracy(scores, np.array([1, 0, 2, 2])) == 0.75
    assert training.accuracy(cr.array(scores), np.array([0, 1, 0, 1])) == 0


@pytest.mark.parametrize(("scores", "labels"), [((3,), (3,)), ((3, 2), (2,)), ((3, 2), (3, 1)), ((0, 2), (0,))])
def test_accuracy_refuses_shapes_that_do_not_fit(scores, labels):
    with pytest.raises(ValueError, match="accuracy needs"):
        training.accuracy(np.zeros(scores), np.zeros(labels, int))


def test_evaluate_gives_loss_and_accuracy_and_leaves_gradients_alone():
    net = cr.nn.Linear(2, 2, rng=0)
    net.weight.assign(np.log([[3.0, 1.0], [1.0, 3.0]]))
    score = training.evaluate(net, np.eye(2, dtype=np.float32), np.array([0, 0]))
    assert score.loss == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2, rel=1e-6)
    assert score.accuracy == 0.5
    assert net.weight.grad is None

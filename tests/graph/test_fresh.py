"""What was changed after a gate had used it gives an error, never a wrong gradient."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr


def test_a_parameter_changed_before_backward() -> None:
    p, x = cr.Parameter(2.0, name="p"), cr.array(3.0, dtype=np.float32)
    f = x * p
    p.assign(7.0)
    with pytest.raises(cr.graph.errors.GraphError, match="p was changed after multiply"):
        f.backward()


def test_a_state_changed_before_backward_though_it_carries_no_gradient() -> None:
    s, x = cr.State(2.0, name="s"), cr.array(3.0)
    f = x * s
    s.assign(5.0)
    with pytest.raises(cr.graph.errors.GraphError, match="s was changed after multiply"):
        f.backward()


def test_a_constant_written_by_index_before_backward() -> None:
    c, x = cr.constant([2.0, 3.0], name="c"), cr.array([1.0, 1.0])
    f = np.sum(x * c)
    c[0] = 9.0
    with pytest.raises(cr.graph.errors.GraphError, match="changed after multiply"):
        f.backward()


def test_local_gradients_are_checked_on_every_edge() -> None:
    p, x = cr.Parameter(2.0, name="p"), cr.array(3.0, dtype=np.float32)
    f = x * p
    p.assign(7.0)
    for edge in cr.edges(f):
        with pytest.raises(cr.graph.errors.GraphError, match="p was changed after multiply"):
            _ = edge.local_gradient


def test_changing_it_after_backward_is_what_a_step_does() -> None:
    p, x = cr.Parameter(2.0), cr.array(3.0, dtype=np.float32)
    f = x * p
    f.backward()
    p.assign(7.0)
    assert x.grad == 2.0
    assert p.grad == 3.0

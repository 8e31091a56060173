"""Rows for values standardised by their moments, then scaled and shifted."""

from __future__ import annotations

from chainrule.gates.standardised import standardised
from tests.gates.rows import Row, draw


def over(axes, eps=1e-5):
    return lambda x, scale, shift: standardised(x, axes, eps, scale, shift)[0]


ROWS = [
    Row("standardised over the rows", over((0,)), (draw(5, 3), draw(3), draw(3, seed=1))),
    Row("standardised over the columns", over((1,)), (draw(4, 7), draw(7), draw(7, seed=1))),
    Row("standardised over all but the last", over((0, 1, 2), 1e-3), (draw(2, 3, 2, 3), draw(3), draw(3, seed=1))),
    Row("standardised of a row", over((0,), 0.5), (draw(6), draw(6, seed=1), draw(6, seed=2))),
    Row("standardised of no rows", over((1,)), (draw(0, 3), draw(3), draw(3, seed=1))),
    Row("standardised of columns that share a scale", over((0,)), (draw(5, 3), draw(), draw(seed=1))),
]

"""Rows for values standardised by their moments."""

from __future__ import annotations

from chainrule.gates.standardised import standardised
from tests.gates.rows import Row, draw

ROWS = [
    Row("standardised over the rows", lambda x: standardised(x, (0,), 1e-5)[0], (draw(5, 3),)),
    Row("standardised over the columns", lambda x: standardised(x, (1,), 1e-5)[0], (draw(4, 7),)),
    Row("standardised over all but the last", lambda x: standardised(x, (0, 1, 2), 1e-3)[0], (draw(2, 3, 2, 3),)),
    Row("standardised of a row", lambda x: standardised(x, (0,), 0.5)[0], (draw(6),)),
    Row("standardised of no rows", lambda x: standardised(x, (1,), 1e-5)[0], (draw(0, 3),)),
]

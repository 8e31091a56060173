"""The elementary functions as methods of Lanes: one table, name -> what writes the function down.

Each takes lanes of float32 or of float64 (those that divide, also of integers) and gives lanes of the same, free of
branches but for rare cases that are left to the C library. Special values are NumPy's; what is not special is within a
few units in the last place, as ``tests/native/test_elementary.py`` says function by function.
"""

from __future__ import annotations

from collections.abc import Callable

from chainrule.native import division as d
from chainrule.native import error_function as f
from chainrule.native import exponential as e
from chainrule.native import logarithm as g
from chainrule.native import philox as r
from chainrule.native import powers as p
from chainrule.native import trigonometric as t
from chainrule.native.lanes import Lane

FUNCTIONS: dict[str, Callable[..., Lane]] = {
    function.__name__: function
    for function in (
        e.exp, e.exp2, e.expm1, e.tanh, e.sigmoid, e.sinh, e.cosh,
        g.log, g.log1p, g.log2, g.log10, g.softplus, g.logaddexp, g.logaddexp2, g.arcsinh, g.arccosh, g.arctanh,
        t.sin, t.cos, t.tan, t.arcsin, t.arccos, t.arctan, t.arctan2,
        p.power, p.cbrt, p.hypot, f.erf, f.erfc,
        d.floor_div, d.remainder, d.fmod, r.random_word,
    )
}  # fmt: skip

"""What has no derivative, or a derivative that is zero wherever it exists: comparisons, logic, rounding, arg-functions.

Their results are constants. ``cr.constant``, ``detach`` and ``no_grad`` cut on purpose; these cut by nature.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from chainrule.gates.lowering import COMPARISONS, LOWERINGS, Lowering
from chainrule.gates.primitive import Elementwise, Primitive, dtypes_of, primitive
from chainrule.gates.template import name_of, put_back, written

BY_ELEMENT = frozenset({
    np.isposinf, np.isneginf, np.isclose, np.round, np.around, np.ones_like, np.zeros_like,
    np.fix, np.imag, np.isreal, np.iscomplex, np.angle,
})  # fmt: skip
"""Functions that work element by element without being ufuncs."""

OPERATORS = {
    np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">=", np.equal: "==", np.not_equal: "!=",
    np.bitwise_and: "&", np.bitwise_or: "|", np.bitwise_xor: "^", np.floor_divide: "//",
}  # fmt: skip


@primitive
class PiecewiseConstant(Primitive):
    """z = function(x, ...), any NumPy function of arrays whose derivative is zero or does not exist

    The operands are the positional arguments, and ``kwargs`` are the others; or ``args`` and ``kwargs`` are templates
    (see ``gates.template``), and the operands are the arrays that belong there. Of several results z is the one
    numbered ``result``.
    """

    function: Callable[..., Any]
    kwargs: tuple[tuple[str, Any], ...] = ()
    args: Any = None
    result: int | None = None
    differentiable = False

    @property
    def title(self) -> str:  # type: ignore[override]
        return str(self.function.__name__)

    @property
    def notation(self) -> str:  # type: ignore[override]
        return self.source.removeprefix("np.")

    @property
    def elementwise(self) -> bool:  # type: ignore[override]
        if isinstance(self.function, np.ufunc):
            return self.function.signature is None
        return self.function in BY_ELEMENT and self.args is None and "shape" not in dict(self.kwargs)

    @property
    def source(self) -> str:  # type: ignore[override]
        if self.function in OPERATORS and self.args is None and not self.kwargs:
            return f"{{0}} {OPERATORS[self.function]} {{1}}"
        places = (f"{{{i}}}" for i in count())
        args = ["{...}"] if self.args is None else [written(x, places) for x in self.args]
        kwargs = [f"{name}={written(x, places)}" for name, x in dict(self.kwargs).items()]
        call = f"{name_of(self.function)}({', '.join([*args, *kwargs])})"
        return call if self.result is None else f"{call}[{self.result}]"

    def forward(self, *xs: Any) -> Any:
        if self.args is None:
            z = self.function(*xs, **dict(self.kwargs))
        else:
            arrays = iter(xs)
            args = put_back(self.args, arrays)
            z = self.function(*args, **put_back(dict(self.kwargs), arrays))
        return z if self.result is None else z[self.result]

    @property
    def lower(self) -> Lowering | None:
        """As of other gates; None where the function is left to NumPy."""
        plain = self.args is None and not self.kwargs and self.result is None
        return LOWERINGS.get(self.function) if plain else None

    def computes_in(self, *operands: Any) -> tuple[Any, ...]:
        """As of elementwise gates; integers that are compared with a number beyond their dtype are left to NumPy."""
        if not isinstance(self.function, np.ufunc):
            return (np.result_type(*operands),) * len(operands)
        dtypes = dtypes_of(self.function, *operands)
        if self.function in COMPARISONS:
            for x, dtype in zip(operands, dtypes, strict=True):
                if type(x) is int and dtype.kind in "iu" and not np.iinfo(dtype).min <= x <= np.iinfo(dtype).max:
                    raise TypeError(f"{x} is compared with {dtype}")
        return dtypes


@primitive
class Detach(Elementwise):
    """z = x, as a constant"""

    differentiable = False

    def forward(self, x: Any) -> Any:
        return x

    def lower(self, b: Any, x: Any) -> Any:
        return x


detach = Detach()

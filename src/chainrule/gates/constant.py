"""What has no derivative, or a derivative that is zero wherever it exists: comparisons, logic, rounding, arg-functions.

Their results are constants. ``cr.constant``, ``detach`` and ``no_grad`` cut on purpose; these cut by nature.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.gates.primitive import Elementwise, primitive


@primitive
class PiecewiseConstant(Elementwise):
    """z = function(x, ...), any NumPy function of arrays whose derivative is zero or does not exist"""

    function: Callable[..., Any]
    differentiable = False

    @property
    def title(self) -> str:  # type: ignore[override]
        return str(self.function.__name__)

    def forward(self, *xs: Any) -> Any:
        return self.function(*xs)


@primitive
class Detach(Elementwise):
    """z = x, as a constant"""

    differentiable = False

    def forward(self, x: Any) -> Any:
        return x


detach = Detach()

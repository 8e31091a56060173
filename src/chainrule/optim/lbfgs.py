"""L-BFGS: steps on all data at once that make use of the curvature. SciPy's, which is an extra."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.graph.array import raw
from chainrule.graph.errors import GraphError, NonFiniteError, describe
from chainrule.graph.state import Parameter, State
from chainrule.optim.given import as_parameters, check_fits, how_many
from chainrule.optim.optimizer import Optimizer

SCIPYS_TOLERANCE = 1e7 * np.finfo(np.float64).eps


class Minimum(NamedTuple):
    """How a minimisation ended.

    Attributes:
        loss: the smallest value found, the penalty included.
        iterations: steps that were accepted.
        evaluations: how often the loss was computed, with its gradient.
        converged: whether the tolerance was reached.
        message: SciPy's words.
    """

    loss: float
    iterations: int
    evaluations: int
    converged: bool
    message: str


class LBFGS:
    """Limited-memory BFGS (Liu & Nocedal 1989; L-BFGS-B 3.0 as SciPy has it), for nets of up to some 100,000 weights.

    It evaluates the loss on all data, several times an iteration if need be, and needs no step size. It computes in
    float64, whatever the parameters' dtype.

    Args:
        parameters: the Parameters to move, each once.
        l2: strength of the penalty 1/2 l2 sum(w^2) on weights (parameters of two or more axes), which is part of the
            value that is minimised.
        history: how many of the last steps tell the curvature.
        gradient_tolerance: it has converged when no element of the gradient is larger,
        loss_tolerance: or when the loss falls by less than this part of itself in an iteration; by default SciPy's
            2.2e-9, or the rounding of the parameters' dtype where that is coarser.

    Raises ModuleNotFoundError where SciPy is missing.

    >>> import numpy as np, chainrule as cr
    >>> w = cr.Parameter([-1.2, 1.0], dtype=float)
    >>> optimizer = cr.optim.LBFGS([w])
    >>> def closure():
    ...     loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> optimizer.minimise(closure).converged
    True
    >>> w.value.round(4)
    array([1., 1.])
    """

    whole_batch: ClassVar[bool] = True

    def __init__(
        self,
        parameters: Iterable[Parameter],
        *,
        l2: float = 0.0,
        history: int = 10,
        gradient_tolerance: float = 1e-5,
        loss_tolerance: float | None = None,
    ) -> None:
        _scipys_minimize()
        self.parameters = as_parameters(parameters)
        if history < 1:
            raise ValueError(f"history is a number of steps, at least 1, not {history}")
        coarsest = max(float(np.finfo(p.dtype).eps) for p in self.parameters)
        self.l2 = l2
        self.history, self.gradient_tolerance = history, _tolerance("gradient_tolerance", gradient_tolerance)
        default = max(SCIPYS_TOLERANCE, coarsest)
        self.loss_tolerance = default if loss_tolerance is None else _tolerance("loss_tolerance", loss_tolerance)
        self.steps = State(0, name="steps")

    @property
    def l2(self) -> float:
        """Strength of the penalty."""
        return self._l2

    @l2.setter
    def l2(self, l2: float) -> None:
        self._l2: float = Optimizer.l2.checked(l2)

    def minimise(
        self,
        closure: Callable[[], Any],
        iterations: int = 200,
        after_iteration: Callable[[int, float], Any] | None = None,
    ) -> Minimum:
        """Move the parameters to a minimum of what ``closure`` computes.

        Args:
            closure: computes the loss on all data, calls ``backward()`` on it and returns it. A compiled one leaves
                gradients if it was made with ``cr.compile(keep_grads=True)``.
            iterations: the most steps to make.
            after_iteration: called with the number of iterations and the value after each one, when the parameters
                hold what it has led to; if it returns something true, that was the last.

        Whatever is raised in between, the parameters hold the last step that was accepted. Raises NonFiniteError if the
        loss is not finite at the beginning, GraphError if the closure leaves no gradient.
        """
        if iterations < 1:
            raise ValueError(f"iterations is at least 1, not {iterations}")
        accepted, lowest, done = self._flat(), math.nan, 0

        def value_and_gradient(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            nonlocal lowest
            self._put(x)
            value, gradient = self._evaluated(closure)
            if not (math.isfinite(value) and np.isfinite(gradient).all()):
                if math.isnan(lowest):
                    raise NonFiniteError(f"the loss is {value} before the first iteration, or its gradient not finite")
                return _wall(x - accepted, lowest)
            lowest = value if math.isnan(lowest) else lowest
            return value, gradient

        def callback(intermediate_result: Any) -> None:
            nonlocal accepted, lowest, done
            accepted, lowest, done = intermediate_result.x.copy(), float(intermediate_result.fun), done + 1
            self._put(accepted)
            self.steps.assign(self.steps + 1)
            if after_iteration is not None and after_iteration(done, lowest):
                raise StopIteration

        options = {
            "maxiter": iterations, "maxfun": 100 * iterations + 100, "maxcor": self.history,
            "gtol": self.gradient_tolerance, "ftol": self.loss_tolerance,
        }  # fmt: skip

        try:
            result = _scipys_minimize()(
                value_and_gradient, accepted, jac=True, method="L-BFGS-B", callback=callback, options=options
            )
        finally:
            self._put(accepted)
        return Minimum(float(result.fun), done, int(result.nfev), bool(result.success), str(result.message))

    def _evaluated(self, closure: Callable[[], Any]) -> tuple[float, NDArray[np.float64]]:
        """The value at the parameters as they are, and its gradient: the penalty is in both."""
        before = [p.written for p in self.parameters]
        loss = np.asarray(raw(closure()))
        if loss.size != 1:
            raise ValueError(f"the closure returns the loss, one number, not {describe(loss)}")
        written = [p.written > b and p.grad is not None for p, b in zip(self.parameters, before, strict=True)]
        if not any(written):
            raise GraphError(
                "the closure has left no gradient: it calls backward() on the loss; a compiled one is made with "
                "cr.compile(keep_grads=True)"
            )
        value, gradients = float(loss.item()), []
        for p, known in zip(self.parameters, written, strict=True):
            w = p._value.astype(np.float64)
            gradient = p._grad.astype(np.float64) if known else np.zeros(p.shape)
            if self._l2 and p.ndim > 1 and known:
                value += 0.5 * self._l2 * float(np.vdot(w, w))
                gradient = gradient + self._l2 * w
            gradients.append(gradient.ravel())
        return value, np.concatenate(gradients)

    def _flat(self) -> NDArray[np.float64]:
        return np.concatenate([p._value.astype(np.float64).ravel() for p in self.parameters])

    def _put(self, x: NDArray[np.float64]) -> None:
        start = 0
        for p in self.parameters:
            p.assign(x[start : start + p.size].reshape(p.shape))
            start += p.size

    def named_states(self) -> dict[str, State]:
        """Every State that it changes, by name: ``steps``."""
        return {"steps": self.steps}

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """How many steps were made. The curvature is found anew by each ``minimise``."""
        return {"steps": np.array(self.steps._value)}

    def load_state_dict(self, values: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` has given; ValueError, and no change, if that is something else."""
        given = {name: np.asarray(value) for name, value in values.items()}
        check_fits(given, {"steps": self.steps})
        self.steps.assign(given["steps"])

    def __repr__(self) -> str:
        return f"LBFGS({how_many(self.parameters)}, l2={self.l2}, history={self.history})"


def _wall(away: NDArray[np.float64], lowest: float) -> tuple[float, NDArray[np.float64]]:
    """What the line search is told where the loss is not finite, so far away from the last accepted point.

    A parabola up from there: the search comes back by a moderate part of the way. Told infinity, it would give up.
    """
    worse = 1 + abs(lowest)
    return lowest + worse, 2 * worse * away / float(away @ away)


def _tolerance(name: str, value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be at least 0, not {value}")
    return value


def _scipys_minimize() -> Callable[..., Any]:
    try:
        from scipy.optimize import minimize
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "L-BFGS is SciPy's, which is not installed: pip install 'chainrule[lbfgs]'", name=error.name
        ) from error
    return minimize  # type: ignore[no-any-return]

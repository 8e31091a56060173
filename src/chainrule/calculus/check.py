"""check_grads: analytic derivatives against centred differences, by the rules of the lecture.

Relative error |a - n| / max(|a|, |n|): above 1e-2 the gradient is probably wrong; between 1e-2 and 1e-4 one should feel
uncomfortable; up to 1e-4 is usually all right where there are kinks and too high where there are none; 1e-7 and below
is good. A kink is crossed when a choice inside the function (the winner of a max, the sign under an abs, the branch of
a where) differs between x + h and x - h; at a tie it is met exactly. There, the two need not agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from chainrule.calculus.derivative import check_numbers, grad
from chainrule.calculus.trees import leaves, map_leaves
from chainrule.graph.array import Array, circuit, new_leaf, raw
from chainrule.graph.errors import ChainruleError
from chainrule.graph.site import Site

GOOD, ACCEPTABLE, WRONG = 1e-7, 1e-4, 1e-2
ROUNDING = 4 * float(np.finfo(np.float64).eps)


class GradientError(ChainruleError, AssertionError):
    """An analytic derivative disagrees with the numerical one."""


@dataclass(frozen=True)
class GradientReport:
    """What a check found.

    Attributes:
        relative_error: the largest over all orders and directions that crossed no kink.
        order: the highest derivative that was checked.
        kinks: choices inside the function that tie at x, or change within the step: ``maximum at net.py:12``.
        worst: where the largest disagreement is, and by how much (empty if nothing disagrees).
        compared: how many directions crossed no kink and so could be compared.

    >>> import numpy as np, chainrule as cr
    >>> report = cr.check_grads(np.abs, np.array([0.0, 1.0]), order=1)
    >>> report.verdict
    'not compared: every direction crosses a kink'
    """

    relative_error: float
    order: int
    kinks: tuple[str, ...] = ()
    worst: str = ""
    compared: int = 1

    @property
    def verdict(self) -> str:
        """The lecture's reading of the relative error."""
        error = self.relative_error
        if not self.compared:
            return "not compared: every direction crosses a kink"
        if error <= GOOD:
            return "good"
        if error <= ACCEPTABLE:
            return "all right where there are kinks, high where there are none"
        return "uncomfortable" if error <= WRONG else "the gradient is probably wrong"

    def __str__(self) -> str:
        kinks = f"; kinks: {', '.join(self.kinks)}" if self.kinks else ""
        worst = f"; worst: {self.worst}" if self.worst else ""
        return f"relative error {self.relative_error:.1e} (order {self.order}): {self.verdict}{kinks}{worst}"


def relative_error(analytic: Any, numerical: Any, floor: float = 0.0) -> Any:
    """|a - n| / max(|a|, |n|), element by element; 0 where both are 0.

    ``floor`` is the smallest size that counts: below it rounding in the difference would look like an error.

    >>> float(relative_error(1.0, 1.01).round(4))
    0.0099
    """
    a, n = np.asarray(analytic, float), np.asarray(numerical, float)
    size = np.maximum(np.maximum(np.abs(a), np.abs(n)), floor)
    return np.abs(a - n) / np.where(size == 0, 1.0, size)


def check_grads(
    function: Callable[..., Any],
    *args: Any,
    order: int = 2,
    step: float = 1e-5,
    directions: int = 3,
    tolerance: float = ACCEPTABLE,
    seed: int = 0,
    **kwargs: Any,
) -> GradientReport:
    """Compare derivatives of ``function`` with centred differences along random directions, in float64.

    Args:
        function: takes the arguments and returns an array, a number, or a nested structure of them.
        args: arrays or nested structures of arrays; the floating-point ones are differentiated (cast to float64), the
            others are passed on as they are. ``kwargs`` are passed on, too.
        order: 1 checks gradients, 2 also gradients of gradients, and so on.
        step: h; the error of a centred difference falls with its square, rounding grows with its inverse.
        directions: how many random directions to try at each order; one more is weighted so that the elements of the
            gradient count alike, and a large one does not hide a small one.
        tolerance: the largest relative error that passes.

    Raises GradientError, with the place of the worst element, if a derivative is off by more than ``tolerance`` in a
    direction that crosses no kink. Where kinks are met they are listed in the report.

    >>> import numpy as np, chainrule as cr
    >>> report = cr.check_grads(np.tanh, np.array([0.5, -1.0]))
    >>> report.relative_error < 1e-7
    True
    """
    if order < 1 or directions < 1:
        raise ValueError(f"order and directions are counted from 1, not {order} and {directions}")
    generator = np.random.default_rng(seed)
    args = tuple(map_leaves(_as_float64, arg) for arg in args)
    targets = [x for x in leaves(args) if _is_float(x)]
    if not targets:
        raise TypeError("check_grads needs at least one floating-point argument")

    def flat(*xs: Any) -> Any:
        """``function`` as a function of its floating-point leaves alone."""
        rest = iter(xs)
        filled = map_leaves(lambda leaf: next(rest) if _is_float(leaf) else leaf, args)
        result = function(*filled, **kwargs)
        check_numbers(result, function)
        return result

    current = _projected(flat, targets, generator)
    found = Level(0.0, list(_ties(flat, targets)), "", 0)
    for level in range(1, order + 1):
        checked = _check_level(current, flat, targets, step, directions, generator)
        if not checked.error <= tolerance:
            raise GradientError(
                f"derivative of order {level} disagrees with the numerical one: relative error {checked.error:.1e} "
                f"(tolerance {tolerance:.0e}); {checked.worst}"
                + (f"; where inputs tie the two need not agree: {', '.join(found.kinks)}" if found.kinks else "")
            )
        found = found.joined(checked, level)
        if level < order:
            current = _slope(current, targets, generator)
    return GradientReport(found.error, order, tuple(found.kinks), found.worst, found.compared)


class Level(NamedTuple):
    """The outcome for one order of differentiation."""

    error: float
    kinks: list[str]
    worst: str
    compared: int

    def joined(self, other: Level, level: int) -> Level:
        larger = other.error > self.error
        return Level(
            other.error if larger else self.error,
            list(dict.fromkeys(self.kinks + other.kinks)),
            f"order {level}, {other.worst}" if larger and other.worst else self.worst,
            self.compared + other.compared,
        )


def _is_float(x: Any) -> bool:
    return isinstance(x, (float, np.floating)) or (hasattr(x, "dtype") and x.dtype.kind == "f")


def _as_float64(x: Any) -> Any:
    return np.array(raw(x), np.float64) if _is_float(x) else x


def _projected(function: Callable[..., Any], targets: list[Any], generator: np.random.Generator) -> Callable[..., Any]:
    """A scalar function: the results of ``function`` weighted at random, so that no error can hide in a sum."""
    shapes = [np.shape(raw(x)) for x in leaves(function(*targets)) if _is_float(raw(x))]
    weights = [generator.uniform(0.5, 1.5, shape) * generator.choice([-1.0, 1.0], shape) for shape in shapes]

    def scalar(*xs: Any) -> Any:
        parts = [x for x in leaves(function(*xs)) if _is_float(raw(x))]
        total: Any = 0.0
        for x, w in zip(parts, weights, strict=True):
            total = total + np.sum(x * w)
        return total

    return scalar


def _slope(function: Callable[..., Any], targets: list[Any], generator: np.random.Generator) -> Callable[..., Any]:
    """The derivative of ``function`` along a random direction, as a function."""
    along = [generator.standard_normal(np.shape(x)) for x in targets]
    everything = tuple(range(len(targets)))

    def slope(*xs: Any) -> Any:
        return sum((np.sum(g * v) for g, v in zip(grad(function, everything)(*xs), along, strict=True)), start=0.0)

    return slope


def _number(function: Callable[..., Any], xs: list[Any]) -> float:
    return float(np.asarray(raw(function(*[new_leaf(Array, x, False) for x in xs]))))


def _check_level(
    function: Callable[..., Any],
    base: Callable[..., Any],
    targets: list[Any],
    step: float,
    directions: int,
    generator: np.random.Generator,
) -> Level:
    """The largest relative error over random directions, the kinks crossed, and the place of the worst element.

    ``function`` is ``base`` or one of its derivatives, whose kinks are those of ``base``.
    """
    gradients = [np.asarray(raw(g)) for g in grad(function, tuple(range(len(targets))))(*targets)]
    # Rounding alone makes a difference this large (over h); it must read as good, not as an error.
    scale = ROUNDING * max(1.0, abs(_number(function, targets)))
    largest, kinks, worst_step, compared = 0.0, [], step, 0
    random = [[generator.standard_normal(np.shape(x)) for x in targets] for _ in range(directions)]
    for along in (*random, _levelled(gradients, generator)):
        h, crossed = _smooth_step(base, targets, along, step)
        kinks += crossed
        if crossed:
            continue
        compared += 1
        analytic = float(sum(np.sum(g * v) for g, v in zip(gradients, along, strict=True)))
        error = float(relative_error(analytic, _difference(function, targets, along, h), scale / h / GOOD))
        if not error <= largest:
            largest, worst_step = error, h
    if largest <= GOOD:
        return Level(largest, kinks, "", compared)
    where = _worst_element(function, targets, gradients, worst_step, scale / worst_step / GOOD)
    return Level(largest, kinks, where, compared)


def _levelled(gradients: list[Any], generator: np.random.Generator) -> list[Any]:
    """A direction along which elements of the gradient count alike, so that a large one does not hide a small one."""
    largest = max((float(np.max(np.abs(g))) for g in gradients if g.size), default=0.0) or 1.0
    weights = [1e-4 / np.maximum(np.abs(g) / largest, 1e-4) for g in gradients]
    return [w * generator.choice([-1.0, 1.0], np.shape(w)) for w in weights]


def _smooth_step(base: Any, targets: list[Any], along: list[Any], step: float) -> tuple[float, list[str]]:
    """The step, or a smaller one that crosses no kink; with the kinks that even the smallest crosses."""
    crossed: list[str] = []
    for h in (step, step / 10, step / 100):
        crossed = _crossed(base, targets, along, h)
        if not crossed:
            return h, []
    return step, crossed


def _shifted(targets: list[Any], along: list[Any], by: float) -> list[Any]:
    return [np.asarray(x + by * v) for x, v in zip(targets, along, strict=True)]


def _difference(function: Callable[..., Any], targets: list[Any], along: list[Any], step: float) -> float:
    """The centred difference, extrapolated once (Richardson), which leaves an error of the fourth order in the step."""

    def centred(h: float) -> float:
        ahead, behind = _shifted(targets, along, h), _shifted(targets, along, -h)
        return (_number(function, ahead) - _number(function, behind)) / (2 * h)

    wide = 8 * step
    return (4 * centred(wide) - centred(2 * wide)) / 3


def _worst_element(function: Any, targets: list[Any], gradients: list[Any], step: float, floor: float) -> str:
    """Compare element by element (at most 200 of them, the largest gradients first) and describe the worst."""
    places = [(i, j) for i, g in enumerate(gradients) for j in range(g.size)]
    places.sort(key=lambda place: -abs(gradients[place[0]].flat[place[1]]))
    worst, text = -1.0, ""
    for i, j in places[:200]:
        along = [np.zeros(np.shape(x)) for x in targets]
        along[i].flat[j] = 1.0
        analytic = float(gradients[i].flat[j])
        numerical = _difference(function, targets, along, step)
        error = float(relative_error(analytic, numerical, floor))
        if not error <= worst:
            index = tuple(int(k) for k in np.unravel_index(j, np.shape(targets[i])))
            worst = error
            place = f"argument {i}{list(index) if index else ''}"
            text = f"worst element: {place}, analytic {analytic:.6g}, numerical {numerical:.6g}"
    return text


# ---- kinks


def choices(output: Any) -> list[tuple[str, Any]]:
    """What each gate of the circuit chose: ``(gate at line, the winners)``, in the order of the forward pass."""
    return [(f"{gate} at {site}", choice) for gate, site, choice in _asked(output, "choice")]


def _asked(output: Any, question: str) -> Iterator[tuple[str, Site | None, Any]]:
    """Title, line and answer of every gate behind ``output`` that knows its ``choice`` or ``tie``."""
    for result in leaves(output):
        if isinstance(result, Array):
            for node in circuit(result):
                ask = getattr(node.gate, question, None)
                if ask is not None and node.inputs:
                    yield node.gate.title, node.site, ask(*map(raw, node.inputs))


def _ties(function: Callable[..., Any], targets: list[Any]) -> list[str]:
    """Gates whose inputs tie exactly at the point of the check."""
    output = function(*[new_leaf(Array, x, True) for x in targets])
    found = [f"a tie in {gate} at {site}" for gate, site, tie in _asked(output, "tie") if np.any(tie)]
    return list(dict.fromkeys(found))


def _crossed(function: Callable[..., Any], targets: list[Any], along: list[Any], step: float) -> list[str]:
    """Gates whose choice differs somewhere between the ends of the centred difference."""
    ends = []
    for sign in (16 * step, -16 * step):
        point = [new_leaf(Array, x, True) for x in _shifted(targets, along, sign)]
        ends.append(choices(function(*point)))
    ahead, behind = ends
    if [name for name, _ in ahead] != [name for name, _ in behind]:
        return ["the function takes another path within the step"]
    return [name for (name, a), (_, b) in zip(ahead, behind, strict=True) if not np.array_equal(a, b)]

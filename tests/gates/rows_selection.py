"""Gates that choose: every order of operands, bounds that broadcast, and the elements that were not chosen."""

import numpy as np

from tests.gates.rows import Row, draw

PAIRS = [((), ()), ((4,), ()), ((), (4,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0,), ())]
CONDITION = np.array([True, False, True, False])
WITH_NAN = np.array([1.0, np.nan, 3.0, -1.0])

ROWS = [
    *(
        Row(f"{function.__name__}: {left} {right}", function, (draw(*left, seed=1), draw(*right, seed=2)))
        for function in (np.maximum, np.minimum, np.fmax, np.fmin)
        for left, right in PAIRS
    ),
    Row("maximum: with numbers", lambda x: np.maximum(x, 0) + np.maximum(-0.25, x), (draw(5),)),
    Row("minimum: with numbers", lambda x: np.minimum(x, 0) + np.minimum(-0.25, x), (draw(5),)),
    Row("fmax: NaN loses", lambda x: np.fmax(x, WITH_NAN) + np.fmax(WITH_NAN, x), (draw(4),)),
    Row("fmin: NaN loses", lambda x: np.fmin(x, WITH_NAN) + np.fmin(WITH_NAN, x), (draw(4),)),
    Row("clip: numbers", lambda x: np.clip(x, -0.5, 0.75), (draw(6),)),
    Row("clip: low alone", lambda x: np.clip(x, -0.5, None), (draw(6),)),
    Row("clip: high alone", lambda x: np.clip(x, None, 0.75), (draw(6),)),
    Row("clip: no bound", lambda x: np.clip(x, None, None), (draw(6),)),
    Row("clip: min and max", lambda x: np.clip(x, min=-0.5, max=0.75), (draw(6),)),
    Row("clip: method", lambda x: x.clip(-0.5, 0.75), (draw(6),)),
    Row("clip: bounds that vary", np.clip, (draw(6), draw(6, low=-1, high=-0.5), draw(6, low=0.2, high=1))),
    Row("clip: bounds that broadcast", np.clip, (draw(3, 4), draw(4, low=-1, high=-0.5), draw(3, 1, low=0.2, high=1))),
    Row("clip: bounds crossed", np.clip, (draw(5), draw(5, low=0.5, high=1), draw(5, low=-1, high=0.2))),
    Row("clip: 0-d", np.clip, (draw(), np.array(-3.0), np.array(3.0))),
    Row("clip: empty", lambda x: np.clip(x, -1, 1), (draw(0),)),
    Row("where", lambda x, y: np.where(CONDITION, x, y), (draw(4), draw(4, seed=1))),
    Row("where: broadcast", lambda x, y: np.where(CONDITION, x, y), (draw(3, 1), draw(seed=1))),
    Row("where: broadcast condition", lambda x, y: np.where(CONDITION[:3, None], x, y), (draw(4), draw(seed=1))),
    Row("where: one number", lambda x: np.where(x > 0, x, 0.1 * x), (draw(6),)),
    Row("where: number first", lambda x: np.where(x > 0, 1, x * x), (draw(6),)),
    Row("where: 0-d", lambda x, y: np.where(np.True_, x, y), (draw(), draw(seed=1))),
    Row("where: empty", lambda x: np.where(np.zeros(0, bool), x, 1.0), (draw(0),)),
    Row("where: the other branch is not finite", lambda x: np.where(x > 0, x, np.inf), (draw(4, low=0.5),)),
    Row("choose", lambda x, y: np.choose(np.array([0, 1, 1]), [x, y]), (draw(3), draw(3, seed=1))),
    Row("choose: broadcast", lambda x, y: np.choose([[0], [1]], [x, y]), (draw(3), draw(2, 1, seed=1))),
    Row("choose: wrap", lambda x, y: np.choose([0, 3, -1], [x, y], mode="wrap"), (draw(3), draw(3, seed=1))),
    Row("choose: clip", lambda x, y: np.choose([0, 3, -1], [x, y], mode="clip"), (draw(3), draw(3, seed=1))),
    Row("select", lambda x: np.select([x < -0.5, x > 0.5], [x * x, 2 * x], 1.0), (draw(6),)),
    Row("select: broadcast", lambda x: np.select([CONDITION[:3, None]], [x], 0), (draw(4),)),
    Row("piecewise", lambda x: np.piecewise(x, [x < 0, x >= 0.5], [lambda t: t * t, np.sin, 7.0]), (draw(6),)),
    Row("piecewise: 0-d", lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda t: t * t, np.sin]), (draw(),)),
    Row("nan_to_num: replaced", lambda x: np.nan_to_num(x + np.array([0.0, np.nan, 0.0])), (draw(3),)),
]

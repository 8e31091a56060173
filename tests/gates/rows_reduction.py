"""Reductions along every axis, negative axes, tuples and none, with keepdims, initial and where; running forms."""

import numpy as np

from tests.gates.rows import Row, draw

A = draw(2, 3, 4)
AXES = [None, 0, 1, -1, (0, 2), (-1, 0), (0, 1, 2), ()]
ONE_AXIS = [None, 0, 1, -1]
NAN = A + np.where(np.arange(24).reshape(2, 3, 4) % 5 == 1, np.nan, 0.0)
MASK = np.arange(24).reshape(2, 3, 4) % 3 != 0

ALONG = [np.sum, np.prod, np.max, np.min, np.mean, np.var, np.ptp, np.nansum, np.nanprod, np.nanmax]
ALONG += [np.nanmin, np.nanmean, np.nanvar, np.amax, np.amin]
SPREADS = [np.std, np.nanstd]
ORDERED = [np.median]
RUNNING = [np.cumsum, np.cumprod, np.nancumsum, np.nancumprod]


def with_nan(function, **options):
    return lambda x: function(x + (NAN - A), **options)


ROWS = [
    *(
        Row(f"{f.__name__}: axis {axis} keepdims {keep}", lambda x, f=f, a=axis, k=keep: f(x, axis=a, keepdims=k), (A,))
        for f in ALONG
        for axis in AXES
        for keep in (False, True)
        if not (f is np.ptp and axis == ())
    ),
    *(
        Row(f"{f.__name__}: axis {axis}", lambda x, f=f, a=axis: f(x, axis=a), (A,))
        for f in SPREADS + ORDERED
        for axis in AXES
        if axis != ()
    ),
    *(Row(f"{f.__name__}: axis {a}", lambda x, f=f, a=a: f(x, axis=a), (A,)) for f in RUNNING for a in ONE_AXIS),
    *(
        Row(f"{f.__name__}: with NaN, axis {axis}", with_nan(f, axis=axis), (A,))
        for f in [np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nanmean, np.nanvar, np.nanstd]
        for axis in (None, 0, -1)
        if not (f is np.nanstd and axis == 0)  # a single number along the axis: a deviation of 0, where sqrt has a kink
    ),
    *(Row(f"{f.__name__}: with NaN", with_nan(f), (A,)) for f in (np.nancumsum, np.nancumprod)),
    *(
        Row(f"{f.__name__}: 0-d", f, (draw(),))
        for f in (np.sum, np.prod, np.max, np.min, np.mean, np.cumsum, np.median)
    ),
    *(Row(f"{f.__name__}: 0-d, axis ()", lambda x, f=f: f(x, axis=()), (draw(),)) for f in (np.sum, np.max, np.mean)),
    *(Row(f"{f.__name__}: empty", f, (draw(0),)) for f in (np.sum, np.prod, np.cumsum, np.cumprod, np.nansum)),
    *(
        Row(f"{f.__name__}: empty result", lambda x, f=f: f(x, axis=1), (draw(0, 3),))
        for f in (np.sum, np.prod, np.max, np.mean, np.var, np.cumsum, np.logaddexp.reduce)
    ),
    *(Row(f"{f.__name__}: one element", f, (draw(1),)) for f in (np.sum, np.prod, np.max, np.mean, np.cumprod)),
    *(Row(f"{f.__name__}: where", lambda x, f=f: f(x, axis=1, where=MASK), (A,)) for f in (np.sum, np.prod, np.mean)),
    *(Row(f"{f.__name__}: where", lambda x, f=f: f(x, axis=1, where=MASK), (A,)) for f in (np.var, np.std)),
    *(
        Row(f"{f.__name__}: where and keepdims", lambda x, f=f: f(x, axis=(0, 2), where=MASK, keepdims=True), (A,))
        for f in (np.sum, np.mean, np.var, np.nanmean)
    ),
    *(Row(f"{f.__name__}: initial", lambda x, f=f: f(x, axis=1, initial=0.3), (A,)) for f in (np.sum, np.prod)),
    *(Row(f"{f.__name__}: initial", lambda x, f=f: f(x, axis=1, initial=0.3), (A,)) for f in (np.max, np.min)),
    Row("max: where and initial", lambda x: np.max(x, axis=1, where=MASK, initial=-5.0), (A,)),
    Row("min: where and initial", lambda x: np.min(x, axis=1, where=MASK, initial=5.0), (A,)),
    Row("max: empty with initial", lambda x: np.max(x, initial=2.0) * np.sum(x), (draw(0),)),
    Row("sum: dtype", lambda x: np.sum(x, axis=0, dtype=np.float64), (A,)),
    Row("sum: method", lambda x: x.sum(0) + x.mean(axis=0) + x.max(0) - x.min(axis=0), (A,)),
    Row("prod: one zero", np.prod, (np.array([2.0, 0.0, 3.0]),)),
    Row("prod: two zeros", np.prod, (np.array([2.0, 0.0, 0.0, 3.0]),)),
    Row("cumprod: zeros", np.cumprod, (np.array([2.0, 0.0, 3.0, 0.0, 5.0]),)),
    Row("var: ddof", lambda x: np.var(x, axis=-1, ddof=1), (A,)),
    Row("var: correction", lambda x: np.var(x, axis=0, correction=1), (A,)),
    Row("var: mean", lambda x: np.var(x, axis=1, mean=np.mean(x, axis=1, keepdims=True)), (A,)),
    Row("std: keepdims", lambda x: np.std(x, axis=1, keepdims=True, ddof=1), (A,)),
    Row("nanvar: ddof", lambda x: np.nanvar(x, axis=1, ddof=1), (A,)),
    Row("average", lambda x: np.average(x, axis=1), (A,)),
    Row("average: weights", lambda x, w: np.average(x, axis=1, weights=w), (A, draw(3, low=0.5))),
    Row("average: full weights", lambda x, w: np.average(x, weights=w), (A, draw(2, 3, 4, low=0.5))),
    Row("average: returned", lambda x, w: np.average(x, 0, w, returned=True), (A, draw(2, low=0.5))),
    Row("average: keepdims", lambda x: np.average(x, axis=(0, 2), keepdims=True), (A,)),
    Row("cumulative_sum", lambda x: np.cumulative_sum(x, axis=1), (A,)),
    Row("cumulative_sum: initial", lambda x: np.cumulative_sum(x, axis=-1, include_initial=True), (A,)),
    Row("cumulative_prod", np.cumulative_prod, (draw(4),)),
    Row("cumulative_prod: initial", lambda x: np.cumulative_prod(x, include_initial=True), (draw(4),)),
    Row("cumsum: method", lambda x: x.cumsum() * x.cumprod(), (draw(4),)),
    Row("diff", np.diff, (A,)),
    Row("diff: twice", lambda x: np.diff(x, 2, axis=1), (A,)),
    Row("diff: more than there is", lambda x: np.diff(x, 5, axis=1), (A,)),
    Row("diff: zero times", lambda x: np.diff(x, 0), (A,)),
    Row("diff: edges", lambda x: np.diff(x, prepend=0.0, append=np.ones((2, 3, 2))), (A,)),
    Row("diff: live edges", lambda x, y: np.diff(x, axis=0, prepend=y, append=x[:1]), (A, draw())),
    Row("ediff1d", np.ediff1d, (draw(2, 3),)),
    Row("ediff1d: ends", lambda x, y: np.ediff1d(x, to_end=y, to_begin=[0.0, 1.0]), (draw(4), draw(2))),
    Row("trapezoid", np.trapezoid, (A,)),
    Row("trapezoid: dx", lambda y: np.trapezoid(y, dx=0.5, axis=0), (A,)),
    Row("trapezoid: x", lambda y, x: np.trapezoid(y, x), (A, np.array([0.0, 0.4, 1.0, 1.3]))),
    Row("trapezoid: x and axis", lambda y, x: np.trapezoid(y, x, axis=1), (A, np.array([0.0, 0.4, 1.0]))),
    Row("trapezoid: full x", lambda y, x: np.trapezoid(y, x, axis=1), (A, draw(2, 3, 4, seed=1))),
    Row("median: odd", np.median, (draw(5),)),
    Row("median: keepdims", lambda x: np.median(x, axis=(0, 1), keepdims=True), (A,)),
    Row("percentile", lambda x: np.percentile(x, 30), (A,)),
    Row("percentile: several", lambda x: np.percentile(x, [10, 55.0, 100], axis=1), (A,)),
    Row("quantile: matrix of q", lambda x: np.quantile(x, [[0.0, 0.3], [0.5, 0.9]], axis=(0, 2)), (A,)),
    Row("quantile: keepdims", lambda x: np.quantile(x, [0.3, 0.5], axis=1, keepdims=True), (A,)),
    Row("quantile: lower", lambda x: np.quantile(x, 0.3, axis=-1, method="lower"), (A,)),
    Row("quantile: higher", lambda x: np.quantile(x, 0.3, axis=-1, method="higher"), (A,)),
    *(
        Row(f"{f.__name__}.reduce: axis {axis}", lambda x, f=f, axis=axis: f.reduce(x, axis=axis), (A,))
        for f in (np.add, np.multiply, np.maximum, np.minimum, np.logaddexp)
        for axis in (0, -1, None, (0, 2))
        if not (f is np.logaddexp and axis not in (0, -1))
    ),
    Row("add.reduce: default axis", np.add.reduce, (A,)),
    Row("add.reduce: keepdims", lambda x: np.add.reduce(x, 1, keepdims=True), (A,)),
    Row("logaddexp.reduce: keepdims", lambda x: np.logaddexp.reduce(x, 1, keepdims=True), (A,)),
    Row("add.accumulate", lambda x: np.add.accumulate(x, axis=1), (A,)),
    Row("multiply.accumulate", lambda x: np.multiply.accumulate(x), (A,)),
]

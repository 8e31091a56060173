"""How many cases are drawn, and the drawings that several tests share.

A normal run draws 300 cases in all, the same ones each time; ``make fuzz`` sets CHAINRULE_FUZZ_EXAMPLES and draws that
many new ones.
"""

import os

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

ASKED_FOR = os.environ.get("CHAINRULE_FUZZ_EXAMPLES")
TOTAL = int(ASKED_FOR or 300)


def fuzz(percent):
    """Settings for a test that gets this share of the cases."""
    return settings(
        max_examples=max(1, TOTAL * percent // 100),
        derandomize=ASKED_FOR is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


seeds = st.integers(0, 2**32 - 1)
shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
full_shapes = st.lists(st.integers(1, 4), max_size=4).map(tuple)


def numbers(seed, shape, low=-2.0, high=2.0):
    """Numbers without ties: hypothesis draws the seed, since it would love to draw the same number twice."""
    return np.random.default_rng(seed).uniform(low, high, shape)


def axes(ndim):
    """None, one axis or a tuple of axes, counted from either end."""
    if ndim == 0:
        return st.sampled_from([None, ()])
    one = st.integers(-ndim, ndim - 1)
    several = st.lists(one, unique_by=lambda i: i % ndim, max_size=ndim).map(tuple)
    return st.one_of(st.none(), one, several)

"""Dropout: neurons that are left out at random while a net is trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.nn.inputs import given
from chainrule.nn.module import Module
from chainrule.random.generator import Generator


class Dropout(Module):
    """In training each activation is set to 0 with probability ``rate``, and the others are scaled by 1 / (1 - rate).

    So the expected value stays (inverted dropout), and in evaluation nothing has to be done: the input is the output
    (Srivastava et al. 2014). No neuron can rely on another one, which works against over-fitting.

    Args:
        rate: the probability of being dropped, in [0, 1). It counts in multiples of 2^-32.
        rng: a ``cr.random.Generator``, or a seed for one. Its counter is State: a compiled step draws others each time,
            the same as eager code would, and ``state_dict`` holds where it stands.

    Inputs and outputs have any shape and the same floating dtype.

    >>> import numpy as np, chainrule as cr
    >>> layer = cr.nn.Dropout(0.5, rng=0)
    >>> layer(np.ones(8, np.float32))
    array([0., 0., 0., 2., 0., 2., 0., 2.], dtype=float32)
    >>> layer.eval()(np.ones(3))
    array([1., 1., 1.])
    """

    _is_affine_at_most = True

    def __init__(self, rate: float = 0.5, rng: Generator | int | None = None) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"a dropout rate is at least 0 and below 1, not {rate}")
        if isinstance(rng, np.random.Generator):
            raise TypeError("dropout draws in every step, compiled too: give it a cr.random.Generator or a seed")
        self.rate = float(rate)
        self.rng = rng if isinstance(rng, Generator) else Generator(rng)

    def forward(self, x: Any) -> Any:
        x = given(x)
        if not self.training or self.rate == 0:
            return x
        kept = self.rng.bernoulli(1.0 - self.rate, x.shape)
        return np.where(kept, x * (1.0 / (1.0 - self.rate)), 0.0)

    def describe(self) -> str:
        return f"{self.rate:g}"

"""Initial weights: random, so that neurons differ, and of a size that neither grows nor fades from layer to layer.

An initialiser is a function of a shape (inputs, neurons), a NumPy generator and a dtype that returns the weights. Where
it has options, ``functools.partial(orthogonal, gain=2)`` makes one of it. ``Linear(..., init="he_normal")`` takes a
name of ``INITIALISERS`` or any such function.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chainrule.random.generator import Generator

# As text: numpy.random takes a while to import.
Initialiser: TypeAlias = "Callable[[tuple[int, int], np.random.Generator, Any], NDArray[Any]]"


def glorot_uniform(shape: tuple[int, int], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Uniform, of variance 2 / (inputs + neurons): a compromise between forward and backward (Glorot and Bengio 2010).

    For tanh and softsign.

    >>> import numpy as np, chainrule as cr
    >>> w = cr.nn.initialisers.glorot_uniform((400, 200), np.random.default_rng(0))
    >>> bool(abs(w).max() <= 0.1), round(float(w.std()), 3)
    (True, 0.058)
    """
    bound = math.sqrt(6.0 / sum(_sizes(shape)))
    return rng.uniform(-bound, bound, shape).astype(dtype)


def glorot_normal(shape: tuple[int, int], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Normal, of variance 2 / (inputs + neurons) (Glorot and Bengio 2010).

    >>> import numpy as np, chainrule as cr
    >>> w = cr.nn.initialisers.glorot_normal((400, 200), np.random.default_rng(0))
    >>> round(float(w.std()), 3)
    0.058
    """
    return normal(math.sqrt(2.0 / sum(_sizes(shape))))(shape, rng, dtype)


def he_uniform(shape: tuple[int, int], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Uniform, of variance 2 / inputs: ReLU lets half of the variance through (He et al. 2015).

    >>> import numpy as np, chainrule as cr
    >>> w = cr.nn.initialisers.he_uniform((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 2)
    0.1
    """
    bound = math.sqrt(6.0 / _sizes(shape)[0])
    return rng.uniform(-bound, bound, shape).astype(dtype)


def he_normal(shape: tuple[int, int], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Normal, of variance 2 / inputs: ReLU lets half of the variance through (He et al. 2015).

    >>> import numpy as np, chainrule as cr
    >>> w = cr.nn.initialisers.he_normal((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 2)
    0.1
    """
    return normal(math.sqrt(2.0 / _sizes(shape)[0]))(shape, rng, dtype)


def lecun_normal(shape: tuple[int, int], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Normal, of variance 1 / inputs: sums have the variance of the inputs (LeCun et al. 1998). For SELU, and maxout.

    >>> import numpy as np, chainrule as cr
    >>> w = cr.nn.initialisers.lecun_normal((400, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 2)
    0.05
    """
    return normal(math.sqrt(1.0 / _sizes(shape)[0]))(shape, rng, dtype)


def orthogonal(
    shape: tuple[int, int], rng: np.random.Generator, dtype: DTypeLike = np.float32, *, gain: float = 1.0
) -> NDArray[Any]:
    """A random rotation times ``gain``: no direction grows or fades, in nets of any depth (Saxe et al. 2013).

    Where there are more inputs than neurons the columns are orthogonal, else the rows. All rotations are equally
    likely: the signs that the QR decomposition happens to choose are undone (Mezzadri 2007).

    >>> import numpy as np, chainrule as cr
    >>> w = cr.nn.initialisers.orthogonal((5, 3), np.random.default_rng(0), float)
    >>> np.allclose(w.T @ w, np.eye(3))
    True
    """
    n_in, n_out = _sizes(shape)
    q, r = np.linalg.qr(rng.standard_normal((max(n_in, n_out), min(n_in, n_out))))
    q *= np.copysign(gain, np.diagonal(r))
    return (q if n_in >= n_out else q.T).astype(dtype)


def sparse(
    shape: tuple[int, int],
    rng: np.random.Generator,
    dtype: DTypeLike = np.float32,
    *,
    connections: int = 15,
    scale: float = 1.0,
) -> NDArray[Any]:
    """Each neuron sees ``connections`` of its inputs, by normal weights of deviation ``scale``; the rest are 0.

    So a sum does not depend on how many inputs there are, and neurons differ (Martens 2010).

    >>> import numpy as np, chainrule as cr
    >>> w = cr.nn.initialisers.sparse((100, 3), np.random.default_rng(0))
    >>> np.count_nonzero(w, axis=0)
    array([15, 15, 15])
    """
    _sizes(shape)
    rank = np.argsort(np.argsort(rng.random(shape), axis=0), axis=0)
    return np.where(rank < connections, scale * rng.standard_normal(shape), 0.0).astype(dtype)


def zeros(shape: tuple[int, int], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """All 0. Neurons of a hidden layer then stay equal for ever; it suits an output layer.

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.initialisers.zeros((1, 2), np.random.default_rng(0))
    array([[0., 0.]], dtype=float32)
    """
    return np.zeros(_sizes(shape), dtype)


def constant(value: float) -> Initialiser:
    """An initialiser that gives every weight this value.

    >>> import numpy as np, chainrule as cr
    >>> cr.nn.Linear(1, 2, init=cr.nn.initialisers.constant(0.5)).weight.value
    array([[0.5, 0.5]], dtype=float32)
    """

    def filled(shape: tuple[int, int], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        return np.full(_sizes(shape), value, dtype)

    return filled


def normal(scale: float) -> Initialiser:
    """An initialiser that draws from the normal distribution of this standard deviation (the case study: 0.01).

    Raises ValueError for one that is negative or not finite.

    >>> import numpy as np, chainrule as cr
    >>> w = cr.nn.Linear(100, 100, init=cr.nn.initialisers.normal(0.01), rng=0).weight.value
    >>> round(float(w.std()), 3)
    0.01
    """
    if not 0 <= scale < math.inf:
        raise ValueError(f"a standard deviation is finite and not negative, not {scale}")

    def drawn(shape: tuple[int, int], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        return (scale * rng.standard_normal(_sizes(shape))).astype(dtype)

    return drawn


INITIALISERS: dict[str, Initialiser] = {
    made.__name__: made
    for made in (
        glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_normal, orthogonal, sparse, zeros
    )
}  # fmt: skip
"""Every initialiser by its name."""


def initial_weights(init: str | Initialiser, shape: tuple[int, int], rng: Any, dtype: DTypeLike) -> NDArray[Any]:
    """The weights by an initialiser or its name; ValueError for another name or for weights of another shape."""
    if isinstance(init, str):
        if init not in INITIALISERS:
            raise ValueError(f"there is no initialiser {init!r}; there are {', '.join(INITIALISERS)}")
        init = INITIALISERS[init]
    weights = init(shape, numpy_generator(rng), dtype)
    if np.shape(weights) != shape:
        raise ValueError(f"the initialiser made weights of shape {np.shape(weights)}, and the layer has {shape}")
    return weights


def numpy_generator(rng: Any) -> np.random.Generator:
    """The generator of initial weights; TypeError for what is neither NumPy's nor a seed."""
    if isinstance(rng, Generator):
        raise TypeError("initial weights are drawn once, by NumPy: give an np.random.Generator or a seed")
    return np.random.default_rng(rng)


def _sizes(shape: tuple[int, int]) -> tuple[int, int]:
    """Inputs and neurons; ValueError for a shape that does not have just these."""
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"initial weights have the shape (inputs, neurons), not {shape}")
    return shape


__all__ = ["constant", "normal", *INITIALISERS]

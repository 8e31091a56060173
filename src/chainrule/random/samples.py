"""Samples as pure functions of a key, a position in its stream, and a shape.

Each sample takes a fixed number of words, told by ``*_width``, from its own position on: sample i of a draw that begins
at ``start`` depends on the position ``start + i * width`` alone. What must be drawn again to be exact (a number of a
range that does not divide 2^32, two equal sorting keys) draws further words at the same position, in the counter's
fourth word, and not the next words of the stream.

While a function is recorded, key and start are Arrays, and so are the samples: the words are one gate, and what is made
of them is recorded gate by gate. What draws again is a gate as a whole.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.gates.constant import PiecewiseConstant
from chainrule.graph.array import Array
from chainrule.random.philox import Words, words, words_at

Shape = tuple[int, ...]


def recorded(sample: Any, key: Array, start: Array, shape: Shape, *parameters: Any) -> Array:
    """Samples as Arrays, recorded as functions of the key and of where it stands."""
    if sample in (integers, permutation):
        gate = PiecewiseConstant.of(sample, (), (np.ndarray, np.ndarray, shape, *parameters))
        drawn: Array = gate(key, start)
        return drawn
    return sample(key, start, shape, *parameters)  # type: ignore[no-any-return]


def taken(key: Words, start: Any, count: int, attempt: int = 0) -> Words:
    """The words ``start`` to ``start + count - 1`` of the stream of a key (3,).

    Raises OverflowError if a counter could not stand behind them.
    """
    start = int(start)
    if start + count >= 2**64:
        raise OverflowError(f"{count} words are not left of this stream, whose counter is {start}: split it earlier")
    return words(key, start, count, attempt)


def stream(key: Any, start: Any, count: int) -> Any:
    """The same for Arrays, too, by a gate."""
    if isinstance(start, Array):
        return PiecewiseConstant.of(taken, (("count", count),))(key, start)
    return taken(key, start, count)


def bits(key: Any, start: Any, shape: Shape) -> Any:
    """Words of 32 random bits."""
    return stream(key, start, math.prod(shape)).reshape(shape)


def integers_width(low: int, high: int) -> int:
    """Words for each integer: one if the range has up to 2^32 numbers, else two."""
    return 1 if high - low <= 2**32 else 2


def integers(key: Words, start: int, shape: Shape, low: int, high: int) -> NDArray[np.int64]:
    """Integers from low to high - 1, each equally likely.

    A word w of b bits becomes w mod n, n = high - low. That favours no remainder if w is below the largest multiple of
    n that b bits hold; the other words are rejected and drawn again.
    """
    start, n, width = int(start), high - low, integers_width(low, high)
    drawn = _joined(taken(key, start, math.prod(shape) * width), width).astype(np.uint64)
    largest = 2 ** (32 * width) - 2 ** (32 * width) % n - 1
    rejected, attempt = np.flatnonzero(drawn > largest), 0
    while rejected.size:
        attempt += 1
        positions = (rejected[:, None] * width + np.arange(width)).astype(np.uint64) + start
        drawn[rejected] = _joined(words_at(key, positions.reshape(-1), attempt), width)
        rejected = rejected[drawn[rejected] > largest]
    remainder = drawn if n == 2**64 else drawn % n
    wrapped: NDArray[np.int64] = (remainder + low % 2**64).astype(np.int64).reshape(shape)
    return wrapped  # modulo 2^64, where low is negative


def uniform_width(dtype: np.dtype[Any]) -> int:
    """Words for each number: one for float32, two for float64."""
    return dtype.itemsize // 4


def uniform(key: Any, start: Any, shape: Shape, low: float, high: float, dtype: np.dtype[Any]) -> Any:
    """Floating numbers from low to below high, evenly spread."""
    fractions = _fractions(key, start, math.prod(shape), dtype).reshape(shape)
    if (low, high) == (0, 1):
        return fractions
    first, end = dtype.type(low), dtype.type(high)
    return np.minimum(fractions * (end - first) + first, np.nextafter(end, first))  # rounding may reach end


def normal(key: Any, start: Any, shape: Shape, mean: float, std: float, dtype: np.dtype[Any]) -> Any:
    """Normally distributed numbers: Box and Muller's cosine of two uniform numbers for each."""
    pairs = _fractions(key, start, 2 * math.prod(shape), dtype).reshape(-1, 2)
    radius = np.sqrt(-2.0 * np.log(1.0 - pairs[:, 0]))  # 1 - u is exact and above 0
    z = radius * np.cos(2.0 * math.pi * pairs[:, 1])
    return (z * std + mean).reshape(shape)


def bernoulli(key: Any, start: Any, shape: Shape, p: float) -> Any:
    """True with probability p, in whole multiples of 2^-32."""
    return bits(key, start, shape) < round(p * 2**32)


def permutation(key: Words, start: int, shape: tuple[int]) -> NDArray[np.int64]:
    """The numbers 0 to n - 1, for the shape (n,), in random order: that of random fractions, written in base 2^32.

    Equal fractions get a further digit until all differ, so that every order is equally likely.
    """
    rank, attempt = np.zeros(shape, np.uint64), 0
    while True:
        keys = (rank << 32) | taken(key, start, len(rank), attempt)
        order = np.argsort(keys)
        in_order = keys[order]
        differs = in_order[1:] != in_order[:-1]
        if differs.all():
            return order
        rank[order[1:]] = np.cumsum(differs)
        rank[order[0]] = 0
        attempt += 1


def _fractions(key: Any, start: Any, count: int, dtype: np.dtype[Any]) -> Any:
    """Multiples of 2^-24 (float32) or 2^-53 (float64) from 0 to below 1: all that the dtype holds evenly spaced."""
    width = uniform_width(dtype)
    digits = np.finfo(dtype).nmant + 1
    whole = _joined(stream(key, start, count * width), width) >> (32 * width - digits)
    return whole.astype(dtype) * 2.0**-digits


def _joined(drawn: Any, width: int) -> Any:
    """Numbers of ``width`` words each, the first word the upper half."""
    return drawn if width == 1 else (drawn[0::2].astype(np.uint64) << 32) | drawn[1::2]

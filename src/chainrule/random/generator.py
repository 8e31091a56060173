"""The generator: a key and a counter as State, and methods that draw."""

from __future__ import annotations

import hashlib
import math
import operator
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chainrule.graph.errors import GraphError
from chainrule.graph.mode import MODE
from chainrule.graph.state import State
from chainrule.random import samples

ShapeLike = SupportsIndex | Sequence[SupportsIndex]


class Generator:
    """Random numbers from a seed, by Philox4x32-10 (Salmon et al. 2011; ``chainrule.random.philox``).

    The seed chooses a stream of 32-bit words, numbered from 0. The generator is the key of that stream and a counter,
    how many of its words are used: two ``cr.State``, which a checkpoint can hold. Each draw is a pure function of key,
    counter and shape, and then moves the counter on by the words that it took: always as many for the same request,
    whatever the numbers turn out to be.

    Samples are plain ndarrays, of the shape asked for (0-d for ``()``): random numbers are data, no gradient flows to
    where they came from. In a function under ``cr.compile`` they are constant Arrays, and each call draws others.

    What is guaranteed:

    - ``bits``, ``integers``, ``uniform``, ``bernoulli`` and ``permutation`` are the same on every machine. ``normal``
      takes the logarithm and cosine of NumPy, whose last bits differ between processors.
    - Every sample takes a fixed number of words. So the samples do not depend on how they are divided into calls and
      shapes: ``uniform(2)`` then ``uniform(3)`` are the numbers of ``uniform(5)``. (A permutation is one sample.)

    A draw costs 10 to 60 us and then about 7 ns a word: draw many at once. Do not let two threads draw from one
    generator; give each its own with ``split``.

    Args:
        seed: any integer; None takes one from the operating system.

    Raises TypeError for a seed that is not an integer. Every method raises ValueError for a negative size and
    OverflowError if fewer words than it needs are left of the 2^64 - 1. A draw that fails leaves the counter alone.

    >>> import chainrule as cr
    >>> rng = cr.random.Generator(0)
    >>> rng.uniform(3)
    array([0.79227906, 0.6997463 , 0.9292498 ], dtype=float32)
    >>> rng.integers(1, 7, (2, 5))
    array([[2, 4, 1, 1, 1],
           [5, 3, 5, 6, 3]])
    >>> rng.counter.item()
    13

    Attributes:
        key: 96 bits that name the stream, uint32 (3,).
        counter: how many words of it are used, uint64 ().
    """

    key: State
    counter: State

    def __init__(self, seed: SupportsIndex | None = None) -> None:
        whole = int.from_bytes(os.urandom(16), "little") if seed is None else operator.index(seed)
        digest = hashlib.blake2b(hex(whole).encode(), digest_size=12).digest()  # seeds 0, 1, 2 are unlike each other
        self.key = State(np.frombuffer(digest, "<u4").astype(np.uint32), name="key")
        self.counter = State(0, dtype=np.uint64, name="counter")

    def bits(self, shape: ShapeLike = ()) -> NDArray[np.uint32]:
        """Words of 32 random bits: the stream itself.

        Takes one word each. Returns uint32 of the shape asked for.

        >>> import chainrule as cr
        >>> cr.random.Generator(0).bits(3)
        array([3402812833, 3005387710, 3991097609], dtype=uint32)
        """
        return self._draw(samples.bits, _sizes(shape), 1)

    def integers(self, low: SupportsIndex, high: SupportsIndex, shape: ShapeLike = ()) -> NDArray[np.int64]:
        """Integers from ``low`` to ``high - 1``, each exactly as likely as the others.

        No range is favoured: words beyond the largest multiple of ``high - low`` are rejected, and drawn again with
        another counter that belongs to the same sample, so the words that a draw takes do not depend on it. Takes one
        word each for ranges of up to 2^32 numbers, else two.

        Returns int64 of the shape asked for. Raises ValueError if the range is empty or goes beyond int64, TypeError
        for bounds that are not integers.

        >>> import chainrule as cr
        >>> cr.random.Generator(0).integers(-2, 3, 8)
        array([ 1, -2,  2,  1, -1,  1,  1,  0])
        """
        shape, low, high = _sizes(shape), operator.index(low), operator.index(high)
        if not -(2**63) <= low < high <= 2**63:
            raise ValueError(f"integers need low < high within the range of int64, not {low} and {high}")
        return self._draw(samples.integers, shape, samples.integers_width(low, high), low, high)

    def uniform(
        self, shape: ShapeLike = (), low: SupportsFloat = 0.0, high: SupportsFloat = 1.0, dtype: DTypeLike = np.float32
    ) -> NDArray[Any]:
        """Numbers from ``low`` to below ``high``, evenly spread.

        From 0 to 1 they are the multiples of 2^-24 (float32) or 2^-53 (float64), exactly, each equally likely. Other
        bounds scale these; a number that rounding lifts to ``high`` becomes the one before it. Takes one word each for
        float32, two for float64.

        Returns ``dtype``, of the shape asked for. Raises ValueError if ``low < high`` does not hold in that dtype or
        the difference is not finite, TypeError for a dtype other than float32 and float64.

        >>> import chainrule as cr
        >>> cr.random.Generator(0).uniform((2, 2), -1, 1)
        array([[ 0.5845581 ,  0.39949262],
               [ 0.85849965, -0.12459862]], dtype=float32)
        """
        shape, low, high, dtype = _sizes(shape), float(low), float(high), _floating(dtype)
        largest = float(np.finfo(dtype).max)
        if not (max(abs(low), abs(high), high - low) <= largest and dtype.type(low) < dtype.type(high)):
            raise ValueError(f"uniform needs low < high, finite and apart in {dtype}, not {low} and {high}")
        return self._draw(samples.uniform, shape, samples.uniform_width(dtype), low, high, dtype)

    def normal(
        self, shape: ShapeLike = (), mean: SupportsFloat = 0.0, std: SupportsFloat = 1.0, dtype: DTypeLike = np.float32
    ) -> NDArray[Any]:
        """Normally distributed numbers.

        By the transform of Box and Muller (1958): sqrt(-2 log u) cos(2 pi v) of two uniform numbers u in (0, 1] and v
        in [0, 1). (Its sine would be a second number, but then a sample would not depend on its position alone.) The
        largest deviation that can come is 5.8 times ``std`` in float32, 8.6 times in float64. Takes two words each for
        float32, four for float64.

        Returns ``dtype``, of the shape asked for. Raises ValueError if ``std`` is negative or one of them is not
        finite in that dtype, TypeError for a dtype other than float32 and float64.

        >>> import chainrule as cr
        >>> cr.random.Generator(0).normal(4, std=10).round(1)
        array([ -5.5, -21.3, -11. ,  -7.1], dtype=float32)
        """
        shape, mean, std, dtype = _sizes(shape), float(mean), float(std), _floating(dtype)
        largest = float(np.finfo(dtype).max)
        if not (abs(mean) <= largest and 0 <= std <= largest):
            raise ValueError(f"normal needs a mean and a std of at least 0 that {dtype} can hold, not {mean} and {std}")
        return self._draw(samples.normal, shape, 2 * samples.uniform_width(dtype), mean, std, dtype)

    def bernoulli(self, p: SupportsFloat, shape: ShapeLike = ()) -> NDArray[np.bool_]:
        """True with probability ``p``, else False.

        p counts in whole multiples of 2^-32. Takes one word each.

        Returns bool of the shape asked for. Raises ValueError if p is not between 0 and 1.

        >>> import chainrule as cr
        >>> cr.random.Generator(0).bernoulli(0.5, 4)
        array([False, False, False,  True])
        """
        shape, p = _sizes(shape), float(p)
        if not 0 <= p <= 1:
            raise ValueError(f"a probability is between 0 and 1, not {p}")
        return self._draw(samples.bernoulli, shape, 1, p)

    def permutation(self, n: SupportsIndex) -> NDArray[np.int64]:
        """The numbers 0 to n - 1 in random order, every order equally likely.

        It is the order of n random numbers; equal ones are compared by further digits. Takes n words.

        Returns int64 (n,). Raises ValueError for n above 2^32.

        >>> import chainrule as cr
        >>> cr.random.Generator(0).permutation(6)
        array([5, 3, 4, 1, 0, 2])
        """
        (n,) = _sizes(operator.index(n))
        if n > 2**32:
            raise ValueError(f"a permutation orders up to 2^32 numbers, not {n}")
        return self._draw(samples.permutation, (n,), 1)

    def split(self, n: SupportsIndex) -> list[Generator]:
        """Independent generators, one for each thread or worker.

        Their keys are drawn from this one's stream, three words each. Streams of different keys have nothing in common,
        and that two keys are equal is out of the question: for a million generators the chance is about 1e-17.

        >>> import chainrule as cr
        >>> [worker.integers(0, 100, 3).tolist() for worker in cr.random.Generator(0).split(2)]
        [[75, 34, 0], [15, 84, 7]]
        """
        (n,) = _sizes(operator.index(n))
        if MODE.get().recorder is not None:
            raise GraphError("generators are not made by a recorded function: split before it, and draw inside")
        children = [Generator(0) for _ in range(n)]
        for child, key in zip(children, self.bits((n, 3)), strict=True):
            child.key.assign(key)
        return children

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """Key and counter, as copies; set it to go on from there.

        Setting raises KeyError if one is missing, ValueError or OverflowError for what cannot be a key or a counter.

        >>> import chainrule as cr
        >>> rng = cr.random.Generator(0)
        >>> before = rng.state
        >>> first = rng.uniform(3)
        >>> rng.state = before
        >>> bool((rng.uniform(3) == first).all())
        True
        """
        return {"key": self.key.value.copy(), "counter": self.counter.value.copy()}

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        key = np.array([operator.index(word) for word in state["key"]], np.uint32)
        counter = np.array(operator.index(state["counter"]), np.uint64)
        self.key.assign(key)
        self.counter.assign(counter)

    def __repr__(self) -> str:
        return f"Generator(key={''.join(f'{word:08x}' for word in self.key.value)}, counter={self.counter.item()})"

    def _draw(
        self, sample: Callable[..., NDArray[Any]], shape: tuple[int, ...], width: int, *parameters: Any
    ) -> NDArray[Any]:
        """Samples of ``width`` words each from where the counter stands; then the counter moves on."""
        taken = math.prod(shape) * width
        if MODE.get().recorder is not None:
            recorded: Any = samples.recorded(sample, self.key, self.counter, shape, *parameters)
            self.counter.assign(self.counter + taken)
            return recorded  # type: ignore[no-any-return]
        start = self.counter.item()
        drawn = np.asarray(sample(self.key.value, start, shape, *parameters))
        self.counter.assign(np.uint64(start + taken))
        return drawn


def _sizes(shape: ShapeLike) -> tuple[int, ...]:
    sizes = tuple(map(operator.index, shape)) if isinstance(shape, Sequence) else (operator.index(shape),)
    if min(sizes, default=0) < 0:
        raise ValueError(f"sizes are at least 0, not {sizes}")
    return sizes


def _floating(dtype: DTypeLike) -> np.dtype[Any]:
    wanted = np.dtype(dtype)
    if wanted not in (np.float32, np.float64):
        raise TypeError(f"samples are float32 or float64, not {wanted}")
    return wanted

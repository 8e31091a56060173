"""Philox4x32-10: random words as a pure function of a key and a position.

Salmon, Moraes, Dror, Shaw, 'Parallel random numbers: as easy as 1, 2, 3' (SC 2011): a counter that merely counts is
encrypted by ten rounds of a small cipher. There is no hidden state that has to be walked through, so any part of the
stream is had at once, by anyone who knows the key.

The 128 bits of the counter are used so:

    word 0, 1   number of the block; a block is four words of the stream
    word 2      the third word of the key (the cipher itself takes two)
    word 3      the attempt: 0 for the stream; 1, 2, ... where a sample needs more words at its own position
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

ROUNDS = 10
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
KEY_STEPS = 0x9E3779B9, 0xBB67AE85  # the golden ratio and sqrt(3) - 1, in units of 2^-32
LOW = 0xFFFFFFFF
FEW_BLOCKS = 8  # up to here Python's integers are faster than arrays
BLOCKS_AT_ONCE = 1 << 14  # the cipher's temporaries then stay in the cache: three times as fast as all at once


def philox(counter: Sequence[Any], key: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
    """The four words that the cipher makes of four words of counter under two words of key.

    Words are Python integers or uint64 arrays, below 2^32; the products of a round need the upper half.

    >>> [hex(word) for word in philox((0, 0, 0, 0), (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        product0, product1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1 = (product1 >> 32) ^ c1 ^ k0, product1 & LOW
        c2, c3 = (product0 >> 32) ^ c3 ^ k1, product0 & LOW
        k0, k1 = (k0 + KEY_STEPS[0]) & LOW, (k1 + KEY_STEPS[1]) & LOW
    return c0, c1, c2, c3


def words(key: Words, start: int, count: int, attempt: int = 0) -> Words:
    """The words ``start`` to ``start + count - 1`` of the stream of a key (3,)."""
    first, end = start // 4, -(-(start + count) // 4)
    if end - first <= FEW_BLOCKS:
        blocks = np.array([_encrypted(key, number, attempt) for number in range(first, end)], np.uint32)
    else:
        blocks = np.empty((end - first, 4), np.uint32)
        for begin in range(first, end, BLOCKS_AT_ONCE):
            numbers = np.arange(begin, min(begin + BLOCKS_AT_ONCE, end), dtype=np.uint64)
            for lane, word in enumerate(_encrypted(key, numbers, attempt)):
                blocks[begin - first : begin - first + len(numbers), lane] = word
    return blocks.reshape(-1)[start % 4 : start % 4 + count]


def words_at(key: Words, positions: NDArray[np.uint64], attempt: int = 0) -> Words:
    """The words at ``positions`` (n,) of the stream of a key (3,)."""
    lanes = np.stack(_encrypted(key, positions // 4, attempt))
    return lanes[positions % 4, np.arange(len(positions))].astype(np.uint32)


def _encrypted(key: Words, blocks: Any, attempt: int) -> tuple[Any, Any, Any, Any]:
    k0, k1, k2 = map(int, key)
    return philox((blocks & LOW, blocks >> 32, k2, attempt), (k0, k1))

"""The words of a random stream, each from its position: ``random.philox`` as an operation on lanes."""

from __future__ import annotations

from chainrule.native.lanes import Lane, Lanes
from chainrule.random.philox import KEY_STEPS, LOW, MULTIPLIERS, ROUNDS


def random_word(b: Lanes, key0: Lane, key1: Lane, key2: Lane, position: Lane, attempt: Lane) -> Lane:
    """The word at ``position`` of the stream of a key of three words; all of them, and the word, as uint64.

    Each lane encrypts the whole block of four words of which it takes one. That is four times the work, and leaves a
    word to depend on its own position alone.
    """
    low, two = b.like(position, LOW), b.like(position, 2)
    block = b.shift_right(position, 2)
    words = [b.and_(block, low), b.shift_right(block, 32), b.and_(key2, low), b.and_(attempt, low)]
    keys = [b.and_(key0, low), b.and_(key1, low)]
    for _ in range(ROUNDS):
        words = _round(b, words, keys)
        keys = [b.and_(b.add(k, b.like(k, step)), low) for k, step in zip(keys, KEY_STEPS, strict=True)]
    odd = b.ne(b.and_(position, b.like(position, 1)), b.like(position, 0))
    upper = b.ne(b.and_(position, two), b.like(position, 0))
    return b.select(upper, b.select(odd, words[3], words[2]), b.select(odd, words[1], words[0]))


def _round(b: Lanes, words: list[Lane], keys: list[Lane]) -> list[Lane]:
    low = b.like(words[0], LOW)
    first, second = (b.mul(words[2 * i], b.like(words[0], m)) for i, m in enumerate(MULTIPLIERS))

    def mixed(product: Lane, word: Lane, key: Lane) -> Lane:
        return b.xor(b.xor(b.shift_right(product, 32), word), key)

    return [
        mixed(second, words[1], keys[0]),
        b.and_(second, low),
        mixed(first, words[3], keys[1]),
        b.and_(first, low),
    ]

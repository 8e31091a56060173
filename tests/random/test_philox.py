"""The cipher against its published answers, and against NumPy's Philox by way of a textbook version for any word."""

import numpy as np
import pytest

from chainrule.random.philox import BLOCKS_AT_ONCE, FEW_BLOCKS, philox, words, words_at

KEY = np.array([0xA4093822, 0x299F31D0, 0x13198A2E], np.uint32)
ONES = 0xFFFFFFFF
PUBLISHED = [  # Random123 1.14, kat_vectors, philox4x32 with 10 rounds: counter, key, answer
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
CONSTANTS = {  # table 2 of the paper: multipliers and key steps by word size
    32: ((0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)),
    64: ((0xD2E7470EE14C6C93, 0xCA5A826395121157), (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)),
}


def textbook(bits, counter, key):
    """Philox4 with 10 rounds for words of any size, as the paper's figure has it, on Python integers."""
    (m0, m1), steps = CONSTANTS[bits]
    left0, right0, left1, right1 = counter[1], counter[0], counter[3], counter[2]
    for r in range(10):
        k0, k1 = ((k + r * step) % 2**bits for k, step in zip(key, steps, strict=True))
        high0, low0 = divmod(right0 * m0, 2**bits)
        high1, low1 = divmod(right1 * m1, 2**bits)
        right0, left0, right1, left1 = high1 ^ left0 ^ k0, low1, high0 ^ left1 ^ k1, low0
    return right0, left0, right1, left1


@pytest.mark.parametrize(("counter", "key", "answer"), PUBLISHED)
def test_known_answers(counter, key, answer):
    assert philox(counter, key) == answer
    assert textbook(32, counter, key) == answer
    arrays = philox([np.array([c, c], np.uint64) for c in counter], key)
    assert [word.tolist() for word in arrays] == [[a, a] for a in answer]


def test_the_textbook_version_is_numpys_philox_at_64_bits():
    generator = np.random.default_rng(0)
    for _ in range(20):
        counter = generator.integers(0, 2**63, 4, dtype=np.uint64)
        key = generator.integers(0, 2**64, 2, dtype=np.uint64)
        numpys = np.random.Philox(counter=counter, key=key).random_raw(4)  # which adds 1 before it encrypts
        mine = textbook(64, (int(counter[0]) + 1, *map(int, counter[1:])), tuple(map(int, key)))
        assert mine == tuple(map(int, numpys))


def test_arrays_of_counters_are_the_textbook_version_at_32_bits():
    generator = np.random.default_rng(1)
    counters = generator.integers(0, 2**32, (200, 4), dtype=np.uint64)
    key = tuple(map(int, generator.integers(0, 2**32, 2)))
    found = np.stack(philox(list(counters.T), key), axis=1)
    assert found.tolist() == [list(textbook(32, tuple(map(int, c)), key)) for c in counters]


@pytest.mark.parametrize("attempt", [0, 1, 7])
@pytest.mark.parametrize("block", [0, 5, 2**32 - 1, 2**32, 2**62 - 1])
def test_a_block_of_the_stream(block, attempt):
    k0, k1, k2 = map(int, KEY)
    answer = list(textbook(32, (block % 2**32, block >> 32, k2, attempt), (k0, k1)))
    assert words(KEY, 4 * block, 4, attempt).tolist() == answer
    positions = np.arange(4, dtype=np.uint64) + 4 * block
    assert words_at(KEY, positions, attempt).tolist() == answer


@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 2**34 - 3, 2**63 + 1])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 4 * FEW_BLOCKS, 4 * FEW_BLOCKS + 9, 4 * BLOCKS_AT_ONCE + 6])
def test_any_part_of_the_stream_is_had_at_once(start, count):
    part = words(KEY, start, count)
    assert part.dtype == np.uint32
    assert part.shape == (count,)
    some = np.unique(np.linspace(0, max(count - 1, 0), 50).astype(int))[:count]
    assert part[some].tolist() == [words(KEY, start + int(i), 1).item() for i in some]
    assert part[some].tolist() == words_at(KEY, some.astype(np.uint64) + start).tolist()


def test_every_part_of_key_and_counter_counts():
    base = words(KEY, 0, 4)
    others = [words(KEY ^ np.uint32(1 << bit) * (np.arange(3) == i), 0, 4) for i in range(3) for bit in (0, 31)]
    others += [words(KEY, 4, 4), words(KEY, 2**34, 4), words(KEY, 0, 4, attempt=1)]
    flipped = [np.bitwise_count(other ^ base).sum() for other in others]
    assert all(40 <= n <= 88 for n in flipped)  # 64 of 128 bits, six standard deviations to either side either way

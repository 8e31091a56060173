"""Distributions: with fixed seeds, by statistics whose chance of a false alarm is below 1e-6 - and that do alarm."""

import math
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

import chainrule as cr
from chainrule.random import samples
from chainrule.random.philox import words_at

N = 200_000
ALARM = 1e-6


# ---- the alarms: each gives the probability that good numbers look at least as bad


def mean_alarm(x, mean, variance):
    return 2 * stats.norm.sf(abs(np.mean(x) - mean) / math.sqrt(variance / len(x)))


def variance_alarm(x, mean, variance, fourth):
    """``fourth`` is the fourth central moment."""
    spread = math.sqrt((fourth - variance**2) / len(x))
    return 2 * stats.norm.sf(abs(np.mean((x - mean) ** 2) - variance) / spread)


def counts_alarm(x, values):
    return stats.chisquare(np.bincount(x, minlength=values)).pvalue


def serial_alarm(x, mean, variance, lag=1):
    correlation = np.mean((x[:-lag] - mean) * (x[lag:] - mean)) / variance
    return 2 * stats.norm.sf(abs(correlation) * math.sqrt(len(x) - lag))


def cross_alarm(x, y, mean, variance):
    return 2 * stats.norm.sf(abs(np.mean((x - mean) * (y - mean)) / variance) * math.sqrt(len(x)))


UNIFORM = 1 / 2, 1 / 12
FOURTH = 1 / 80


def uniform_alarms(x):
    x = x.astype(np.float64)
    pairs = (x[0::2] * 16).astype(int) * 16 + (x[1::2] * 16).astype(int)
    return {
        "mean": mean_alarm(x, *UNIFORM),
        "variance": variance_alarm(x, *UNIFORM, FOURTH),
        "counts": counts_alarm((x * 1000).astype(int), 1000),
        "pairs": counts_alarm(pairs, 256),
        "lag 1": serial_alarm(x, *UNIFORM),
        "lag 4": serial_alarm(x, *UNIFORM, lag=4),
        "shape": stats.kstest(x, "uniform").pvalue,
    }


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_numbers_are_uniform(seed, dtype):
    alarms = uniform_alarms(cr.random.Generator(seed).uniform(N, dtype=dtype))
    assert min(alarms.values()) > ALARM, alarms


def damaged(kind):
    x = cr.random.Generator(0).uniform(N, dtype=np.float64)
    if kind == "shifted":
        return np.minimum(x + 0.005, 0.999)
    if kind == "narrow":
        return 0.5 + (x - 0.5) * 0.99
    if kind == "coarse":
        return np.floor(x * 990) / 990
    if kind == "repeated at once":
        return np.repeat(x[: N // 2], 2)
    if kind == "repeated after 4":
        return np.tile(x.reshape(-1, 4)[::2], 2).reshape(-1)
    return np.linspace(0, 1, N, endpoint=False)


@pytest.mark.parametrize(
    ("kind", "alarm"),
    [
        ("shifted", "mean"),
        ("narrow", "variance"),
        ("coarse", "counts"),
        ("repeated at once", "lag 1"),
        ("repeated at once", "pairs"),
        ("repeated after 4", "lag 4"),
        ("shifted", "shape"),
        ("sawtooth", "lag 1"),
        ("sawtooth", "pairs"),
    ],
)
def test_each_alarm_goes_off(kind, alarm):
    assert uniform_alarms(damaged(kind))[alarm] < ALARM


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_numbers_are_the_top_bits_of_their_words(dtype):
    drawn, bits = cr.random.Generator(3).uniform(100, dtype=dtype), cr.random.Generator(3).bits(200)
    if dtype == np.float32:
        exact = [int(word) // 2**8 / 2**24 for word in bits[:100]]
    else:
        exact = [(int(a) * 2**32 + int(b)) // 2**11 / 2**53 for a, b in bits.reshape(-1, 2)]
    assert drawn.tolist() == exact


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_smallest_and_the_largest_number(dtype, monkeypatch):
    extremes = np.array([0, 0, 2**32 - 1, 2**32 - 1], np.uint32)
    monkeypatch.setattr(samples, "words", lambda key, start, count, attempt=0: np.resize(extremes, count))
    width = samples.uniform_width(np.dtype(dtype))

    def extreme(low, high):
        drawn = samples.uniform(None, 0, (4,), low, high, np.dtype(dtype))
        return drawn[0], drawn[2 // width]

    last = 1 - 2.0 ** -(24 if dtype == np.float32 else 53)
    assert extreme(0, 1) == (0, last)
    for low, high in [(1, 2), (-1, 1), (-3, -1), (-1, 0), (0, 1e-40), (1e6, 1e6 + 1), (0, 3e38), (-1.5e38, 1.5e38)]:
        smallest, largest = extreme(low, high)
        assert dtype(low) == smallest
        assert largest < dtype(high)
        assert largest > dtype(low)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_numbers_are_normal(seed, dtype):
    x = cr.random.Generator(seed).normal(N, mean=3.0, std=0.5, dtype=dtype).astype(np.float64)
    z = (x - 3) / 0.5
    assert mean_alarm(z, 0, 1) > ALARM
    assert variance_alarm(z, 0, 1, 3) > ALARM
    assert mean_alarm(z**3, 0, 15) > ALARM
    assert mean_alarm(z**4, 3, 96) > ALARM
    assert stats.kstest(z, "norm").pvalue > ALARM
    assert serial_alarm(z, 0, 1) > ALARM
    assert mean_alarm(np.abs(z) > 3, 2 * stats.norm.sf(3), 2 * stats.norm.sf(3)) > ALARM


def test_the_test_of_normality_notices_twelve_uniform_numbers_in_place_of_a_normal_one():
    z = cr.random.Generator(0).uniform((N, 12), dtype=np.float64).sum(axis=1) - 6
    assert mean_alarm(z, 0, 1) > ALARM  # mean and variance are right
    assert mean_alarm(z**4, 3, 96) < ALARM


def test_normal_numbers_by_the_formula_of_box_and_muller():
    drawn, pairs = (cr.random.Generator(4) for _ in range(2))
    z = drawn.normal(1000, dtype=np.float64)
    u = pairs.uniform((1000, 2), dtype=np.float64)
    exact = [math.sqrt(-2 * math.log(1 - a)) * math.cos(2 * math.pi * b) for a, b in u]
    np.testing.assert_allclose(z, exact, rtol=1e-13, atol=1e-14)
    single = cr.random.Generator(4).normal(1000)
    u = cr.random.Generator(4).uniform((1000, 2)).astype(np.float64)
    exact = [math.sqrt(-2 * math.log(1 - a)) * math.cos(2 * math.pi * b) for a, b in u]
    np.testing.assert_allclose(single, exact, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(("dtype", "largest"), [(np.float32, 5.77), (np.float64, 8.57)])
def test_the_largest_deviation_is_finite_and_as_documented(dtype, largest, monkeypatch):
    top = np.array([2**32 - 1] * (np.dtype(dtype).itemsize // 4) + [0] * (np.dtype(dtype).itemsize // 4), np.uint32)
    monkeypatch.setattr(samples, "words", lambda key, start, count, attempt=0: np.resize(top, count))
    assert samples.normal(None, 0, (), 0.0, 1.0, np.dtype(dtype)) == pytest.approx(largest, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [1, 2, 3, 6, 10, 100, 997])
def test_integers_are_equally_likely(seed, n):
    drawn = cr.random.Generator(seed).integers(-5, n - 5, N) + 5
    assert drawn.min() == 0
    assert drawn.max() == n - 1
    if n > 1:
        assert counts_alarm(drawn, n) > ALARM
        assert serial_alarm(drawn, (n - 1) / 2, (n * n - 1) / 12) > ALARM


@pytest.mark.parametrize("bits", [32, 64])
def test_integers_of_a_range_that_hardly_divides_the_words_are_not_favoured(bits):
    """With n = 3/4 of all words, w mod n without rejection falls below n/3 half the time, not a third of it."""
    n = 3 * 2 ** (bits - 2)
    drawn = cr.random.Generator(0).integers(-(n // 2), n // 2, N)
    thirds = np.array([-(n // 2) + n // 3, -(n // 2) + 2 * (n // 3)])
    assert counts_alarm(np.searchsorted(thirds, drawn, side="right"), 3) > ALARM
    unrejected = cr.random.Generator(0).bits(N).astype(np.int64) % (3 * 2**30) // 2**30
    assert counts_alarm(unrejected, 3) < ALARM


@pytest.mark.parametrize("n", [6, 3 * 2**30, 2**31 + 1, 2**32, 2**32 + 1, 3 * 2**62, 2**63 + 1, 2**64])
def test_integers_by_rejection_one_at_a_time(n):
    """The definition, in Python integers: the first word of the position's attempts that is below a multiple of n."""
    generator = cr.random.Generator(5)
    generator.bits(3)
    start, key = generator.counter.item(), generator.key.value
    low = -(2**63)
    drawn = generator.integers(low, low + n, 60)
    width = 1 if n <= 2**32 else 2
    assert generator.counter.item() == start + 60 * width
    most = 0
    for i, number in enumerate(drawn.tolist()):
        positions = np.arange(start + i * width, start + (i + 1) * width, dtype=np.uint64)
        attempt = 0
        while True:
            word = 0
            for part in words_at(key, positions, attempt):
                word = word * 2**32 + int(part)
            if word < 2 ** (32 * width) // n * n:
                break
            attempt += 1
        most = max(most, attempt)
        assert number == low + word % n
    assert most >= 2 or n not in (2**31 + 1, 2**63 + 1)  # half of the words are rejected, again and again


@pytest.mark.parametrize("p", [0.001, 0.25, 0.5, 0.9])
def test_bernoulli_is_true_with_its_probability(p):
    drawn = cr.random.Generator(1).bernoulli(p, N)
    assert mean_alarm(drawn, p, p * (1 - p)) > ALARM
    assert mean_alarm(drawn, p + 0.01, p * (1 - p)) < ALARM
    assert serial_alarm(drawn, p, p * (1 - p)) > ALARM


def test_bernoulli_of_certainties():
    assert not cr.random.Generator(0).bernoulli(0, N).any()
    assert cr.random.Generator(0).bernoulli(1, N).all()
    assert cr.random.Generator(0).bernoulli(np.float32(1.0), N).all()


def test_bernoulli_compares_words_with_a_threshold():
    word = cr.random.Generator(0).bits().item()
    assert not cr.random.Generator(0).bernoulli(word / 2**32)
    assert cr.random.Generator(0).bernoulli((word + 1) / 2**32)


def test_every_order_is_equally_likely():
    generator = cr.random.Generator(2)
    seen = Counter(tuple(generator.permutation(4).tolist()) for _ in range(12_000))
    assert set(seen) == set(permutations(range(4)))
    assert stats.chisquare(list(seen.values())).pvalue > ALARM


def test_equal_sorting_keys_are_told_apart_by_further_digits():
    generator = cr.random.Generator(0)
    key = generator.key.value
    order = generator.permutation(300_000)
    digits = [samples.words(key, 0, 300_000, attempt) for attempt in range(2)]
    assert len(np.unique(digits[0])) < 300_000  # some are equal
    assert order.tolist() == np.lexsort([digits[1], digits[0]]).tolist()
    assert np.array_equal(np.sort(order), np.arange(300_000))


def test_orders_by_digits_that_are_often_equal(monkeypatch):
    """With digits 0 and 1 in place of words, orders need many digits and stay equally likely."""
    coins = np.random.default_rng(0)
    monkeypatch.setattr(samples, "words", lambda key, start, n, attempt: coins.integers(0, 2, n, dtype=np.uint32))
    seen = Counter(tuple(samples.permutation(None, 0, (3,)).tolist()) for _ in range(3000))
    assert len(seen) == 6
    assert stats.chisquare(list(seen.values())).pvalue > ALARM


@pytest.mark.parametrize("seed", range(3))
def test_split_streams_are_independent(seed):
    generator = cr.random.Generator(seed)
    streams = [child.uniform(N // 10, dtype=np.float64) for child in generator.split(8)]
    streams.append(generator.uniform(N // 10, dtype=np.float64))
    for i, x in enumerate(streams):
        assert mean_alarm(x, *UNIFORM) > ALARM
        assert all(cross_alarm(x, y, *UNIFORM) > ALARM for y in streams[:i])
    interleaved = np.stack(streams, axis=1).reshape(-1)
    alarms = uniform_alarms(interleaved[: len(interleaved) // 4 * 4])
    assert min(alarms.values()) > ALARM, alarms


def test_the_test_of_independence_notices_streams_that_share_one_number_in_twenty():
    x, y = (cr.random.Generator(seed).uniform(N // 10, dtype=np.float64) for seed in (0, 1))
    y[::20] = x[::20]
    assert cross_alarm(x, y, *UNIFORM) < ALARM


def test_neighbouring_seeds_are_independent():
    streams = [cr.random.Generator(seed).uniform(N // 10, dtype=np.float64) for seed in range(-4, 5)]
    for i, x in enumerate(streams):
        assert all(cross_alarm(x, y, *UNIFORM) > ALARM for y in streams[:i])
    first = np.array([cr.random.Generator(seed).uniform(dtype=np.float64) for seed in range(5000)])
    assert stats.kstest(first, "uniform").pvalue > ALARM
    assert serial_alarm(first, *UNIFORM) > ALARM

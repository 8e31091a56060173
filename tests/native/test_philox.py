"""Random words computed natively are those of ``random.philox``, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.native import target
from chainrule.native.evaluate import evaluate
from chainrule.random.philox import words, words_at

pytestmark = pytest.mark.skipif(target.unavailable() is not None, reason="no native code here")
KEY = np.array([0x12345678, 0xFFFFFFFF, 0x9ABCDEF0], np.uint32)


@pytest.mark.parametrize("width", [1, 8, 16])
@pytest.mark.parametrize("attempt", [0, 3])
def test_words_are_those_of_the_stream(width: int, attempt: int) -> None:
    positions = np.concatenate([np.arange(37, dtype=np.uint64), np.arange(2**34 - 5, 2**34 + 5, dtype=np.uint64)])
    *key, tries = (np.full(positions.shape, x, np.uint64) for x in (*KEY, attempt))
    found = evaluate(lambda b, *xs: b.random_word(*xs), *key, positions, tries, width=width)
    np.testing.assert_array_equal(found, words_at(KEY, positions, attempt))
    np.testing.assert_array_equal(found[:37], words(KEY, 0, 37, attempt))

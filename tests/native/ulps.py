"""Errors of elementary functions in units of the last place, against a wider format."""

from __future__ import annotations

from typing import Any

import numpy as np

WIDER = {np.dtype("f4"): np.dtype("f8"), np.dtype("f8"): np.dtype(np.longdouble)}


def special(dtype: Any) -> Any:
    """Zeros, infinities, NaN, subnormal numbers, the largest and the smallest, 1 and its neighbours, of both signs."""
    info = np.finfo(dtype)
    least = info.smallest_subnormal
    sizes = [0, np.inf, np.nan, least, 3 * least, info.tiny, info.max, 1, 0.5, 2]
    positive = np.array(sizes, dtype)
    near = np.concatenate(
        [positive, np.nextafter(positive, np.inf, dtype=dtype), np.nextafter(positive, 0, dtype=dtype)]
    )
    return np.concatenate([near, -near])


def everywhere(dtype: Any, per_exponent: int = 60, seed: int = 0) -> Any:
    """Random significands with every exponent and sign, subnormal numbers among them; and the special values."""
    dtype = np.dtype(dtype)
    info = np.finfo(dtype)
    bits = np.dtype(f"u{dtype.itemsize}").type
    rng = np.random.default_rng(seed)
    exponents = np.arange(2**info.nexp - 1, dtype=np.uint64)
    significands = rng.integers(0, 2**info.nmant, (per_exponent, exponents.size), dtype=np.uint64)
    signs = rng.integers(0, 2, significands.shape, dtype=np.uint64) << np.uint64(info.bits - 1)
    numbers = (signs | (exponents << np.uint64(info.nmant)) | significands).astype(bits).view(dtype).ravel()
    return np.concatenate([special(dtype), numbers])


def between(low: float, high: float, dtype: Any, n: int = 20_000, seed: int = 1) -> Any:
    """Numbers spread evenly."""
    return np.random.default_rng(seed).uniform(low, high, n).astype(dtype)


def errors(found: Any, exact: Any) -> Any:
    """For each element how far ``found`` is from ``exact``, a wider format, in units of the last place of its dtype.

    Infinite where one is NaN, infinite or of another sign and the other is not; a result beyond the largest number may
    also be that number.
    """
    dtype = found.dtype
    info = np.finfo(dtype)
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype)
        unit = np.spacing(np.minimum(np.abs(rounded), info.max)).astype(exact.dtype)
        apart = np.abs(found.astype(exact.dtype) - exact) / unit
    same = (found == rounded) | (np.isnan(found) & np.isnan(exact))
    wild = ~np.isfinite(found) | ~np.isfinite(exact)
    signs = np.signbit(found) != np.signbit(rounded)
    apart = np.where(same & np.isfinite(found) & np.isfinite(rounded), np.minimum(apart, 1e9), apart)
    apart = np.where(same & wild, 0.0, np.where(wild, np.inf, apart))
    return np.where(signs & ~np.isnan(found), np.inf, apart)

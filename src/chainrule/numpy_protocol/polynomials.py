"""NumPy's polynomials and what is made of the same sums: convolutions, correlations, covariances.

Polynomials are given by their coefficients, the highest power first, as in ``np.polyval``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.convolution import convolve as full_convolution
from chainrule.gates.indexing import getitem
from chainrule.gates.operands import floating, operand
from chainrule.gates.product import matmul
from chainrule.numpy_protocol.dispatch import differentiable, refuse

# ---- convolutions


@differentiable(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    a, v = np.atleast_1d(a), np.atleast_1d(v)
    if a.ndim > 1 or v.ndim > 1:
        raise ValueError("convolve takes sequences: at most one axis each")
    if a.size == 0 or v.size == 0:
        raise ValueError("convolve needs at least one element in each sequence")
    start, stop = _window(a.size, v.size, mode)
    return getitem(full_convolution(a, v), slice(start, stop))


def _window(n: int, m: int, mode: str) -> tuple[int, int]:
    """The part of a full convolution that a mode keeps."""
    short, long = min(n, m), max(n, m)
    if mode == "full":
        return 0, n + m - 1
    if mode == "same":
        start = (short - 1) // 2
        return start, start + long
    if mode == "valid":
        return short - 1, long
    raise ValueError(f"mode must be 'full', 'same' or 'valid', not {mode!r}")


@differentiable(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """A convolution with the second sequence reversed; a shorter first sequence slides backwards."""
    a, v = np.atleast_1d(a), np.atleast_1d(v)
    if np.size(a) < np.size(v):
        return np.flip(convolve(v, np.flip(a), mode))
    return convolve(a, np.flip(v), mode)


# ---- polynomials


@differentiable(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """Horner's scheme."""
    p, x = operand(p), operand(x)
    total: Any = x * 0
    for k in range(np.shape(p)[0]):
        total = total * x + p[k]
    return total


@differentiable(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    a1, a2 = _aligned(a1, a2)
    return a1 + a2


@differentiable(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    a1, a2 = _aligned(a1, a2)
    return a1 - a2


def _aligned(a1: Any, a2: Any) -> tuple[Any, Any]:
    a1, a2 = np.atleast_1d(a1), np.atleast_1d(a2)
    n = max(a1.size, a2.size)
    return np.pad(a1, (n - a1.size, 0)), np.pad(a2, (n - a2.size, 0))


@differentiable(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    return convolve(a1, a2)


@differentiable(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """The derivative number ``m`` of a polynomial, as a polynomial."""
    if m < 0:
        raise ValueError("polyder needs an order that is not negative; use polyint to integrate")
    for _ in range(m):
        p = getitem(p, slice(None, -1)) * np.arange(np.size(p) - 1, 0, -1)
    return p * 1


@differentiable(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """The integral number ``m`` of a polynomial, with integration constants ``k``."""
    if m < 0:
        raise ValueError("polyint needs an order that is not negative; use polyder to differentiate")
    p = operand(p)
    constants = np.atleast_1d(np.zeros(m, p.dtype) if k is None else k)
    if constants.size == 1 and m > 1:
        constants = np.broadcast_to(constants, (m,))
    if constants.size < m:
        raise ValueError(f"polyint needs one integration constant or {m} of them, not {constants.size}")
    for i in range(m):
        p = np.concatenate((p / np.arange(np.size(p), 0, -1), constants[i : i + 1]))
    return p * 1


@differentiable(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """The polynomial with these zeros."""
    zeros = floating(np.atleast_1d(seq_of_zeros))
    if zeros.ndim > 1:
        raise TypeError("np.poly of a matrix is not differentiable here: give its eigenvalues, np.linalg.eigvalsh(a)")
    product: Any = np.ones(1, zeros.dtype)
    for i in range(zeros.size):
        product = convolve(product, np.stack((np.ones((), zeros.dtype), -zeros[i])))
    return product


@differentiable(np.polyfit)
def polyfit(x: Any, y: Any, deg: int, rcond: float | None = None, full: bool = False, w: Any = None,
            cov: bool = False) -> Any:  # fmt: skip
    """The least-squares polynomial, by the pseudo-inverse of the scaled Vandermonde matrix; ``w`` are weights."""
    if full or cov:
        raise TypeError("np.polyfit with full=True or cov=True is not supported on Arrays: use np.linalg.lstsq")
    x, y = floating(x), floating(y)
    powers = vander(x, int(deg) + 1)
    if w is not None:
        powers, y = powers * np.reshape(w, (-1, 1)), y * np.reshape(w, (-1,) + (1,) * (y.ndim - 1))
    scale = np.linalg.norm(powers, axis=0)
    cutoff = x.size * float(np.finfo(powers.dtype).eps) if rcond is None else rcond
    fitted = matmul(np.linalg.pinv(powers / scale, cutoff), y)
    return fitted / np.reshape(scale, (-1,) + (1,) * (y.ndim - 1))


@differentiable(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    x = operand(x).astype(np.promote_types(x.dtype, int))
    n = x.size if N is None else N
    rising = np.concatenate((np.ones((x.size, 1), x.dtype), np.tile(np.reshape(x, (-1, 1)), (1, n))), 1)
    powers = np.cumprod(rising[:, :n], axis=1)
    return powers if increasing else np.flip(powers, 1)


# ---- covariances


@differentiable(np.cov)
def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None, fweights: Any = None,
        aweights: Any = None, *, dtype: Any = None) -> Any:  # fmt: skip
    """Variables are rows (columns if not ``rowvar``); ``fweights`` count repetitions, ``aweights`` are weights."""
    rows = _variables(m, rowvar, dtype)
    if y is not None:
        rows = np.concatenate((rows, _variables(y, rowvar, dtype)), 0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    n = rows.shape[1]
    if fweights is None and aweights is None:
        centred = rows - np.mean(rows, axis=1, keepdims=True)
        return np.squeeze(matmul(centred, centred.T) / _positive(n - ddof))
    w: Any = np.ones(n, rows.dtype)
    for weights in (fweights, aweights):
        w = w if weights is None else w * weights
    total = np.sum(w)
    share = 1.0 if aweights is None else np.sum(w * aweights) / total
    centred = rows - np.reshape(matmul(rows, w) / total, (-1, 1))
    return np.squeeze(matmul(centred * w, centred.T) / (total - ddof * share if ddof else total))


def _variables(m: Any, rowvar: bool, dtype: Any) -> Any:
    rows = np.atleast_2d(m)
    if rows.ndim > 2:
        raise ValueError("cov takes a vector or a matrix of observations")
    if not rowvar and rows.shape[0] != 1:
        rows = rows.T
    return rows.astype(np.result_type(rows.dtype, np.float64) if dtype is None else dtype)


def _positive(n: int) -> Any:
    if n <= 0:
        raise ValueError("cov needs more observations than degrees of freedom are taken away (ddof)")
    return float(n)


@differentiable(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Covariances over the products of the standard deviations."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    deviation = np.sqrt(np.diagonal(c))
    return c / np.expand_dims(deviation, 1) / np.expand_dims(deviation, 0)


refuse("divide with np.polyval in the points where you need the quotient", np.polydiv)
refuse("the zeros of a polynomial may be complex; find one by Newton's method", np.roots)

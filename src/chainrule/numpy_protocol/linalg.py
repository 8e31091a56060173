"""NumPy's linear algebra, composed of the gates of ``gates.linalg``; results are the namedtuples of NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.gates.constant import PiecewiseConstant
from chainrule.gates.linalg import QR, SVD, Cholesky, Det, Eigh, EuclideanNorm, Inv, LogAbsDet, Pinv, Solve
from chainrule.gates.operands import floating, operand
from chainrule.gates.product import matmul
from chainrule.gates.reduction import normal_axes
from chainrule.graph.array import raw
from chainrule.numpy_protocol.dispatch import constant, differentiable, not_recorded, refuse

# The classes of NumPy's results, which it does not export.
EighResult: Any = type(np.linalg.eigh(np.eye(1)))
SVDResult: Any = type(np.linalg.svd(np.eye(1)))
QRResult: Any = type(np.linalg.qr(np.eye(1)))
SlogdetResult: Any = type(np.linalg.slogdet(np.eye(1)))

# ---- inverses, determinants, systems of equations

differentiable(np.linalg.inv)(Inv())
differentiable(np.linalg.det)(Det())

_solve, _logabsdet, _cholesky, _qr, _svd = Solve(), LogAbsDet(), Cholesky(), QR(), SVD()


def sign_of_determinant(x: Any) -> Any:
    return np.linalg.slogdet(x)[0]


@differentiable(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """The sign, a constant, and the logarithm of the determinant's size."""
    return SlogdetResult(PiecewiseConstant.of(sign_of_determinant)(a), _logabsdet(a))


@differentiable(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """As in NumPy 2, ``b`` is one vector if it has one axis, and else a matrix or a stack of them."""
    a, b = operand(a), operand(b)
    if b.ndim == 1:
        return np.squeeze(_solve(a, np.expand_dims(b, 1)), -1)
    return _solve(a, b)


@differentiable(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """The pseudo-inverse; its gradient holds as long as a small change of ``a`` does not change the rank."""
    _only_general(hermitian, "pinv")
    rcond = rtol if rcond is None else rcond
    return Pinv.of(None if rcond is None else float(rcond))(a)


def _only_general(hermitian: bool, name: str) -> None:
    if hermitian:
        raise TypeError(f"hermitian=True of np.linalg.{name} is not supported on Arrays: leave it out, or use eigh")


@differentiable(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Any, Any, Any, Any]:
    """``(x, residuals, rank, singular values)``, by the pseudo-inverse; the rank is a constant."""
    a, b = floating(a), floating(b)
    if a.ndim != 2 or b.ndim not in (1, 2):
        raise np.linalg.LinAlgError(f"lstsq needs a matrix and one or more vectors, not {a.shape} and {b.shape}")
    m, n = a.shape
    eps = float(np.finfo(a.dtype).eps)
    cutoff = eps * max(m, n) if rcond is None else rcond
    if cutoff < 0:  # NumPy's way of asking for the machine's precision
        cutoff = eps
    x = matmul(pinv(a, cutoff), b)
    not_recorded("np.linalg.lstsq", "what it gives depends on the rank; use np.linalg.pinv(a, rcond) @ b")
    rank = int(np.linalg.matrix_rank(raw(a), rtol=cutoff))
    residuals = np.sum(np.square(b - matmul(a, x)), axis=0, keepdims=b.ndim == 1)
    return x, residuals if rank == n < m else residuals[:0], rank, svdvals(a)


@differentiable(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    if ind <= 0:
        raise ValueError("ind must be positive")
    rows, columns = np.shape(a)[:ind], np.shape(a)[ind:]
    return np.reshape(np.linalg.inv(np.reshape(a, (math.prod(rows), -1))), columns + rows)


@differentiable(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    if axes is not None:
        n = np.ndim(a)
        a = np.moveaxis(a, axes, tuple(range(n - len(axes), n)))
    shape = np.shape(a)[np.ndim(b) :]
    return np.reshape(solve(np.reshape(a, (-1, math.prod(shape))), np.ravel(b)), shape)


# ---- decompositions


@differentiable(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    return _cholesky(operand(a).mT).mT if upper else _cholesky(a)


@differentiable(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    if UPLO.upper() not in ("L", "U"):
        raise ValueError(f"UPLO must be 'L' or 'U', not {UPLO!r}")
    z = Eigh.of(UPLO.upper())(a)
    return EighResult(z[..., 0], z[..., 1:])


@differentiable(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    return eigh(a, UPLO).eigenvalues


@differentiable(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Wide matrices are composed: with [X, Y] = A and Q U = X, R is [U, Q^T Y]."""
    m, n = np.shape(a)[-2:]
    if mode not in ("reduced", "r", "complete") or (mode == "complete" and m > n):
        raise TypeError(f"np.linalg.qr with mode={mode!r} is not differentiable for {m} x {n} matrices: use 'reduced'")
    z = _qr(a[..., :m] if n > m else a)
    q, r = z[..., :m].mT, z[..., m:]
    if n > m:
        r = np.concatenate((r, q.mT @ a[..., m:]), -1)
    return r if mode == "r" else QRResult(q, r)


@differentiable(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    _only_general(hermitian, "svd")
    m, n = np.shape(a)[-2:]
    if compute_uv and full_matrices and m != n:
        raise TypeError(
            f"np.linalg.svd of {m} x {n} matrices with full_matrices=True is not differentiable: the additional "
            "singular vectors are not determined; use full_matrices=False"
        )
    z = _svd(a)
    s = z[..., m, :]
    return SVDResult(z[..., :m, :], s, z[..., m + 1 :, :].mT) if compute_uv else s


@differentiable(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    return svd(x, compute_uv=False)


# ---- norms


@differentiable(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    x = floating(x)
    if axis is None:
        if ord is None or (ord == 2 and x.ndim == 1) or (ord == "fro" and x.ndim == 2):
            return EuclideanNorm.of(None, bool(keepdims))(x)
        axis = tuple(range(x.ndim))
    axes = normal_axes(axis, x.ndim) or ()
    if len(axes) == 1:
        return vector_norm(x, axis=axes, keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) == 2:
        return _matrix_norm(x, axes, keepdims, "fro" if ord is None else ord)
    raise ValueError(f"norm with ord={ord!r} is for vectors and matrices, not {len(axes)} axes: give the axis")


@differentiable(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    if isinstance(ord, str):
        raise ValueError(f"ord={ord!r} is a norm of matrices, not of vectors")
    x = floating(x)
    axes = normal_axes(axis, x.ndim)
    if ord == 2:
        return EuclideanNorm.of(axes, bool(keepdims))(x)
    if ord == 0:
        return np.sum((x != 0).astype(x.dtype), axis=axes, keepdims=keepdims)
    size = np.abs(x)
    if ord == 1:
        return np.sum(size, axis=axes, keepdims=keepdims)
    if abs(ord) == math.inf:
        return (np.max if ord > 0 else np.min)(size, axis=axes, keepdims=keepdims)
    total = np.sum(size ** float(ord), axis=axes, keepdims=keepdims)
    return np.where(total == 0, 0.0, np.where(total == 0, 1.0, total) ** (1.0 / ord))  # no gradient at 0


@differentiable(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    x = floating(x)
    return _matrix_norm(x, (x.ndim - 2, x.ndim - 1), keepdims, ord)


def _matrix_norm(x: Any, axes: tuple[int, ...], keepdims: bool, ord: Any) -> Any:
    if ord == "fro":
        return EuclideanNorm.of(axes, bool(keepdims))(x)
    matrices = np.moveaxis(x, axes, (-2, -1))
    if ord == "nuc":
        z = np.sum(svdvals(matrices), axis=-1)
    elif ord in (2, -2):
        z = (np.max if ord > 0 else np.min)(svdvals(matrices), axis=-1)
    elif ord in (1, -1, math.inf, -math.inf):
        sums = np.sum(np.abs(matrices), axis=-2 if abs(ord) == 1 else -1)
        z = (np.max if ord > 0 else np.min)(sums, axis=-1)
    else:
        raise ValueError(f"ord={ord!r} is not a norm of matrices")
    return np.expand_dims(z, axes) if keepdims else z


@differentiable(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """The ratio of the extreme singular values, or the norm of x times that of its inverse."""
    if p in (None, 2, -2):
        s = svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return matrix_norm(x, ord=p) * matrix_norm(np.linalg.inv(x), ord=p)


constant(np.linalg.matrix_rank)
refuse(
    "eigenvalues of general matrices are complex; for symmetric ones use np.linalg.eigh or np.linalg.eigvalsh",
    np.linalg.eig, np.linalg.eigvals,
)  # fmt: skip

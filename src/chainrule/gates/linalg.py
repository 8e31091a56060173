"""Linear algebra on matrices and stacks of matrices.

A gate has one output, so a decomposition packs its factors into one array: side by side along an axis, as views that
``numpy_protocol.linalg`` slices apart. Its rule receives the packed upstream gradient and slices it the same way.

``eigh`` and ``cholesky`` read one triangle of a symmetric matrix. Their gradient lies in that triangle: an element
below the diagonal has the gradient of itself and of its mirror image.

Factors are not unique: eigenvectors may change sign, and where values coincide they may turn into each other. Gradients
are right for functions that do not depend on signs. Eigenvectors (singular vectors) of values that coincide have no
derivative, and a gradient that asks for it raises LinAlgError; gradients of the values themselves are right even there,
for functions that treat equal values alike.

Sources: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
(2008); I. Murray, "Differentiation of the Cholesky decomposition" (2016); S. Walter and L. Lehmann, "Algorithmic
differentiation of linear algebra functions with application in optimum experimental design" (2010); J. Townsend,
"Differentiating the singular value decomposition" (2016); G. Golub and V. Pereyra, "The differentiation of
pseudo-inverses and nonlinear least squares problems whose variables separate" (1973).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.gates.primitive import Elementwise, Primitive, primitive
from chainrule.gates.reduction import Axes, called, kept, reduced
from chainrule.graph.sums import unbroadcast

# ---- inverses, determinants, systems of equations


@primitive
class Inv(Primitive):
    """z = the inverse of x: dx = -z^T dz z^T (Giles 2008)"""

    def forward(self, x: Any) -> Any:
        return np.linalg.inv(x)

    def dx(self, dz: Any, z: Any) -> Any:
        return -(z.mT @ dz @ z.mT)


@primitive
class Pinv(Primitive):
    """z = the pseudo-inverse of x, while its rank stays the same (Golub and Pereyra 1973)"""

    rcond: float | None

    def forward(self, x: Any) -> Any:
        return np.linalg.pinv(x, self.rcond)

    def dx(self, dz: Any, z: Any, x: Any) -> Any:
        outside = dz.mT @ z @ z.mT
        inside = z.mT @ z @ dz.mT
        return outside - x @ (z @ outside) + inside - (inside @ z) @ x - z.mT @ dz @ z.mT


@primitive
class Det(Primitive):
    """z = the determinant of x: dz/dx is the matrix of cofactors, singular matrices included (Giles 2008)"""

    def forward(self, x: Any) -> Any:
        return np.linalg.det(x)

    def dx(self, dz: Any, x: Any) -> Any:
        return dz[..., None, None] * cofactors(x)


@primitive
class Cofactors(Primitive):
    """z = the cofactors of x, det(x) x^-T, which exist for singular x, too

    With x = U S V^T they are det(U V) U cofactors(S) V^T. The rule follows a small change E = U^T dx V of S: cofactor
    ii changes by the sum over k of P_ik E_kk and cofactor ij by -P_ij E_ji, where P_ij is the product of all diagonal
    elements of S but two, i and j.
    """

    def forward(self, x: Any) -> Any:
        u, s, vh = np.linalg.svd(x)
        n = s.shape[-1]
        but_one = np.prod(np.where(np.eye(n, dtype=bool), 1.0, s[..., None, :]), axis=-1)
        return _sign(u, vh) * (u * but_one[..., None, :]) @ vh

    def dx(self, dz: Any, x: Any) -> Any:
        u, s, vh = np.linalg.svd(x)
        same = np.eye(s.shape[-1], dtype=bool)
        left_out = same[:, None, :] | same[None, :, :]
        but_two = np.where(same, 0.0, np.prod(np.where(left_out, 1.0, s[..., None, None, :]), axis=-1))
        d = u.mT @ dz @ vh.mT
        on_diagonal = np.sum(but_two * np.diagonal(d, 0, -2, -1)[..., None, :], axis=-1)
        e = np.where(same, on_diagonal[..., None, :], -but_two * d.mT)
        return _sign(u, vh) * (u @ e @ vh)


cofactors = Cofactors()


def _sign(u: Any, vh: Any) -> Any:
    """det(U V), which is 1 or -1, ready to multiply matrices."""
    return np.sign(np.linalg.det(u) * np.linalg.det(vh))[..., None, None]


@primitive
class LogAbsDet(Primitive):
    """z = log |det(x)|: dx = dz x^-T (Giles 2008)"""

    def forward(self, x: Any) -> Any:
        return np.linalg.slogdet(x)[1]

    def dx(self, dz: Any, x: Any) -> Any:
        return dz[..., None, None] * np.linalg.inv(x).mT


@primitive
class Solve(Primitive):
    """z = a^-1 b: db = a^-T dz and da = -db z^T (Giles 2008)"""

    def forward(self, a: Any, b: Any) -> Any:
        return np.linalg.solve(a, b)

    def da(self, dz: Any, z: Any, a: Any) -> Any:
        return unbroadcast(-(np.linalg.solve(a.mT, dz) @ z.mT), a.shape)

    def db(self, dz: Any, a: Any, b: Any) -> Any:
        return unbroadcast(np.linalg.solve(a.mT, dz), b.shape)


# ---- decompositions


def half_lower(n: int, dtype: Any) -> Any:
    """1 below the diagonal, 1/2 on it, 0 above: what multiplied by it is added to its transpose becomes symmetric."""
    return np.tri(n, dtype=dtype) - 0.5 * np.eye(n, dtype=dtype)


def in_lower(g: Any) -> Any:
    """The gradient of a symmetric matrix, moved to its lower triangle, the only one that is read."""
    return (g + g.mT) * half_lower(g.shape[-1], g.dtype)


@primitive
class Cholesky(Primitive):
    """z = the lower triangular L with L L^T = x, of whose lower triangle alone it is computed

    The symmetric gradient is that of S = L^-T H L^-1, where H is the lower triangle of L^T dz with its diagonal halved
    (Murray 2016).
    """

    def forward(self, x: Any) -> Any:
        return np.linalg.cholesky(x)

    def dx(self, dz: Any, z: Any) -> Any:
        h = (z.mT @ np.tril(dz)) * half_lower(z.shape[-1], z.dtype)
        s = np.linalg.solve(z.mT, np.linalg.solve(z.mT, h).mT).mT
        return in_lower(s)


@primitive
class QR(Primitive):
    """z = [Q^T, R] side by side, for matrices at least as tall as wide

    dx = (dQ + Q sym(R dR^T - dQ^T Q)) R^-T, where sym copies the lower triangle to the upper one (Walter and Lehmann
    2010).
    """

    title = "qr"

    def forward(self, x: Any) -> Any:
        q, r = np.linalg.qr(x)
        return np.concatenate((q.mT, r), -1)

    def dx(self, dz: Any, z: Any) -> Any:
        n = z.shape[-2]
        m = z.shape[-1] - n
        q, r = z[..., :m].mT, z[..., m:]
        dq, dr = dz[..., :m].mT, np.triu(dz[..., m:])
        half = (r @ dr.mT - dq.mT @ q) * half_lower(n, z.dtype)
        return np.linalg.solve(r, (dq + q @ (half + half.mT)).mT).mT


@primitive
class OverGap(Elementwise):
    """z = m / gap: how strongly a small change mixes two eigenvectors; 0 where the gap is closed

    A gap is closed if it is negligible beside ``scale``: two values coincide. LinAlgError if a closed gap is ``used``.
    """

    negligible: float

    def forward(self, m: Any, gap: Any, scale: Any, used: Any) -> Any:
        closed = np.abs(gap) <= self.negligible * scale
        if np.any(closed & used):
            raise np.linalg.LinAlgError(
                "eigenvectors (singular vectors) of values that coincide, and singular vectors of zero in a matrix "
                "that is not square, have no derivative: differentiate the values alone, or separate them first"
            )
        return np.where(closed, 0.0, m / np.where(closed, 1.0, gap))

    def dm(self, dz: Any, gap: Any, scale: Any) -> Any:
        return self(dz, gap, scale, dz != 0)

    def dgap(self, dz: Any, z: Any, gap: Any, scale: Any) -> Any:
        return -self(dz * z, gap, scale, dz * z != 0)


def over_gaps(dtype: Any) -> OverGap:
    """``OverGap`` for values of a dtype.

    Values that coincide come out of LAPACK up to 16 eps apart (measured, 2 to 100 rows), those of random matrices 200
    and more.
    """
    return OverGap.of(32.0 * float(np.finfo(dtype).eps))


def with_diagonal(m: Any, fill: float) -> Any:
    return np.where(np.eye(m.shape[-1], dtype=bool), fill, m)


def on_diagonal(v: Any) -> Any:
    return np.eye(v.shape[-1], dtype=v.dtype) * v[..., None, :]


def some_in_column(m: Any) -> Any:
    return np.any(m != 0, axis=-2, keepdims=True)


@primitive
class Eigh(Primitive):
    """z = [w, V] side by side: the eigenvalues of the symmetric x as a column, its eigenvectors as columns

    Only one triangle of x is read, L or U. The symmetric gradient is V (diag(dw) + F * (V^T dV)) V^T with
    F_ij = 1 / (w_j - w_i) off the diagonal (Giles 2008).
    """

    uplo: Any

    def forward(self, x: Any) -> Any:
        w, v = np.linalg.eigh(x, self.uplo)
        return np.concatenate((w[..., None], v), -1)

    def dx(self, dz: Any, z: Any) -> Any:
        w, v = z[..., 0], z[..., 1:]
        dw, dv = dz[..., 0], dz[..., 1:]
        gap = with_diagonal(w[..., None, :] - w[..., :, None], 1.0)
        scale = np.max(np.abs(w), axis=-1, initial=0.0)[..., None, None]
        turned = over_gaps(w.dtype)(with_diagonal(v.mT @ dv, 0.0), gap, scale, some_in_column(dv))
        g = in_lower(v @ (on_diagonal(dw) + turned) @ v.mT)
        return g if self.uplo == "L" else g.mT


@primitive
class SVD(Primitive):
    """z = U, the singular values s as one row, and V, one above the other: x = U diag(s) V^T, in reduced form

    With F_ij = 1 / (s_j^2 - s_i^2) off the diagonal, A = F * (U^T dU) and B = F * (V^T dV), the gradient is
    U (diag(ds) + (A + A^T) diag(s) + diag(s) (B + B^T)) V^T, and for what lies outside the columns of U (tall x) or V
    (wide x) in addition (I - U U^T) dU diag(1/s) V^T and U diag(1/s) dV^T (I - V V^T) (Townsend 2016).
    """

    title = "svd"

    def forward(self, x: Any) -> Any:
        u, s, vh = np.linalg.svd(x, full_matrices=False)
        return np.concatenate((u, s[..., None, :], vh.mT), -2)

    def dx(self, dz: Any, z: Any, x: Any) -> Any:
        m, n = x.shape[-2:]
        u, s, v = z[..., :m, :], z[..., m, :], z[..., m + 1 :, :]
        du, ds, dv = dz[..., :m, :], dz[..., m, :], dz[..., m + 1 :, :]
        row, column = s[..., None, :], s[..., :, None]
        difference, total = with_diagonal(row - column, 1.0), with_diagonal(row + column, 1.0)
        scale = np.max(s, axis=-1, initial=0.0)[..., None, None]
        over = over_gaps(s.dtype)

        def turned(vectors: Any, upstream: Any) -> Any:
            used = some_in_column(upstream)
            mixed = with_diagonal(vectors.mT @ upstream, 0.0)
            a = over(over(mixed, difference, scale, used), total, scale, used)
            return a + a.mT

        def outside(vectors: Any, upstream: Any) -> Any:
            rest = upstream - vectors @ (vectors.mT @ upstream)
            return over(rest, row, scale, some_in_column(upstream))

        dx = u @ (on_diagonal(ds) + turned(u, du) * row + column * turned(v, dv)) @ v.mT
        if m > n:
            dx = dx + outside(u, du) @ v.mT
        if n > m:
            dx = dx + u @ outside(v, dv).mT
        return dx


# ---- lengths


@primitive
class EuclideanNorm(Primitive):
    """z = sqrt(the sum of x ** 2) along the axes; the gradient at 0 is 0"""

    axis: Axes
    keepdims: bool

    @property
    def source(self) -> str:  # type: ignore[override]
        return f"np.sqrt({called('np.sum', self.axis, self.keepdims)})".replace("{0}", "np.square({0})")

    def forward(self, x: Any) -> Any:
        return np.sqrt(reduced(np.add, x * x, self.axis, self.keepdims))

    def dissolved(self, x: Any) -> Any:
        return np.sqrt(np.sum(x * x, axis=self.axis, keepdims=self.keepdims))

    def tie(self, x: Any) -> Any:
        return self.forward(x) == 0

    def dx(self, dz: Any, z: Any, x: Any) -> Any:
        safe = np.where(z == 0, 1.0, z)
        return kept(dz / safe, x, self.axis, self.keepdims) * x

"""Linear algebra: square, tall and wide matrices and stacks of them, every option."""

import numpy as np

from tests.gates.rows import Row, draw

L = np.linalg


def regular(*shape):
    """Matrices far from singular."""
    return draw(*shape) + 4.0 * np.eye(*shape[-2:])


def definite(*shape):
    """Symmetric positive definite matrices with eigenvalues well apart."""
    x = draw(*shape, seed=1)
    return x @ np.swapaxes(x, -1, -2) + np.diag(np.arange(1.0, shape[-1] + 1.0))


SHAPES = {
    "square": (3, 3),
    "tall": (4, 2),
    "wide": (2, 4),
    "stack": (2, 3, 2),
    "stack of wide": (2, 2, 3),
    "row": (1, 3),
}

SQUARE = {
    "inv": L.inv,
    "det": L.det,
    "slogdet": lambda x: L.slogdet(x).logabsdet,
    "cond": L.cond,
    "cond: -2": lambda x: L.cond(x, -2),
    "cond: fro": lambda x: L.cond(x, "fro"),
    "cond: 1": lambda x: L.cond(x, 1),
    "cond: -inf": lambda x: L.cond(x, -np.inf),
    "svd: full": lambda x: tuple(L.svd(x)),
    "qr: complete": lambda x: tuple(L.qr(x, mode="complete")),
}

SYMMETRIC = {
    "cholesky": L.cholesky,
    "cholesky: upper": lambda x: L.cholesky(x, upper=True),
    "eigh": lambda x: tuple(L.eigh(x)),
    "eigh: U": lambda x: tuple(L.eigh(x, UPLO="U")),
    "eigvalsh": L.eigvalsh,
    "eigvalsh: U": lambda x: L.eigvalsh(x, "U"),
}

ANY = {
    "qr": lambda x: tuple(L.qr(x)),
    "qr: r": lambda x: L.qr(x, mode="r"),
    "svd": lambda x: tuple(L.svd(x, full_matrices=False)),
    "svd: values": lambda x: L.svd(x, compute_uv=False),
    "svdvals": L.svdvals,
    "pinv": L.pinv,
    "matrix_norm": L.matrix_norm,
    "matrix_norm: nuc": lambda x: L.matrix_norm(x, ord="nuc", keepdims=True),
    "matrix_norm: 2": lambda x: L.matrix_norm(x, ord=2),
    "matrix_norm: -2": lambda x: L.matrix_norm(x, ord=-2),
    "norm: 1": lambda x: L.norm(x, 1, axis=(-2, -1)),
    "norm: -1": lambda x: L.norm(x, -1, axis=(-1, -2)),
    "norm: inf": lambda x: L.norm(x, np.inf, axis=(-2, -1), keepdims=True),
    "norm: -inf": lambda x: L.norm(x, -np.inf, axis=(-2, -1)),
}

OTHERS = {
    "solve": (L.solve, regular(3, 3), draw(3, 2)),
    "solve: vector": (L.solve, regular(3, 3), draw(3)),
    "solve: stack and vector": (L.solve, regular(2, 3, 3), draw(3)),
    "solve: stacks": (L.solve, regular(2, 3, 3), draw(2, 3, 1)),
    "solve: broadcast matrix": (L.solve, regular(3, 3), draw(2, 3, 1)),
    "solve: broadcast sides": (L.solve, regular(2, 1, 2, 2), draw(3, 2, 2)),
    "det: singular": (L.det, np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 1.0]) + np.diag([0.0, 0.0, 1.0])),
    "det: rank 1": (L.det, np.outer([1.0, 2.0, 3.0], [1.0, 0.5, 1.0])),
    "det: negative": (L.det, -np.eye(3) + 0.1 * draw(3, 3)),
    "pinv: deficient rank": (lambda u, v: L.pinv(u @ v, rcond=1e-6), regular(4, 2), regular(2, 3)),
    "lstsq: tall": (lambda a, b: L.lstsq(a, b)[::3], regular(5, 3), draw(5)),
    "lstsq: residuals": (lambda a, b: L.lstsq(a, b)[:2], regular(5, 3), draw(5, 2)),
    "lstsq: wide": (lambda a, b: L.lstsq(a, b)[0], regular(2, 4), draw(2, 3)),
    "tensorinv": (L.tensorinv, regular(4, 4).reshape(2, 2, 4)),
    "tensorinv: ind": (lambda a: L.tensorinv(a, ind=1), regular(4, 4).reshape(4, 2, 2)),
    "tensorsolve": (L.tensorsolve, regular(4, 4).reshape(2, 2, 4), draw(2, 2)),
    "tensorsolve: axes": (
        lambda a, b: L.tensorsolve(a, b, axes=(0,)), np.moveaxis(regular(4, 4).reshape(4, 4), -1, 0), draw(4),
    ),
    "norm": (L.norm, draw(2, 3)),
    "norm: vector": (L.norm, draw(4)),
    "norm: box": (L.norm, draw(2, 3, 2)),
    "norm: keepdims": (lambda x: L.norm(x, keepdims=True), draw(2, 3)),
    "norm: fro": (lambda x: L.norm(x, "fro"), draw(2, 3)),
    "norm: nuc": (lambda x: L.norm(x, "nuc"), draw(2, 3)),
    "norm: axis": (lambda x: L.norm(x, axis=1), draw(2, 3)),
    "norm: axis, order 3": (lambda x: L.norm(x, 3, axis=0, keepdims=True), draw(2, 3)),
    "norm: vector, order 1": (lambda x: L.norm(x, 1), draw(4)),
    "norm: vector, order inf": (lambda x: L.norm(x, np.inf), draw(4)),
    "norm: vector, order -inf": (lambda x: L.norm(x, -np.inf), draw(4)),
    "norm: vector, order -2": (lambda x: L.norm(x, -2), draw(4)),
    "norm: vector, order 0": (lambda x: L.norm(x, 0) + L.norm(x), draw(4)),
    "vector_norm": (L.vector_norm, draw(2, 3)),
    "vector_norm: axes": (lambda x: L.vector_norm(x, axis=(0, -1)), draw(2, 3, 2)),
    "vector_norm: 2.5": (lambda x: L.vector_norm(x, ord=2.5, axis=-1, keepdims=True), draw(2, 3)),
}  # fmt: skip

ROWS = [
    *(Row(name, f, (regular(3, 3),)) for name, f in SQUARE.items()),
    *(Row(f"{name}: stack", f, (regular(2, 3, 3),)) for name, f in SQUARE.items()),
    *(Row(name, f, (definite(3, 3),)) for name, f in SYMMETRIC.items()),
    *(Row(f"{name}: stack", f, (definite(2, 3, 3),)) for name, f in SYMMETRIC.items()),
    *(Row(f"{name}: {kind}", f, (regular(*shape),)) for name, f in ANY.items() for kind, shape in SHAPES.items()),
    *(Row(name, f, tuple(args)) for name, (f, *args) in OTHERS.items()),
]

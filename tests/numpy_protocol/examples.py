"""One call of each differentiable NumPy function, with a live square matrix of numbers between 0.2 and 0.8."""

import numpy as np

MATRIX = np.array([[0.75, 0.31, 0.28], [0.22, 0.68, 0.41], [0.37, 0.25, 0.79]])
ONES = np.ones((3, 3))
COUNTS = np.array([0, 2, 1])
MASK = MATRIX > 0.3

UFUNCS = {
    np.arccosh: lambda x: np.arccosh(x + 1),
    np.ldexp: lambda x: np.ldexp(x, COUNTS),
    np.heaviside: lambda x: np.heaviside(np.zeros((3, 3)), x),
    np.matvec: lambda x: np.matvec(x, x[0]),
    np.vecmat: lambda x: np.vecmat(x[0], x),
}

FUNCTIONS = {
    "append": lambda x: np.append(x, x),
    "apply_along_axis": lambda x: np.apply_along_axis(np.sum, 0, x),
    "apply_over_axes": lambda x: np.apply_over_axes(np.sum, x, (0, 1)),
    "array_split": lambda x: np.array_split(x, 2),
    "astype": lambda x: np.astype(x, np.float64),
    "bincount": lambda x: np.bincount(COUNTS, x[0]),
    "block": lambda x: np.block([[x, ONES]]),
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, ONES),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 3)),
    "choose": lambda x: np.choose([0, 1, 1], [x, ONES]),
    "clip": lambda x: np.clip(x, 0.1, 0.7),
    "column_stack": lambda x: np.column_stack([x, ONES]),
    "compress": lambda x: np.compress([True, False], x, axis=0),
    "concatenate": lambda x: np.concatenate([x, ONES]),
    "convolve": lambda x: np.convolve(x[0], [1.0, 2.0]),
    "correlate": lambda x: np.correlate(x[0], [1.0, 2.0]),
    "cross": lambda x: np.cross(x, ONES),
    "cumulative_prod": lambda x: np.cumulative_prod(x, axis=0),
    "cumulative_sum": lambda x: np.cumulative_sum(x, axis=0),
    "delete": lambda x: np.delete(x, 1),
    "dot": lambda x: np.dot(x, x),
    "dsplit": lambda x: np.dsplit(x[None], 3),
    "dstack": lambda x: np.dstack([x, ONES]),
    "einsum": lambda x: np.einsum("ij,jk->i", x, x),
    "expand_dims": lambda x: np.expand_dims(x, 0),
    "extract": lambda x: np.extract(MASK, x),
    "full_like": lambda x: np.full_like(x, x[0]),
    "hsplit": lambda x: np.hsplit(x, 3),
    "hstack": lambda x: np.hstack([x, ONES]),
    "inner": lambda x: np.inner(x, x),
    "insert": lambda x: np.insert(x, 1, 2.0),
    "interp": lambda x: np.interp(x, [0.0, 1.0], [1.0, 3.0]),
    "kron": lambda x: np.kron(x, ONES),
    "linspace": lambda x: np.linspace(x, 1.0, 4),
    "logspace": lambda x: np.logspace(x, 1.0, 4),
    "meshgrid": lambda x: np.meshgrid(x[0], x[1]),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "outer": lambda x: np.outer(x, x),
    "pad": lambda x: np.pad(x, 1),
    "partition": lambda x: np.partition(x, 1),
    "percentile": lambda x: np.percentile(x, 30),
    "piecewise": lambda x: np.piecewise(x, [x > 0.3], [np.sin, np.cos]),
    "poly": lambda x: np.poly(x[0]),
    "polyadd": lambda x: np.polyadd(x[0], [1.0]),
    "polyder": lambda x: np.polyder(x[0]),
    "polyfit": lambda x: np.polyfit([0.0, 1.0, 2.0], x[0], 1),
    "polyint": lambda x: np.polyint(x[0]),
    "polymul": lambda x: np.polymul(x[0], x[1]),
    "polysub": lambda x: np.polysub(x[0], [1.0]),
    "polyval": lambda x: np.polyval(x[0], 2.0),
    "quantile": lambda x: np.quantile(x, 0.3),
    "repeat": lambda x: np.repeat(x, 2),
    "reshape": lambda x: np.reshape(x, 9),
    "resize": lambda x: np.resize(x, (2, 2)),
    "roll": lambda x: np.roll(x, 1),
    "rollaxis": lambda x: np.rollaxis(x, 1),
    "select": lambda x: np.select([MASK], [x]),
    "split": lambda x: np.split(x, 3),
    "stack": lambda x: np.stack([x, ONES]),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "take": lambda x: np.take(x, [0, 4]),
    "take_along_axis": lambda x: np.take_along_axis(x, COUNTS[None], axis=0),
    "tensordot": lambda x: np.tensordot(x, x, 1),
    "tile": lambda x: np.tile(x, 2),
    "trim_zeros": lambda x: np.trim_zeros(x[0]),
    "unwrap": lambda x: np.unwrap(x[0]),
    "vander": lambda x: np.vander(x[0]),
    "vdot": lambda x: np.vdot(x, x),
    "vsplit": lambda x: np.vsplit(x, 3),
    "vstack": lambda x: np.vstack([x, ONES]),
    "where": lambda x: np.where(MASK, x, 0.0),
    "lib.stride_tricks.sliding_window_view": lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, 0),
    "linalg.cholesky": lambda x: np.linalg.cholesky(x @ x.T),
    "linalg.cross": lambda x: np.linalg.cross(x, ONES * [1.0, 2.0, 4.0]),
    "linalg.eigh": lambda x: np.linalg.eigh(x + x.T)[0],
    "linalg.eigvalsh": lambda x: np.linalg.eigvalsh(x + x.T),
    "linalg.lstsq": lambda x: np.linalg.lstsq(x, ONES[0])[0],
    "linalg.matmul": lambda x: np.linalg.matmul(x, x),
    "linalg.matrix_power": lambda x: np.linalg.matrix_power(x, 3),
    "linalg.multi_dot": lambda x: np.linalg.multi_dot([x, x, x]),
    "linalg.outer": lambda x: np.linalg.outer(x[0], x[1]),
    "linalg.solve": lambda x: np.linalg.solve(x, ONES[0]),
    "linalg.svd": lambda x: np.linalg.svd(x, full_matrices=False)[1],
    "linalg.tensordot": lambda x: np.linalg.tensordot(x, x, axes=1),
    "linalg.tensorinv": lambda x: np.linalg.tensorinv(x, ind=1),
    "linalg.tensorsolve": lambda x: np.linalg.tensorsolve(x, ONES[0]),
    "linalg.vecdot": lambda x: np.linalg.vecdot(x, x),
}
"""Array functions that need more than one argument; the others are called with the matrix alone."""


def example(function, name):
    """The example call of a function."""
    if function in UFUNCS:
        return UFUNCS[function]
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    if isinstance(function, np.ufunc):
        return lambda x: function(*(x, x * x + 0.1, x + 1)[: function.nin])
    return function

"""Random circuits with branches: backward(), grad, the rules on Arrays and forward mode give one answer."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from tests.fuzz.cases import fuzz, numbers, seeds

GATES = {
    "add": lambda x, y: x + y,
    "multiply": lambda x, y: np.tanh(x) * y,
    "product": lambda x, y: np.tanh(x @ y.T) @ y,
    "subtract the mean": lambda x, y: x - np.mean(y, axis=0),
    "scale by the norm": lambda x, y: x / np.sqrt(1.0 + np.sum(y * y, axis=1, keepdims=True)),
    "turn": lambda x, y: np.roll(x, 1, axis=0) - np.flip(y, 1),
    "softmax": lambda x, y: y * np.exp(x - np.logaddexp.reduce(x, axis=1, keepdims=True)),
    "write": lambda x, y: written(x, y),
    "read": lambda x, y: x[[2, 0, 0]] + y[:, [1]],
    "choose": lambda x, y: np.maximum(np.sin(x + 2 * y), 0.1),
    "split and join": lambda x, y: np.concatenate([x[:, 1:], y[:, :1]], axis=1),
    "sine": lambda x, y: np.sin(x),
}


def written(x, y):
    z = np.copy(x)
    z[1:] = z[:-1] * y[0]
    return z


@given(st.data(), seeds, st.integers(1, 8))
@fuzz(17)
def test_circuits(data, seed, length):
    leaves = [numbers(seed + i, (3, 2), -1.0, 1.0) for i in range(2)]
    plan = [
        (
            data.draw(st.sampled_from(sorted(GATES))),
            data.draw(st.integers(0, k + 1)),
            data.draw(st.integers(0, k + 1)),
        )
        for k in range(length)
    ]

    def f(*xs):
        values = list(xs)
        for name, i, j in plan:
            values.append(GATES[name](values[i], values[j]))
        return sum((np.sum(np.cos(x)) for x in values[2:]), start=0.0)

    variables = [cr.array(x) for x in leaves]
    loss = f(*variables)
    loss.backward()
    zero = np.zeros((3, 2))
    written_by_backward = [zero if x.grad is None else x.grad for x in variables]
    np.testing.assert_allclose(loss.item(), f(*leaves), rtol=1e-12)
    functional = cr.grad(f, (0, 1))(*leaves)
    recorded = cr.grad(f, (0, 1))(*map(cr.array, leaves))
    for a, b, c in zip(written_by_backward, functional, recorded, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(c.value, a, rtol=1e-11, atol=1e-12)
    along = [numbers(seed + 7 + i, (3, 2)) for i in range(2)]
    slope = sum(np.sum(a * v) for a, v in zip(written_by_backward, along, strict=True))
    np.testing.assert_allclose(cr.jvp(f, leaves, along)[1], slope, rtol=1e-10, atol=1e-11)
    cr.check_grads(f, *leaves, order=1, directions=2)

"""1. Backpropagation is the chain rule applied recursively: gradients of all inputs, parameters and intermediates."""

import numpy as np
import pytest

import chainrule as cr


def arrays(*values):
    return [cr.array(float(v)) for v in values]


def test_a_product():
    x, y = arrays(4, -3)
    f = x * y
    f.backward()
    assert f.item() == -12
    assert (x.grad, y.grad) == (-3, 4)


def test_two_gates_and_their_intermediate():
    x, y, z = arrays(-2, 5, -4)
    q = x + y
    f = q * z
    assert (q.item(), f.item()) == (3, -12)
    f.backward()
    assert (x.grad, y.grad, z.grad) == (-4, -4, 3)
    assert q.grad == -4
    assert f.grad == 1


def test_a_neuron_taken_apart_gate_by_gate():
    w0, x0, w1, x1, w2 = arrays(2, -1, -3, -2, -3)
    a = w0 * x0
    b = w1 * x1
    c = a + b
    s = c + w2
    n = -s
    e = np.exp(n)
    d = e + 1
    f = 1 / d
    f.backward()
    forward = [round(z.item(), 2) for z in (a, b, c, s, n, e, d, f)]
    assert forward == [-2, 6, 4, 1, -1, 0.37, 1.37, 0.73]
    backward = [round(float(z.grad), 2) for z in (f, d, e, n, s, c, b, a)]
    assert backward == [1, -0.53, -0.53, -0.2, 0.2, 0.2, 0.2, 0.2]
    assert [round(float(x.grad), 2) for x in (w0, x0, w1, x1, w2)] == [-0.2, 0.39, -0.39, -0.59, 0.2]


def test_the_sigmoid_as_one_gate_gives_the_same():
    w0, x0, w1, x1, w2 = arrays(2, -1, -3, -2, -3)
    s = w0 * x0 + w1 * x1 + w2
    f = cr.sigmoid(s)
    f.backward()
    assert round(f.item(), 2) == 0.73
    assert s.grad == pytest.approx((1 - f.item()) * f.item(), rel=1e-14)
    assert [round(float(x.grad), 2) for x in (w0, x0, w1, x1, w2)] == [-0.2, 0.39, -0.39, -0.59, 0.2]


def test_add_distributes_max_routes_multiply_swaps():
    x, y, z, w = arrays(3, -4, 2, -1)
    p = x * y
    m = np.maximum(z, w)
    total = p + m
    f = total * 2
    f.backward()
    assert (p.item(), m.item(), total.item(), f.item()) == (-12, 2, -10, -20)
    assert (total.grad, p.grad, m.grad) == (2, 2, 2)
    assert (x.grad, y.grad, z.grad, w.grad) == (-8, 6, 2, 0)


def test_the_function_view_gives_the_same():
    gradient = cr.grad(lambda x, y, z: (x + y) * z, argnums=(0, 1, 2))(-2.0, 5.0, -4.0)
    assert gradient == (-4, -4, 3)


def test_the_chain_is_as_long_as_one_likes():
    x = cr.array(1.0)
    z = x
    for _ in range(20_000):
        z = z * 1.0001
    z.backward()
    assert x.grad == pytest.approx(1.0001**20_000, rel=1e-9)

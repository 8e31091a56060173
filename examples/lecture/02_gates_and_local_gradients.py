"""2. A gate knows its local gradients as soon as it has run forward; backward it multiplies them by what comes back.

A gate sees only its own inputs and output. It needs no idea of the circuit around it: going backward it is told dL/dz,
the gradient of the final output with respect to what it made, and hands each input dL/dx = dz/dx * dL/dz.
"""

import numpy as np

import chainrule as cr

# A neuron with two inputs, taken apart into gates whose derivatives everybody knows.
w0, w1, w2 = cr.array(2.0), cr.array(-3.0), cr.array(-3.0)
x0, x1 = cr.array(-1.0), cr.array(-2.0)
a = w0 * x0
b = w1 * x1
c = a + b
s = c + w2
n = -s
e = np.exp(n)
d = e + 1
f = 1 / d

circuit = {"a": a, "b": b, "c": c, "s": s, "n": n, "e": e, "d": d, "f": f}


def wires(z):
    """Those edges into z's gate that carry a gradient: constants such as the 1 in e + 1 do not."""
    return [edge for edge in cr.edges(z) if edge.live]


print("After the forward pass the local gradients are there, and no others:")
for name, z in circuit.items():
    local = ", ".join(f"d{name}/d{edge.input.name} = {edge.local_gradient:.2f}" for edge in wires(z))
    print(f"  {name} = {z:5.2f}   {local}   (upstream: {z.grad})")

f.backward()

print("\nAfter the backward pass each is multiplied by the gradient from upstream:")
for z in reversed(circuit.values()):
    for edge in wires(z):
        to = edge.input.name
        print(f"  df/d{to:<2} = {edge.local_gradient:5.2f} * {z.grad:5.2f} = {edge.contribution:5.2f}")

# Any differentiable piece may serve as one gate: the last four gates together are the sigmoid.
sigma = 1 / (1 + np.exp(-1.0))
print(f"\nAs one gate, with dz/ds = (1 - z) * z: df/ds = (1 - {sigma:.2f}) * {sigma:.2f} = {(1 - sigma) * sigma:.2f}")

# Three gates have a pattern worth knowing by heart.
x, y, z, w = cr.array(3.0), cr.array(-4.0), cr.array(2.0), cr.array(-1.0)
p = x * y
m = np.maximum(z, w)
total = p + m
out = total * 2
out.backward()
print(f"\n(x*y + max(z, w)) * 2 = {out:.0f}, with x = 3, y = -4, z = 2, w = -1")
print(f"  the add gate distributes what it gets:     {total.grad:.0f} to p and {m.grad:.0f} to m")
print(f"  the max gate routes it to the larger:      {z.grad:.0f} to z and {w.grad:.0f} to w")
print(f"  the multiply gate swaps its inputs:        x gets y * 2 = {x.grad:.0f}, y gets x * 2 = {y.grad:.0f}")

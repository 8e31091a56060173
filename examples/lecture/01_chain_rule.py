"""1. Backpropagation is the chain rule, applied recursively along a computational graph.

    python 01_chain_rule.py [FOLDER]      draws into FOLDER/chain_rule.svg (default: runs)

The circuit f = (x + y) * z has two gates. Running it forward gives the activations; running it backward, from the
output to the inputs, gives the gradient of f with respect to everything in it: inputs and intermediates alike.
"""

import sys
from pathlib import Path

import chainrule as cr

x, y, z = cr.array(-2.0, name="x"), cr.array(5.0, name="y"), cr.array(-4.0, name="z")
q = x + y
f = q * z
print(f"forward:  q = x + y = {q:.0f},  f = q * z = {f:.0f}")

# By hand, from the back:
df_dq = z.item()  # f = q * z, so df/dq = z
df_dz = q.item()  # ... and df/dz = q
df_dx = 1.0 * df_dq  # q = x + y, so dq/dx = 1; the chain rule multiplies
df_dy = 1.0 * df_dq
print(f"by hand:  df/dq = {df_dq:.0f},  df/dz = {df_dz:.0f},  df/dx = {df_dx:.0f},  df/dy = {df_dy:.0f}")

# The same by the library. Every array of the circuit gets its gradient, q too.
f.backward()
print(f"backward: df/dq = {q.grad:.0f},  df/dz = {z.grad:.0f},  df/dx = {x.grad:.0f},  df/dy = {y.grad:.0f}")

print("\nGate by gate:\n")
print(cr.explain(f))

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
folder.mkdir(parents=True, exist_ok=True)
cr.draw(f).save(folder / "chain_rule.svg")
print(f"\nthe circuit is drawn in {folder / 'chain_rule.svg'}: activations above the wires, gradients below")

# The smallest circuit of all: one multiply gate. Nudging x by h changes the product by y * h.
x, y, h = cr.array(4.0), cr.array(-3.0), 1e-4
product = x * y
product.backward()
nudged = (4.0 + h) * -3.0
print(f"\nx * y = {product:.0f}; its gradient is ({x.grad:.0f}, {y.grad:.0f})")
print(f"nudge x by {h}: the product changes by {nudged - product.item():.4f}, {x.grad:.0f} times as much")

"""4. A max gate routes the gradient to the larger input. At a tie both inputs have it.

The local gradient of max(x, y) for x is 1 if x >= y, and for y it is 1 if y >= x: at a tie both hold. A max has a kink
there and no derivative in the strict sense; what matters is to know which answer one gets.
"""

import numpy as np

import chainrule as cr

print("max(x, y)          dz/dx  dz/dy")
for a, b in [(2.0, -1.0), (-1.0, 2.0), (2.0, 2.0)]:
    to_x, to_y = cr.grad(np.maximum, argnums=(0, 1))(a, b)
    print(f"x = {a:4.1f}, y = {b:4.1f}   {to_x:4.0f}   {to_y:4.0f}" + ("   a tie: both" if a == b else ""))

print("\nWhat follows from it, and what other kinks do (the derivative is taken at the kink):")
kinks = {
    "np.maximum(x, x)": (lambda x: np.maximum(x, x), 1.0),
    "np.maximum(0.1 * x, x)": (lambda x: np.maximum(0.1 * x, x), 0.0),
    "cr.leaky_relu(x), slope 0.1": (cr.leaky_relu, 0.0),
    "cr.relu(x)": (cr.relu, 0.0),
    "np.abs(x)": (np.abs, 0.0),
    "np.clip(x, -1, 1) at a bound": (lambda x: np.clip(x, -1.0, 1.0), 1.0),
}
for name, (function, at) in kinks.items():
    print(f"  {name:30} {cr.grad(function)(at):.1f}")

shared = cr.grad(np.max)(np.array([1.0, 5.0, 5.0]))
print(f"  np.max of [1, 5, 5]            {shared.tolist()}: a reduction shares among its winners")
norm = cr.grad(np.linalg.norm)(np.zeros(2))
print(f"  np.linalg.norm at 0            {norm.tolist()}")

print("\nA gradient check cannot be trusted at a kink, so it says where it met one:")
report = cr.check_grads(np.maximum, 2.0, 2.0)
print(f"  {report.kinks[0].split(' at ')[0]}; {report.verdict}")
print(f"  away from the tie: {cr.check_grads(np.maximum, 2.0, 1.0).verdict}")

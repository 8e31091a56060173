"""3. Any function of arrays can be compiled, with gates of your own in it, and derivatives of any order.

    python 03_a_formula_of_your_own.py

How bright is a handwritten digit? Its pixels are modelled by a logistic distribution, whose two parameters are found by
Newton's method: value, gradient and Hessian of the log-likelihood in one compiled function.
"""

import numpy as np

import chainrule as cr

pixels = cr.data.digits().inputs.astype(float).ravel()
pixels = pixels[pixels > 0]  # chosen outside: a compiled function has fixed shapes


class LogCosh(cr.Gate):
    """log(cosh(x)), without overflow; its derivative is tanh(x)."""

    def forward(self, x):
        self.x = x
        return np.logaddexp(x, -x) - np.log(2.0)

    def backward(self, dz):
        return [dz * np.tanh(self.x)]


log_cosh = LogCosh()


def surprise(parameters, x):
    """The mean of minus the logarithm of the density, 1 / (4 s cosh((x - centre) / 2 s)^2) with s = exp(log s)."""
    centre, log_scale = parameters
    z = (x - centre) * np.exp(-log_scale) / 2.0
    return np.mean(2.0 * log_cosh(z)) + log_scale + np.log(4.0)


@cr.compile
def newton(parameters, x):
    value, gradient = cr.value_and_grad(surprise)(parameters, x)
    curvature = cr.hessian(surprise)(parameters, x)
    return value, gradient, parameters - np.linalg.solve(curvature, gradient)


print(f"{pixels.size:,} pixels")
parameters = np.array([pixels.mean(), np.log(pixels.std() / 2.0)])
for iteration in range(6):
    value, gradient, better = newton(parameters, pixels)
    print(f"  {iteration}: {value:.6f}, gradient {np.max(np.abs(gradient)):.1e}")
    parameters = better
print(f"found: {np.max(np.abs(gradient)) < 1e-9}")
print(f"centre {parameters[0]:.3f}, scale {np.exp(parameters[1]):.3f}")

report = cr.check_grads(lambda p: surprise(p, pixels[:200]), parameters)
print(f"the gradient is {report.verdict}")

# The backward pass of the gate is part of the source, like everything else.
print(next(line.strip() for line in newton.source().splitlines() if "tanh(" in line))

# What a Program cannot follow, it refuses. This `if` would be decided once, for all calls:
try:
    cr.compile(lambda x: np.log(x) if np.all(x > 0) else x)(pixels)
except cr.GraphError as error:
    print(f"\n{error}")
# ... and this chooses in each call, for each element:
safe = cr.compile(lambda x: np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), x))
print(f"\nnp.where in place of if: {safe(np.array([-1.0, 1.0])).tolist()}")

"""5. A gate is a class with a forward and a backward method.

forward computes the output and keeps what the backward pass needs. backward is told dz, the gradient of the final
output with respect to z, and returns the gradient for each input.
"""

import numpy as np

import chainrule as cr


class MultiplyGate(cr.Gate):
    def forward(self, x, y):
        self.x, self.y = x, y  # cache
        return x * y

    def backward(self, dz):
        return [self.y * dz, self.x * dz]


x, y = cr.array(4.0), cr.array(-3.0)
z = MultiplyGate()(x, y)
z.backward()
print(f"z = {z:.0f}, dz/dx = {x.grad:.0f}, dz/dy = {y.grad:.0f}")

# One instance may be used many times: each application works on its own copy of it.
multiply = MultiplyGate()
cube = multiply(multiply(x, x), x)
cube.backward()
print(f"x * x * x = {cube:.0f}, its derivative 3 * x^2 = {x.grad:.0f}")

# The gate takes part in everything else: it is checked against numbers ...
print(f"check: {cr.check_grads(multiply, np.array([4.0, 1.0]), np.array([-3.0, 2.0]))}")

# ... and differentiated twice, because backward is made of gates too.
curvature = cr.hessian(lambda v: multiply(multiply(v[0], v[0]), v[1]))(np.array([4.0, -3.0]))
print(f"Hessian of x^2 * y at (4, -3): {curvature.tolist()}")


class ForgetfulGate(MultiplyGate):
    def backward(self, dz):
        return [self.y * dz, dz]  # wrong: the second gradient lacks x


try:
    cr.check_grads(ForgetfulGate(), 4.0, -3.0)
except cr.GradientError as error:
    print(f"a wrong backward is found: {str(error).split(';')[0]}")

"""3. Where a value branches out, the gradients that come back add: += and never =.

That is the multivariate chain rule. A change of x travels on every branch, and all of them move the output.
"""

import chainrule as cr

x = cr.array(3.0, name="x")
f = x * x  # two wires run from x to this gate
f.backward()
first, second = (edge.contribution for edge in cr.edges(f))
print(f"x * x at 3: {first:.0f} on one wire and {second:.0f} on the other make df/dx = {x.grad:.0f}\n")
print(cr.explain(f), "\n")

# A formula that nobody would differentiate on paper, in stages. s is the sigmoid.
x, y = cr.array(3.0, name="x"), cr.array(-4.0, name="y")
sy = cr.sigmoid(y)
num = x + sy
sx = cr.sigmoid(x)
xy = x + y
square = xy**2
den = sx + square
f = num / den
f.backward()
print(f"f = (x + s(y)) / (s(x) + (x + y)^2) = {f:.2f}")

for variable in (x, y):
    print(f"\n{variable.name} is used {'three times' if variable is x else 'twice'}:")
    total = 0.0
    for gate in (num, sx, sy, xy):
        for edge in cr.edges(gate):
            if edge.input is variable:
                total += edge.contribution.item()  # += : this is the whole point
                print(f"  through {gate.name:4} comes {edge.contribution:7.3f}")
    print(f"  together df/d{variable.name} = {total:.3f}; backward() says {variable.grad:.3f}")

"""NumPy is the language: its functions, operators and methods on Arrays."""

from chainrule.numpy_protocol import operators

operators.install()

"""Programs written by hand."""

import numpy as np

from chainrule.program.program import Instruction, Program, Value


def value(*shape, dtype=np.float32, weak=False, name=None):
    return Value(shape, np.dtype(dtype), weak, name)


def number(name=None):
    return value(dtype=np.float64, weak=True, name=name)


def apply(gate, *operands, shape=None, dtype=None, weak=False, role="forward"):
    """An instruction whose result is like its first operand where nothing else is said."""
    like = next((x for x in operands if isinstance(x, Value)), None)
    shape = like.shape if shape is None else shape
    dtype = like.dtype if dtype is None else dtype
    return Instruction(gate, operands, Value(shape, np.dtype(dtype), weak), role)


def program(inputs, instructions, *outputs, captures=(), stores=()):
    """A Program; its last instruction's result is the output where none is given."""
    outputs = outputs or (instructions[-1].result,)
    return Program(tuple(inputs), tuple(captures), tuple(instructions), tuple(outputs), tuple(stores))

"""One elementwise function compiled alone, over whole arrays: how lowerings are tested and timed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.ir as ir
import numpy as np

from chainrule.native.jit import compile_ir
from chainrule.native.lanes import DType, Lane, Lanes, count, element_type, in_memory
from chainrule.native.target import current

Lowering = Callable[..., Lane]
"""``lower(b, *xs)``: what a gate's method ``lower`` is, bound to the gate."""


class Evaluated:
    """``lower`` on arrays of ``dtypes``, ``width`` elements at a time (default: as many float32 as a vector has).

    ``operands`` are the dtypes to which the elements are cast before, ``result`` that to which they are cast after.
    """

    def __init__(
        self,
        lower: Lowering,
        dtypes: Sequence[DType],
        operands: Sequence[DType] | None = None,
        result: DType | None = None,
        width: int | None = None,
    ) -> None:
        self.dtypes = tuple(dtypes)
        self.width = width or current().lanes(4)
        self._lower, self._operands, self._result = lower, operands or self.dtypes, result
        self.ir = str(self._module())
        addresses, self._code = compile_ir(self.ir, ["evaluate"])
        self.run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * (len(self.dtypes) + 2))(addresses["evaluate"])
        """``run(n, address of the result, addresses of the operands)``; n is a multiple of the width."""

    def _module(self) -> ir.Module:
        module = ir.Module("evaluate")
        kinds = [ir.IntType(64), *[ir.PointerType()] * (len(self.dtypes) + 1)]
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "evaluate")
        n, out, *places = function.args
        builder = ir.IRBuilder(function.append_basic_block())
        b = Lanes(builder, self.width, current().vector_bytes == 64)

        def at(place: Any, i: Any, dtype: DType) -> Any:
            return builder.gep(place, [i], source_etype=element_type(in_memory(dtype)))

        def step(i: Any, done: Any) -> Any:
            xs = []
            for place, dtype, operand in zip(places, self.dtypes, self._operands, strict=True):
                value = builder.load(at(place, i, dtype), typ=b.type(in_memory(dtype)), align=dtype.itemsize)
                xs.append(b.cast(b.loaded(value, dtype), operand))
            z = self._lower(b, *xs)
            self.result = self._result or z.dtype
            z = b.cast(z, self.result)
            builder.store(b.stored(z), at(out, i, z.dtype), align=z.dtype.itemsize)
            return done

        count(builder, n, self.width, n, step)
        builder.ret_void()
        return module

    def __call__(self, *arrays: Any) -> Any:
        """The result for arrays of equal shape. The tail is padded with the last element, so nothing is missed."""
        shape = arrays[0].shape
        n = -(-arrays[0].size // self.width) * self.width
        padded = [np.resize(x, n).astype(dtype, copy=False) for x, dtype in zip(arrays, self.dtypes, strict=True)]
        z = np.empty(n, self.result)
        self.run(n, z.ctypes.data, *(x.ctypes.data for x in padded))
        return z[: arrays[0].size].reshape(shape)


def evaluate(lower: Lowering, *arrays: Any, width: int | None = None) -> Any:
    """``lower`` on each element of arrays of equal shape, in their own dtypes."""
    return Evaluated(lower, [x.dtype for x in arrays], width=width)(*arrays)

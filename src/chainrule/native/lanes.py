"""Lanes: the operations of one native step, on one number or on a whole vector register of them at once.

A gate's ``lower(b, x, y)`` composes such operations; ``b`` is a ``Lanes`` that writes them down as LLVM instructions at
the end of a builder's block. Semantics are NumPy's: integers wrap around, x // 0 is 0 for integers, NaN passes through
``maximum``, comparisons with NaN are false. No flag allows the compiler to assume otherwise; sums of products are fused
only where ``fma`` says so, hence results have the same bits at every width.

Elementary functions (``b.exp(x)``, ...) are methods, too: ``native.elementary`` has the table of them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import llvmlite.ir as ir
import numpy as np

DType = np.dtype[Any]
BOOL, I32, I64, F32, F64 = (np.dtype(t) for t in (bool, np.int32, np.int64, np.float32, np.float64))
U8 = np.dtype(np.uint8)
SUPPORTED = frozenset(np.dtype(code) for code in "?bBhHiIlLqQfd")
"""The dtypes that lanes can have."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A value in a register: ``width`` numbers of one dtype, or a single one where the width is 1."""

    value: Any
    dtype: DType
    number: bool | int | float | None = None
    """What it is, where that is known when the code is made."""

    @property
    def floating(self) -> bool:
        return self.dtype.kind == "f"

    @property
    def signed(self) -> bool:
        return self.dtype.kind == "i"

    @property
    def never_nan(self) -> bool:
        return not self.floating or (self.number is not None and self.number == self.number)


def element_type(dtype: DType) -> Any:
    """The LLVM type of one number in a register; a boolean is one bit there (and a byte in memory)."""
    if dtype.kind == "f":
        return ir.FloatType() if dtype == F32 else ir.DoubleType()
    return ir.IntType(1 if dtype == BOOL else 8 * dtype.itemsize)


def in_memory(dtype: DType) -> DType:
    """The dtype whose elements lie in memory: bytes for booleans."""
    return U8 if dtype == BOOL else dtype


def same_size_integer(dtype: DType) -> DType:
    """The signed integers with as many bits as ``dtype``."""
    return np.dtype(f"i{dtype.itemsize}")


def rounded(number: bool | int | float, dtype: DType) -> bool | int | float:
    """What a number becomes in a dtype. OverflowError if it is an integer that does not fit."""
    with np.errstate(over="ignore"):
        return dtype.type(number).item()  # type: ignore[no-any-return]


def literal(number: bool | int | float, dtype: DType) -> str:
    """A rounded number as LLVM text writes it: floats as the bits of a double."""
    if dtype.kind == "f":
        return f"0x{struct.unpack('>Q', struct.pack('>d', number))[0]:016X}"
    return str(number).lower()


class _Text(ir.Constant):  # type: ignore[misc]
    """A constant given as LLVM writes it, which for a vector is shorter than listing its elements."""

    def __init__(self, kind: Any, text: str) -> None:
        self.type = kind
        self.constant = text

    def get_reference(self) -> str:
        return str(self.constant)


class Lanes:
    """Writes operations on ``width`` lanes with ``builder``.

    ``avx512`` allows instructions that only machines with AVX-512 have; results are the same bits without. All lanes
    of one ``Lanes`` have one width, whatever their dtypes. Operands of an operation have one dtype: see ``cast``.
    """

    def __init__(self, builder: ir.IRBuilder, width: int, avx512: bool = False) -> None:
        self.builder = builder
        self.width = width
        self.avx512 = avx512

    # --- types and constants

    def type(self, dtype: DType) -> Any:
        """The LLVM type of a Lane of this dtype."""
        element = element_type(dtype)
        return element if self.width == 1 else ir.VectorType(element, self.width)

    def suffix(self, dtype: DType) -> str:
        """What intrinsics call that type."""
        name = f"{'f' if dtype.kind == 'f' else 'i'}{1 if dtype == BOOL else 8 * dtype.itemsize}"
        return name if self.width == 1 else f"v{self.width}{name}"

    def constant(self, number: bool | int | float, dtype: Any) -> Lane:
        """The same number in every lane. OverflowError if an integer does not fit."""
        dtype = np.dtype(dtype)
        number = rounded(number, dtype)
        text = literal(number, dtype)
        if self.width > 1:
            text = f"splat ({element_type(dtype)} {text})"
        return Lane(_Text(self.type(dtype), text), dtype, number)

    def like(self, x: Lane, number: bool | int | float) -> Lane:
        """A constant of the dtype of ``x``."""
        return self.constant(number, x.dtype)

    def spread(self, value: Any, dtype: Any) -> Lane:
        """One scalar in all lanes."""
        dtype = np.dtype(dtype)
        if self.width == 1:
            return Lane(value, dtype)
        kind = self.type(dtype)
        first = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.width), [0] * self.width)
        return Lane(self.builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros), dtype)

    # --- memory

    def loaded(self, value: Any, dtype: Any) -> Lane:
        """What was read from memory as a Lane: booleans are bytes there."""
        dtype = np.dtype(dtype)
        if dtype == BOOL:
            return Lane(self.builder.icmp_unsigned("!=", value, self.constant(0, U8).value), BOOL)
        return Lane(value, dtype)

    def stored(self, x: Lane) -> Any:
        """``x`` as it is written to memory."""
        return self.builder.zext(x.value, self.type(U8)) if x.dtype == BOOL else x.value

    # --- dtypes

    def cast(self, x: Lane, dtype: Any) -> Lane:
        """``x.astype(dtype)``; what does not fit into an integer becomes what x86 makes of it, or any number."""
        dtype = np.dtype(dtype)
        if dtype == x.dtype:
            return x
        if x.number is not None and dtype.kind == "f":
            return self.constant(x.number, dtype)
        if dtype == BOOL:
            return self.ne(x, self.like(x, 0))
        return Lane(self._converted(x, dtype), dtype)

    def _converted(self, x: Lane, dtype: DType) -> Any:
        b, to = self.builder, self.type(dtype)
        if x.floating and dtype.kind == "f":
            return b.fpext(x.value, to) if dtype == F64 else b.fptrunc(x.value, to)
        if dtype.kind == "f":
            return b.sitofp(x.value, to) if x.signed else b.uitofp(x.value, to)
        if x.floating:
            return self._truncated(x, dtype)
        if dtype.itemsize == x.dtype.itemsize and x.dtype != BOOL:
            return x.value
        if dtype.itemsize < x.dtype.itemsize:
            return b.trunc(x.value, to)
        return b.sext(x.value, to) if x.signed else b.zext(x.value, to)

    def _truncated(self, x: Lane, dtype: DType) -> Any:
        """Floats as integers; small ones by way of larger ones. Freezing makes the impossible cases harmless."""
        if dtype.kind == "u" and dtype.itemsize == 8:
            return self.freeze(self.builder.fptoui(x.value, self.type(dtype)))
        through = I32 if dtype.itemsize < 4 or dtype == I32 else I64
        whole = self.freeze(self.builder.fptosi(x.value, self.type(through)))
        return whole if dtype.itemsize == through.itemsize else self.builder.trunc(whole, self.type(dtype))

    def freeze(self, value: Any) -> Any:
        """A value that is what it is: LLVM must not conclude anything from how it came about."""
        frozen = ir.instructions.Instruction(self.builder.block, value.type, "freeze", [value])
        self.builder._insert(frozen)
        return frozen

    def bits(self, x: Lane) -> Lane:
        """The bits of floats, as signed integers of their size."""
        dtype = same_size_integer(x.dtype)
        return Lane(self.builder.bitcast(x.value, self.type(dtype)), dtype)

    def from_bits(self, x: Lane, dtype: Any) -> Lane:
        """Floats of these bits."""
        return Lane(self.builder.bitcast(x.value, self.type(np.dtype(dtype))), np.dtype(dtype))

    # --- arithmetic

    def add(self, x: Lane, y: Lane) -> Lane:
        return self._binary(x, y, "fadd", "add", "or_")

    def sub(self, x: Lane, y: Lane) -> Lane:
        return self._binary(x, y, "fsub", "sub", None)

    def mul(self, x: Lane, y: Lane) -> Lane:
        return self._binary(x, y, "fmul", "mul", "and_")

    def div(self, x: Lane, y: Lane) -> Lane:
        """x / y of floats."""
        return self._binary(x, y, "fdiv", None, None)

    def _binary(self, x: Lane, y: Lane, floats: str, integers: str | None, booleans: str | None) -> Lane:
        self._matched(x, y)
        name = floats if x.floating else booleans if x.dtype == BOOL else integers
        if name is None:
            raise TypeError(f"{floats[1:]} is not defined for {x.dtype}")
        return Lane(getattr(self.builder, name)(x.value, y.value), x.dtype)

    @staticmethod
    def _matched(x: Lane, *others: Lane) -> None:
        for y in others:
            if y.dtype != x.dtype:
                raise TypeError(f"lanes of {x.dtype} and of {y.dtype}: cast them first")

    def neg(self, x: Lane) -> Lane:
        return Lane(self.builder.fneg(x.value) if x.floating else self.builder.neg(x.value), x.dtype)

    def fma(self, x: Lane, y: Lane, z: Lane) -> Lane:
        """x * y + z with one rounding, for floats."""
        self._matched(x, y, z)
        return self.intrinsic("fma", x, y, z)

    def abs(self, x: Lane) -> Lane:
        if x.floating:
            return self.intrinsic("fabs", x)
        return self.select(self.lt(x, self.like(x, 0)), self.neg(x), x) if x.signed else x

    def sqrt(self, x: Lane) -> Lane:
        return self.intrinsic("sqrt", x)

    def floor(self, x: Lane) -> Lane:
        return self.intrinsic("floor", x) if x.floating else x

    def ceil(self, x: Lane) -> Lane:
        return self.intrinsic("ceil", x) if x.floating else x

    def trunc(self, x: Lane) -> Lane:
        return self.intrinsic("trunc", x) if x.floating else x

    def rint(self, x: Lane) -> Lane:
        """The nearest integer; the even one of two that are as near."""
        return self.intrinsic("roundeven", x) if x.floating else x

    def copysign(self, x: Lane, y: Lane) -> Lane:
        self._matched(x, y)
        return self.intrinsic("copysign", x, y)

    def whole_bits(self, x: Lane, offset: int) -> Lane:
        """Integers whose low bits (9 of a float32, 12 of a float64) are those of x + offset, for small whole floats.

        Adding 1.5 * 2 ** 23 to a float32 moves its units to the last bit of the significand.
        """
        units = 1.5 * 2.0 ** (52 if x.dtype == F64 else 23)
        return self.bits(self.add(x, self.like(x, units + offset)))

    def power_of_two(self, exponent: Lane) -> Lane:
        """2 ** exponent, for whole floats that give a normal number."""
        digits, bias = (52, 1023) if exponent.dtype == F64 else (23, 127)
        biased = self.whole_bits(exponent, bias)
        return self.from_bits(self.shift_left(biased, digits), exponent.dtype)

    def scale(self, x: Lane, exponent: Lane) -> Lane:
        """x * 2 ** exponent with one rounding, for x of about 1 and whole floats of at most 252 (float64: 2044)."""
        if self.avx512 and (bits := 8 * x.dtype.itemsize * self.width) in (128, 256, 512):
            return self._scalef(x, exponent, bits)
        digits, bias = (52, 1023) if x.dtype == F64 else (23, 127)
        both = self.whole_bits(exponent, 2 * bias)  # two factors, each a normal number
        half = Lane(self.builder.lshr(both.value, self.like(both, 1).value), both.dtype)
        for part in (half, self.sub(both, half)):
            x = self.mul(x, self.from_bits(self.shift_left(part, digits), x.dtype))
        return x

    def _scalef(self, x: Lane, exponent: Lane, bits: int) -> Lane:
        """The AVX-512 instruction: all lanes, rounded as usual."""
        mask = ir.Constant(ir.IntType(max(8, self.width)), -1)
        rounding = (ir.Constant(ir.IntType(32), 4),) if bits == 512 else ()
        name = f"x86.avx512.mask.scalef.{'ps' if x.dtype == F32 else 'pd'}.{bits}"
        operands = (x.value, exponent.value, x.value, mask, *rounding)
        return Lane(self.external(f"llvm.{name}", x.value.type, *operands), x.dtype)

    def power_of(self, x: Lane, exponent: int | float) -> Lane:
        """x ** exponent for a number: by multiplication where it is a small integer, or where x is an integer."""
        if not x.floating:
            return self._multiplied(x, int(exponent))
        if exponent == 0.5:
            return self.sqrt(x)
        if exponent in (-3, -2, -1):
            return self._multiplied(self.div(self.like(x, 1.0), x), int(-exponent))
        if exponent in (0, 1, 2, 3, 4):
            return self._multiplied(x, int(exponent))
        return self.power(x, self.like(x, exponent))  # type: ignore[no-any-return]

    def _multiplied(self, x: Lane, times: int) -> Lane:
        """x ** times by repeated squaring."""
        z = x if times else self.like(x, 1)
        for digit in bin(times)[3:]:
            z = self.mul(z, z)
            if digit == "1":
                z = self.mul(z, x)
        return z

    # --- comparing and choosing

    def lt(self, x: Lane, y: Lane) -> Lane:
        return self._compare("<", x, y)

    def le(self, x: Lane, y: Lane) -> Lane:
        return self._compare("<=", x, y)

    def gt(self, x: Lane, y: Lane) -> Lane:
        return self._compare(">", x, y)

    def ge(self, x: Lane, y: Lane) -> Lane:
        return self._compare(">=", x, y)

    def eq(self, x: Lane, y: Lane) -> Lane:
        return self._compare("==", x, y)

    def ne(self, x: Lane, y: Lane) -> Lane:
        return self._compare("!=", x, y)

    def _compare(self, how: str, x: Lane, y: Lane) -> Lane:
        self._matched(x, y)
        if x.floating:  # NaN differs from everything, and compares with nothing
            compare = self.builder.fcmp_unordered if how == "!=" else self.builder.fcmp_ordered
        else:
            compare = self.builder.icmp_signed if x.signed else self.builder.icmp_unsigned
        return Lane(compare(how, x.value, y.value), BOOL)

    def select(self, condition: Lane, x: Lane, y: Lane) -> Lane:
        """x where the boolean condition holds, else y."""
        self._matched(x, y)
        return Lane(self.builder.select(condition.value, x.value, y.value), x.dtype)

    def larger(self, x: Lane, y: Lane) -> Lane:
        """x if x > y, else y: one instruction, which gives y where either is NaN."""
        return self.select(self.gt(x, y), x, y)

    def smaller(self, x: Lane, y: Lane) -> Lane:
        """x if x < y, else y: one instruction, which gives y where either is NaN."""
        return self.select(self.lt(x, y), x, y)

    def maximum(self, x: Lane, y: Lane) -> Lane:
        """NaN where either is; of zeros of both signs, either one."""
        return self._extreme(self.larger, x, y)

    def minimum(self, x: Lane, y: Lane) -> Lane:
        """NaN where either is; of zeros of both signs, either one."""
        return self._extreme(self.smaller, x, y)

    def _extreme(self, extreme: Callable[[Lane, Lane], Lane], x: Lane, y: Lane) -> Lane:
        if y.never_nan:
            x, y = y, x
        chosen = extreme(x, y)
        return chosen if x.never_nan else self.select(self.isnan(x), x, chosen)

    def fmax(self, x: Lane, y: Lane) -> Lane:
        """The larger one; NaN only where both are."""
        return self.select(self.isnan(y), x, self.larger(x, y))

    def fmin(self, x: Lane, y: Lane) -> Lane:
        """The smaller one; NaN only where both are."""
        return self.select(self.isnan(y), x, self.smaller(x, y))

    def isnan(self, x: Lane) -> Lane:
        return Lane(self.builder.fcmp_unordered("uno", x.value, x.value), BOOL) if x.floating else self._all(False)

    def isfinite(self, x: Lane) -> Lane:
        return self.lt(self.abs(x), self.like(x, np.inf)) if x.floating else self._all(True)

    def isinf(self, x: Lane) -> Lane:
        return self.eq(self.abs(x), self.like(x, np.inf)) if x.floating else self._all(False)

    def _all(self, truth: bool) -> Lane:
        return self.constant(truth, BOOL)

    def signbit(self, x: Lane) -> Lane:
        """Whether the sign is negative, also that of -0.0 and of NaN."""
        bits = self.bits(x) if x.floating else x
        return self.lt(bits, self.like(bits, 0))

    def sign(self, x: Lane) -> Lane:
        """1, 0 or -1; NaN of NaN."""
        zero, one = self.like(x, 0), self.like(x, 1)
        negative = self.select(self.lt(x, zero), self.like(x, -1), zero) if x.dtype.kind in "if" else zero
        outcome = self.select(self.gt(x, zero), one, negative)
        return self.select(self.isnan(x), x, outcome) if x.floating else outcome

    # --- bits

    def and_(self, x: Lane, y: Lane) -> Lane:
        return self._bitwise("and_", x, y)

    def or_(self, x: Lane, y: Lane) -> Lane:
        return self._bitwise("or_", x, y)

    def xor(self, x: Lane, y: Lane) -> Lane:
        return self._bitwise("xor", x, y)

    def _bitwise(self, name: str, x: Lane, y: Lane) -> Lane:
        self._matched(x, y)
        return Lane(getattr(self.builder, name)(x.value, y.value), x.dtype)

    def not_(self, x: Lane) -> Lane:
        """Every bit turned; of a boolean, the other one."""
        return Lane(self.builder.not_(x.value), x.dtype)

    def shift_left(self, x: Lane, by: Lane | int) -> Lane:
        """x << by; 0 where ``by`` is not between 0 and the number of bits."""
        return self._shift(self.builder.shl, x, by, self.like(x, 0))

    def shift_right(self, x: Lane, by: Lane | int) -> Lane:
        """x >> by, filled with the sign; nothing but signs where ``by`` is not between 0 and the number of bits."""
        zero = self.like(x, 0)
        if not x.signed:
            return self._shift(self.builder.lshr, x, by, zero)
        return self._shift(self.builder.ashr, x, by, self.select(self.lt(x, zero), self.like(x, -1), zero))

    def _shift(self, shift: Any, x: Lane, by: Lane | int, beyond: Lane) -> Lane:
        bits = 8 * x.dtype.itemsize
        if isinstance(by, int):
            return Lane(shift(x.value, self.like(x, by).value), x.dtype) if 0 <= by < bits else beyond
        inside = self.builder.icmp_unsigned("<", by.value, self.like(x, bits).value)  # negative ones are large here
        safe = self.builder.select(inside, by.value, self.like(x, 0).value)
        return Lane(self.builder.select(inside, shift(x.value, safe), beyond.value), x.dtype)

    # --- functions

    def intrinsic(self, name: str, *xs: Lane) -> Lane:
        """An LLVM intrinsic whose operands and result have one type."""
        kind = self.type(xs[0].dtype)
        value = self.external(f"llvm.{name}.{self.suffix(xs[0].dtype)}", kind, *(x.value for x in xs))
        return Lane(value, xs[0].dtype)

    def external(self, name: str, result: Any, *values: Any) -> Any:
        """Call a function by name, declaring it on first use."""
        function = self.builder.module.globals.get(name)
        if function is None:
            signature = ir.FunctionType(result, [v.type for v in values])
            function = ir.Function(self.builder.module, signature, name)
        return self.builder.call(function, values)

    def __getattr__(self, name: str) -> Any:
        """The elementary function of that name, as a method: ``b.exp(x)``."""
        from chainrule.native.elementary import FUNCTIONS  # the functions are written in terms of lanes

        if name not in FUNCTIONS:
            raise AttributeError(f"lanes have no operation {name!r}")
        return partial(self.call, name, FUNCTIONS[name])

    def call(self, name: str, body: Callable[..., Lane], *xs: Lane, inline: bool = True) -> Lane:
        """``body(b, *xs)``, written once a module for this dtype and width, and called from here.

        The operands have one dtype, and the result has it, too.
        """
        self._matched(*xs)
        dtype = xs[0].dtype
        full_name = f"chainrule.{name}.{self.suffix(dtype)}"
        if full_name not in self.builder.module.globals:
            kind = self.type(dtype)
            function = ir.Function(self.builder.module, ir.FunctionType(kind, [kind] * len(xs)), full_name)
            function.linkage = "internal"
            function.attributes.add("alwaysinline" if inline else "noinline")
            builder = ir.IRBuilder(function.append_basic_block())
            inner = Lanes(builder, self.width, self.avx512)
            builder.ret(body(inner, *(Lane(value, dtype) for value in function.args)).value)
        return Lane(self.external(full_name, None, *(x.value for x in xs)), dtype)

    def where_any(self, rare: Lane, unusual: Callable[[], Lane], usual: Lane) -> Lane:
        """``unusual()`` in the lanes where ``rare`` holds, else ``usual``; computed only if it holds in any lane."""
        found = rare.value
        if self.width > 1:
            found = self.external(f"llvm.vector.reduce.or.{self.suffix(BOOL)}", ir.IntType(1), rare.value)
        before = self.builder.block
        with self.builder.if_then(found, likely=False):
            mixed = self.select(rare, unusual(), usual)
            after = self.builder.block
        result = self.builder.phi(usual.value.type)
        result.add_incoming(usual.value, before)
        result.add_incoming(mixed.value, after)
        return Lane(result, usual.dtype)

    def each(self, symbol: str, *xs: Lane) -> Lane:
        """The C library's function of floats, lane by lane: ``sin`` for float64, ``sinf`` for float32."""
        self._matched(*xs)
        name = symbol + "f" * (xs[0].dtype == F32)
        if self.width == 1:
            return Lane(self.external(name, self.type(xs[0].dtype), *(x.value for x in xs)), xs[0].dtype)
        return self.call(f"each.{symbol}", partial(_lane_by_lane, name=name), *xs, inline=False)


def _lane_by_lane(b: Lanes, *xs: Lane, name: str) -> Lane:
    """A loop over the lanes."""
    kind = element_type(xs[0].dtype)

    def one(i: Any, z: Any) -> Any:
        numbers = [b.builder.extract_element(x.value, i) for x in xs]
        return b.builder.insert_element(z, b.external(name, kind, *numbers), i)

    lanes = ir.Constant(ir.IntType(64), b.width)
    return Lane(count(b.builder, lanes, 1, xs[0].value, one), xs[0].dtype)


def count(builder: ir.IRBuilder, n: Any, step: int, carried: Any, body: Callable[[Any, Any], Any]) -> Any:
    """``for i in range(0, n, step): carried = body(i, carried)``, n a 64-bit integer; the last ``carried``."""
    before, test = builder.block, builder.append_basic_block("test")
    inside, after = builder.append_basic_block("inside"), builder.append_basic_block("after")
    builder.branch(test)
    builder.position_at_end(test)
    i, state = builder.phi(n.type), builder.phi(carried.type)
    i.add_incoming(ir.Constant(n.type, 0), before)
    state.add_incoming(carried, before)
    builder.cbranch(builder.icmp_signed("<", i, n), inside, after)
    builder.position_at_end(inside)
    state.add_incoming(body(i, state), builder.block)
    i.add_incoming(builder.add(i, ir.Constant(n.type, step)), builder.block)
    builder.branch(test)
    builder.position_at_end(after)
    return state

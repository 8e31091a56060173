"""A step that Python calls as one native function: arguments checked, pointers put in place, the table run.

``bind`` makes a callable from a ``Step``. It takes the arguments of the step and returns its results: new arrays, one
as it is, several as a tuple. A step without results (its outputs may be arguments) returns FINE, 0. Other ints tell why
there is no result:

    positive    a kernel stored this error code (the table was stopped at the next CHECK)
    MISMATCH    an argument is not what was bound: another type, dtype, shape, layout, or their number
    REBIND      a state has another buffer, or somebody else holds its buffer
    BUSY        another Python thread is running a step with the same context
    NO_TEAM     a team is wanted and not there: ``team.start()``, and call again

After a negative code nothing was done: no pointer was written, no kernel was run. Whatever is passed, it never raises
(but for MemoryError).

The native entry reads the fields of ndarrays themselves, as every C extension does, rather than asking for a buffer:
5 ns instead of 70 an argument. What it relies on is tried out first (``unsupported`` says what failed); where it does
not hold, ``PythonEntry`` does the same in Python. One compiled function serves all steps: a block of int64, the first
argument of the C function, describes the step (the types in ``entry.ll``).
"""

from __future__ import annotations

import ctypes
import platform
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from chainrule.graph.array import Array, new_leaf, next_number
from chainrule.native.dispatch import BUSY as BUSY_WORD
from chainrule.native.dispatch import Context, Words, check_table, read_ir, run_alone, runtime
from chainrule.native.jit import compile_ir
from chainrule.native.team import team

FINE, MISMATCH, REBIND, BUSY, NO_TEAM = 0, -1, -2, -3, -4

C_CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400  # ndarray flags of NumPy's C API
_ARRAY, _FLOAT, _INT, _SAME = range(4)
_METH_FASTCALL: Final = 0x80

Patch = tuple[int, int]
"""The address of an int64 (in a kernel's arguments), and what is added to the pointer or value written there."""


@dataclass(frozen=True)
class ArrayArgument:
    """An ndarray (not of a subclass) of this dtype, native and aligned, with this shape and these strides in bytes.

    Without strides it is C-contiguous. Strides of axes shorter than 2 do not matter. Its data pointer is patched in.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None
    writable: bool = False
    patches: Sequence[Patch] = ()

    def suits(self, value: Any) -> bool:
        """Whether ``value`` is such an array."""
        if type(value) is not np.ndarray or value.dtype is not canonical(self.dtype) or value.shape != self.shape:
            return False
        if not value.flags.aligned or (self.writable and not value.flags.writeable):
            return False
        if self.strides is None:
            return value.flags.c_contiguous
        axes = zip(self.shape, value.strides, self.strides, strict=True)
        return all(length < 2 or stride == wanted for length, stride, wanted in axes)

    def conform(self, value: Any) -> NDArray[Any]:
        """``value`` as an array that suits, a copy. Raises ValueError where the shape differs."""
        value = np.asarray(value)
        if value.shape != self.shape:
            raise ValueError(f"an array of shape {self.shape} is wanted, not {value.shape}")
        if self.strides is None:
            result = np.empty(self.shape, canonical(self.dtype))
        else:
            result = _like_strides(self.shape, self.strides, canonical(self.dtype))
        result[...] = value
        return result


@dataclass(frozen=True)
class FloatArgument:
    """A Python float; the bits of the double are patched in (an offset is added to the bits: leave it 0)."""

    patches: Sequence[Patch] = ()


@dataclass(frozen=True)
class IntArgument:
    """A Python int that fits into 64 bits, not a bool; its value is patched in."""

    patches: Sequence[Patch] = ()


@dataclass(frozen=True)
class SameArgument:
    """One particular object: a module, None, True, a small int or an interned string."""

    value: Any


Argument = ArrayArgument | FloatArgument | IntArgument | SameArgument


@dataclass(frozen=True)
class Held:
    """An ndarray that the table has pointers into: at each call it must be as it was when bound.

    With an ``owner``, the owner's value must still be this ndarray, and ``references`` (None: any number) must be its
    reference count, 1 if the owner alone holds it (so let go of the Step after binding). Without, the entry keeps it.
    """

    value: NDArray[Any]
    owner: Array | None = None
    references: int | None = None


@dataclass(frozen=True)
class Step:
    """What an entry runs: rows ``first`` to before ``last`` of a table.

    ``held`` are the states and captures; ``renumbered`` get a new creation number after each run without error, the
    same for all, from ``number``. A ``long`` step releases the interpreter lock (50 ns); ``team`` runs it on the whole
    team. ``keep`` is whatever the addresses in the table need to stay alive; it must not hold owners' values.
    """

    table: Words
    context: Context
    arguments: Sequence[Argument] = ()
    held: Sequence[Held] = ()
    renumbered: Sequence[Array] = ()
    first: int = 0
    last: int | None = None
    long: bool = False
    team: bool = False
    keep: Any = None
    number: Callable[[], int] = field(default=next_number)
    results: Sequence[ArrayArgument] = ()
    """Made at each call, C-contiguous, and returned."""


def bind(step: Step) -> Callable[..., Any]:
    """The callable of a step: native where that is supported."""
    return PythonEntry(step) if unsupported() else native_entry(step)


def canonical(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The one dtype object that NumPy's arrays of this dtype share (``long long`` is not ``int64``, though equal)."""
    return np.dtype(dtype.str)


# ---- the native entry


def native_entry(step: Step) -> Callable[..., Any]:
    """A C function that runs the step, for ``bind``."""
    block = _Block(step)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, [ctypes.POINTER(_Method), ctypes.py_object, ctypes.c_void_p]
    return new(ctypes.byref(_method()), block.words, None)  # type: ignore[no-any-return]


class _Method(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )
    code: Any  # keeps the function loaded


@cache
def _method() -> _Method:
    addresses, code = compile_ir(read_ir("entry.ll"), ["entry"], effort=1)
    method = _Method(b"step", addresses["entry"], _METH_FASTCALL, b"A compiled step; see chainrule.native.entry.")
    method.code = code
    return method


class _KeepingArray(np.ndarray[Any, Any]):
    """An ndarray that keeps other objects alive."""

    kept: list[Any]


class _Block:
    """The description of a step, in the layout of ``%Entry``, followed by the tables it points to."""

    def __init__(self, step: Step) -> None:
        rows = check_table(step.table)
        first, last, _ = slice(step.first, step.last).indices(rows)
        self.used = _ENTRY_WORDS
        words: Any = np.zeros(_words_needed(step), np.int64).view(_KeepingArray)
        self.words = words
        self.kept: list[Any] = [step.table, step.context, step.keep, step.number, *step.renumbered]
        self.words.kept = self.kept
        self.patches: list[int] = []
        arguments, results = self._arguments(step.arguments), self._results(step.results)
        patches = self.add(*self.patches)
        held = self.add(*(word for x in step.held for word in self._held(x)))
        slots = self.add(*(slot_address(x, "number") for x in step.renumbered))
        self.words[:_ENTRY_WORDS] = [
            *(len(step.arguments), arguments, patches),
            *(len(step.held), held),
            *(len(step.renumbered), slots, id(step.number)),
            *(step.table.ctypes.data, first, last, step.context.address),
            *(step.long, team.address if step.team else 0, id(np.ndarray)),
            runtime().addresses["run_team" if step.team else "run_alone"],
            *(len(step.results), results, id(np.empty)),
        ]

    def add(self, *words: int) -> int:
        """Append words; their address."""
        start = self.used
        self.used += len(words)
        self.words[start : self.used] = words
        return int(self.words.ctypes.data) + 8 * start

    def _arguments(self, arguments: Sequence[Argument]) -> int:
        rows: list[int] = []
        for argument in arguments:
            if isinstance(argument, SameArgument):
                self.kept.append(argument.value)
                rows += [_SAME, id(argument.value), 0, 0]
            elif isinstance(argument, ArrayArgument):
                rows += [_ARRAY, self._array_layout(argument), *self._patches(argument.patches)]
            else:
                rows += [_KINDS[type(argument)], 0, *self._patches(argument.patches)]
        return self.add(*rows)

    def _results(self, results: Sequence[ArrayArgument]) -> int:
        rows: list[int] = []
        for result in results:
            shape, dtype = tuple(result.shape), canonical(result.dtype)
            self.kept += [shape, dtype]
            rows += [id(shape), id(dtype), self._array_layout(result), *self._patches(result.patches)]
        return self.add(*rows)

    def _patches(self, patches: Sequence[Patch]) -> tuple[int, int]:
        """The numbers of the first patch, and of the one after the last."""
        first = len(self.patches) // 2
        self.patches += [word for patch in patches for word in patch]
        return first, len(self.patches) // 2

    def _array_layout(self, argument: ArrayArgument) -> int:
        flags = ALIGNED | WRITEABLE * argument.writable | C_CONTIGUOUS * (argument.strides is None)
        strides = argument.strides or (0,) * len(argument.shape)
        return self._layout(canonical(argument.dtype), flags, argument.shape, strides)

    def _layout(self, dtype: np.dtype[Any], flags: int, shape: Sequence[int], strides: Sequence[int]) -> int:
        self.kept.append(dtype)
        return self.add(id(dtype), flags, len(shape), *shape, *strides)

    def _held(self, held: Held) -> list[int]:
        value, owner = held.value, held.owner
        if owner is None:
            self.kept.append(value)
        elif owner._value is not value:
            raise ValueError(f"{owner.label()} holds another value than the one to bind")
        else:
            self.kept.append(owner)
        flags = ALIGNED if owner is None else ALIGNED | WRITEABLE
        slot = 0 if owner is None else slot_address(owner, "_value")
        references = -1 if held.references is None else held.references
        # Not the canonical dtype: an array that was unpickled has one of its own, and the entry compares addresses.
        layout = self._layout(value.dtype, flags, value.shape, value.strides)
        return [slot, id(value), references, layout, value.ctypes.data]


_ENTRY_WORDS: Final = 19
_KINDS: dict[type, int] = {FloatArgument: _FLOAT, IntArgument: _INT}


def _words_needed(step: Step) -> int:
    count = _ENTRY_WORDS + len(step.renumbered)
    for argument in step.arguments:
        count += 4 + (0 if isinstance(argument, SameArgument) else 2 * len(argument.patches))
        count += 3 + 2 * len(argument.shape) if isinstance(argument, ArrayArgument) else 0
    count += sum(5 + 3 + 2 * len(result.shape) + 2 * len(result.patches) for result in step.results)
    return count + sum(5 + 3 + 2 * held.value.ndim for held in step.held)


# ---- the same in Python


class PythonEntry:
    """Does what the native entry does, with the same codes, at some microseconds a call."""

    def __init__(self, step: Step) -> None:
        check_table(step.table)
        self.step = replace(step, held=())  # which would hold the owners' values
        self._held = [_Known(held) for held in step.held]

    def __call__(self, *values: Any) -> Any:
        """Run the step."""
        step = self.step
        if len(values) != len(step.arguments):
            return MISMATCH
        if step.context.words[BUSY_WORD]:
            return BUSY
        step.context.words[BUSY_WORD] = 1
        try:
            if refused := self._refused(values):
                return refused
            results = [np.empty(result.shape, canonical(result.dtype)) for result in step.results]
            for argument, value in zip((*step.arguments, *step.results), (*values, *results), strict=True):
                _patch(argument, value)
            code = self._run()
        finally:
            step.context.words[BUSY_WORD] = 0
        if code == FINE and step.renumbered:
            number = step.number()
            for owner in step.renumbered:
                owner.number = number
        if code != FINE or not results:
            return code
        return results[0] if len(results) == 1 else tuple(results)

    def _refused(self, values: Sequence[Any]) -> int:
        if self.step.team and team.size == 0:
            return NO_TEAM
        if not all(known.unchanged() for known in self._held):
            return REBIND
        fine = all(_suits(argument, value) for argument, value in zip(self.step.arguments, values, strict=True))
        return FINE if fine else MISMATCH

    def _run(self) -> int:
        step = self.step
        if step.team:
            return team.run(step.table, step.context, step.first, step.last)
        return run_alone(step.table, step.context, step.first, step.last)


class _Known:
    """A held array as it was when bound; the array itself only where nobody owns it."""

    def __init__(self, held: Held) -> None:
        value, self.owner, self.references = held.value, held.owner, held.references
        self.captured = value if held.owner is None else None
        self.identity = id(value)
        self.memory = _memory(value)

    def unchanged(self) -> bool:
        if self.owner is None:
            return bool(_memory(self.captured) == self.memory)
        if not hasattr(self.owner, "_value") or id(self.owner._value) != self.identity:
            return False
        if self.references is not None and sys.getrefcount(self.owner._value) - 1 != self.references:
            return False
        return bool(self.owner._value.flags.writeable) and _memory(self.owner._value) == self.memory


def _memory(value: Any) -> Any:
    return value.ctypes.data, value.shape, value.strides, value.dtype


def _suits(argument: Argument, value: Any) -> bool:
    if isinstance(argument, FloatArgument):
        return type(value) is float
    if isinstance(argument, IntArgument):
        return type(value) is int and -(2**63) <= value < 2**63
    if isinstance(argument, SameArgument):
        return value is argument.value
    return argument.suits(value)


def _patch(argument: Argument, value: Any) -> None:
    if isinstance(argument, SameArgument):
        return
    for address, offset in argument.patches:
        if isinstance(argument, FloatArgument):
            ctypes.c_double.from_address(address).value = value
        else:
            number = value.ctypes.data if isinstance(argument, ArrayArgument) else value
            ctypes.c_int64.from_address(address).value = number + offset


def _like_strides(shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An uninitialised array with these strides, of which none may be negative."""
    extent = sum(max(n - 1, 0) * stride for n, stride in zip(shape, strides, strict=True)) + dtype.itemsize
    buffer = np.empty(extent // dtype.itemsize + 1, dtype)
    return np.ndarray(shape, dtype, buffer, 0, strides)


# ---- what the native entry relies on, tried out


@cache
def unsupported() -> str | None:
    """Why there can be no native entry in this interpreter; None if there can."""
    if platform.python_implementation() != "CPython":
        return "the interpreter is not CPython"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "the interpreter has no lock"
    if sys.version_info >= (3, 14):
        return "reference counts of Python 3.14 and later are laid out differently"
    if not (_array_fields_hold() and _object_head_holds()):
        return "objects are laid out differently in this interpreter or this NumPy"
    try:
        slot_offset("_value")
        slot_offset("number")
    except LookupError as error:
        return str(error)
    return None


def slot_address(owner: Array, name: str) -> int:
    """The address of the pointer behind a slot of an Array."""
    return id(owner) + slot_offset(name)


@cache
def slot_offset(name: str) -> int:
    """How far into an Array the slot ``name`` lies, in bytes: found by looking for what the slot holds.

    Raises LookupError where it cannot be found, or is not in the same place in another Array.
    """
    offsets = {_find(_array_with(name, marker), marker) for marker in (object(), object(), object())}
    if len(offsets) != 1:
        raise LookupError(f"the slot {name} of an Array is not where it is in another one")
    return offsets.pop()


def _array_with(name: str, marker: object) -> Array:
    array = new_leaf(Array, np.zeros(1), live=False)
    setattr(array, name, marker)
    return array


def _find(array: Array, marker: object) -> int:
    words = (ctypes.c_size_t * (Array.__basicsize__ // 8)).from_address(id(array))
    found = [8 * k for k, word in enumerate(words) if word == id(marker)]
    if len(found) != 1:
        raise LookupError("the slots of an Array cannot be found in memory")
    return found[0]


class _ArrayFields(ctypes.Structure):
    """``PyArrayObject_fields`` of NumPy's C API, as far as it matters here."""

    _fields_ = (
        ("references", ctypes.c_int64),
        ("type", ctypes.c_size_t),
        ("data", ctypes.c_size_t),
        ("ndim", ctypes.c_int),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("base", ctypes.c_void_p),
        ("dtype", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


def _array_fields_hold() -> bool:
    base = np.zeros((4, 3, 5), np.float32)
    read_only = base[:2]
    read_only.setflags(write=False)
    samples = [base, base[1:, ::2, 3], base.T, read_only, np.zeros((), np.bool_), np.zeros((2, 0), np.int64)]
    return all(_as_told(x, _ArrayFields.from_address(id(x))) for x in samples)


def _as_told(x: NDArray[Any], fields: _ArrayFields) -> bool:
    told = (id(type(x)), x.ctypes.data, x.ndim, id(x.dtype), x.flags.num)
    seen = (fields.type, fields.data, fields.ndim, fields.dtype, fields.flags)
    shape, strides = (tuple(getattr(fields, name)[: x.ndim]) for name in ("shape", "strides"))
    flags = C_CONTIGUOUS * x.flags.c_contiguous | ALIGNED * x.flags.aligned | WRITEABLE * x.flags.writeable
    same = told == seen and shape == x.shape and strides == x.strides
    return bool(same and fields.flags & (C_CONTIGUOUS | ALIGNED | WRITEABLE) == flags)


def _object_head_holds() -> bool:
    """Whether an object begins with its reference count, and then its type."""
    value = np.zeros(3)
    head = _ArrayFields.from_address(id(value))
    before = head.references
    more = [value] * 5
    return bool(before == 1 and head.references == 1 + len(more))

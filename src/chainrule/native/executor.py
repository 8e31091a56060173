"""Running a Program natively: kernels compiled, memory in place, the whole step as one call.

Between two gates that NumPy runs (there are none in most programs) lies a *stretch*: rows of one step table. A Program
of a single stretch is called through its entry (``native.entry``), which checks the arguments and does all the rest
itself; otherwise Python goes from stretch to stretch.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from chainrule.graph.array import raw
from chainrule.graph.state import State
from chainrule.native import dispatch
from chainrule.native.batches import Many
from chainrule.native.cores import get_threads
from chainrule.native.dispatch import Context, run_alone
from chainrule.native.entry import (
    MISMATCH,
    NO_TEAM,
    REBIND,
    ArrayArgument,
    FloatArgument,
    Held,
    Step,
    bind,
    canonical,
)
from chainrule.native.jit import Latest, Recipe, compile_recipes
from chainrule.native.loops import kernel_text
from chainrule.native.nest import Nest, late_steps
from chainrule.native.plan import plan
from chainrule.native.products import choose_split, product_ir, product_kernel, product_recipe, scratch_bytes
from chainrule.native.random_words import with_random_words
from chainrule.native.repeat import Repeat, loop_code
from chainrule.native.repeat import block as loop_block
from chainrule.native.structure import Pointer, arguments, lanes_of, row_axis, structure, tile, vector_axis
from chainrule.native.target import current
from chainrule.native.team import team
from chainrule.native.views import Buffer, View
from chainrule.native.work import Kernel, Library, Output, Product, Work
from chainrule.program import interpreter
from chainrule.program.minibatches import Minibatches
from chainrule.program.program import Program, Value

LONG = 40_000
"""Operations from which a step lets other Python threads run meanwhile."""
ENOUGH = 8
"""So many parts of a row of the table are enough for a team: larger teams than two, and chunks of even length."""
WORTH_A_TEAM = 4_000_000
"""Operations from which a step is divided among threads, and a loop nest in it."""


class Executor:
    """A Program as native code. One call at a time: callers hold a lock."""

    def __init__(self, program: Program) -> None:
        self.program = program
        work = with_random_words(program)
        self.plan = plan(work)
        self.target = current()
        self._keep: list[Any] = []
        self._arena = dispatch.aligned_words(self.plan.arena // 8 + 8)
        self._owner = dict(work.captures)
        self.stored = [state for state, _ in program.stores]
        for state in self.stored:
            self._owner.setdefault(self.plan.in_place[state].source, state)
        self._patches: dict[Any, list[tuple[int, int]]] = {}
        self._cells = {v: np.zeros(1) for v in program.inputs if v.weak}
        self._keep.append(compile_recipes(self._recipes()))
        self._loops: list[tuple[Repeat, list[Any]]] = []  # those whose rows are being made, the innermost last
        self._kernels = {kernel: self._address(kernel) for kernel in self.plan.every()}
        self._context = Context(self._scratch())
        self._threads = 0
        self._outputs = [(v.shape, canonical(v.dtype)) for v in program.outputs]
        self._build()

    # ---- the table

    def _build(self) -> None:
        """Arguments and tables, for the number of threads there are now; then pointers and the entry."""
        self._threads = get_threads()
        self._patches.clear()
        rows: list[list[Any]] = [[]]
        self._library: list[Library] = []
        for kernel in self.plan.kernels:
            if isinstance(kernel.work, Library):
                self._library.append(kernel.work)
                rows.append([])
            elif not _empty(kernel.work):
                rows[-1].append(kernel)
        self._work = [sum(_operations(k.work) for k in stretch) for stretch in rows]
        shared = max(sum(_operations(k.work) for k in each if not isinstance(k.work, Repeat)) for each in rows)
        self.uses_team = self._threads > 1 and shared > WORTH_A_TEAM  # a loop is one thread's
        if self.uses_team:
            team.need_scratch(self._scratch())
        self._tables = [self._table(stretch) for stretch in rows]
        self._place_states()
        self._entry: Any = self._bound() if len(rows) == 1 else None

    def _table(self, kernels: list[Kernel]) -> Any:
        table = dispatch.empty_table(len(kernels))
        for row, kernel in zip(table, kernels, strict=True):
            row[dispatch.KERNEL] = self._kernels[kernel]
            if isinstance(kernel.work, Product):
                self._product_row(row, kernel.work)
            elif isinstance(kernel.work, Nest):
                self._nest_row(row, kernel.work)
            elif isinstance(kernel.work, Repeat):
                self._repeat_row(row, kernel.work)
            row[dispatch.FLAGS] = dispatch.CHECK * kernel.checked
        return table

    def _repeat_row(self, row: Any, work: Repeat) -> None:
        self._loops.append((work, []))
        table = self._table([kernel for kernel in work.plan.kernels if not _empty(kernel.work)])
        _, moves = self._loops.pop()
        self._keep.append(table)
        row[dispatch.ARGS] = self._block(loop_block(table, dispatch.runtime().addresses["run_alone"], 0, moves))
        row[[dispatch.I1, dispatch.J1]] = work.length, 1

    def _nest_row(self, row: Any, nest: Nest) -> None:
        row[dispatch.ARGS] = self._block(arguments(nest))
        row[[dispatch.I1, dispatch.J1]] = _rectangle(nest)
        if self.uses_team and _operations(nest) > WORTH_A_TEAM // 8 and nest.kept and not nest.serial:
            row[[dispatch.SPLIT, dispatch.GRAIN]] = _divided(nest, self.target.vector_bytes)

    def _product_row(self, row: Any, work: Product) -> None:
        (m, k), n = work.a.shape, work.b.shape[1]
        epilogue: list[int | Pointer] = [0, 0]
        if work.epilogue is not None:
            epilogue = [self._nest_address(work.epilogue), self._block(arguments(work.epilogue))]
        pointers = [Pointer(v.buffer, v.offset) for v in (work.a, work.b, work.c)]
        sizes = [m, n, k, *work.a.strides, *work.b.strides, work.c.strides[0]]
        distances = [step * work.c.buffer.dtype.itemsize for step in work.steps]
        row[dispatch.ARGS] = self._block([*pointers, *sizes, *epilogue, *distances])
        if work.count > 1:
            row[[dispatch.I1, dispatch.J1]] = work.count, 1
            row[[dispatch.SPLIT, dispatch.GRAIN]] = dispatch.ALONG_I if self.uses_team else dispatch.WHOLE, 1
        else:
            row[[dispatch.I1, dispatch.J1]] = m, n
            split = choose_split(m, n, k, self._threads if self.uses_team else 1, work.c.buffer.dtype)
            row[[dispatch.SPLIT, dispatch.GRAIN]] = split.axis, split.grain
        row[dispatch.THREADS] = self._threads  # which is one chunk each: every chunk copies B or a part of it

    def _block(self, words: Sequence[int | Pointer]) -> int:
        """A kernel's block of arguments; where its pointers must be written is noted by what they point into."""
        block = dispatch.aligned_words(len(words))
        self._keep.append(block)
        start = block.ctypes.data
        for k, word in enumerate(words):
            block[k] = self._pointer(word, start + 8 * k) if isinstance(word, Pointer) else word
        return start

    def _pointer(self, pointer: Pointer, address: int) -> int:
        """The word that is to stand at ``address`` for a pointer, as far as it is known."""
        if self._loops:
            loop, moves = self._loops[-1]
            moves.append((address, *loop.outside(pointer)))
            return 0
        buffer, distance = pointer.buffer, pointer.offset * pointer.buffer.dtype.itemsize
        if buffer.source is None:
            return int(self._arena.ctypes.data) + buffer.offset + distance
        if buffer.source in self._cells:
            return int(self._cells[buffer.source].ctypes.data)
        self._patches.setdefault(_key(buffer.source), []).append((address, distance))
        return 0

    # ---- code

    def _recipes(self) -> list[Recipe]:
        """All that has to be compiled, to be compiled at once; the large modules first."""
        dtypes, shapes = self._distinct()
        new = [
            self._nest_recipe(shape, nest) for shape, nest in shapes.items() if _nests.get((self.target, shape)) is None
        ]
        return [*map(product_recipe, dtypes), *new]

    def _distinct(self) -> tuple[list[np.dtype[Any]], dict[Any, Nest]]:
        """The dtypes of the products, and of each structure one nest: what kernels there are."""
        works = [kernel.work for kernel in self.plan.every()]
        products = [work for work in works if isinstance(work, Product)]
        nests = [work for work in works if isinstance(work, Nest)] + [p.epilogue for p in products if p.epilogue]
        dtypes = dict.fromkeys(p.c.buffer.dtype for p in products)
        return list(dtypes), {structure(nest, self.target.vector_bytes): nest for nest in nests}

    def _nest_recipe(self, shape: Any, nest: Nest) -> Recipe:
        return Recipe(repr(shape), lambda: kernel_text(nest, self.target.vector_bytes, "nest"), ["nest"])

    def _address(self, kernel: Kernel) -> int:
        if isinstance(kernel.work, Nest):
            return self._nest_address(kernel.work)
        if isinstance(kernel.work, Product):
            if kernel.work.epilogue is not None:
                self._nest_address(kernel.work.epilogue)
            address, code = product_kernel(kernel.work.c.buffer.dtype, batch=kernel.work.count > 1)
            self._keep.append(code)
            return address
        if isinstance(kernel.work, Repeat):
            addresses, code = loop_code()
            self._keep.append(code)
            return addresses["repeat"]
        return 0

    def _nest_address(self, nest: Nest) -> int:
        shape = structure(nest, self.target.vector_bytes)
        code = _nests.get((self.target, shape))
        if code is None:
            (code,) = compile_recipes([self._nest_recipe(shape, nest)])
        _nests.put((self.target, shape), code)
        self._keep.append(code)
        return code.addresses["nest"]

    def _scratch(self) -> int:
        products = (k.work for k in self.plan.every() if isinstance(k.work, Product))
        return max((scratch_bytes(p.c.buffer.dtype) for p in products), default=0)

    def llvm(self) -> str:
        """The IR of every kernel, each once, the largest modules last."""
        dtypes, shapes = self._distinct()
        nests = (kernel_text(nest, self.target.vector_bytes) for nest in shapes.values())
        return "\n".join([*nests, *(product_ir(dtype, self.target)[0] for dtype in dtypes)])

    # ---- memory

    def _place_states(self) -> None:
        """Write the addresses of States and captures into the kernels' arguments; States that are written get a
        buffer of their own if somebody else holds theirs.
        """
        self._held = []
        stored = {id(state) for state in self.stored}
        for state in self.stored:
            state.own()
        for value, owner in self._owner.items():
            held = np.asarray(raw(owner))
            for address, distance in self._patches.get(value, ()):
                _write(address, held.ctypes.data + distance)
            if isinstance(owner, State):
                self._held.append(Held(owner._value, owner, 1 if id(owner) in stored else None))
            else:
                self._held.append(Held(held))

    def _bound(self) -> Any:
        arguments = [
            FloatArgument([(self._cells[v].ctypes.data, 0)])
            if v.weak
            else ArrayArgument(v.dtype, v.shape, patches=self._patches.get(v, ()))
            for v in self.program.inputs
        ]
        results = [
            ArrayArgument(v.dtype, v.shape, patches=self._patches.get(k, ()))
            for k, v in enumerate(self.program.outputs)
        ]
        held, self._held = self._held, []  # the entry keeps no reference to what owners hold, nor may we
        return bind(
            Step(
                table=self._tables[0],
                context=self._context,
                arguments=arguments,
                results=results,
                held=held,
                renumbered=self.stored,
                long=self._work[0] > LONG,
                team=self.uses_team,
                keep=(self._keep, self._arena, self._cells),
            )
        )

    # ---- running

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """The outputs for these ndarrays and floats, as fresh ndarrays; States are assigned, or nothing is changed.

        Raises IndexError for an index out of range, and what NumPy raises in gates that it runs.
        """
        if self._threads != get_threads():
            self._build()
        if self._entry is None:
            outputs = [np.empty(shape, dtype) for shape, dtype in self._outputs]
            self._run_stretches(inputs, outputs)
            return outputs
        found = self._entry(*inputs)
        if type(found) is int:
            found = self._try_again(found, inputs)
        return list(found) if type(found) is tuple else [] if type(found) is int else [found]

    def attempt(self, args: tuple[Any, ...]) -> Sequence[Any] | None:
        """As ``run``, for arguments that need not be conformed; None, and nothing was done, where anything is amiss."""
        entry = self._entry
        if entry is None:
            return None
        found = entry(*args)
        if type(found) is np.ndarray:
            return (found,)
        if type(found) is int:
            return None if found or self._outputs else ()
        return found  # type: ignore[no-any-return]

    def many(
        self, inputs: Sequence[Any], steps: Minibatches, count: int, last: frozenset[int]
    ) -> tuple[list[Any], int]:
        """The next ``count`` steps over minibatches, the first of which is ``inputs``: see ``native.batches``."""
        reading = steps.reading(count)
        sources = [*reading.sources, *[None] * (len(inputs) - len(reading.sources))]
        return Many(self, sources, reading.order, steps.batch, last).run(inputs, reading.first, count)

    def _try_again(self, found: Any, inputs: Sequence[Any]) -> Any:
        """Do what the code that the entry returned asks for, and call it again; what it returns in the end."""
        conformed = list(inputs)
        while type(found) is int and found < 0:
            if found == MISMATCH:
                fitting = [self._fitting(v, x) for v, x in zip(self.program.inputs, conformed, strict=True)]
                if all(a is b for a, b in zip(fitting, conformed, strict=True)):
                    raise RuntimeError("internal error: the native entry refuses arguments that fit")
                conformed = fitting
            elif found == REBIND:
                self._place_states()
                self._entry = self._bound()
            elif found == NO_TEAM:
                team.start()
            found = self._entry(*conformed)
        if type(found) is int and found > 0:
            self._explain(conformed)
        return found

    @staticmethod
    def _fitting(value: Value, x: Any) -> Any:
        if value.weak:
            return float(x)
        wanted = ArrayArgument(value.dtype, value.shape)
        return x if wanted.suits(x) else wanted.conform(x)

    def _explain(self, inputs: Sequence[Any]) -> None:
        """Run the Program gate by gate, so that NumPy raises the error that a kernel met. Nothing was written yet."""
        interpreter.run(self.program, inputs)
        raise RuntimeError("internal error: a native kernel met an error that NumPy does not see")

    def _run_stretches(self, inputs: Sequence[Any], outputs: list[Any]) -> None:
        """Stretches of native code, and NumPy's gates between them."""
        kept = self._point_all(inputs, outputs)
        memory = self._memory(kept, outputs)
        for number, table in enumerate(self._tables):
            if self.run_rows(table):
                self._explain(kept)
            if number < len(self._library):
                self._run_library(self._library[number], memory)
        for state in self.stored:
            state.writable()  # which gives the new value its number

    def _point_all(self, inputs: Sequence[Any], outputs: list[Any]) -> list[Any]:
        """Let every kernel's arguments point where they should; the inputs as they are read."""
        self._place_states()
        kept = [self._fitting(v, x) for v, x in zip(self.program.inputs, inputs, strict=True)]
        for value, x in zip(self.program.inputs, kept, strict=True):
            self._point(value, x)
        for number, x in enumerate(outputs):
            self._point(number, x)
        return kept

    def singly(self, inputs: Sequence[Any]) -> Iterator[tuple[Kernel, Any, Callable[[], Any]]]:
        """Each kernel in order with its row of a table (None for what NumPy runs) and a function that runs it."""
        outputs = [np.empty(shape, dtype) for shape, dtype in self._outputs]
        kept = self._point_all(inputs, outputs)
        memory = self._memory(kept, outputs)
        tables, stretch, row = self._tables, 0, 0
        for kernel in self.plan.kernels:
            if isinstance(kernel.work, Library):
                yield kernel, None, partial(self._run_library, kernel.work, memory)
                stretch, row = stretch + 1, 0
            elif not _empty(kernel.work):
                only = tables[stretch][row : row + 1]
                yield kernel, only, partial(self.run_rows, only)
                row += 1

    def _memory(self, inputs: list[Any], outputs: list[Any]) -> dict[Value | int, Any]:
        """The arrays of a call that kernels read and write: inputs by their Values, results by their numbers."""
        return {**dict(zip(self.program.inputs, inputs, strict=True)), **dict(enumerate(outputs))}

    def _point(self, key: Any, x: Any) -> None:
        if isinstance(key, Value) and key.weak:
            self._cells[key][0] = x
            return
        for address, distance in self._patches.get(key, ()):
            _write(address, x.ctypes.data + distance)

    def run_rows(self, table: Any) -> int:
        """Run some rows of a table with what their arguments point to at present; the error code."""
        if not len(table):
            return 0
        shared = self.uses_team and table[:, dispatch.SPLIT].any()
        return team.run(table, self._context) if shared else run_alone(table, self._context)

    def _run_library(self, work: Library, memory: dict[Value | int, Any]) -> None:
        operands = [
            self._seen(x, work.instruction.operands[k], memory) if isinstance(x, View) else x
            for k, x in enumerate(work.operands)
        ]
        z = work.instruction.gate.forward(*operands)
        result = self._seen(work.result, work.instruction.result, memory)
        result[...] = z[0] if isinstance(z, tuple) else z

    def _seen(self, view: View, value: Any, memory: dict[Value | int, Any]) -> Any:
        """A view as an ndarray."""
        if isinstance(value, Value) and value.weak:
            return float(self._seen(view, None, memory))
        start, kept = self._base(view.buffer, memory)
        size = view.buffer.dtype.itemsize
        strides = tuple(s * size for s in view.strides)
        return np.asarray(_Memory(start + view.offset * size, view.buffer.dtype, view.shape, strides, kept))

    def _base(self, buffer: Buffer, memory: dict[Value | int, Any]) -> tuple[int, Any]:
        """The address of a buffer, and what owns the memory there."""
        if buffer.source is None:
            return self._arena.ctypes.data + buffer.offset, self._arena
        key = _key(buffer.source)
        owner = self._cells.get(key)  # a Python float among the inputs
        if owner is None:
            owner = memory.get(key)
        if owner is None:
            owner = np.asarray(raw(self._owner[key]))
        return owner.ctypes.data, owner


class _Memory:
    """Elements somewhere in memory, as NumPy takes them in without a copy."""

    def __init__(self, address: int, dtype: np.dtype[Any], shape: Any, strides: Any, owner: Any) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "data": (address, False), "typestr": dtype.str, "shape": shape, "strides": strides, "version": 3
        }  # fmt: skip


_nests = Latest()
"""Loop nests by target and structure."""


def _write(address: int, word: int) -> None:
    """Store a 64-bit integer at an address."""
    np.ctypeslib.as_array((ctypes.c_int64 * 1).from_address(address))[0] = word


def _key(source: Any) -> Any:
    """What arrays outside of the arena go by: a result by its number, all else by its Value."""
    return source.number if isinstance(source, Output) else source


def _rectangle(nest: Nest) -> tuple[int, int]:
    """The extents that a kernel call covers along i and j (see ``loops``)."""
    if not nest.kept:
        return 1, 1
    return nest.kept[0], nest.kept[-1]


def _divided(nest: Nest, vector_bytes: int) -> tuple[int, int]:
    """How a nest is shared: along its outermost axis, or along the last one kept where that has more parts."""
    vector, last = vector_axis(nest), len(nest.kept) - 1
    grains = {vector: 4 * lanes_of(nest, vector_bytes), row_axis(nest): tile(nest, vector_bytes)[0]}
    parts = {axis: -(-nest.kept[axis] // grains.get(axis, 1)) for axis in (0, last)}
    axis = 0 if parts[0] >= min(ENOUGH, parts[last]) else last
    along_j = axis == last and (last > 0 or vector == 0)  # as the kernel reads its rectangle
    return dispatch.ALONG_J if along_j else dispatch.ALONG_I, grains.get(axis, 1)


def _empty(work: Work) -> bool:
    """Whether there is nothing to do."""
    return isinstance(work, Nest) and math.prod(work.kept) == 0


def _operations(work: Work) -> int:
    """About how long a kernel takes, in multiplications of a matrix product (some 100,000 take a microsecond)."""
    if isinstance(work, Nest):
        late = late_steps(work)
        return (math.prod(work.extents) * (len(work.steps) - len(late)) + math.prod(work.kept) * len(late)) // 2
    if isinstance(work, Product):
        return work.count * work.a.shape[0] * work.a.shape[1] * work.b.shape[1]
    if isinstance(work, Repeat):
        return work.length * sum(_operations(kernel.work) for kernel in work.plan.kernels)
    return 0

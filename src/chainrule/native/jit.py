"""From LLVM IR to addresses of native functions, through the kernel store.

LLVM makes an object file, which is kept; linking it into the process takes some fifty microseconds. The IR is
optimised at level 2 without LLVM's own loop vectoriser and unroller: our vectors are explicit, and both would only
lengthen the compilation (as measured, of 1 ms for each 50 instructions, passes take 55 %, emission 40 %).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import blake2b
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

from chainrule.native.store import kernel_store
from chainrule.native.target import Target, current, host

_GENERATORS = ("native", "gates", "program")  # the packages that decide what the IR of a recipe is
_library = count().__next__


class IRError(Exception):
    """LLVM refuses the IR that we made: an error of ours. ``ir`` is the whole text."""

    def __init__(self, message: str, ir: str) -> None:
        super().__init__(message)
        self.ir = ir


class Code:
    """Functions loaded into the process; they stay there as long as this object."""

    def __init__(self, addresses: dict[str, int], library: Any) -> None:
        self.addresses = addresses
        self._library = library


_loaded: WeakValueDictionary[str, Code] = WeakValueDictionary()
_lock = Lock()


def compile_ir(text: str, names: Sequence[str], effort: int = 2) -> tuple[dict[str, int], Code]:
    """Compile one module; the address of each named function, and what keeps the code alive.

    ``effort`` is 2 for generated IR. IR written by hand, with care, needs less: with 1, only functions marked
    ``alwaysinline`` are inlined before translation (a third of the time); with 0, it is translated as it stands (a
    tenth). Raises IRError if LLVM refuses the text, or if it refers to functions that are nowhere in the process.
    """
    return _code("text", text, lambda: text, names, effort)


def compile_recipe(
    recipe: str, emit: Callable[[], str], names: Sequence[str], effort: int = 2
) -> tuple[dict[str, int], Code]:
    """As ``compile_ir``, for a module that ``recipe`` describes completely; ``emit`` makes its text if need be.

    With the code in this process or in the store, no text is made. The recipe need not name the processor nor the
    version of chainrule: the target, LLVM's version and the sources of the generators are part of the key.
    """
    return _code(f"recipe {generators()}", recipe, emit, names, effort)


def _code(
    kind: str, what: str, emit: Callable[[], str], names: Sequence[str], effort: int
) -> tuple[dict[str, int], Code]:
    target = current()
    key = _key(kind, what, *names, *_versions(), target.cpu, target.features, str(effort))
    with _lock:
        code = _loaded.get(key)
        if code is None:
            code = _loaded[key] = _load(key, emit, names, target, effort)
    return code.addresses, code


def _key(*parts: str) -> str:
    digest = blake2b(digest_size=20)
    for part in parts:
        digest.update(b"%d:" % len(part) + part.encode())
    return digest.hexdigest()


@cache
def _versions() -> tuple[str, str]:
    import llvmlite
    import llvmlite.binding as llvm

    return llvmlite.__version__, str(llvm.llvm_version_info)


@cache
def generators() -> str:
    """A digest of the sources that turn a recipe into IR."""
    digest = blake2b(digest_size=20)
    package = Path(__file__).parents[1]
    for name in _GENERATORS:
        for file in sorted((package / name).glob("*.py")):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _load(key: str, emit: Callable[[], str], names: Sequence[str], target: Target, effort: int) -> Code:
    image = kernel_store.get(key)
    if image is not None:
        return _link(image, names, "(from the kernel store)")
    text = emit()
    image = build(text, target, effort)
    code = _link(image, names, text)
    kernel_store.put(key, image)
    return code


def build(text: str, target: Target, effort: int = 2) -> bytes:
    """An object file. Raises IRError if LLVM refuses the text."""
    import llvmlite.binding as llvm

    machine = target.machine(effort)
    try:
        module = llvm.parse_assembly(text)
        module.verify()
    except RuntimeError as error:
        raise IRError(_explain(str(error), text), text) from None
    options = llvm.create_pipeline_tuning_options(speed_level=2 if effort == 2 else 0)
    options.loop_vectorization = options.loop_unrolling = options.slp_vectorization = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return machine.emit_object(module)  # type: ignore[no-any-return]


def _explain(message: str, text: str) -> str:
    """LLVM's message; where it tells a line, with the lines around it."""
    found = re.search(r"<string>:(\d+):\d+:", message)
    if not found:
        return message
    line = int(found[1])
    lines = text.splitlines()[max(0, line - 4) : line + 3]
    return "\n".join([message, "around line " + found[1] + ":", *lines])


def _link(image: bytes, names: Sequence[str], text: str) -> Code:
    import llvmlite.binding as llvm

    library = llvm.JITLibraryBuilder().add_current_process().add_object_img(image)
    for name in names:
        library.export_symbol(name)
    try:
        tracker = library.link(_linker(), f"chainrule{_library()}")
    except RuntimeError as error:
        raise IRError(f"linking {', '.join(names)}: {error}", text) from None
    return Code({name: tracker[name] for name in names}, tracker)


@cache
def _linker() -> Any:
    import llvmlite.binding as llvm

    return llvm.create_lljit_compiler(host().machine(), use_jit_link=True)  # tells missing symbols on stderr

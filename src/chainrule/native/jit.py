"""From LLVM IR to addresses of native functions, through the kernel store.

LLVM makes an object file, which is kept; linking it into the process takes some fifty microseconds. The IR is
optimised at level 2 without LLVM's own loop vectoriser and unroller: our vectors are explicit, and both would only
lengthen the compilation (as measured, of 1 ms for each 50 instructions, passes take 55 %, emission 40 %).
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
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


class Latest:
    """The code that was needed last, by what tells it apart: the next Program may need it, too."""

    MOST = 256

    def __init__(self) -> None:
        self._codes: OrderedDict[Any, Code] = OrderedDict()

    def get(self, key: Any) -> Code | None:
        return self._codes.get(key)

    def put(self, key: Any, code: Code) -> None:
        with _lock:
            self._codes[key] = code
            self._codes.move_to_end(key)
            while len(self._codes) > self.MOST:
                self._codes.popitem(last=False)


_loaded: WeakValueDictionary[str, Code] = WeakValueDictionary()
_lock = Lock()
os.register_at_fork(  # LLVM has locks, too, which nobody would open in the child
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
)


@dataclass(frozen=True)
class Recipe:
    """A module that can be made when it is needed.

    ``description`` determines the text, given the target and the sources of the generators. ``effort`` is 2 for
    generated IR. IR written with care needs less: with 1, only functions marked ``alwaysinline`` are inlined before
    translation (a third of the time); with 0, it is translated as it stands (a tenth).
    """

    description: str
    emit: Callable[[], str]
    names: Sequence[str]
    effort: int = 2


def compile_ir(text: str, names: Sequence[str], effort: int = 2) -> tuple[dict[str, int], Code]:
    """Compile one module; the address of each named function, and what keeps the code alive.

    Raises IRError if LLVM refuses the text, or if it refers to functions that are nowhere in the process.
    """
    (code,) = _codes("text", [Recipe(text, lambda: text, names, effort)])
    return code.addresses, code


def compile_recipes(recipes: Sequence[Recipe]) -> list[Code]:
    """Compile many modules; what is in this process or in the store needs no text.

    The target, LLVM's version and the sources of the generators are part of the key in the store, so descriptions need
    not tell them. While LLVM translates one module, the text of the next one is made. Raises IRError.
    """
    return _codes(f"recipe {generators()}", recipes)


def _codes(kind: str, recipes: Sequence[Recipe]) -> list[Code]:
    target = current()
    common = kind, *_versions(), target.cpu, target.features
    keys = [_key(*common, recipe.description, *recipe.names, str(recipe.effort)) for recipe in recipes]
    wanted = dict(zip(keys, recipes, strict=True))
    with _lock:
        found = {key: _loaded.get(key) or _stored(key, recipe) for key, recipe in wanted.items()}
        codes = {key: code for key, code in found.items() if code is not None}
        missing = [key for key in wanted if key not in codes]
        built = _built([wanted[key] for key in missing], target)
        for key, (text, image) in zip(missing, built, strict=True):
            codes[key] = _link(image, wanted[key].names, text)
            kernel_store.put(key, image)
        _loaded.update(codes)
    return [codes[key] for key in keys]


def _stored(key: str, recipe: Recipe) -> Code | None:
    image = kernel_store.get(key)
    if image is None:
        return None
    try:
        return _link(image, recipe.names, "(from the kernel store)")
    except IRError:  # it needs a function that this process does not have: made anew, it may not
        return None


def _built(recipes: Sequence[Recipe], target: Target) -> Iterator[tuple[str, bytes]]:
    """Texts and object files, in order. LLVM works in a thread of its own, if there are several to make."""
    if len(recipes) <= 1:
        for recipe in recipes:
            text = recipe.emit()
            yield text, build(text, target, recipe.effort)
        return
    texts: SimpleQueue[tuple[str, int] | None] = SimpleQueue()
    images: SimpleQueue[bytes | Exception] = SimpleQueue()
    Thread(target=_translate, args=(texts, images, target)).start()
    made = []
    try:
        for recipe in recipes:
            made.append(recipe.emit())
            texts.put((made[-1], recipe.effort))
    finally:
        texts.put(None)
    for text in made:
        image = images.get()
        if isinstance(image, Exception):
            raise image
        yield text, image


def _translate(texts: Any, images: Any, target: Target) -> None:
    """Make images of texts, until None comes; an exception is handed on, to be raised where the image is awaited."""
    while (job := texts.get()) is not None:
        try:
            images.put(build(job[0], target, job[1]))
        except Exception as error:
            images.put(error)


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
        for file in sorted((package / name).glob("*.[pl][yl]")):  # Python, and IR written by hand
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


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
    builder = llvm.create_pass_builder(machine, options)
    if effort == 2:
        _simplify(module, builder)
    else:
        builder.getModulePassManager().run(module, builder)
    return machine.emit_object(module)  # type: ignore[no-any-return]


def _simplify(module: Any, builder: Any) -> None:
    """What a module of one loop nest needs: inlining, then LLVM's usual passes on the function.

    The passes on whole modules find nothing more to do, and leave some 0.7 MB behind in LLVM for each module.
    """
    import llvmlite.binding as llvm

    inlining = llvm.create_new_module_pass_manager()
    inlining.add_always_inliner_pass()
    inlining.run(module, builder)
    passes = builder.getFunctionPassManager()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)


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

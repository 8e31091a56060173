"""Where in the user's code a gate was applied, and under which name its result was stored.

Noting the place must cost next to nothing, so a node keeps only a code object and an instruction offset: never a
frame, which would keep every local variable alive. File, line and variable name are worked out when somebody asks.
"""

from __future__ import annotations

import dis
import linecache
import os
import sys
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

PACKAGE = str(Path(__file__).parent.parent) + os.sep

_own: dict[str, bool] = {}


def _is_own(filename: str) -> bool:
    own = filename.startswith(PACKAGE)
    _own[filename] = own
    return own


class Site(NamedTuple):
    """A place in the user's code: ``str(site)`` reads ``file.py:12``."""

    code: CodeType
    instruction: int

    @property
    def file(self) -> str:
        return self.code.co_filename

    @property
    def line(self) -> int:
        positions = list(self.code.co_positions())
        line = positions[self.instruction // 2][0] if self.instruction >= 0 else None
        return self.code.co_firstlineno if line is None else line

    @property
    def text(self) -> str:
        """The source line, stripped; empty where the source is not to be had."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def stored_as(self) -> str | None:
        """The variable or attribute that the result was bound to: ``q`` for ``q = x + y``, else None.

        Read from the bytecode, by following the result on the interpreter's stack from the operator or call that made
        it to the instruction that stores it. Where that is not certain there is no name.
        """
        return _stored_as(self.code, self.instruction)

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


@lru_cache(maxsize=4096)
def _stored_as(code: CodeType, instruction: int) -> str | None:
    instructions = [i for i in dis.get_instructions(code) if i.opname not in _TRANSPARENT]
    # The offset may lie in the caches behind the instruction.
    at = bisect_right(instructions, instruction, key=lambda i: i.offset) - 1
    if at < 0 or not instructions[at].opname.startswith(_LEAVES_RESULT_ON_TOP):
        return None
    return _name_of_top(iter(instructions[at + 1 :]))


def at(site: Site | None) -> str:
    """A place as it stands in a message: `` at net.py:12 (h = x @ W)``; empty where it is not known."""
    if site is None:
        return ""
    return f" at {site} ({site.text})" if site.text else f" at {site}"


def _name_of_top(following: Iterator[dis.Instruction]) -> str | None:
    """The name under which the value on top of the stack gets stored by the instructions that follow."""
    above = 0  # how many values lie above ours
    for instruction in following:
        name, arg = instruction.opname, instruction.arg or 0
        if name in _STORES:
            # Where two instructions were joined into one, argval is a pair: two stores, or a store and a load.
            target = instruction.argval
            if above == 0:
                return str(target[0] if isinstance(target, tuple) else target)
            if name == "STORE_FAST_STORE_FAST" and above == 1:
                return str(target[1])
            above += _STORES[name]
        elif name == "STORE_ATTR":  # owner on top, value below it
            if above < 2:
                return str(instruction.argval) if above == 1 else None
            above -= 2
        elif name == "COPY":  # a = b = x + y: the copy goes to a
            above = 0 if above == arg - 1 else above + 1
        elif name == "SWAP":
            above = {0: arg - 1, arg - 1: 0}.get(above, above)
        elif name == "BUILD_TUPLE" and above < arg:  # a, b, c, d = ...: packed and unpacked again
            unpack = next(following, None)
            if unpack is None or unpack.opname != "UNPACK_SEQUENCE" or unpack.arg != arg:
                return None
            above = arg - 1 - above
        elif name in _CALLS:
            taken = arg + _CALLS[name]
            if above < taken:
                return None
            above += 1 - taken
        elif name in _TAKES:
            if above < _TAKES[name]:
                return None
            above += dis.stack_effect(instruction.opcode, instruction.arg, jump=False)
        else:
            return None
    return None


_TRANSPARENT = {"CACHE", "NOP", "EXTENDED_ARG", "PRECALL", "KW_NAMES"}
_LEAVES_RESULT_ON_TOP = ("CALL", "BINARY_", "UNARY_", "COMPARE_OP", "LOAD_ATTR", "FOR_ITER")
_STORES = {
    "STORE_FAST": -1, "STORE_NAME": -1, "STORE_GLOBAL": -1, "STORE_DEREF": -1,
    "STORE_FAST_LOAD_FAST": 0, "STORE_FAST_STORE_FAST": -2,
}  # fmt: skip
_CALLS = {"CALL": 2, "CALL_KW": 3, "BUILD_TUPLE": 0, "BUILD_LIST": 0}
"""How many values a call takes besides its arguments; what is built of values takes none."""
_TAKES = {
    "LOAD_FAST": 0, "LOAD_FAST_BORROW": 0, "LOAD_FAST_CHECK": 0, "LOAD_FAST_LOAD_FAST": 0, "LOAD_NAME": 0,
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": 0, "LOAD_GLOBAL": 0, "LOAD_DEREF": 0, "LOAD_CLOSURE": 0, "LOAD_CONST": 0,
    "LOAD_SMALL_INT": 0, "PUSH_NULL": 0, "LOAD_ATTR": 1, "LOAD_METHOD": 1, "UNARY_NEGATIVE": 1, "UNARY_INVERT": 1,
    "UNARY_NOT": 1, "BINARY_OP": 2, "BINARY_SUBSCR": 2, "COMPARE_OP": 2,
    "LIST_EXTEND": 2,
}  # fmt: skip
"""How many values other instructions take from the stack; those not listed end the search."""


def user_site() -> tuple[CodeType, int] | None:
    """The innermost place outside this package on the call stack (the two fields of a ``Site``)."""
    try:
        frame: FrameType | None = sys._getframe(3)  # the three above are the engine's own
    except ValueError:  # an exit handler, say, called a gate: there is no place in the user's code
        return None
    while frame is not None:
        code = frame.f_code
        filename = code.co_filename
        own = _own.get(filename)
        if own is None:
            own = _is_own(filename)
        if not own:
            return code, frame.f_lasti
        frame = frame.f_back
    return None

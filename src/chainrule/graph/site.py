"""Where in the user's code a gate was applied, and under which name its result was stored.

Noting the place must cost next to nothing, so a node keeps only a code object and an instruction offset: never a
frame, which would keep every local variable alive. File, line and variable name are worked out when somebody asks.
"""

from __future__ import annotations

import dis
import linecache
import sys
from bisect import bisect_right
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

PACKAGE = str(Path(__file__).resolve().parent.parent)

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

        Read from the bytecode: what follows the operator or call, while its result is on top of the stack. Where that
        does not tell for certain (one of several in a tuple, an element of what is unpacked) there is no name.
        """
        following = self._following()
        if following is None or not following[0].opname.startswith(_LEAVES_RESULT_ON_TOP):
            return None
        after = following[1:]
        if after and after[0].opname in ("COPY", "DUP_TOP"):  # a = b = x + y; (a := x + y)
            after = after[1:]
        if after and after[0].opname in _STORES:
            target = after[0].argval  # a pair where two instructions were joined; the first of them takes the result
            return str(target[0] if isinstance(target, tuple) else target)
        if after and after[0].opname in _LOADS:  # self.h = x + y: the owner is fetched, then the attribute set
            owner = 1
            while owner < len(after) and after[owner].opname == "LOAD_ATTR":
                owner += 1
            if owner < len(after) and after[owner].opname == "STORE_ATTR":
                return str(after[owner].argval)
        return None

    def _following(self) -> list[dis.Instruction] | None:
        """The instruction and the few after it. The offset may lie in the caches behind the instruction."""
        instructions = [i for i in dis.get_instructions(self.code) if i.opname not in _TRANSPARENT]
        at = bisect_right(instructions, self.instruction, key=lambda i: i.offset) - 1
        return instructions[at : at + _LOOK_AHEAD] if at >= 0 else None

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


_TRANSPARENT = {"CACHE", "NOP", "EXTENDED_ARG"}
_LEAVES_RESULT_ON_TOP = ("CALL", "BINARY_", "UNARY_", "COMPARE_OP", "LOAD_ATTR", "FOR_ITER")
_STORES = {
    "STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF", "STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST",
}  # fmt: skip
_LOADS = {"LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_FAST_CHECK", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF"}
_LOOK_AHEAD = 8


def user_site() -> tuple[CodeType, int] | None:
    """The innermost place outside this package on the call stack (the two fields of a ``Site``)."""
    frame: FrameType | None = sys._getframe(2)
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

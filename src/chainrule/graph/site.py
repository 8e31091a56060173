"""Where in the user's code a gate was applied, and under which name its result was stored.

Noting the place must cost next to nothing, so a node keeps only a code object and an instruction offset: never a
frame, which would keep every local variable alive. File, line and variable name are worked out when somebody asks.
"""

from __future__ import annotations

import dis
import linecache
import sys
from pathlib import Path
from types import CodeType
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
        """The variable that the result was bound to: ``q`` for ``q = x + y``, else None.

        Read from the bytecode: the instruction after the call or operator is a store when the result got a name.
        """
        instructions = dis.get_instructions(self.code)
        for instruction in instructions:
            if instruction.offset == self.instruction:
                following = next((i for i in instructions if i.opname not in ("CACHE", "NOP")), None)
                if following is not None and following.opname in _STORES:
                    return str(following.argval)
                return None
        return None

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


_STORES = {"STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF", "STORE_ATTR"}


def user_site() -> tuple[CodeType, int] | None:
    """The innermost place outside this package on the call stack (the two fields of a ``Site``)."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        filename = code.co_filename
        own = _own.get(filename)
        if own is None:
            own = _is_own(filename)
        if not own:
            return code, frame.f_lasti
        frame = frame.f_back  # type: ignore[assignment]
    return None

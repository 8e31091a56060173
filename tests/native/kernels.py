"""Small native kernels, and tables of them, for the tests of what runs kernels.

square:   out[i] = a[i] * a[i]           args: a, out
reverse:  out[i] = a[args[2] - 1 - i]    args: a, out, length
count:    out[i] += a[i]                 args: a, out
sign:     out[i] = thread number         args: nothing, out
fail:     error code args[1] if args[0] is among the indices, unless there is an error already
dawdle:   counts args[0] down to 0
tardy:    as sign, having counted args[0] down to 0 for itself
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from chainrule.native import dispatch
from chainrule.native.jit import Code, compile_ir

_SIGNATURE = "(ptr %args, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context)"

_LOOP = """
define void @{name}{signature} {{
start:
  %a = load ptr, ptr %args
  %out.at = getelementptr i64, ptr %args, i64 1
  %out = load ptr, ptr %out.at
  %length.at = getelementptr i64, ptr %args, i64 2
  %thread.at = getelementptr i64, ptr %context, i64 3
  br label %next
next:
  %i = phi i64 [ %i0, %start ], [ %after, %body ]
  %more = icmp slt i64 %i, %i1
  br i1 %more, label %body, label %end
body:
  {body}
  %place = getelementptr double, ptr %out, i64 %i
  store double %y, ptr %place
  %after = add i64 %i, 1
  br label %next
end:
  ret void
}}
"""

_BODIES = {
    "square": """
  %x.at = getelementptr double, ptr %a, i64 %i
  %x = load double, ptr %x.at
  %y = fmul double %x, %x""",
    "reverse": """
  %length = load i64, ptr %length.at
  %last = sub i64 %length, 1
  %k = sub i64 %last, %i
  %x.at = getelementptr double, ptr %a, i64 %k
  %y = load double, ptr %x.at""",
    "count": """
  %x.at = getelementptr double, ptr %a, i64 %i
  %x = load double, ptr %x.at
  %sum.at = getelementptr double, ptr %out, i64 %i
  %sum = load double, ptr %sum.at
  %y = fadd double %sum, %x""",
    "sign": """
  %thread = load i64, ptr %thread.at
  %y = sitofp i64 %thread to double""",
}

_OTHERS = """
define void @fail(ptr %args, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context) {
  %bad = load i64, ptr %args
  %code.at = getelementptr i64, ptr %args, i64 1
  %code = load i64, ptr %code.at
  %now = load i64, ptr %context
  %low = icmp sle i64 %i0, %bad
  %high = icmp slt i64 %bad, %i1
  %first = icmp eq i64 %now, 0
  %in = and i1 %low, %high
  %both = and i1 %in, %first
  %new = select i1 %both, i64 %code, i64 %now
  store i64 %new, ptr %context
  ret void
}
define void @dawdle(ptr %args, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context) {
  br label %next
next:
  %n = load volatile i64, ptr %args
  %less = sub i64 %n, 1
  store volatile i64 %less, ptr %args
  %more = icmp sgt i64 %less, 0
  br i1 %more, label %next, label %end
end:
  ret void
}
define void @tardy(ptr %args, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context) {
  %count = alloca i64
  %n = load i64, ptr %args
  store i64 %n, ptr %count
  call void @dawdle(ptr %count, i64 0, i64 1, i64 0, i64 1, ptr %context)
  call void @sign(ptr %args, i64 %i0, i64 %i1, i64 %j0, i64 %j1, ptr %context)
  ret void
}
"""


def source() -> str:
    """The IR of all kernels."""
    loops = (_LOOP.format(name=name, signature=_SIGNATURE, body=body) for name, body in _BODIES.items())
    return "".join(loops) + _OTHERS


@cache
def kernels() -> tuple[dict[str, int], Code]:
    """The address of each kernel."""
    return compile_ir(source(), [*_BODIES, "fail", "dawdle", "tardy"])


class Table:
    """A step table, and all that it points to."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []
        self.kept: list[Any] = []

    def add(self, kernel: str, *words: Any, i: tuple[int, int] = (0, 1), **columns: int) -> np.ndarray:
        """Append a row; the block of arguments that it got (pointers for ndarrays)."""
        args = np.array([w.ctypes.data if isinstance(w, np.ndarray) else w for w in words], np.int64)
        row = [0] * dispatch.ROW_WORDS
        row[: dispatch.SPLIT] = [kernels()[0][kernel], args.ctypes.data, *i, 0, 1]
        for name, value in columns.items():
            row[getattr(dispatch, name.upper())] = value
        self.rows.append(row)
        self.kept += [args, words]
        return args

    def words(self) -> np.ndarray:
        """The table itself."""
        return np.array(self.rows, np.int64).reshape(-1, dispatch.ROW_WORDS)

"""The printed source of a Program: readable NumPy that runs, forward, backward and update.

    def step(images, labels, *, W1, b1, lr):
        # forward
        # net.py:12  h = np.tanh(images @ W1 + b1)
        matmul_1 = images @ W1                 # (64, 100)
        add_1 = matmul_1 + b1                  # (64, 100)
        h = np.tanh(add_1)                     # (64, 100)
        ...
        return loss, {"W1": W1_new}

Arguments of the user's function come first, what it reads from outside follows by name. It returns the outputs and, if
it changes States, a dictionary with their new values last. Each gate is a line, but for transposes and reshapes that
are used once: these stand where they are used. Nothing in it needs chainrule: gates without a short form in NumPy are
functions at the top, made of the gates' own ``forward`` (see ``program.text``).
"""

from __future__ import annotations

import ast
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.gates.arithmetic import Add, Divide, Multiply, Negative, Subtract
from chainrule.gates.shape import Cast, Reshape, Transpose
from chainrule.graph.site import Site
from chainrule.program.naming import identifiers_of, store_names
from chainrule.program.program import Instruction, Operand, Program, Value
from chainrule.program.text import RESERVED, Texts, literal, names_in, reading

MOVES = (Transpose, Reshape)
"""Gates that are written where their result is used, if that is one place."""
PYTHONS = (Add, Subtract, Multiply, Divide, Negative)
"""Gates whose text makes a Python number of Python numbers."""
FEW = 8
"""Constants of at most so many elements are shown."""
LONGEST = 100
"""Longer lines are broken where that is simple."""
WIDEST = 60
"""Remarks stand behind this column, or closer where all lines are shorter."""


def source_of(program: Program) -> str:
    """The Program as the text of a Python module with one function, ``function_name(program)``."""
    return _Printer(program).text()


def function_name(program: Program) -> str:
    """What the printed function is called."""
    name = program.name if program.name.isidentifier() else "function"
    return f"{name}_" if name in RESERVED else name


def printed_names(program: Program) -> dict[Value, str]:
    """What each value is called in the printed source."""
    return identifiers_of(program, RESERVED | {function_name(program)})


class _Printer:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.names = printed_names(program)
        self.texts = Texts({*self.names.values(), function_name(program)})
        self.uses = Counter(x for i in program.instructions for x in i.reads())
        self.results = set(program.results())
        self.inline: dict[Value, ast.expr] = {}
        dtypes = Counter(i.result.dtype for i in program.instructions)
        self.usual = dtypes.most_common(1)[0][0] if dtypes else None

    def text(self) -> str:
        body = [*self._body(), self._returned()]
        helpers = list(self.texts.helpers.values())
        imports = ["import math", ""] if any("math" in names_in(each) for each in helpers) else []
        lines = [*imports, "import numpy as np", ""]
        for each in helpers:
            space = [] if isinstance(each, ast.Assign) else [""]
            lines += [*space, ast.unparse(each), *space]
        lines += ["", self._signature(), *self._docstring()]
        lines += [f"    {line}" if line else "" for part in body for line in part.split("\n")]
        return "\n".join(lines) + "\n"

    # ---- head

    def _signature(self) -> str:
        arguments = [self.names[value] for value in self.program.inputs]
        if self.program.captures:
            arguments += ["*", *(self.names[value] for value, _ in self.program.captures)]
        return in_lines(f"def {function_name(self.program)}(", arguments, "):")

    def _docstring(self) -> list[str]:
        held = {value: shown(source) for value, source in self.program.captures}
        lines = [
            f"{self.names[value]}: {self._kind(value, said=False)}{held.get(value, '')}"
            for value in self.program.sources()
        ]
        if self.usual is not None:
            lines.append(f"Results are {self.usual} where nothing else is said.")
        return [f'    """{lines[0]}', *(f"    {line}" for line in lines[1:]), '    """'] if lines else []

    def _kind(self, value: Value, said: bool = True) -> str:
        """``(64, 100)``, with the dtype in front unless it is ``said`` elsewhere."""
        if value.weak:
            return "a number"
        return str(value.shape) if said and value.dtype == self.usual else f"{value.dtype} {value.shape}"

    # ---- body

    def _body(self) -> list[str]:
        written: list[tuple[str, str]] = []
        role: str | None = None
        place: str | None = None
        for i in self.program.instructions:
            expression = self._expression(i)
            if self._stands_where_used(i):
                self.inline[i.result] = expression
                continue
            if i.role != role:
                written += [("", "")] * (role is not None) + [(f"# {i.role}", "")]
                role, place = i.role, None
            if place != (place := _place(i.site)) and place:
                written.append((f"# {place}", ""))
            written.append((f"{self.names[i.result]} = {ast.unparse(expression)}", self._kind(i.result)))
        column = min(max((len(line) for line, remark in written if remark), default=0), WIDEST)
        return [f"{line.ljust(column)}  # {remark}" if remark else line for line, remark in written]

    def _stands_where_used(self, i: Instruction) -> bool:
        return isinstance(i.gate, MOVES) and self.uses[i.result] == 1 and i.result not in self.results

    def _expression(self, i: Instruction) -> ast.expr:
        operands = [self._operand(x) for x in i.operands]
        numbers = all(not isinstance(x, Value) or x.weak for x in i.operands)
        if isinstance(i.gate, Cast) and (numbers or i.result.weak):
            made = operands[0]  # a number has no astype, and an array becomes one by its type
        else:
            made = self.texts.expression(i.gate, operands, i.operands)
        is_number = numbers and (isinstance(i.gate, (Cast, *PYTHONS)) or isinstance(made, ast.Compare))
        if is_number == i.result.weak:
            return made
        number = type(i.result.dtype.type(0).item()).__name__
        return ast.Call(reading(number) if i.result.weak else literal(i.result.dtype), [made], [])

    def _operand(self, x: Operand) -> ast.expr:
        if not isinstance(x, Value):
            return literal(x)
        return self.inline[x] if x in self.inline else reading(self.names[x])

    def _returned(self) -> str:
        parts = [self.names[value] for value in self.program.outputs]
        if self.program.stores:
            stored = zip(store_names(self.program, self.names), self.program.stores, strict=True)
            parts.append(in_lines("{", [f'"{name}": {self.names[value]}' for name, (_, value) in stored], "}"))
        return f"return {', '.join(parts) or '()'}"


def shown(source: Any) -> str:
    """What small constants are, such as `` = np.arange(64)``; empty for what changes and for what is large."""
    if not isinstance(source, np.ndarray) or source.dtype.kind not in "iu" or source.ndim > 1:
        return ""
    if source.ndim == 1 and np.array_equal(source, np.arange(source.size)):
        return f" = np.arange({source.size})"
    return f" = {source.tolist()}" if source.size <= FEW else ""


def in_lines(start: str, parts: list[str], end: str) -> str:
    """``start``, the parts and ``end``: in one line, or the parts in lines of their own."""
    joined = f"{start}{', '.join(parts)}{end}"
    if len(joined) <= LONGEST:
        return joined
    gathered = [""]
    for part in parts:
        if len(gathered[-1]) + len(part) > LONGEST:
            gathered.append("")
        gathered[-1] += f"{part}, "
    return "\n".join([start, *(f"    {line.rstrip()}" for line in gathered), end])


@lru_cache(maxsize=4096)
def _place(site: tuple[Any, int] | None) -> str:
    """``net.py:12  h = np.tanh(x @ W1)``"""
    return "" if site is None else f"{Site(*site)}  {Site(*site).text}".rstrip()

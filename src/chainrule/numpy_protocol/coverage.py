"""The coverage table: what happens to each of NumPy's overridable functions when it meets an Array.

Made from the dispatch table, so it cannot promise what is not there. ``python -m chainrule.numpy_protocol.coverage``
prints the page of the documentation.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from chainrule.numpy_protocol.dispatch import (
    CONSTANT,
    DIFFERENTIABLE,
    REDUCTIONS,
    REFUSED,
    REFUSED_MODULES,
    UNSEEN,
    full_name,
)

CLASSES = {
    "differentiable": "a gate, or a composition of gates",
    "constant": "computed on the values; the result carries no gradient",
    "refused": "raises a TypeError that says what to use instead",
    "not interceptable": "NumPy asks an Array in `like=` only, which is refused",
}


LOADED_ON_REQUEST = ("np.strings.", "np.char.", "np.fft.", "np.polynomial.")
"""NumPy lists the functions of these modules once they have been imported; all of them are refused."""


class Entry(NamedTuple):
    """What happens to one of NumPy's functions; ``kind`` is 'ufunc' or 'array function'."""

    name: str
    kind: str
    status: str
    note: str


def classify(function: Any) -> tuple[str, str]:
    """The class of a function, and for those that do not work what to use instead.

    >>> import numpy as np
    >>> classify(np.tanh)
    ('differentiable', '')

    Raises LookupError for a function that is in no class.
    """
    public = _public(function)
    if public in DIFFERENTIABLE:
        return "differentiable", ""
    if public in CONSTANT:
        return "constant", ""
    if public in REFUSED:
        return "refused", REFUSED[public]
    if _module(public) in REFUSED_MODULES:
        return "refused", REFUSED_MODULES[_module(public)]
    if public in UNSEEN:
        return "not interceptable", UNSEEN[public]
    raise LookupError(f"{full_name(function)} is in no class of the dispatch table")


def _module(function: Any) -> str:
    return getattr(function, "__module__", "numpy")  # some ufuncs have none


def _public(function: Any) -> Any:
    """NumPy lists some functions twice, once for their ``like=``; dispatch hands over the public one."""
    if isinstance(function, np.ufunc):
        return function
    *path, name = full_name(function).split(".")[1:]
    home: Any = np
    for part in path:
        home = getattr(home, part)
    return getattr(home, name, function)


def table() -> list[Entry]:
    """One entry for each function that NumPy lets an Array override, in alphabetical order."""
    # Not at the top: numpy.testing takes long to import, and only this table needs it.
    from numpy.testing.overrides import get_overridable_numpy_array_functions, get_overridable_numpy_ufuncs

    kinds: dict[str, set[Any]] = {
        "ufunc": get_overridable_numpy_ufuncs(),
        "array function": get_overridable_numpy_array_functions(),
    }
    entries = [Entry(full_name(f), kind, *classify(f)) for kind, functions in kinds.items() for f in functions]
    return sorted(e for e in entries if not e.name.startswith(LOADED_ON_REQUEST))


def counts(entries: list[Entry], kind: str) -> dict[str, int]:
    """How many functions of a kind are in each class."""
    return {status: sum(e.status == status and e.kind == kind for e in entries) for status in CLASSES}


def page() -> str:
    """The page of the documentation, in Markdown."""
    entries = table()
    functions = [e.name for e in entries if e.kind == "array function"]
    lines = [
        "# NumPy on Arrays",
        "",
        f"What happens when a function of NumPy {_version()} meets an `Array`.",
        "This page is made from the dispatch table by `make docs`; a test keeps it up to date.",
        "",
        *_summary(entries),
        "",
        f"NumPy's own list of array functions has {len(functions)} entries; {_repeated(functions)} names occur twice",
        "in it, with and without `like=`. Below, ×2 marks a name that stands for two entries. Private ufuncs are",
        "listed under the public function they serve: `np.strings.strip` has two. Not listed: the array functions",
        "that `np.fft`, `np.polynomial`, `np.strings` and `np.char` add to NumPy's list when they are imported; they",
        "are refused.",
        "",
        "Two ways out of the circuit cannot be intercepted as functions: `np.array([a, b])` and `math.exp(a)` ask an",
        "Array for its plain value. For an Array that carries a gradient that raises; use `cr.array([a, b])` or",
        "`np.stack`, and `np.exp`. `.value` and `.item()` leave the circuit on purpose. Of the ufuncs' options",
        "`dtype=` is supported; `where=`, `out=` (but for a `State`) and `casting=` are refused by name. Of the ufunc",
        "methods, `outer` works for all ufuncs of two arguments with one result that are not refused themselves,",
        f"`reduce` for {_with_method('reduce')},",
        f"`accumulate` for {_with_method('accumulate')}; the others are refused.",
        "",
    ]
    for kind in ("ufunc", "array function"):
        for status in CLASSES:
            lines += _section(kind, status, [e for e in entries if e.kind == kind and e.status == status])
    return "\n".join(lines)


def _version() -> str:
    return ".".join(np.__version__.split(".")[:2])


def _summary(entries: list[Entry]) -> list[str]:
    ufuncs, functions = counts(entries, "ufunc"), counts(entries, "array function")
    return [
        "| | ufuncs | array functions |",
        "|---|---:|---:|",
        *(f"| {status}: {what} | {ufuncs[status]} | {functions[status]} |" for status, what in CLASSES.items()),
        f"| all | {sum(ufuncs.values())} | {sum(functions.values())} |",
    ]


def _repeated(names: list[str]) -> int:
    return len(names) - len(set(names))


def _with_method(method: str) -> str:
    return ", ".join(f"`{name}`" for name in sorted(ufunc.__name__ for ufunc, of in REDUCTIONS if of == method))


def _section(kind: str, status: str, entries: list[Entry]) -> list[str]:
    """The names of a class; where each has a note, a row for each note, those that concern no numbers last."""
    if not entries:
        return []
    heading = [f"## {kind.capitalize()}s: {status}", ""]
    names: dict[str, list[str]] = {}
    for entry in entries:
        names.setdefault(entry.note, []).append(_known_as(entry.name))
    if list(names) == [""]:
        return [*heading, _listed(names[""]), ""]
    notes = sorted(names, key=lambda note: (note.startswith("Arrays hold numbers"), min(names[note])))
    return [*heading, "| functions | |", "|---|---|", *(f"| {_listed(names[note])} | {note} |" for note in notes), ""]


def _listed(names: list[str]) -> str:
    times = Counter(sorted(names))
    return ", ".join(f"`{name}` ×{n}" if n > 1 else f"`{name}`" for name, n in times.items())


def _known_as(name: str) -> str:
    """The public name that leads to a function: ``np.strings.strip`` for the private ufunc ``_strip_chars``."""
    home, _, short = name.rpartition(".")
    if home == "np.lib.scimath":
        return f"np.emath.{short}"
    if home != "np._core.umath":
        return name
    short = short.lstrip("_")
    for public in (short, short.split("_")[0]):
        if public in np.strings.__all__:
            return f"np.strings.{public}"
    return f"np.{short}" if hasattr(np, short) else name


if __name__ == "__main__":
    sys.stdout.write(page())

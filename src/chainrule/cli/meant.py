"""What was probably meant: other ways of writing a formula, and how to write it here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

ELSEWHERE = {
    "ln": "log",
    "logistic": "sigmoid",
    "expit": "sigmoid",
    "average": "mean",
    "fabs": "abs",
    "sqr": "square",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
}
"""Names that other languages and libraries have for functions of ours."""

MODULES = ("np", "numpy", "math", "scipy", "cr", "chainrule")
"""What people are used to write before the name of a function."""

PRODUCT = re.compile(r"(?<![\w.])(?!0[xob])(?>\d[\d_]*(?:\.\d*)?(?:e[+-]?\d+)?)(?=([^\W\d]\w*))", re.IGNORECASE)
SPACED = re.compile(r"([^\0=]+)(?:\0=\0?|=\0)([^\0=]+)(?=\0|$)")
JOINED = re.compile(r",\s*(?=[^\W\d]\w*\s*=)")


def product(line: str) -> str | None:
    """How to write the first number that a name follows.

    >>> product("1e5 + 2x")
    '2*x'
    """
    found = PRODUCT.search(line)
    return f"{found[0]}*{found[1]}" if found else None


def function(name: str, known: Iterable[str]) -> str | None:
    """The function whose name is nearest.

    >>> function("ln", ["log", "exp"]), function("sigmoyd", ["sigmoid"]), function("x", ["exp"])
    ('log', 'sigmoid', None)
    """
    return ELSEWHERE.get(name) or next(iter(get_close_matches(name, known, n=1)), None)


def value_without_spaces(texts: Sequence[str]) -> str | None:
    """How to write a value that spaces have torn apart.

    >>> value_without_spaces(["x", "=", "2"]), value_without_spaces(["x=1", "y=2"])
    ('x=2', None)
    """
    found = SPACED.search("\0".join(texts))  # which cannot stand in an argument of a command
    return f"{found[1].strip()}={found[2].strip()}" if found else None


def values_apart(text: str) -> str | None:
    """How to write values that only commas separate.

    >>> values_apart("x=1,2,y=3"), values_apart("x=1,2")
    ('x=1,2 y=3', None)
    """
    return JOINED.sub(" ", text) if JOINED.search(text) else None

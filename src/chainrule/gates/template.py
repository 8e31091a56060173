"""Templates: nested arguments with the arrays taken out, so that what a gate knows beforehand is apart from its inputs.

A gate's static parameters must not hold arrays: those change from one application to the next, and a recorded gate is
applied to others. In a template the class ``np.ndarray`` itself stands where an array belongs.

>>> arrays = []
>>> taken_out(("clip", [np.array([0, 2]), 1]), arrays), arrays
(('clip', [<class 'numpy.ndarray'>, 1]), [array([0, 2])])
>>> put_back(("clip", [np.ndarray, 1]), iter([7]))
('clip', [7, 1])
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.graph.array import Array


def taken_out(tree: Any, arrays: list[Any]) -> Any:
    """The template of nested tuples, lists and dictionaries; their Arrays and ndarrays are appended to ``arrays``."""
    if isinstance(tree, (Array, np.ndarray)):
        arrays.append(tree)
        return np.ndarray
    if isinstance(tree, (list, tuple)):
        return type(tree)([taken_out(x, arrays) for x in tree])
    if isinstance(tree, dict):
        return {key: taken_out(x, arrays) for key, x in tree.items()}
    return tree


def put_back(template: Any, arrays: Iterator[Any]) -> Any:
    """The nested arguments that a template stands for."""
    if template is np.ndarray:
        return next(arrays)
    if isinstance(template, (list, tuple)):
        return type(template)([put_back(x, arrays) for x in template])
    if isinstance(template, dict):
        return {key: put_back(x, arrays) for key, x in template.items()}
    return template


def written(template: Any, places: Iterator[str]) -> str:
    """A template as Python text, the next of ``places`` in place of each array.

    >>> written((np.ndarray, [1, np.float32], slice(2)), iter("x"))
    '(x, [1, np.float32], slice(None, 2, None))'
    """
    if template is np.ndarray:
        return next(places)
    if isinstance(template, (list, tuple)):
        parts = [written(x, places) for x in template]
        if isinstance(template, list):
            return f"[{', '.join(parts)}]"
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
    if isinstance(template, dict):
        return "{{" + ", ".join(f"{key!r}: {written(x, places)}" for key, x in template.items()) + "}}"
    if isinstance(template, np.dtype):
        return f"np.dtype({template.name!r})"
    if isinstance(template, np.generic):
        return f"np.{template.dtype.name}({template.item()!r})"
    return name_of(template) if callable(template) else repr(template)


def name_of(function: Any) -> str:
    """What a function or type is called in a program that has NumPy as np: ``np.linalg.norm``, ``float``."""
    name = function.__name__
    if getattr(np, name, None) is function:  # some do not know where they live
        return f"np.{name}"
    module = str(getattr(function, "__module__", ""))
    return f"{module.replace('numpy', 'np', 1)}.{name}" if module.startswith("numpy.") else name

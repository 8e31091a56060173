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

"""Installs operators, indexing and ndarray's methods on Array, from the gates and the dispatch table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.gates import arithmetic, constant, product
from chainrule.gates.indexing import getitem, setitem
from chainrule.gates.primitive import Primitive
from chainrule.gates.shape import Cast
from chainrule.graph import backward as backward_pass
from chainrule.graph.apply import apply
from chainrule.graph.array import Array
from chainrule.graph.edge import edges
from chainrule.graph.mode import MODE
from chainrule.numpy_protocol import (
    indexing,
    linalg,
    others,
    polynomials,
    products,
    reductions,
    shapes,
    special,
    ufuncs,
)
from chainrule.numpy_protocol.dispatch import HANDLERS, array_function, array_ufunc, given_out, no_out

FAMILIES = (indexing, linalg, others, polynomials, products, reductions, shapes, special, ufuncs)
"""The modules that fill the dispatch table; importing them is what registers their functions."""

OPERANDS = (Array, np.ndarray, float, int, np.generic, list, tuple)

BINARY: dict[str, Callable[..., Any]] = {
    "add": arithmetic.add,
    "sub": arithmetic.subtract,
    "mul": arithmetic.multiply,
    "truediv": arithmetic.divide,
    "mod": arithmetic.remainder,
    "pow": arithmetic.power,
    "matmul": product.matmul,
    "floordiv": HANDLERS[np.floor_divide],
    "divmod": HANDLERS[np.divmod],
    "and": HANDLERS[np.bitwise_and],
    "or": HANDLERS[np.bitwise_or],
    "xor": HANDLERS[np.bitwise_xor],
    "lshift": HANDLERS[np.left_shift],
    "rshift": HANDLERS[np.right_shift],
}
COMPARISONS = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}
UNARY: dict[str, Callable[..., Any]] = {
    "neg": arithmetic.negative,
    "pos": HANDLERS[np.positive],
    "abs": arithmetic.absolute,
    "invert": HANDLERS[np.invert],
}


def _left(function: Callable[..., Any]) -> Callable[[Array, Any], Any]:
    if isinstance(function, Primitive):  # straight to the engine: operators are what circuits are made of
        return lambda x, y: apply(function, (x, y)) if isinstance(y, OPERANDS) else NotImplemented
    return lambda x, y: function(x, y) if isinstance(y, OPERANDS) else NotImplemented


def _right(function: Callable[..., Any]) -> Callable[[Array, Any], Any]:
    return lambda y, x: function(x, y) if isinstance(x, OPERANDS) else NotImplemented


_NODE = ("_value", "gate", "inputs", "number", "live", "_site", "_scope", "_cache", "_cut", "_record")


def _set_item(x: Array, index: Any, v: Any) -> None:
    """``x[index] = v``: the object becomes the new value; what it was stays in the circuit under another object."""
    if isinstance(v, Array) and v.live and x.dtype.kind != "f":
        raise TypeError(
            f"writing {v.label()} into {x.label()}, which is {x.dtype}, would cut its gradient: make x floating first"
        )
    if x.live and not MODE.get().gradients:
        raise TypeError(
            f"writing into {x.label()} under no_grad would cut it off from its circuit: write into a copy, "
            f"{x.name or 'x'}.detach()"
        )
    mode = MODE.get()
    if mode.recorder is not None:
        mode.recorder.rebind(x)
    old = object.__new__(Array)
    _become(old, x)
    old._name = getattr(x, "_name", None)
    if isinstance(v, Array):
        _redirect(v, x, old)
    _become(x, setitem(old, index, old if v is x else v))
    x._grad = None


def _become(node: Array, other: Array) -> None:
    for slot in _NODE:
        if hasattr(other, slot):
            setattr(node, slot, getattr(other, slot))
        elif hasattr(node, slot):
            delattr(node, slot)


def _redirect(v: Array, x: Array, old: Array) -> None:
    """What is written may have been computed from what it is written to, ``x[1] = 2 * x[0]``: that means the old x.

    Only nodes younger than x can have used it, so a loop of assignments looks at each node once.
    """
    seen = {v}
    todo = [v]
    for node in todo:
        if node.number > x.number:
            if any(i is x for i in node.inputs):
                node.inputs = tuple(old if i is x else i for i in node.inputs)
            younger = [i for i in node.inputs if isinstance(i, Array) and i not in seen]
            seen.update(younger)
            todo.extend(younger)


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


def _as_method(function: Any) -> Callable[..., Any]:
    """A NumPy function as a method, without NumPy's dispatch; ``out`` is refused as it is there."""
    handler = HANDLERS[function]

    def method(self: Array, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("out") is not None or (args and given_out(function, (self, *args)) is not None):
            raise no_out(function)
        return handler(self, *args, **kwargs)

    return method


def _reshape(self: Array, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
    return shapes.reshape(self, shape[0] if len(shape) == 1 else shape, order)


def _transpose(self: Array, *axes: Any) -> Any:
    given = axes[0] if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))) else axes
    return shapes.transpose(self, given or None)


def _astype(
    self: Array, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
) -> Any:
    if not np.can_cast(self.dtype, dtype, casting):  # type: ignore[arg-type]
        raise TypeError(f"cannot cast {self.dtype} to {np.dtype(dtype)} under the rule {casting!r}")
    return self if not copy and self.dtype == dtype else Cast.of(np.dtype(dtype))(self)


def _copy(self: Array, order: str = "C") -> Any:
    return shapes.copy(self)


def _contains(self: Array, item: Any) -> bool:
    return bool(np.any(self == item))


def _round(self: Array, decimals: int = 0) -> Any:
    return np.round(self, decimals)


def _refused(name: str, instead: str) -> Callable[..., Any]:
    def method(self: Array, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"Array.{name} is not supported: Arrays are values; {instead}")

    method.__doc__ = f"Not supported: {instead}."
    return method


def _absent(name: str, instead: str) -> Callable[[Array], Any]:
    def get(self: Array) -> Any:
        raise AttributeError(f"Array has no {name}: {instead} (its ndarray is .value)")

    get.__doc__ = f"Not there: {instead}."
    return get


def _as_ndarrays(name: str, function: Any) -> Any:
    """Give a method or property the name and the help that users of ndarrays know."""
    if function.__doc__ is None:
        function.__name__, function.__qualname__ = name, f"Array.{name}"
        function.__doc__ = f"As ``numpy.ndarray.{name}``."
    return function


def detach(x: Array) -> Array:
    """The same value as a constant: no gradient flows back through it."""
    result: Array = apply(constant.detach, (x,))
    return result


METHODS: dict[str, Callable[..., Any]] = {
    **{
        name: _as_method(function)
        for name, function in {
            "all": np.all, "any": np.any, "argmax": np.argmax, "argmin": np.argmin, "argsort": np.argsort,
            "argpartition": np.argpartition, "choose": np.choose, "conj": np.conjugate, "conjugate": np.conjugate,
            "cumprod": np.cumprod, "cumsum": np.cumsum, "diagonal": np.diagonal, "dot": np.dot, "max": np.max,
            "mean": np.mean, "min": np.min, "nonzero": np.nonzero, "prod": np.prod, "ravel": np.ravel,
            "flatten": np.ravel, "repeat": np.repeat, "searchsorted": np.searchsorted, "squeeze": np.squeeze,
            "std": np.std, "sum": np.sum, "swapaxes": np.swapaxes, "take": np.take, "trace": np.trace, "var": np.var,
            "clip": np.clip,
        }.items()
    },
    "compress": lambda self, condition, axis=None: indexing.compress(condition, self, axis),
    "reshape": _reshape,
    "transpose": _transpose,
    "astype": _astype,
    "copy": _copy,
    "round": _round,
    "detach": detach,
    "backward": backward_pass.backward,
    **{
        name: _refused(name, instead)
        for name, instead in {
            "fill": "use np.full_like", "itemset": "write x[index] = v", "partition": "use np.partition(x, kth)",
            "put": "write x[index] = v", "resize": "use np.resize(x, shape)", "sort": "use np.sort(x)",
            "setflags": "use .value", "byteswap": "use .value", "view": "use .astype or .value",
            "tofile": "use .value", "dump": "use .value", "dumps": "use .value",
        }.items()
    },
}  # fmt: skip

PROPERTIES: dict[str, Callable[[Array], Any]] = {
    "edges": edges,
    "T": lambda self: shapes.transpose(self),
    "mT": lambda self: shapes.matrix_transpose(self),
    "real": lambda self: self,
    "imag": lambda self: np.imag(self),
    "flat": lambda self: iter(shapes.ravel(self)),
    "strides": lambda self: self._value.strides,
    "flags": lambda self: self.value.flags,
    "device": lambda self: "cpu",
    **{
        name: _absent(name, instead)
        for name, instead in {
            "base": "slices of an Array are never views", "ctypes": "use .value.ctypes", "data": "use .value.data",
            "getfield": "use .value.getfield", "setfield": "write x[index] = v", "to_device": "there is one device",
        }.items()
    },
}  # fmt: skip


def install() -> None:
    """Give Array its operators and methods. Called once, by the package."""
    target: Any = Array
    for name, function in BINARY.items():
        setattr(target, f"__{name}__", _left(function))
        setattr(target, f"__r{name}__", _right(function))
    for name, ufunc in COMPARISONS.items():
        setattr(target, f"__{name}__", _left(HANDLERS[ufunc]))
    for name, function in UNARY.items():
        setattr(target, f"__{name}__", _method(function))
    target.__getitem__ = getitem
    target.__setitem__ = _set_item
    target.__contains__ = _contains
    target.__array_ufunc__ = array_ufunc
    target.__array_function__ = array_function
    for name, function in METHODS.items():
        setattr(target, name, _as_ndarrays(name, function))
    for name, getter in PROPERTIES.items():
        setattr(target, name, property(_as_ndarrays(name, getter)))

"""Array: a value in a computational graph, and the node that made it, in one object.

An Array refers to the gate that made it and to that gate's inputs, never to what uses it, so a graph holds no
cycles and goes away with its last reference. Leaves have no gate. Operators and ndarray's methods are installed by
``chainrule.numpy_protocol``; here they are declared only for the type checker.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import count
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from chainrule.graph.errors import GraphError
from chainrule.graph.mode import MODE
from chainrule.graph.site import Site, user_site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import DTypeLike, NDArray

next_number = count(1).__next__
A = TypeVar("A", bound="Array")


class Array:
    """A value that takes part in differentiation.

    Attributes:
        live: whether gradients flow through it. Constants, integers and booleans are not live.
        gate: what made it, None for a leaf.
        inputs: what the gate was applied to, in order (Arrays and plain numbers or ndarrays). A constant keeps none.
        number: creation number; every input is older than its gate's output.

    Make one with ``cr.array``, ``cr.constant`` or by applying a gate. Arrays are values: a slice is never a view, and
    ``x[i] = v`` gives the name ``x`` a new value without touching the old one. Attributes with an underscore are for
    this package alone.

    >>> import chainrule as cr
    >>> x = cr.array([1.0, 2.0])
    >>> z = (x * x).sum()
    >>> z.backward()
    >>> x.grad, z.gate.title, z.inputs[0].gate.title
    (array([2., 4.]), 'sum', 'multiply')
    """

    __slots__ = (
        "__weakref__",
        "_cache",
        "_cut",
        "_grad",
        "_name",
        "_record",
        "_scope",
        "_site",
        "_value",
        "_write",
        "gate",
        "inputs",
        "live",
        "number",
    )

    _value: NDArray[Any]
    _site: tuple[Any, int] | None
    _grad: Any
    _write: int
    _name: str | None
    _cut: Any  # a graph.provenance.Cut
    _cache: Any
    _scope: tuple[tuple[str, int], ...] | None
    _record: tuple[Any, Any]  # while it is recorded: the recorder, and what it writes for this array
    gate: Any
    inputs: tuple[Any, ...]
    live: bool
    number: int

    __hash__ = object.__hash__

    # ---- what it holds

    @property
    def value(self) -> NDArray[Any]:
        """The ndarray behind it: writable on leaves, a read-only view on results."""
        value: NDArray[Any] = self._taken("reading .value")
        if self.gate is None:
            return value
        return read_only(value)

    @property
    def grad(self) -> NDArray[Any] | None:
        """The gradient that the last backward pass through this array wrote.

        An ndarray of the value's shape and dtype; None means 'not computed', never zero (``cr.why`` says why). While a
        function is recorded it is an Array: what is done with it becomes part of the recording.
        """
        grad = getattr(self, "_grad", None)
        recorder = MODE.get().recorder
        if recorder is not None and grad is not None:
            return recorder.gradient(self)  # type: ignore[no-any-return]
        return grad if grad is None or self.gate is None else read_only(grad)

    @grad.setter
    def grad(self, grad: Any) -> None:
        recorder = MODE.get().recorder
        if recorder is not None:
            recorder.remember(self, "_grad")
        if grad is None:
            self._grad = None
            return
        if recorder is not None and isinstance(grad, Array):
            grad = grad.detach().astype(self.dtype, copy=False)
        else:
            grad = np.array(grad, dtype=self.dtype)
        if grad.shape != self.shape:
            raise ValueError(f"a gradient has its array's shape {self.shape}, not {grad.shape}")
        self._grad = grad

    @property
    def name(self) -> str | None:
        """The name given, or else that of the variable it was stored in when it was made (None if neither)."""
        name = getattr(self, "_name", None)
        if name is None and self._site is not None:
            return Site(*self._site).stored_as
        return name

    @name.setter
    def name(self, name: str | None) -> None:
        self._name = name

    @property
    def site(self) -> Site | None:
        """The user's line that made it."""
        return None if self._site is None else Site(*self._site)

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self._value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the elements."""
        return self._value.dtype

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return self._value.ndim

    @property
    def size(self) -> int:
        """How many elements it has."""
        return self._value.size

    @property
    def itemsize(self) -> int:
        """How many bytes an element takes."""
        return self._value.itemsize

    @property
    def nbytes(self) -> int:
        """How many bytes the value takes."""
        return self._value.nbytes

    def item(self, *index: Any) -> Any:
        """One element as a Python number: a way out of the graph, on purpose."""
        return self._taken(".item()").item(*index)

    def tolist(self) -> Any:
        """The value as nested lists of Python numbers, out of the graph."""
        return self._taken(".tolist()").tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """The raw bytes of the value, out of the graph."""
        return bytes(self._taken(".tobytes()").tobytes(order))

    def __len__(self) -> int:
        return len(self._value)

    def __iter__(self) -> Iterator[Array]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d Array")
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        body = np.array2string(np.asarray(self._value), separator=", ", prefix="Array(", threshold=200)
        notes = [f"name={self._name!r}"] if getattr(self, "_name", None) else []
        if self.dtype != np.float64:
            notes.append(f"dtype={self.dtype}")
        if not self.live:
            notes.append("constant")
        return f"{type(self).__name__}({', '.join([body, *notes])})"

    def __str__(self) -> str:
        return str(self._value)

    def __format__(self, spec: str) -> str:
        return format(self.item() if self.ndim == 0 else str(self), spec)

    # ---- ways out of the graph: open for constants, closed for what carries a gradient

    def _leave(self, how: str) -> Any:
        if self.live:
            raise TypeError(
                f"{how} would cut the gradient of {self.label()}: use .value or .item() to leave the graph on purpose, "
                "cr.array([...]) or np.stack to build an Array from Arrays"
            )
        return self._taken(how)

    def _taken(self, how: str) -> Any:
        """The value, to be used outside of gates; a recorder refuses what it could not follow."""
        recorder = MODE.get().recorder
        if recorder is not None:
            recorder.leave(self, how)
        return self._value

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        value = np.asarray(self._leave("converting to an ndarray"), dtype=dtype)
        return value.copy() if copy or copy is None else value

    def __float__(self) -> float:
        return float(self._leave("float()"))

    def __int__(self) -> int:
        return int(self._leave("int()"))

    def __index__(self) -> int:
        return self._leave("use as an index").__index__()  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        return bool(self._leave("truth testing (compare with .value or .item())"))

    def __complex__(self) -> complex:
        return complex(self._leave("complex()"))

    # ---- identity

    def label(self) -> str:
        """What messages call it: its name, or its gate and line."""
        name = self.name
        if name is not None:
            return name
        what = "an array" if self.gate is None else f"the result of {self.gate.title}"
        return what if self._site is None else f"{what} ({self.site})"

    def __copy__(self) -> Array:
        return self._leaf_copy() if self.gate is None else self

    def _leaf_copy(self) -> Self:
        twin = new_leaf(type(self), np.array(self._value), self.live, getattr(self, "_name", None))
        twin._site = self._site
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Array:
        # Oldest first, so that every input is copied before its gate, and without recursion.
        for old in sorted(ancestors(self), key=lambda node: node.number):
            if id(old) in memo:
                continue
            if old.gate is None:
                twin: Array = old._leaf_copy()
            else:
                inputs = tuple(memo[id(x)] if id(x) in memo else deepcopy(x, memo) for x in old.inputs)
                twin = new_node(np.array(old._value), deepcopy(old.gate, memo), inputs, old.live, old._site)
                for slot in ("_name", "_cut", "_cache", "_scope"):
                    if hasattr(old, slot):
                        setattr(twin, slot, getattr(old, slot))
            grad = getattr(old, "_grad", None)
            if grad is not None:
                twin._grad = np.array(grad)
            memo[id(old)] = twin
        return memo[id(self)]  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[Any, ...]:
        if self.gate is not None and self.live:
            raise TypeError(
                f"{self.label()} is part of a circuit, which cannot be pickled: pickle its .value, or .detach() it"
            )
        name = getattr(self, "_name", None)
        return _unpickle, (type(self), np.asarray(self._value), self.live, name, getattr(self, "_grad", None))

    if TYPE_CHECKING:
        # Installed by chainrule.numpy_protocol.
        def __add__(self, other: Any) -> Array: ...
        def __radd__(self, other: Any) -> Array: ...
        def __sub__(self, other: Any) -> Array: ...
        def __rsub__(self, other: Any) -> Array: ...
        def __mul__(self, other: Any) -> Array: ...
        def __rmul__(self, other: Any) -> Array: ...
        def __truediv__(self, other: Any) -> Array: ...
        def __rtruediv__(self, other: Any) -> Array: ...
        def __floordiv__(self, other: Any) -> Array: ...
        def __rfloordiv__(self, other: Any) -> Array: ...
        def __mod__(self, other: Any) -> Array: ...
        def __rmod__(self, other: Any) -> Array: ...
        def __divmod__(self, other: Any) -> tuple[Array, Array]: ...
        def __rdivmod__(self, other: Any) -> tuple[Array, Array]: ...
        def __pow__(self, other: Any) -> Array: ...
        def __rpow__(self, other: Any) -> Array: ...
        def __matmul__(self, other: Any) -> Array: ...
        def __rmatmul__(self, other: Any) -> Array: ...
        def __neg__(self) -> Array: ...
        def __pos__(self) -> Array: ...
        def __abs__(self) -> Array: ...
        def __invert__(self) -> Array: ...
        def __and__(self, other: Any) -> Array: ...
        def __or__(self, other: Any) -> Array: ...
        def __xor__(self, other: Any) -> Array: ...
        def __lt__(self, other: Any) -> Array: ...
        def __le__(self, other: Any) -> Array: ...
        def __gt__(self, other: Any) -> Array: ...
        def __ge__(self, other: Any) -> Array: ...
        def __eq__(self, other: object) -> Array: ...  # type: ignore[override]
        def __ne__(self, other: object) -> Array: ...  # type: ignore[override]
        def __getitem__(self, index: Any) -> Array: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...  # ndarray's methods


def raw(x: Any) -> Any:
    """The plain value of an Array; anything else as it is."""
    return x._value if isinstance(x, Array) else x


def read_only(value: Any) -> NDArray[Any]:
    """A view of an ndarray, or a number as one, through which nobody can write."""
    view: NDArray[Any] = np.asarray(value).view()
    view.setflags(write=False)
    return view


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of anything: ``np.shape`` without its detour through dispatch, which costs more than a gate."""
    try:
        return x.shape  # type: ignore[no-any-return]
    except AttributeError:
        return np.shape(x)


def ndim_of(x: Any) -> int:
    """The number of axes of anything."""
    return len(shape_of(x))


def real(value: Any) -> Any:
    """Refuse what has no derivative here, in words."""
    if value.dtype.kind == "c":
        raise TypeError("complex numbers are not supported: differentiate with respect to real and imaginary parts")
    if value.dtype.kind not in "fiub":
        raise TypeError(f"an Array holds numbers or booleans, not {value.dtype}")
    return value


def init_leaf(leaf: Array, value: Any, live: bool, name: str | None) -> None:
    leaf._value = value
    leaf.gate = None
    leaf.inputs = ()
    leaf.number = next_number()
    leaf.live = live
    leaf._site = user_site()
    leaf._name = name
    leaf._scope = None
    leaf._grad = None
    leaf._write = 0


def new_leaf(kind: type[A], value: Any, live: bool, name: str | None = None) -> A:
    leaf = object.__new__(kind)
    init_leaf(leaf, value, live, name)
    return leaf


def noted(leaf: A, source: Any) -> A:
    """``leaf``, just made of the data in ``source``: while a function is recorded, it stands for them there."""
    recorder = MODE.get().recorder
    if recorder is not None:
        recorder.leaf(leaf, source)
    return leaf


def new_node(value: Any, gate: Any, inputs: tuple[Any, ...], live: bool, site: tuple[Any, int] | None) -> Array:
    node = object.__new__(Array)
    node._value = value
    node.gate = gate
    node.inputs = inputs
    node.number = next_number()
    node.live = live
    node._site = site
    node._scope = None
    return node


def _unpickle(kind: type[Array], value: Any, live: bool, name: str | None, grad: Any) -> Array:
    leaf = new_leaf(kind, value, live, name)
    leaf._site = None
    if grad is not None:
        leaf._grad = grad
    return leaf


def ancestors(*outputs: Array) -> list[Array]:
    """The Arrays that ``outputs`` were computed from, themselves included, each once, in no particular order."""
    seen = set(outputs)
    todo = list(outputs)
    for node in todo:
        for x in node.inputs:
            if isinstance(x, Array) and x not in seen:
                seen.add(x)
                todo.append(x)
    return todo


def circuit(output: Array) -> list[Array]:
    """The Arrays behind ``output`` in the order of the forward pass: inputs before what uses them."""
    return sorted(ancestors(output), key=lambda node: node.number)


def changed_input(node: Array) -> Array | None:
    """An input younger than its gate: it was written after the gate had used it (by an optimiser's step, say)."""
    return next((x for x in node.inputs if isinstance(x, Array) and x.number > node.number), None)


def changed_after_use(node: Array, x: Array) -> GraphError:
    """The error for a gradient that would need what ``x`` was when the gate of ``node`` used it."""
    return GraphError(
        f"{x.label()} was changed after {node.gate.title} at {node.site} had used it, so its gradient would be "
        "wrong: run the forward pass again, or change it after backward()"
    )

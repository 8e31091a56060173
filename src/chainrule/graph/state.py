"""State: what a training step changes. Parameters are the States that an optimiser moves along their gradients.

All else in a circuit is a value that never changes; these are written in place, by ``assign``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.graph.array import Array, init_leaf, next_number, raw, real
from chainrule.graph.errors import GraphError, describe
from chainrule.graph.mode import MODE, Changes

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

_UNSHARED = 2  # the slot that holds a buffer, and the argument of getrefcount


class State(Array):
    """Something that a training step changes: a learning rate, a momentum, a running mean. It carries no gradient.

    ``assign`` writes a new value in place, so whoever holds the State sees it.

    >>> import chainrule as cr
    >>> count = cr.State(0)
    >>> count.assign(count + 1)
    >>> count.item()
    1
    """

    __slots__ = ()

    _carries_gradient = False

    def __init__(self, value: Any, *, dtype: DTypeLike | None = None, name: str | None = None) -> None:
        if MODE.get().recorder is not None:
            raise GraphError(
                f"a {type(self).__name__} is made once, and this function is recorded to be run many times: make it "
                "outside"
            )
        value = real(np.array(raw(value), dtype=dtype))
        init_leaf(self, value, self._carries_gradient and value.dtype.kind == "f", name)

    def assign(self, value: Any) -> None:
        """Write ``value`` in place: the same shape (or a single number), cast to the dtype held.

        Raises ValueError for another shape and TypeError for a dtype that does not fit (float into integer, say).
        """
        recorder = MODE.get().recorder
        if recorder is None or not isinstance(value, Array):
            value = np.asarray(raw(value))
        if value.shape not in (self.shape, ()):
            raise ValueError(f"{self.label()} holds shape {self.shape}; cannot assign {describe(value)}")
        if not np.can_cast(value.dtype, self.dtype, "same_kind"):
            raise TypeError(f"{self.label()} holds {self.dtype}; cannot assign {describe(value)} without losing values")
        if recorder is None:
            np.copyto(self.writable(), value, casting="same_kind")
        else:
            recorder.store(self, value)

    def writable(self) -> NDArray[Any]:
        """The buffer, to write a new value into.

        It is a new one if somebody else holds the old one, a view of the old value for example: values do not change.
        The State gets a new number, so a circuit that used the old value refuses to run backward.
        """
        if MODE.get().recorder is not None:
            raise GraphError(f"writing into the buffer of {self.label()} cannot be recorded: use .assign(value)")
        return self._buffer()

    def _buffer(self) -> NDArray[Any]:
        if sys.getrefcount(self._value) > _UNSHARED:
            self._value = np.array(self._value)
        self.number = next_number()
        return self._value

    def own(self) -> NDArray[Any]:
        """The buffer, which is a new one if somebody else held the old one. The value stays, and so does the number."""
        if sys.getrefcount(self._value) > _UNSHARED:
            self._value = np.array(self._value)
        return self._value

    def as_number(self) -> Any:
        """The only element as a Python number, which leaves float32 alone; while recording, one that stands for it.

        Raises TypeError for a State of several elements.
        """
        recorder = MODE.get().recorder
        return self._value.item() if recorder is None else recorder.as_number(self)

    def _refuse_in_place(self, other: Any) -> Any:
        raise TypeError(
            f"{self.label()} is a {type(self).__name__}: operators give new values and leave it alone; "
            "use .assign(value) to change it"
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ifloordiv__ = __imod__ = __ipow__ = __imatmul__ = _refuse_in_place
    __iand__ = __ior__ = __ixor__ = __ilshift__ = __irshift__ = _refuse_in_place

    def __setitem__(self, index: Any, value: Any) -> None:
        self._refuse_in_place(value)


class Parameter(State):
    """What an optimiser updates: a leaf that carries a gradient (float32 unless told otherwise).

    >>> import numpy as np, chainrule as cr
    >>> w = cr.Parameter([1.0, 2.0])
    >>> np.sum(w * w).backward()
    >>> w.grad
    array([2., 4.], dtype=float32)

    Raises TypeError for a dtype that is not floating.
    """

    __slots__ = ()

    _carries_gradient = True

    def __init__(self, value: Any, *, dtype: DTypeLike = np.float32, name: str | None = None) -> None:
        if np.dtype(dtype).kind != "f":
            raise TypeError(
                f"a Parameter is learned by gradients, so its dtype must be floating, not {np.dtype(dtype)}"
            )
        super().__init__(value, dtype=dtype, name=name)

    @property
    def written(self) -> int:
        """The number of the backward pass that last wrote the gradient, 0 if none did."""
        return self._write

    @property
    def frozen(self) -> bool:
        """Whether it is held still: no gradient is computed for it, so no optimiser moves it.

        Setting it takes away the gradient that is there. Compiled functions notice: they keep a Program for each.

        >>> import numpy as np, chainrule as cr
        >>> w, b = cr.Parameter([1.0, 2.0]), cr.Parameter(0.0)
        >>> w.frozen = True
        >>> np.sum(w * 3 + b).backward()
        >>> w.grad, b.grad.item()
        (None, 2.0)
        """
        return not self.live

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        if MODE.get().recorder is not None:
            raise GraphError(
                f"freezing {self.label()} would happen once, while the function is recorded, and not when it runs "
                "compiled: do it outside"
            )
        if frozen != self.frozen:
            self.live, self._grad = not frozen, None
            Changes.last = next_number()

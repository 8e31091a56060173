"""Module: what has parameters and computes. Layers, nets and neurons are Modules; users subclass it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from chainrule.graph.array import next_number, raw
from chainrule.graph.errors import GraphError, NonFiniteError
from chainrule.graph.mode import MODE, Changes
from chainrule.graph.scope import mark
from chainrule.graph.state import Parameter, State
from chainrule.random.generator import Generator

if TYPE_CHECKING:
    from chainrule.nn.summary import Summary

T = TypeVar("T")


class Module:
    """A part of a net. Assign Parameters and other Modules to attributes and define ``forward``.

    Parameters are found by looking through the attributes (lists, tuples and dicts of them included), in the order of
    assignment; one that is reached twice is listed once, under its first name. So are all other States: running
    statistics, say, and the key and counter of a ``cr.random.Generator``.

    A module is in training until ``eval()`` is called. What behaves otherwise then, as Dropout does, asks
    ``self.training``; a compiled function that calls it keeps one Program for each of the two. It notices attributes
    that are assigned, but not a list or dict of modules that is changed in place: assign another one.

    >>> import numpy as np, chainrule as cr
    >>> class Scale(cr.nn.Module):
    ...     def __init__(self):
    ...         self.factor = cr.Parameter(2.0)
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> model = Scale()
    >>> model(np.ones(3, np.float32)).value
    array([2., 2., 2.], dtype=float32)
    >>> list(model.named_parameters())
    ['factor']
    """

    # Not public, so that users may call what they like 'linear' and 'neurons'.
    _is_linear = False
    """Whether the module is an affine map of its inputs, so that two of them in a row equal one."""
    _is_affine_at_most = False
    """Whether it is no layer of neurons, and makes two linear layers around it none the less linear."""
    _is_one_layer = False
    """Whether summaries and drawings leave out the modules in it."""
    _neurons = 0
    """How many neurons the module has besides those of the modules in it."""
    _label: str | None = None
    """What drawings call the module; its container sets it."""
    _changed = 0
    """When an attribute was last written: a compiled function that calls the module is recorded again after that."""
    _training: State | None
    """Whether the module is being trained. A State, so that recordings notice who asks, and what the answer was; None
    for a module made while recording, which lives no longer than that."""

    def __new__(cls, *args: Any, **options: Any) -> Self:
        if cls.__hash__ is None:
            raise TypeError(f"modules hash by identity, and {cls.__name__} does not: write @dataclass(eq=False)")
        module = super().__new__(cls)
        recorder = MODE.get().recorder
        vars(module)["_training"] = State(True, name="training") if recorder is None else None
        if recorder is not None:
            recorder.begins(module)
        return module

    def __setattr__(self, name: str, value: Any) -> None:
        recorder = MODE.get().recorder
        if recorder is not None:
            recorder.changes(self, name)
        super().__setattr__(name, value)
        Changes.last = number = next_number()
        super().__setattr__("_changed", number)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module computes from its inputs. Call the module itself, ``model(x)``: drawings then know it."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, ...)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        start = next_number()
        recorder = MODE.get().recorder
        try:
            output = self.forward(*inputs, **options) if recorder is None else recorder.call(self, inputs, options)
        except NonFiniteError as error:
            error.layers = (self._label or type(self).__name__, *error.layers)
            raise
        mark(output, self._label or type(self).__name__, start)
        return output

    def named_parameters(self) -> dict[str, Parameter]:
        """Every parameter by its path: ``layers.0.weight``."""
        return _named(self, Parameter)

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter once."""
        return iter(self.named_parameters().values())

    def named_modules(self) -> dict[str, Module]:
        """The module itself (under '') and every module in it, by path, each once."""
        return _named(self, Module)

    @property
    def parameter_count(self) -> int:
        """How many learnable numbers there are, weights and biases."""
        return sum(p.size for p in self.parameters())

    @property
    def neuron_count(self) -> int:
        """How many neurons: outputs of all layers with weights, as the course counts (inputs are not neurons)."""
        return sum(part._neurons for part in self.named_modules().values())

    def summary(self, input_shape: int | Sequence[int] | None = None) -> Summary:
        """The layers with their sizes and costs, counted as the course counts: a table, and data to read by code.

        Args:
            input_shape: the shape of one example, without the axis of the batch; a number stands for one axis. Where
                the net begins with a layer that tells, it need not be said; without it there are no shapes,
                operations and activations.

        The net is recorded on zeros (integers if it begins with an Embedding), as for ``cr.compile``, and not changed.
        Raises what ``forward`` raises on such inputs.

        >>> import chainrule as cr
        >>> print(cr.nn.Sequential(cr.nn.Linear(3, 4), cr.nn.ReLU(), cr.nn.Linear(4, 2)).summary())
        layer           output  neurons  parameters  multiply-adds
        ----------------------------------------------------------
        input             (3,)
        0 Linear(3, 4)    (4,)        4          16             12
        1 ReLU()          (4,)
        2 Linear(4, 2)    (2,)        2          10              8
        ----------------------------------------------------------
        Sequential                    6          26             20
        memory: 104 B of parameters, 104 B of gradients, 104 B of momentum (for Adam twice that)
        one example: 52 B of activations, as much of their gradients
        one example: 50 operations forward, 120 with backward
        """
        from chainrule.nn.summary import summarise  # which knows the layers, and so this module

        return summarise(self, input_shape)

    def _features_in(self) -> int | None:
        """The length of the one axis that examples have, if the module knows."""
        return None

    def stacked_linear(self) -> list[str]:
        """Pairs of linear layers with nothing nonlinear between them, in words: together they equal one layer."""
        return [pair for part in self.named_modules().values() for pair in part._linear_neighbours()]

    def _linear_neighbours(self) -> list[str]:
        return []

    # ---- training, or using what was learned

    @property
    def training(self) -> bool:
        """Whether the module is being trained: True until ``eval()``."""
        return self._training is None or bool(self._training.item())

    def train(self, mode: bool = True) -> Self:
        """Go over to training, with every module in this one (with ``mode=False``, leave it). Returns the module.

        Compiled functions notice: they are recorded once for each of the two, and then choose.

        Raises GraphError while a function is recorded.

        >>> import chainrule as cr
        >>> net = cr.nn.Sequential(cr.nn.Linear(2, 3), cr.nn.ReLU())
        >>> net.eval().training, net[0].training, net.train().training
        (False, False, True)
        """
        if MODE.get().recorder is not None:
            raise GraphError(
                "train() and eval() would switch once, while the function is recorded, and not when it runs compiled: "
                "call them outside"
            )
        for part in self.named_modules().values():
            if part._training is not None and part.training != mode:
                part._training.assign(mode)
        return self

    def eval(self) -> Self:
        """Go over from training to using what was learned: Dropout drops nothing, BatchNorm takes its running averages.

        Returns the module. The opposite of ``train()``.
        """
        return self.train(False)

    def freeze(self) -> Self:
        """Hold every parameter still: no gradient is computed for it, and no optimiser moves it. Returns the module.

        A single one is frozen by ``parameter.frozen = True``. A frozen BatchNorm keeps its running statistics, too.

        >>> import numpy as np, chainrule as cr
        >>> first, last = cr.nn.Linear(2, 3), cr.nn.Linear(3, 1)
        >>> np.sum(last(first.freeze()(np.ones((4, 2))))).backward()
        >>> first.weight.grad is None, last.weight.grad.shape
        (True, (3, 1))
        """
        return self._hold(True)

    def unfreeze(self) -> Self:
        """Let every parameter learn again. Returns the module."""
        return self._hold(False)

    def _hold(self, frozen: bool) -> Self:
        for parameter in self.parameters():
            parameter.frozen = frozen
        return self

    # ---- saving and loading

    def named_states(self) -> dict[str, State]:
        """Everything in it that a training step changes, by path: Parameters, running statistics, generators.

        >>> import chainrule as cr
        >>> class Noisy(cr.nn.Module):
        ...     def __init__(self):
        ...         self.scale, self.rng = cr.Parameter(0.1), cr.random.Generator(0)
        >>> list(Noisy().named_states())
        ['scale', 'rng.key', 'rng.counter']
        """
        return _named(self, State)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """A copy of the value of every State by path: what ``load_state_dict`` takes."""
        return {name: np.array(state.value, order="C") for name, state in self.named_states().items()}

    def load_state_dict(self, values: Mapping[str, Any]) -> None:
        """Assign values to the States by name.

        Names and shapes must fit exactly, and the values be numbers that the dtypes held can take (float64 into
        float32, but not 0.5 into a counter); else ValueError and no change.

        >>> import chainrule as cr
        >>> one, other = cr.nn.Linear(2, 3), cr.nn.Linear(2, 3)
        >>> other.load_state_dict(one.state_dict())
        >>> bool((one.weight.value == other.weight.value).all())
        True
        """
        named = self.named_states()
        if set(values) != set(named):
            raise ValueError(
                f"the names do not fit: missing {sorted(set(named) - set(values))}, "
                f"unexpected {sorted(set(values) - set(named))}"
            )
        loaded = {name: np.asarray(raw(values[name])) for name in named}
        wrong = [
            f"{name} {loaded[name].shape} for {s.shape}" for name, s in named.items() if loaded[name].shape != s.shape
        ]
        if wrong:
            raise ValueError(f"the shapes do not fit: {', '.join(wrong)}")
        unfit = [
            f"{name} {loaded[name].dtype} for {s.dtype}"
            for name, s in named.items()
            if not np.can_cast(loaded[name].dtype, s.dtype, "same_kind")
        ]
        if unfit:
            raise ValueError(f"the dtypes do not fit: {', '.join(unfit)}")
        for name, state in named.items():
            state.assign(loaded[name])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe()})"

    def describe(self) -> str:
        """What stands between the parentheses of the repr."""
        return ", ".join(f"{name}={part!r}" for name, part in vars(self).items() if isinstance(part, Module))


def _named(module: Module, kind: type[T]) -> dict[str, T]:
    """The parts of one kind by path."""
    named: dict[str, T] = {}
    for path, part in _parts(module, "", set()):
        if isinstance(part, kind):
            if path in named:
                raise ValueError(f"two parts of {type(module).__name__} have the same path {path!r}")
            named[path] = part
    return named


def _parts(part: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Modules and States below ``part``, depth first, with their paths.

    What is reached twice, perhaps because a part refers back to its parent, is listed once, under its first path.
    """
    children: Any
    if isinstance(part, Module):
        children = ((name, child) for name, child in vars(part).items() if name != "_training")
    elif isinstance(part, Generator):
        children = vars(part).items()
    elif isinstance(part, dict):
        children = part.items()
    elif isinstance(part, (list, tuple)):
        children = enumerate(part)
    elif isinstance(part, State):
        children = ()
    else:
        return
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, (Module, State)):
        yield path, part
    for name, child in children:
        yield from _parts(child, f"{path}.{name}" if path else str(name), seen)

"""What all optimisers have in common: everything but the rule.

A rule is a subclass that declares its hyper-parameters, what it keeps for each parameter, and one pure formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.graph.array import Array, next_number, raw
from chainrule.graph.errors import GraphError
from chainrule.graph.mode import MODE, switched
from chainrule.graph.number import Number
from chainrule.graph.state import Parameter, State
from chainrule.optim.given import as_groups, check_fits, checked_schedule, how_many
from chainrule.optim.hyper import SHARED, Flag, Hyper, Slot, documentation_of, signature_of

Scale = Callable[[Any], Any]
"""From the number of updates done to a factor on the step size: see ``optim.schedules``."""

COMMON = ("l2", "weight_decay", "clip_value", "clip_norm")
"""Hyper-parameters of all rules that the formula need not know."""


class Optimizer:
    """The base of all optimisers that work on minibatches.

    Biases, for ``l2`` and ``weight_decay``, are parameters of less than two axes.

    A rule of your own declares, in a subclass, its hyper-parameters as ``Hyper``, what it keeps for each parameter as
    ``slots``, and its formula: a pure function of ``w``, ``gradient``, ``lr``, its hyper-parameters and the slots, by
    these names, which gives a tuple of the new weights and what the slots hold now (counts left out). As it
    uses operators and functions of NumPy alone, it works eagerly and compiled. With ``*=`` and ``+=`` it may change the
    weights and the slots in place, which saves memory and time; the gradient it leaves alone.

    >>> import numpy as np, chainrule as cr
    >>> class SignDescent(cr.optim.Optimizer):
    ...     '''w <- w - lr * sign(gradient)'''
    ...     @staticmethod
    ...     def formula(w, gradient, lr):
    ...         return (w - lr * np.sign(gradient),)
    >>> w = cr.Parameter([1.0, -2.0])
    >>> optimizer = SignDescent([w], lr=0.5, clip_norm=1.0)
    >>> optimizer
    SignDescent(1 parameter, lr=0.5, clip_norm=1.0)
    >>> np.sum(w * w).backward()
    >>> optimizer.step()
    >>> w.value
    array([ 0.5, -1.5], dtype=float32)
    """

    lr = Hyper(0.01, "(0, inf)", "the step size")
    l2 = Hyper(
        0.0,
        "[0, inf)",
        "strength of the penalty 1/2 l2 sum(w^2), whose gradient is added; biases are left alone",
        off=0.0,
    )
    weight_decay = Hyper(
        0.0, "[0, inf)", "what part of the weights, times lr, is taken away beside the rule; not of biases", off=0.0
    )
    clip_value = Hyper(None, "(0, inf)", "bound on the magnitude of each element of a gradient", off=None)
    clip_norm = Hyper(None, "(0, inf)", "bound on the norm of all gradients together; they are scaled to it", off=None)

    slots: ClassVar[tuple[Slot, ...]] = ()
    hypers: ClassVar[dict[str, Hyper]] = {}
    """All hyper-parameters by name: ``lr``, those of the rule, those of every rule."""
    whole_batch: ClassVar[bool] = False
    """Whether it works on all data at once, and not on minibatches."""
    _switchable: ClassVar[tuple[str, ...]] = ()  # those that can be off

    parameters: list[Parameter]
    steps: State
    """How many updates were done."""

    @staticmethod
    def formula(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The rule: of ``w``, ``gradient``, ``lr``, the slots and the hyper-parameters, to new ``w`` and slots."""
        raise NotImplementedError("an optimiser declares its formula")

    def __init_subclass__(cls) -> None:
        declared = {k: h for base in reversed(cls.__mro__) for k, h in vars(base).items() if isinstance(h, Hyper)}
        rule = ["lr", *(name for name in declared if name not in ("lr", *COMMON))]
        cls.hypers = {name: declared[name] for name in (*rule, *COMMON)}
        cls._switchable = tuple(name for name, h in cls.hypers.items() if h.switchable)
        expected = ["w", "gradient", *rule, *(slot.name for slot in cls.slots)]
        if list(signature(cls.formula).parameters) != expected:
            raise TypeError(f"the formula of {cls.__name__} takes {', '.join(expected)}")
        cls.__signature__ = signature_of(cls.hypers)  # type: ignore[attr-defined]
        cls.__doc__ = f"{cls.__doc__ or ''}\n\n{documentation_of(cls.hypers)}"

    def __init__(
        self,
        parameters: Iterable[Parameter] | Iterable[Mapping[str, Any]],
        lr: float | None = None,
        *,
        schedule: Scale | None = None,
        **options: Any,
    ) -> None:
        if type(self) is Optimizer:
            raise TypeError("Optimizer is what all rules have in common: take one, such as SGD or Adam")
        groups = as_groups(parameters)
        self.parameters = [p for members, _ in groups for p in members]
        options = options if lr is None else {"lr": lr, **options}
        for told in (options, *(own for _, own in groups)):
            self._check_names(told)
        if any("clip_norm" in own for _, own in groups):
            raise TypeError("clip_norm bounds the norm of all gradients together: it is no option of a group")
        shared = {name: h.state(options.get(name, h.default)) for name, h in self.hypers.items()}
        for name, state in shared.items():
            vars(self)[f"_{name}"] = state  # so that a printed program calls it by its name
        self._schedule = checked_schedule(schedule)
        self.steps = State(0, name="steps")
        self._own = [{name: self.hypers[name].state(value) for name, value in own.items()} for _, own in groups]
        self._options = [*({**shared, **own} for own in self._own), shared]  # a row for each group, and one for all
        self._rows = [row for row, (members, _) in enumerate(groups) for _ in members]
        for slot in self.slots:
            setattr(self, slot.name, [None] * len(self.parameters))
        self._edition = 0
        self._structure = State(np.zeros((len(self._options), 1 + len(self._switchable)), np.int64), name="structure")
        self._restructure()
        self._last_write = 0

    def _check_names(self, options: Mapping[str, Any]) -> None:
        for name in options:
            if name not in self.hypers:
                raise TypeError(f"{type(self).__name__} has no {name}: it has {', '.join(self.hypers)}")

    # ---- hyper-parameters

    @property
    def groups(self) -> list[Group]:
        """The groups of parameters, with their options by name: ``optimizer.groups[1]["lr"]``."""
        return [Group(self, row) for row in range(len(self._own))]

    @property
    def current_lr(self) -> float:
        """The step size of the next update: ``lr`` times what the schedule says."""
        factor = self._factor()
        return self.lr if factor is None else self.lr * factor  # type: ignore[no-any-return]

    def _factor(self) -> Any:
        """What the schedule says, as a Python number or one of run time."""
        if self._schedule is None:
            return None
        if MODE.get().recorder is not None:
            return _number(self._schedule(self.steps))
        factor = _number(self._schedule(self.steps.item()))
        if not 0 <= factor < np.inf:
            raise ValueError(f"the schedule gives the factor {factor} at step {self.steps.item()}")
        return factor

    @property
    def schedule(self) -> Scale | None:
        """What scales the step size: a function of the number of updates done."""
        return self._schedule

    @schedule.setter
    def schedule(self, schedule: Scale | None) -> None:
        self._refuse_while_recorded("schedule")
        self._schedule = checked_schedule(schedule)
        self._edition += 1
        self._restructure()

    def _option(self, row: int, hyper: Hyper) -> Any:
        """The value of an option; whether it is on becomes part of a recording."""
        if hyper.switchable and not self._structure.value[row, 1 + self._switchable.index(hyper.name)]:
            return hyper.off
        return True if isinstance(hyper, Flag) else self._options[row][hyper.name].as_number()

    def _set_option(self, row: int, hyper: Hyper, value: Any) -> None:
        on = not hyper.switchable or self._is_on(row, hyper.name)
        if not on or (not isinstance(value, Array) and hyper.checked(value) == hyper.off):
            self._refuse_while_recorded(hyper.name)
        hyper.write(self._options[row][hyper.name], value)
        if MODE.get().recorder is None and hyper.switchable:
            self._restructure()

    def _refuse_while_recorded(self, name: str) -> None:
        if MODE.get().recorder is not None:
            raise GraphError(
                f"setting {name} here would happen once, while it is recorded, and not when it runs compiled, "
                "as it changes what an update consists of: do it outside"
            )

    def _is_on(self, row: int, name: str) -> bool:
        """Whether the option has an effect by now. Once something is kept for it, it has."""
        hyper = self.hypers[name]
        if hyper.told(self._options[row][name]._value) != hyper.off:
            return True
        kept = [getattr(self, slot.name) for slot in self.slots if slot.needs == name]
        return any(states[i] is not None for states in kept for i, own in enumerate(self._rows) if row in (own, SHARED))

    def _restructure(self) -> None:
        """Find out which options are on, make the slots that they need, and plan the steps accordingly."""
        rows = [*range(len(self._own)), SHARED]
        switches = [{name: self._is_on(row, name) for name in self._switchable} for row in rows]
        for slot in self.slots:
            states = getattr(self, slot.name)
            for i, p in enumerate(self.parameters):
                if states[i] is None and slot.kept_if(switches[self._rows[i]]):
                    states[i] = slot.begin(p)
        self._plans = [self._plan(row, on) for row, on in enumerate(switches[:SHARED])]
        self._clips = any(on["clip_value"] or on["clip_norm"] for on in switches)
        structure = [[self._edition, *on.values()] for on in switches]
        if not np.array_equal(structure, self._structure._value):
            self._structure.assign(structure)  # recordings hold as long as it is the same

    def _plan(self, row: int, on: dict[str, bool]) -> _Plan:
        options, rule = self._options[row], [name for name in self.hypers if name not in COMMON]
        return _Plan(
            **{name: options[name] if on[name] else None for name in COMMON},
            rule=[on[name] if isinstance(self.hypers[name], Flag) else options[name] for name in rule],
            members=[self._member(i, on) for i, own in enumerate(self._rows) if own == row],
        )

    def _member(self, i: int, on: dict[str, bool]) -> _Member:
        p = self.parameters[i]
        pulled = p.ndim > 1 and (on["l2"] or on["weight_decay"])  # biases are left alone
        return _Member(p, pulled, list(enumerate(self._kept_for(i, count=False), 1)), self._kept_for(i, count=True))

    def _kept_for(self, i: int, *, count: bool) -> list[State]:
        kept = [getattr(self, slot.name)[i] for slot in self.slots if slot.count == count]
        return [state for state in kept if state is not None]

    # ---- the step

    def step(self) -> None:
        """One update of every parameter whose gradient was written since the last step.

        Gradients are clipped first, by value and then by norm; the gradient of the ``l2`` penalty is added, the weights
        decay, and the rule moves them. Raises GraphError if there is no gradient.
        """
        recorder = MODE.get().recorder
        if recorder is None:
            self._step(_EAGERLY)
        else:
            recorder.remember(self, "_last_write")
            recorder.leave(self._structure, "an update")
            with switched(gradients=False, role="update"):
                self._step(_Way(recorder.gradient, _detached, State.assign, _count_recorded))

    def _step(self, way: _Way) -> None:
        since = latest = self._last_write
        factor, formula, (gradient_of, value_of, write, count) = self._factor(), self.formula, way
        if self._clips:
            gradient_of = self._clipped(gradient_of).__getitem__
        for plan in self._plans:
            numbers, l2, keep = _told(plan, factor)
            for p, pulled, arrays, counts in plan.members:
                if p._write <= since or p._grad is None:  # it may be taken away to hold a parameter still
                    continue
                if p._write > latest:
                    latest = p._write
                gradient, w = gradient_of(p), value_of(p)
                if pulled:
                    if l2 is not None:
                        gradient = gradient + l2 * w
                    if keep is not None:
                        w *= keep
                operands = [w, gradient, *numbers]
                for _, state in arrays:
                    operands.append(value_of(state))
                for state in counts:
                    operands.append(count(state))
                made = formula(*operands)
                if made[0] is not w:  # the formula did not work in place: was it recorded, or written so?
                    self._check_result(made, len(arrays))
                    write(p, made[0])
                for k, state in arrays:
                    if made[k] is not state._value:
                        write(state, made[k])
        if latest == since:
            raise GraphError(
                "there is no new gradient since the last step: call backward() on the loss first, and see that the "
                "optimiser was made for the parameters of the net that computed it"
            )
        count(self.steps)
        self._last_write = latest

    def _check_result(self, made: Any, kept: int) -> None:
        if not isinstance(made, tuple) or len(made) != 1 + kept:
            slots = "".join(f", {slot.name}" for slot in self.slots if not slot.count)
            raise TypeError(f"the formula of {type(self).__name__} returns a tuple: (w{slots or ','})")

    def _clipped(self, gradient_of: Callable[[Parameter], Any]) -> dict[Parameter, Any]:
        """The gradients that were written since the last step, within their bounds."""
        clipped = {}
        for plan in self._plans:
            bound = None if plan.clip_value is None else plan.clip_value.as_number()
            for p, *_ in plan.members:
                if p._write > self._last_write and p._grad is not None:
                    clipped[p] = gradient_of(p) if bound is None else np.clip(gradient_of(p), -bound, bound)
        norm = self.clip_norm
        return clipped if norm is None or not clipped else _scaled(clipped, norm)

    # ---- what a checkpoint holds

    def named_states(self) -> dict[str, State]:
        """Every State that it changes or is told, by name: ``steps``, ``lr``, ``momentum``, ``velocity.0``."""
        return {**self._numbers(), **self._kept()}

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of all that it knows, by name: ``steps``, ``lr``, ``momentum``, ``groups.1.lr``, ``velocity.0``.

        An optimiser made alike that loads them goes on with the same bits. NaN is for None.
        """
        return {name: np.array(state._value) for name, state in self.named_states().items()}

    def load_state_dict(self, values: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` has given.

        Raises ValueError, and changes nothing, if a name is missing or unknown, a shape or a dtype is another one, or a
        hyper-parameter is out of range.
        """
        self._refuse_while_recorded("the state")
        given = {name: np.asarray(value) for name, value in values.items()}
        numbers, kept = self._numbers(), self._kept()  # States stay the same ones: compiled steps hold them
        wanted = dict(numbers)
        for slot in self.slots:
            for i, p in enumerate(self.parameters):
                name = f"{slot.name}.{i}"
                if name in given or self._needed(slot, i, given):
                    wanted[name] = kept[name] if name in kept else slot.begin(p)
        check_fits(given, wanted)
        for name in numbers.keys() - {"steps"}:
            hyper = self.hypers[name.rpartition(".")[-1]]
            hyper.checked(hyper.told(given[name]))
        for name, state in (kept | wanted).items():
            state.assign(given.get(name, 0.0))  # without momentum there is no velocity
        for slot in self.slots:
            states = getattr(self, slot.name)
            states[:] = [(kept | wanted).get(f"{slot.name}.{i}") for i in range(len(states))]
        self._restructure()

    def _numbers(self) -> dict[str, State]:
        numbers = {"steps": self.steps, **self._options[SHARED]}
        for k, own in enumerate(self._own):
            numbers.update({f"groups.{k}.{name}": state for name, state in own.items()})
        return numbers

    def _kept(self) -> dict[str, State]:
        """What is kept for the parameters, by the name of the slot and the number of the parameter."""
        kept = {f"{slot.name}.{i}": state for slot in self.slots for i, state in enumerate(getattr(self, slot.name))}
        return {name: state for name, state in kept.items() if state is not None}

    def _needed(self, slot: Slot, i: int, given: Mapping[str, NDArray[Any]]) -> bool:
        """Whether the options that are ``given`` need the slot for parameter number ``i``."""
        if slot.needs is None:
            return True
        group = self._rows[i]
        name = f"groups.{group}.{slot.needs}" if slot.needs in self._own[group] else slot.needs
        hyper = self.hypers[slot.needs]
        return name in given and hyper.told(given[name]) != hyper.off

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # Writes are numbered within one process: the number of another says nothing here.
        self._last_write = max(p.written for p in self.parameters)

    def __repr__(self) -> str:
        shown = {name: h.told(self._options[SHARED][name]._value) for name, h in self.hypers.items()}
        told = [f"{name}={x}" for name, x in shown.items() if x != self.hypers[name].off]
        groups = f" in {len(self._own)} groups" if len(self._own) > 1 else ""
        return f"{type(self).__name__}({', '.join([how_many(self.parameters) + groups, *told])})"


class Group:
    """The parameters of a group, and their options by name, to be read and set.

    An option that the group was not told when the optimiser was made is the optimiser's.

    >>> import chainrule as cr
    >>> w, b = cr.Parameter([[1.0]]), cr.Parameter([0.0])
    >>> optimizer = cr.optim.SGD([{"parameters": [w]}, {"parameters": [b], "lr": 0.01}], lr=0.1)
    >>> optimizer.groups
    [Group(1 parameter), Group(1 parameter, lr=0.01)]
    >>> optimizer.groups[1]["lr"] = 0.02
    >>> [group["lr"] for group in optimizer.groups]
    [0.1, 0.02]
    """

    def __init__(self, optimizer: Optimizer, row: int) -> None:
        self._optimizer, self._row = optimizer, row

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters of the group."""
        pairs = zip(self._optimizer.parameters, self._optimizer._rows, strict=True)
        return [p for p, row in pairs if row == self._row]

    @property
    def own(self) -> tuple[str, ...]:
        """The options that the group does not share with the others."""
        return tuple(self._optimizer._own[self._row])

    def __getitem__(self, name: str) -> Any:
        return self._optimizer._option(self._row, self._optimizer.hypers[name])

    def __setitem__(self, name: str, value: Any) -> None:
        hyper = self._optimizer.hypers[name]
        if name not in self.own:
            raise KeyError(f"the group shares {name} with others: set optimizer.{name}, or tell the group its own")
        self._optimizer._set_option(self._row, hyper, value)

    def __repr__(self) -> str:
        own = "".join(f", {name}={self[name]}" for name in self.own)
        return f"Group({how_many(self.parameters)}{own})"


class _Member(NamedTuple):
    """A parameter of a group, and what is kept for it."""

    parameter: Parameter
    pulled: bool  # towards zero, by l2 or decay
    arrays: list[tuple[int, State]]  # with their places in what the formula returns
    counts: list[State]


class _Plan(NamedTuple):
    """What a step does with the parameters of a group. None is off."""

    l2: State | None
    weight_decay: State | None
    clip_value: State | None
    clip_norm: State | None
    rule: list[Any]  # the first numbers that the formula takes: States, and flags
    members: list[_Member]


def _told(plan: _Plan, factor: Any) -> tuple[list[Any], Any, Any]:
    """The numbers of a plan for one step: of the rule, the penalty, and what the decay leaves of the weights."""
    numbers = [x if x is True or x is False else x.as_number() for x in plan.rule]
    if factor is not None:
        numbers[0] = numbers[0] * factor  # lr
    l2 = None if plan.l2 is None else plan.l2.as_number()
    keep = None if plan.weight_decay is None else 1 - numbers[0] * plan.weight_decay.as_number()
    return numbers, l2, keep


class _Way(NamedTuple):
    """How a step gets at gradients and values, writes values and counts: eagerly, or while it is recorded."""

    gradient: Callable[[Parameter], Any]
    value: Callable[[State], Any]
    write: Callable[[State, Any], None]
    count: Callable[[State], Any]  # one more: the new number


def _detached(state: State) -> Array:
    return state.detach()  # type: ignore[no-any-return]


def _replace(state: State, value: Any) -> None:
    """``state`` holds ``value``, which was just computed and is nobody else's: there is nothing to copy."""
    held = state._value
    if type(value) is np.ndarray and value.dtype is held.dtype and value.shape == held.shape:
        state._value = value
        state.number = next_number()
    else:
        state.assign(value)


def _count(state: State) -> int:
    buffer = state._buffer()
    number = buffer.item() + 1
    buffer[()] = number
    return number  # type: ignore[no-any-return]


def _count_recorded(state: State) -> Any:
    state.assign(state + 1)
    return state.as_number()


_EAGERLY = _Way(attrgetter("_grad"), State._buffer, _replace, _count)


def _number(x: Any) -> Any:
    """A Python number, or one of run time, which leaves float32 alone."""
    recorder = MODE.get().recorder
    if isinstance(x, Number):
        return x
    return float(raw(x)) if recorder is None or not isinstance(x, Array) else recorder.as_number(x)


def _scaled(gradients: dict[Parameter, Any], bound: Any) -> dict[Parameter, Any]:
    """The gradients, scaled to the bound if their norm is larger."""
    # In float64: the squares of large float32 numbers are infinite.
    squares = [np.sum(np.square(gradient.astype(np.float64))) for gradient in gradients.values()]
    scale = _number(bound / np.maximum(np.sqrt(sum(squares[1:], start=squares[0])), bound))
    return {p: gradient * scale for p, gradient in gradients.items()}

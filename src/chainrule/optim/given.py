"""What an optimiser is given: parameters, alone or in groups, a schedule, and saved states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from chainrule.graph.errors import describe
from chainrule.graph.state import Parameter, State


def as_groups(parameters: Any) -> list[tuple[list[Parameter], dict[str, Any]]]:
    """Lists of parameters, each with the options that were told along with them.

    Raises TypeError for what are no Parameters or groups of them, ValueError where none is left or one is there twice.
    """
    try:
        given = list(parameters)
    except TypeError:
        kind = type(parameters).__name__
        raise TypeError(f"an optimiser takes a list of Parameters, model.parameters() say, not {kind}") from None
    grouped = any(isinstance(x, Mapping) for x in given)
    groups = [_group(x) for x in given] if grouped else [(given, {})]
    members = [p for group, _ in groups for p in group]
    if not all(group for group, _ in groups):
        raise ValueError("there are no parameters to optimise")
    for p in members:
        if not isinstance(p, Parameter):
            raise TypeError(f"an optimiser updates Parameters, not {type(p).__name__}")
    if len(set(members)) < len(members):
        raise ValueError("a parameter is listed twice: it would be updated twice a step")
    return groups


def as_parameters(parameters: Any) -> list[Parameter]:
    """A list of Parameters, checked like groups; TypeError for groups."""
    groups = as_groups(parameters)
    if len(groups) > 1 or groups[0][1]:
        raise TypeError("this optimiser takes a list of Parameters, and no groups")
    return groups[0][0]


def _group(group: Any) -> tuple[list[Any], dict[str, Any]]:
    if not isinstance(group, Mapping) or "parameters" not in group:
        raise TypeError("groups are dicts, each with its 'parameters' and maybe options of its own")
    own = {name: value for name, value in group.items() if name != "parameters"}
    return list(group["parameters"]), own


def how_many(parameters: list[Parameter]) -> str:
    """Their number in words."""
    return "1 parameter" if len(parameters) == 1 else f"{len(parameters)} parameters"


def check_fits(given: Mapping[str, NDArray[Any]], wanted: Mapping[str, State]) -> None:
    """Raise ValueError where what is to be loaded is not just what is wanted: names, shapes and dtypes."""
    if lacking := wanted.keys() - given.keys():
        raise ValueError(f"the state dict lacks {', '.join(sorted(lacking))}")
    if unknown := given.keys() - wanted.keys():
        raise ValueError(f"the state dict has {', '.join(sorted(unknown))}, which this optimiser does not know")
    for name, state in wanted.items():
        if (given[name].shape, given[name].dtype) != (state.shape, state.dtype):
            raise ValueError(f"{name} is {describe(state._value)} here; cannot load {describe(given[name])}")


def checked_schedule(schedule: Any) -> Callable[[Any], Any] | None:
    """A function from the number of updates done to a factor on the step size, or None; TypeError for anything else."""
    if schedule is not None and not callable(schedule):
        raise TypeError(f"a schedule is a function from the number of updates to a factor, not {schedule!r}")
    return schedule  # type: ignore[no-any-return]

"""``chainrule check``: the gradients of a user's function against numerical ones."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from chainrule.calculus.check import ACCEPTABLE, GradientError, check_grads
from chainrule.calculus.trees import leaves
from chainrule.cli.errors import FAILED, Stop
from chainrule.cli.expression import ExpressionError, read_numbers
from chainrule.cli.verdict import in_words
from chainrule.gates.gate import Gate
from chainrule.graph.array import raw
from chainrule.graph.errors import describe
from chainrule.graph.site import PACKAGE
from chainrule.nn import Module

DEFAULT = "random:3"


def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:FUNCTION", help="The function, as Python finds it from here.", show_default=False
        ),
    ],
    arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ARGUMENT",
            help="2.5, or 1,2,3 for a vector; random:3,4 for a random matrix; int:0,2 for integers, passed on as they "
            "are. Once for each argument, in order.",
            show_default=False,
        ),
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SHAPE",
            help="Short for --arg random:SHAPE, where all arguments are random: 3 for a vector, 3,4 for a matrix, () "
            "for a number.",
            show_default=False,
        ),
    ] = None,
    order: Annotated[int, typer.Option(min=1, max=4, help="1 checks gradients, 2 also gradients of gradients.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the random arguments and directions.")] = 0,
    tolerance: Annotated[float, typer.Option(min=0, help="The largest relative error that passes.")] = ACCEPTABLE,
) -> None:
    """Compare the gradients of a function of yours with centred differences, in float64.

    Exits with status 1 if a gradient is wrong. Without --arg and --shape each argument is a random vector of 3.

    For example:

      chainrule check mymodel:energy --shape 4,3 --shape 3

      chainrule check mymodel:loss --arg random:4,3 --arg int:0,2,1,0 --order 1
    """
    function = _imported(target)
    texts = _in_order(arg or [], shape or []) or [DEFAULT] * _parameters_needed(function, target)
    generator = np.random.default_rng(seed)
    arguments = [_read_argument(text, generator) for text in texts]
    typer.echo(f"{target}({', '.join(describe(x) for x in arguments)})")
    _try(function, arguments, target)
    try:
        report = check_grads(function, *arguments, order=order, seed=seed, tolerance=tolerance)
    except GradientError as error:
        raise Stop(f"{target}: {error}", FAILED) from error
    except Exception as error:
        raise Stop(f"{target} raised {_told(error)}") from error
    for kink in report.kinks:
        typer.echo(f"kink: {kink}")
    if not report.compared:
        raise Stop(f"{target}: nothing was compared, every direction crosses a kink: choose other arguments", FAILED)
    typer.echo(f"derivatives up to order {order}: {in_words(report)}")
    if report.worst:
        typer.echo(report.worst)


def _in_order(args: list[str], shapes: list[str]) -> list[str]:
    """The arguments as --arg has them. The parser of options forgets how two different ones were mixed."""
    if args and shapes:
        raise Stop(
            "--arg and --shape do not mix, for their order would be lost: write each argument with --arg, in order, "
            f"such as --arg random:{shapes[0]} --arg {args[0]}"
        )
    return args or [f"random:{shape}" for shape in shapes]


def _imported(target: str) -> Callable[..., Any]:
    """The function ``module:function`` names; modules are looked for in the current folder first."""
    module_name, colon, function_name = target.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module_name.split("."), function_name)):
        raise Stop(f"give the function as MODULE:FUNCTION, such as mymodel:loss, not {target!r}")
    if module_name.endswith(".py"):
        raise Stop(f"write {module_name.removesuffix('.py')}:{function_name}: modules are named without .py")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        why = "" if module_name.startswith(missing) else f" (which {module_name} imports)"
        raise Stop(f"there is no module {missing}{why} in {here} or among the installed ones") from error
    except (Exception, SystemExit) as error:
        raise Stop(f"importing {module_name} raised {_told(error)}") from error
    if not hasattr(module, function_name):
        raise Stop(f"{module_name} has no function {function_name}")
    function = getattr(module, function_name)
    if inspect.isclass(function):
        raise Stop(f"{target} is a class: name a function, or an instance such as gate = {function_name}()")
    if not callable(function):
        raise Stop(f"{target} is not a function")
    return function  # type: ignore[no-any-return]


def _told(error: BaseException) -> str:
    """An error of the user's code in one line, with the place where it was raised."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(PACKAGE)]
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}: {error}"


def _read_argument(text: str, generator: np.random.Generator) -> Any:
    kind, colon, rest = text.partition(":")
    if colon and kind not in ("int", "random"):
        raise Stop(f"an argument is numbers, int:NUMBERS or random:SHAPE, not {text!r}")
    if kind == "random":
        return np.asarray(generator.standard_normal(_read_shape(rest)))
    try:
        values = read_numbers(rest if colon else text, text)
    except ExpressionError as error:
        raise Stop(error) from error
    if not colon:
        return values
    if (values != np.round(values)).any():
        raise Stop(f"not integers: {text!r}")
    return values.astype(np.int64)


def _read_shape(text: str) -> tuple[int, ...]:
    inner = text.strip().removeprefix("(").removesuffix(")").strip().removesuffix(",")
    if not inner:
        return ()
    try:
        shape = tuple(int(size) for size in inner.split(","))
    except ValueError as error:
        raise Stop(f"a shape is whole numbers separated by commas, not {text!r}") from error
    if min(shape) < 1 or np.prod(shape, dtype=float) > 1e6:
        raise Stop(f"a shape has sizes of at least 1 and a million elements at most, not {text!r}")
    return shape


def _parameters_needed(function: Callable[..., Any], target: str) -> int:
    """How many arguments must be given by position."""
    try:
        told = function.forward if isinstance(function, Gate | Module) else function  # their __call__ takes anything
        parameters = inspect.signature(told).parameters.values()
    except ValueError as error:  # some builtins do not tell
        raise Stop(f"{target} does not tell its arguments: give them by --arg or --shape") from error
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = sum(p.kind in positional and p.default is p.empty for p in parameters)
    if not needed and any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise Stop(f"{target} takes any number of arguments: give some by --arg or --shape")
    if not needed:
        raise Stop(f"{target} takes no argument to differentiate: give some by --arg or --shape")
    return needed


def _try(function: Callable[..., Any], arguments: list[Any], target: str) -> None:
    """Call the function once on plain arrays, to tell errors of its own from wrong gradients."""
    try:
        with np.errstate(all="ignore"):
            result = function(*arguments)
    except Exception as error:
        raise Stop(f"{target} raised {_told(error)} (arguments are given by --arg or --shape)") from error
    for value in (np.asarray(raw(x)) for x in leaves(result)):
        if value.dtype.kind not in "fiub" or not np.isfinite(value).all():
            raise Stop(f"{target} gives {value} there: it must be finite numbers; choose arguments by --arg")

"""``chainrule explain``: the chain rule on a formula, gate by gate."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from chainrule.cli.errors import Stop
from chainrule.cli.expression import FUNCTIONS, Expression, ExpressionError, read_values
from chainrule.graph.array import Array
from chainrule.inspect.draw import draw
from chainrule.inspect.explain import explain as explanation

HELP = f"""Show the chain rule on a formula, gate by gate, with the numbers.

The formula is read, never run as code. It may use numbers, names, [b]+ - * / ** @[/b], pi, e, and the functions
{", ".join(sorted(FUNCTIONS))}. Steps may be named: [b]q = x + y; q * z[/b].

For example:

  chainrule explain "(x + y) * z" x=-2 y=5 z=-4

  chainrule explain "s = w0*x0 + w1*x1 + w2; sigmoid(s)" w0=2 x0=-1 w1=-3 x1=-2 w2=-3 --svg neuron.svg

  chainrule explain "sum(w * x)" w=1,2,3 x=4,5,6
"""


def explain(
    formula: Annotated[
        str, typer.Argument(metavar="FORMULA", help="The formula, in quotation marks.", show_default=False)
    ],
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=VALUE]...", help="A number, or numbers separated by commas.", show_default=False),
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the circuit into this file: .svg, or .html.", show_default=False),
    ] = None,
) -> None:
    for text in (formula, *(values or [])):
        if re.fullmatch(r"--[a-z][a-z-]+(=.*)?", text):
            raise Stop(f"no such option: {text} (the options are --svg FILE and --help)")
    try:
        circuit = Expression.parse(formula)(read_values(values or []))
    except ExpressionError as error:
        raise Stop(error) from error
    with np.errstate(all="ignore"):  # an infinite gradient, of sqrt at 0 say, is there to be seen
        _backward(circuit.output)
        if svg is not None:
            _draw(circuit.output, svg)  # before the explanation: what cannot be written is told at once
        if circuit.output.ndim:
            typer.echo(f"The result has {circuit.output.size} elements: the gradients are those of their sum.\n")
        typer.echo(explanation(circuit.output))
    if svg is not None:
        typer.echo(f"\ndrawn: {svg}")


explain.__doc__ = HELP


def _backward(output: Array) -> None:
    """From the output, or from the sum of its elements."""
    output.backward(upstream=np.ones(output.shape) if output.ndim else None)


def _draw(output: Array, file: Path) -> None:
    try:
        draw(output, file=file)
    except ValueError as error:
        raise Stop(error) from error

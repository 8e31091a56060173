"""``chainrule summary``: layers, sizes and costs of a net, trained or only described."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli import nets
from chainrule.cli.errors import Stop
from chainrule.cli.recipes import Recipe
from chainrule.cli.run_folder import SavedRun


def summary(
    net: Annotated[
        str,
        typer.Argument(
            metavar="RUN|SIZES",
            help="The folder of a run, or the sizes of a net from its inputs to its outputs: 784-100-10.",
            show_default=False,
        ),
    ],
    activation: Annotated[str, typer.Option(help=f"After each hidden layer: {', '.join(nets.ACTIVATIONS)}.")] = "relu",
    dropout: Annotated[float, typer.Option(min=0, max=0.99, help="After each hidden layer.")] = 0.0,
) -> None:
    """Tell the layers of a net: shapes, neurons, parameters, operations, memory.

    For example:

      chainrule summary runs/digits

      chainrule summary 784-256-128-10

      chainrule summary 3072-100-10 --activation maxout
    """
    nets.known("--activation", activation, nets.ACTIVATIONS)
    sizes = _sizes(net)
    if sizes is None:
        saved = SavedRun.open(Path(net))
        typer.echo(saved.model.summary((len(saved.encoder.features),)))
    else:
        recipe = Recipe(activation=activation, dropout=dropout)
        typer.echo(nets.build(sizes, recipe, seed=0).summary((sizes[0],)))


def _sizes(text: str) -> tuple[int, ...] | None:
    """Sizes joined by hyphens; None for what is a path."""
    parts = text.split("-")
    if len(parts) < 2 or not all(part.isdecimal() for part in parts) or Path(text).exists():
        return None
    sizes = tuple(map(int, parts))
    if not 1 <= min(sizes) <= max(sizes) <= 100_000:
        raise Stop(f"a layer has 1 to 100,000 neurons, not {text}")
    return sizes

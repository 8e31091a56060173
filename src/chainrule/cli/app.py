"""The ``chainrule`` command."""

from __future__ import annotations

from typing import Annotated

import typer

from chainrule import __version__
from chainrule.cli.check import check
from chainrule.cli.diagnose import diagnose
from chainrule.cli.errors import OneLineErrors
from chainrule.cli.evaluate import evaluate
from chainrule.cli.explain import explain
from chainrule.cli.info import info
from chainrule.cli.predict import predict
from chainrule.cli.summary import summary
from chainrule.cli.train import train

app = typer.Typer(
    name="chainrule",
    cls=OneLineErrors,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chainrule {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def chainrule(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Backpropagation you can see, at native speed."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command()(train)
app.command()(evaluate)
app.command()(predict)
app.command()(summary)
app.command()(diagnose)
app.command(context_settings={"ignore_unknown_options": True})(explain)
app.command()(check)
app.command()(info)


def main() -> None:
    """Run the command on the arguments of the process."""
    app(prog_name="chainrule")

"""What the user is told when a command cannot go on: one line on stderr, and an exit status."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

WRONG_INPUT, FAILED, INTERRUPTED = 2, 1, 130


class Stop(Exception):  # noqa: N818 - it ends a command, whether or not anything is in error
    """Ends the command with one line on stderr: status 2 for wrong input, 1 for a check or a run that failed."""

    def __init__(self, message: object, status: int = WRONG_INPUT) -> None:
        super().__init__(str(message))
        self.status = status


class OneLineErrors(TyperGroup):
    """The command group: tells expected errors in one line; a traceback remains for errors of our own."""

    def main(self, *args: Any, **options: Any) -> Any:
        if not options.get("standalone_mode", True):
            return super().main(*args, **options)
        options["standalone_mode"] = False  # hands expected errors on to us
        try:
            status = super().main(*args, **options)
        except Stop as stop:
            _exit(str(stop), stop.status)
        except typer.Abort:
            _exit("interrupted", INTERRUPTED)
        except MemoryError as error:
            _exit(f"there is not enough memory: {error}", FAILED)
        except OSError as error:
            _exit(f"{error.filename}: {error.strerror}" if error.filename else str(error), WRONG_INPUT)
        except Exception as error:
            if not hasattr(error, "format_message"):  # what the parser of command lines raises
                raise
            _exit(error.format_message().replace("Value error, ", ""), WRONG_INPUT)
        if status == INTERRUPTED:
            _exit("interrupted", INTERRUPTED)
        sys.exit(status or 0)


def _exit(message: str, status: int) -> NoReturn:
    typer.echo(f"chainrule: {' '.join(message.split())}", err=True)
    sys.exit(status)

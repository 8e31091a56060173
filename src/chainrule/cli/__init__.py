"""The ``chainrule`` command: train, explain, check, info."""

from chainrule.cli.app import app, main

__all__ = ["app", "main"]

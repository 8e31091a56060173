"""The ``chainrule`` command: train, explain, check."""

from chainrule.cli.app import app, main

__all__ = ["app", "main"]

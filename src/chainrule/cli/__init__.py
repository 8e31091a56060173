"""The ``chainrule`` command: train, evaluate, predict, summary, diagnose, explain, check, info."""

from chainrule.cli.app import app, main

__all__ = ["app", "main"]

"""Random numbers that are a function of a key and a position: the same on every machine, and in any order."""

from chainrule.random.generator import Generator

__all__ = ["Generator"]

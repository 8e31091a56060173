"""``cr.compile``: ties recording, Programs and native code together."""

from chainrule.compiler.compiled import Bound, Compiled, compile

__all__ = ["Bound", "Compiled", "compile"]

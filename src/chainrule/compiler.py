"""``cr.compile``: record a function once, then run it as native code."""

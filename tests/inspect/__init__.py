# ruff: noqa: A005  (mirrors chainrule.inspect)

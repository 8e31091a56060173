"""The elementary functions as methods of Lanes: one table, name -> what writes the function down."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.native.lanes import Lane

FUNCTIONS: dict[str, Callable[..., Lane]] = {}

"""Locks that are free in the child of a fork.

A child has the forking thread alone. A lock that another thread held at that moment would stay locked in it, and what
that thread was writing would stay half written. So a fork waits for the steps that run.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from weakref import WeakSet

_PATIENCE = 1.0
"""Seconds that a fork waits for one lock: its holder may itself be waiting for the forking thread."""

_locks: WeakSet[threading.RLock] = WeakSet()
_held = threading.local()


def lock() -> threading.RLock:
    """A reentrant lock that a fork waits for."""
    made = threading.RLock()
    _locks.add(made)
    return made


def _before() -> None:
    _held.locks = [each for each in list(_locks) if each.acquire(timeout=_PATIENCE)]


def _after_in_parent() -> None:
    for each in _held.locks:
        each.release()


def _after_in_child() -> None:
    for each in set(_locks).difference(_held.locks):
        each._at_fork_reinit()  # type: ignore[attr-defined]  # as the standard library does with its own
    _after_in_parent()


@cache
def wait_in_forks() -> None:
    """To be called when native code has been imported: what is registered last comes first before a fork. A step that
    is waited for may need the locks of native code.
    """
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)

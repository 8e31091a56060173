"""The team: threads that run one step table together, each its slice of every row.

``team`` is the one of this process. Its threads are native, made when a step first wants them; no Python runs in them,
and signals stay with the others. Idle, they look out for work for some tens of microseconds and then sleep. One Python
thread at a time has the team; a second one meanwhile runs its steps alone, with the same results, as no result depends
on the number of threads. Before a fork the team is sent home; parent and child each start their own when needed.
"""

from __future__ import annotations

import atexit
import os
import signal
import time
from itertools import count
from typing import Final

import numpy as np

from chainrule.native.cores import get_threads
from chainrule.native.dispatch import LINE, Context, Words, aligned_words, check_table, runtime

_SIZE, _PROCESS, _QUIT, _SPINS, _CONTEXTS = range(5)  # as in %Team
_BUSY: Final = 2 * LINE // 8
_TEAM_WORDS: Final = 7 * LINE // 8 + 2 * 128 // 8
_WORKER_WORDS: Final = 4  # as in %Worker
_SPINS_BEFORE_SLEEP: Final = 1000  # with a pause instruction in between: 10 to 50 us

_token = count(2).__next__


class Team:
    """Threads that wait for tables to run. All methods may be called from any Python thread."""

    def __init__(self) -> None:
        self._words: Words | None = None
        self._scratch_bytes = 0
        self._contexts: list[Context] = []
        self._workers = np.zeros((0, _WORKER_WORDS), np.int64)

    @property
    def address(self) -> int:
        """Where the team's block lies: the same as long as the process."""
        return int(self._block().ctypes.data)

    @property
    def size(self) -> int:
        """How many threads run a table, the caller's own included: 1 for nobody else, 0 before the start."""
        return 0 if self._words is None else int(self._words[_SIZE])

    def need_scratch(self, scratch_bytes: int) -> None:
        """See to it that every thread has at least so much scratch memory from the next start on."""
        if scratch_bytes > self._scratch_bytes:
            self._scratch_bytes = scratch_bytes
            self.stop()

    def start(self) -> None:
        """Make the threads, unless they are there. There may be fewer than wanted if the system gives no more."""
        token = _token()
        try:
            words = self._take(token)
            if words[_SIZE] == 0:
                self._hire(words, get_threads())
        finally:
            self._release(token)

    def stop(self) -> None:
        """Send the threads home, once the job they are at is done. The next step that wants a team starts it again."""
        if self._words is None:
            return
        token = _token()
        try:
            self._dismiss(self._take(token))
        finally:
            self._release(token)

    def run(self, table: Words, context: Context, first: int = 0, last: int | None = None) -> int:
        """Run the rows from ``first`` to before ``last``; the error code. ``context`` is thread 0's."""
        first, last, _ = slice(first, last).indices(check_table(table))
        if self.size == 0:
            self.start()
        return int(runtime().run_team(self.address, table.ctypes.data, first, last, context.address))

    def _block(self) -> Words:
        if self._words is None:
            words = aligned_words(_TEAM_WORDS)
            words[_SPINS] = _SPINS_BEFORE_SLEEP
            runtime().team_init(words.ctypes.data)
            self._words = words
        return self._words

    def _take(self, token: int) -> Words:
        words = self._block()
        while not runtime().team_take(words.ctypes.data, token):
            time.sleep(0.0005)
        return words

    def _release(self, token: int) -> None:
        """Give the team back; whoever is interrupted while he asks for it may not know whether he has it."""
        runtime().team_release(self.address, token)

    def _hire(self, words: Words, size: int) -> None:
        self._contexts = [Context(self._scratch_bytes, thread) for thread in range(1, size)]
        self._workers = np.zeros((size - 1, _WORKER_WORDS), np.int64)
        self._places = np.array([0, *(context.address for context in self._contexts)])  # thread 0's is the caller's
        words[_CONTEXTS] = self._places.ctypes.data
        words[_PROCESS] = os.getpid()
        runtime().team_hire(self.address, self._workers.ctypes.data, size - 1, signal.SIG_SETMASK)

    def _dismiss(self, words: Words) -> None:
        if words[_PROCESS] == os.getpid():  # else they stayed behind in the process that this one was forked from
            runtime().team_dismiss(self.address, self._workers.ctypes.data)

    def _before_fork(self) -> None:
        if self._words is not None:
            self._fork_token = _token()
            self._dismiss(self._take(self._fork_token))

    def _after_fork(self) -> None:
        if self._words is not None:
            self._release(self._fork_token)


team = Team()
atexit.register(team.stop)
os.register_at_fork(before=team._before_fork, after_in_parent=team._after_fork, after_in_child=team._after_fork)

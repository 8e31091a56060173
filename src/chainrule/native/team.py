"""The team: threads that run one step table together.

The thread that calls, the leader, goes through the rows. It cuts a row that is to be shared into chunks, and publishes
them; every thread of the team claims one after the other, the leader too, and the leader goes on as soon as all of them
are done. So it waits only for chunks that somebody has begun, never for a worker that still sleeps or whose core does
something else: then it does all by itself, like a thread that has no team.

``team`` is the one of this process. Its threads are native, made when a step first wants them; no Python runs in them,
and signals stay with the others. Idle, they look out for work for longer than the rows take that nobody shares, and
then sleep. One Python thread at a time has the team; a second one meanwhile runs its steps alone, with the same
results, as no result depends on the number of threads. Before a fork the team is sent home; parent and child each start
their own when needed.
"""

from __future__ import annotations

import atexit
import os
import signal
import time
from typing import Final

import numpy as np

from chainrule.native.cores import get_threads
from chainrule.native.dispatch import LINE, Context, Words, aligned_words, check_table, runtime

_SIZE, _PROCESS, _PATIENCE, _CLOCK = range(4)  # as in %Team
_CONTEXTS: Final = LINE // 8
_BUSY: Final = 2 * LINE // 8
_TEAM_WORDS: Final = 7 * LINE // 8 + 2 * (LINE + 2 * 128) // 8
_WORKER_WORDS: Final = 3  # as in %Worker
_A_CALL, _A_FORK = 1, 2  # who can have the team
_NANOSECONDS_BEFORE_SLEEP: Final = 150_000  # of its own: while others have the core a thread stays ready to be moved
_INTERVAL: Final = 0.0005  # seconds between two attempts to have the team


class Team:
    """Threads that wait for tables to run. All methods may be called from any Python thread."""

    def __init__(self) -> None:
        self._words: Words | None = None
        self._scratch_bytes = 0
        self._crews: dict[tuple[int, int], _Crew] = {}

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
        wanted = get_threads(), self._scratch_bytes
        crew = self._crews.setdefault(wanted, _Crew(*wanted))  # kept: threads may be using it
        mask = int(signal.SIG_SETMASK)
        while not runtime().team_start(self.address, *crew.addresses, len(crew.workers), os.getpid(), mask):
            time.sleep(_INTERVAL)

    def stop(self) -> None:
        """Send the threads home, once the job they are at is done. The next step that wants a team starts it again."""
        self._stop(_A_CALL)

    def run(self, table: Words, context: Context, first: int = 0, last: int | None = None) -> int:
        """Run the rows from ``first`` to before ``last``; the error code. ``context`` is thread 0's."""
        first, last, _ = slice(first, last).indices(check_table(table))
        if self.size == 0:
            self.start()
        return int(runtime().run_team(self.address, table.ctypes.data, first, last, context.address))

    def _block(self) -> Words:
        if self._words is None:
            words = aligned_words(_TEAM_WORDS)
            words[[_PATIENCE, _CLOCK]] = _NANOSECONDS_BEFORE_SLEEP, time.CLOCK_THREAD_CPUTIME_ID
            runtime().team_init(words.ctypes.data)
            self._words = words
        return self._words

    def _stop(self, who: int) -> None:
        if self._words is None or self._words[_PROCESS] not in (0, os.getpid()):  # they stayed behind in the parent
            return
        while not runtime().team_stop(self.address, who):
            time.sleep(_INTERVAL)

    def _before_fork(self) -> None:
        self._stop(_A_FORK)

    def _after_fork(self) -> None:
        if self._words is not None:
            runtime().team_release(self.address, _A_FORK)

    def _after_fork_in_child(self) -> None:
        if self._words is not None:
            self._words[[_SIZE, _PROCESS, _BUSY]] = 0


class _Crew:
    """What the threads of a team of some size need: a worker block each, and contexts (thread 0's is the caller's)."""

    def __init__(self, size: int, scratch_bytes: int) -> None:
        self.workers = np.zeros((size - 1, _WORKER_WORDS), np.int64)
        self.contexts = [Context(scratch_bytes, thread) for thread in range(1, size)]
        self._places = np.array([0, *(context.address for context in self.contexts)])

    @property
    def addresses(self) -> tuple[int, int]:
        """Where the table of contexts and the worker blocks lie."""
        return self._places.ctypes.data, self.workers.ctypes.data


team = Team()
atexit.register(team.stop)
os.register_at_fork(
    before=team._before_fork, after_in_parent=team._after_fork, after_in_child=team._after_fork_in_child
)

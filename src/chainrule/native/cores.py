"""How many threads to use: what the process may use of the machine, or what the user says.

The default is the number of cores (two hardware threads of one core share its arithmetic, so they count once) that the
process may run on, within the quota of its container. In a worker process of multiprocessing or joblib it is one: there
the processes share the cores among themselves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Set
from functools import cache
from pathlib import Path

from chainrule.graph.array import next_number
from chainrule.graph.mode import Changes

MOST = 256

_chosen: tuple[int, bool] | None = None  # the number, and whether it was chosen in a worker process


def set_threads(count: int | None) -> None:
    """Let compiled functions use ``count`` threads; None for the default. Results do not depend on it, to the last bit.

    The default is the number of cores that the process may use, and one in worker processes of multiprocessing and
    joblib. Small steps run on one thread anyway.

    >>> import chainrule as cr
    >>> cr.set_threads(2)
    >>> cr.get_threads()
    2
    >>> cr.set_threads(None)

    Raises ValueError for less than 1 or more than 256, TypeError for what is not a whole number.
    """
    global _chosen
    if count is not None and (not isinstance(count, int) or isinstance(count, bool)):
        raise TypeError(f"a number of threads is a whole number, not {count!r}")
    if count is not None and not 1 <= count <= MOST:
        raise ValueError(f"the number of threads is between 1 and {MOST}, not {count}")
    from chainrule.native.team import team  # here: importing chainrule must not wait for it

    _chosen = None if count is None else (count, is_worker_process())
    Changes.last = next_number()  # compiled functions must look again at what they were compiled for
    team.stop()


def get_threads() -> int:
    """How many threads compiled functions use at most.

    >>> import chainrule as cr
    >>> cr.get_threads() >= 1
    True
    """
    worker = is_worker_process()
    if _chosen is not None and _chosen[1] == worker:  # a choice made before the fork does not bind a worker process
        return _chosen[0]
    return 1 if worker else available_cores()


def available_cores() -> int:
    """Cores that the process may run on, within its container's quota."""
    return _within_quota(frozenset(hardware_threads()))


@cache
def _within_quota(threads: frozenset[int]) -> int:
    cores, allowed = min(physical_cores(threads), MOST), quota()
    return cores if allowed is None else max(1, min(cores, int(allowed)))


def hardware_threads() -> set[int]:
    """The numbers of the logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def physical_cores(threads: Set[int], root: Path = Path("/")) -> int:
    """How many cores these logical processors belong to; as many as processors where the system does not tell."""
    folder = root / "sys/devices/system/cpu"
    siblings = (_read(folder / f"cpu{number}/topology/thread_siblings_list") or str(number) for number in threads)
    return max(1, len(set(siblings)))


def quota(root: Path = Path("/")) -> float | None:
    """How many processors' time the control groups of this process allow (cgroups 2 and 1); None for no limit."""
    limits = []
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            limits += [_limit_v2(folder) for folder in _up(root / "sys/fs/cgroup", path)]
        elif "cpu" in controllers.split(","):
            limits += [_limit_v1(folder) for folder in _up(root / "sys/fs/cgroup" / controllers, path)]
            limits += [_limit_v1(folder) for folder in _up(root / "sys/fs/cgroup/cpu", path)]
    return min((limit for limit in limits if limit is not None), default=None)


def _up(mount: Path, path: str) -> list[Path]:
    """The group's folder and those it lies in, up to the mount point: the limits of all hold."""
    inner = Path(path.strip("/"))
    return [mount / part for part in (inner, *inner.parents)]


def _limit_v2(folder: Path) -> float | None:
    most, _, period = (_read(folder / "cpu.max") or "max").partition(" ")
    return None if most == "max" else float(most) / float(period or 100_000)


def _limit_v1(folder: Path) -> float | None:
    most, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
    return float(most) / float(period) if most and period and float(most) > 0 else None


def _read(path: Path) -> str | None:
    """The text of a small file of the system; None where it is not there or not for us."""
    try:
        return path.read_text().strip()
    except OSError:
        return None


def is_worker_process() -> bool:
    """Whether multiprocessing or joblib started this process."""
    multiprocessing = sys.modules.get("multiprocessing.process")  # loaded in every such process
    return multiprocessing is not None and multiprocessing.parent_process() is not None

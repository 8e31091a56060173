"""How many threads: cores, affinity, quotas of containers, what the user says."""

import os
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.native import cores
from chainrule.native.cores import available_cores, get_threads, physical_cores, quota, set_threads
from chainrule.native.team import team


def write(root, files):
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def siblings(*lists):
    place = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    return {place.format(number): f"{text}\n" for number, text in enumerate(lists)}


def test_hardware_threads_of_one_core_count_once(tmp_path):
    root = write(tmp_path, siblings("0,4", "1,5", "2-3", "2-3", "0,4", "1,5"))
    assert physical_cores({0, 1, 2, 3, 4, 5}, root) == 3
    assert physical_cores({0, 4}, root) == 1
    assert physical_cores({3, 5}, root) == 2


def test_where_the_system_does_not_tell_each_counts(tmp_path):
    assert physical_cores({0, 1, 7}, tmp_path) == 3


V2 = {"proc/self/cgroup": "0::/a/b\n"}
V1 = {"proc/self/cgroup": "7:memory:/x\n4:cpu,cpuacct:/docker/1\n0::/\n"}


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n"}, None),
        (V2, None),
        (V2 | {"sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, None),
        (V2 | {"sys/fs/cgroup/a/b/cpu.max": "150000 100000\n"}, 1.5),
        (V2 | {"sys/fs/cgroup/a/cpu.max": "400000 100000", "sys/fs/cgroup/a/b/cpu.max": "max 100000"}, 4),
        (V2 | {"sys/fs/cgroup/cpu.max": "200000 100000", "sys/fs/cgroup/a/b/cpu.max": "300000 100000"}, 2),
        (V1, None),
        (V1 | {f"sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_{k}_us": v for k, v in
               (("quota", "-1"), ("period", "100000"))}, None),
        (V1 | {f"sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_{k}_us": v for k, v in
               (("quota", "50000"), ("period", "100000"))}, 0.5),
        (V1 | {f"sys/fs/cgroup/cpu/cpu.cfs_{k}_us": v for k, v in (("quota", "300000"), ("period", "100000"))}, 3),
    ],
)  # fmt: skip
def test_quotas_of_control_groups(tmp_path, files, limit):
    assert quota(write(tmp_path, files)) == limit


@pytest.mark.parametrize(("allowed", "expected"), [(None, 8), (100.0, 8), (2.9, 2), (0.5, 1)])
def test_a_quota_bounds_the_cores(monkeypatch, allowed, expected):
    monkeypatch.setattr(cores, "physical_cores", lambda _: 8)
    monkeypatch.setattr(cores, "quota", lambda: allowed)
    cores._within_quota.cache_clear()
    assert available_cores() == expected
    cores._within_quota.cache_clear()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system knows no affinity")
def test_affinity_bounds_the_cores():
    text = "import os; os.sched_setaffinity(0, {0}); import chainrule as cr; print(cr.get_threads())"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "1\n"


@pytest.fixture
def default():
    yield
    set_threads(None)


def test_the_users_choice(default):
    set_threads(5)
    assert get_threads() == 5
    set_threads(None)
    assert get_threads() == available_cores()


@pytest.mark.parametrize("wrong", [0, -1, 257])
def test_too_few_or_too_many(default, wrong):
    with pytest.raises(ValueError, match="between 1 and 256"):
        set_threads(wrong)


@pytest.mark.parametrize("wrong", [1.0, "2", [1], True])
def test_what_is_not_a_number_of_threads(default, wrong):
    with pytest.raises(TypeError, match="whole number"):
        set_threads(wrong)


def test_a_worker_process_uses_one_thread_unless_told_there(default, monkeypatch):
    set_threads(4)
    monkeypatch.setattr(cores, "is_worker_process", lambda: True)
    assert get_threads() == 1
    set_threads(3)
    assert get_threads() == 3


def test_what_is_compiled_already_follows(default):
    f = cr.compile(lambda a: np.tanh(a @ a))
    x = np.random.default_rng(0).standard_normal((300, 300))
    expected = None
    for threads in (1, 2, 1, 3, 2):
        set_threads(threads)
        for _ in range(3):
            y = f(x)
            assert team.size == (threads if threads > 1 else 0)  # 0: nobody wants a team
            assert expected is None or (y == expected).all()
            expected = y

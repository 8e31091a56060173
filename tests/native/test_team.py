"""The team: chunks and who runs them, errors, and life in a process that forks, is interrupted and ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.native.cores import get_threads, set_threads
from chainrule.native.dispatch import ALONG_I, ALONG_J, CHECK, SCRATCH_BYTES, WHOLE, Context, run_alone
from chainrule.native.team import _CONTEXTS, _PROCESS, _SIZE, Team, _Crew, team
from tests.native.kernels import Table


@pytest.fixture(params=[1, 2, 3, 4])
def threads(request):
    set_threads(request.param)
    yield request.param
    set_threads(None)


@pytest.fixture
def two():
    set_threads(2)
    yield
    set_threads(None)


def signed(n, **columns):
    """Which thread ran each of n indices."""
    out = np.full(n, -1.0)
    table = Table()
    table.add("sign", 0, out, i=(0, n), **columns)
    assert team.run(table.words(), Context()) == 0
    return out.astype(int).tolist()


def works():
    """Whether the team is there and does what it should."""
    n = 100
    a, b = np.arange(float(n)), np.zeros(n)
    table = Table()
    table.add("square", a, b, i=(0, n), split=ALONG_I, grain=1)
    return team.run(table.words(), Context()) == 0 and team.size == get_threads() and bool((b == a * a).all())


def edges(n, grain, chunks):
    """Where n indices are cut into chunks."""
    units = -(-n // grain)
    chunks = min(chunks, units)
    return {min(-(-units * c // chunks) * grain, n) for c in range(chunks)}


def changes(runners):
    """Where another thread took over."""
    return {k for k in range(1, len(runners)) if runners[k] != runners[k - 1]}


@pytest.mark.parametrize("limit", [0, 2])
@pytest.mark.parametrize(("n", "grain"), [(10, 1), (10, 4), (64, 16), (65, 16), (3, 8), (1, 1), (0, 4), (7, 0)])
def test_a_split_row_is_cut_at_multiples_of_its_grain(threads, n, grain, limit):
    chunks = min(limit, threads) or 2 * threads
    for _ in range(100):
        runners = signed(n, split=ALONG_I, grain=grain, threads=limit)
        assert {*runners} <= {*range(threads)}
        assert changes(runners) <= edges(n, max(grain, 1), chunks)


def test_the_number_of_threads_of_a_row_is_limited(threads):
    for _ in range(100):
        assert len({*signed(1000, split=ALONG_I, grain=1, threads=2)}) <= 2


def test_a_whole_row_is_run_by_the_leader(threads):
    assert signed(9) == [0] * 9


def test_a_row_split_along_j_runs_its_whole_i_range_in_each_chunk(threads):
    out = np.full(3, -1.0)
    table = Table()
    table.add("sign", 0, out, i=(0, 3), split=ALONG_J, grain=1)
    words = table.words()
    words[0, 4:6] = [0, 2]
    assert team.run(words, Context()) == 0
    assert {*out.astype(int)} <= {*range(threads)}


def test_every_thread_helps(threads):
    done = np.full(threads, -1.0)
    table = Table()  # chunks of some 50 ms: time enough for all to get up
    table.add("tardy", 30_000_000, done, i=(0, threads), split=ALONG_I, grain=1, threads=threads)
    assert team.run(table.words(), Context()) == 0
    assert sorted(done) == [*range(threads)]


def test_rows_are_complete_before_the_next_begins(threads):
    n, rounds = 1000, 300
    a, b = np.arange(n) + 0.5, np.zeros(n)
    table = Table()
    for k in range(rounds):
        x, y = (a, b) if k % 2 == 0 else (b, a)
        table.add("reverse", x, y, n, i=(0, n), split=ALONG_I, grain=7)
    for _ in range(5):
        assert team.run(table.words(), Context()) == 0
        assert (a == np.arange(n) + 0.5).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(1, 4),
    st.lists(
        st.tuples(
            st.sampled_from(["square", "reverse"]),
            st.integers(0, 3),
            st.integers(0, 3),
            st.fixed_dictionaries(
                {
                    "split": st.sampled_from([WHOLE, ALONG_I]),
                    "grain": st.integers(0, 40),
                    "threads": st.integers(0, 5),
                    "flags": st.sampled_from([0, CHECK]),
                }
            ),
        ).filter(lambda row: row[1] != row[2]),
        max_size=12,
    ),
)
def test_a_team_does_what_one_thread_does(size, rows):
    n = 100
    results = []
    for run in (run_alone, team.run):
        arrays = np.random.default_rng(0).random((4, n))
        table = Table()
        for kernel, source, target, columns in rows:
            table.add(kernel, arrays[source], arrays[target], n, i=(0, n), **columns)
        set_threads(size)
        assert run(table.words(), Context()) == 0
        results.append(arrays)
    set_threads(None)
    assert (results[0] == results[1]).all()


def test_thousands_of_short_jobs(threads):
    """Rows of a few indices, back to back and after breaks in which the team falls asleep: each index is run once."""
    n, rounds = 16, 40
    a, b = np.zeros(n), np.arange(float(n))
    table = Table()
    for _ in range(rounds):
        table.add("count", b, a, i=(0, n), split=ALONG_I, grain=1)
        table.add("count", b, a, i=(0, n))
    words, context = table.words(), Context()
    for k in range(3000):
        a[:] = 0
        assert team.run(words, context) == 0
        assert (a == 2 * rounds * b).all()
        if k % 100 == 0:
            time.sleep(0.001 * (k % 3))


def test_the_leader_does_not_wait_for_who_never_comes():
    empty, crew = Team(), _Crew(3, 0)
    empty._block()[[_SIZE, _PROCESS, _CONTEXTS]] = 3, os.getpid(), crew.addresses[0]  # a team of two without threads
    n = 1000
    done, table = np.full(n, -1.0), Table()
    for _ in range(100):
        table.add("sign", 0, done, i=(0, n), split=ALONG_I, grain=7)
    assert empty.run(table.words(), Context()) == 0
    assert (done == 0).all()


def test_errors_stop_the_table_whoever_met_them(threads):
    n = 100
    out = np.zeros(n)
    table = Table()
    table.add("fail", 90, 6, i=(0, n), split=ALONG_I, grain=1)
    table.add("fail", 5, 7, i=(0, n), split=ALONG_I, grain=1, flags=CHECK)
    table.add("square", np.ones(n), out, i=(0, n), split=ALONG_I, grain=1)
    for _ in range(500):
        assert team.run(table.words(), Context()) == 6  # the smallest, whichever thread found it
        assert not out.any()
    table = Table()
    table.add("square", np.ones(n), out, i=(0, n), split=ALONG_I, grain=1, flags=CHECK)
    for _ in range(50):
        assert team.run(table.words(), Context()) == 0


def test_scratch_of_all_threads(two):
    team.need_scratch(300_000)
    team.start()
    crews = [crew for (size, scratch), crew in team._crews.items() if size == 2 and scratch >= 300_000]
    assert crews  # others may have asked for more, and what was asked for is never taken back
    assert all(int(context.words[SCRATCH_BYTES]) >= 300_000 for crew in crews for context in crew.contexts)


def test_starting_and_stopping_twice_does_nothing_more(two):
    team.start()
    team.start()
    assert team.size == 2
    team.stop()
    team.stop()
    assert team.size == 0
    Team().stop()


def test_several_python_threads_at_once(two):
    n, wrong = 5000, []

    def work(seed):
        a, b, context = np.random.default_rng(seed).random(n), np.zeros(n), Context()
        table = Table()
        table.add("square", a, b, i=(0, n), split=ALONG_I, grain=8)
        words = table.words()
        for _ in range(200):
            b[:] = 0
            if team.run(words, context) != 0 or (b != a * a).any():
                wrong.append(seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(20):
        set_threads(3)
        set_threads(2)
    for worker in workers:
        worker.join()
    assert not wrong


def test_an_interrupt_waits_for_the_job_and_harms_nothing(two):
    table = Table()
    left = table.add("dawdle", 50_000_000)
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells let background jobs ignore it
    interrupt = threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it comes after the job
        team.run(table.words(), Context())
        time.sleep(10)
    signal.signal(signal.SIGINT, former)
    assert left[0] == 0
    assert works()


def test_interrupts_at_any_time_harm_nothing(two):
    interrupted = 0
    former = signal.signal(signal.SIGALRM, signal.default_int_handler)
    for k in range(2000):
        try:
            signal.setitimer(signal.ITIMER_REAL, 1e-6 * k)
            set_threads(2)
            signed(4, split=ALONG_I, grain=1)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interrupted += 1
    signal.signal(signal.SIGALRM, former)
    assert interrupted > 10
    assert works()


def test_no_time_is_spent_while_idle(two):
    signed(4, split=ALONG_I, grain=1)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.02


# ---- other processes


PRELUDE = """
import multiprocessing, os, sys, threading, time
import numpy as np
from chainrule.native.cores import get_threads, set_threads
from chainrule.native.dispatch import Context, ALONG_I
from chainrule.native.team import team
from tests.native.kernels import Table

def squares():
    a, b = np.arange(100.0), np.zeros(100)
    table = Table()
    table.add("square", a, b, i=(0, 100), split=ALONG_I, grain=1)
    assert team.run(table.words(), Context()) == 0
    return bool((b == a * a).all())

def report(_=None):
    return squares(), get_threads(), team.size
"""


def run_script(tmp_path, text):
    """What a script prints; it must end by itself, without a word on stderr."""
    file = tmp_path / "script.py"
    file.write_text(PRELUDE + text)
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-W", "error", str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_parent_and_child_of_a_fork_have_teams_of_their_own(tmp_path):
    text = """
set_threads(2)
for k in range(20):
    assert report() == (True, 2, 2)
    child = os.fork()
    if child == 0:
        assert team.size == 0
        assert report() == (True, 2, 2)
        grandchild = os.fork()
        if grandchild == 0:
            os._exit(0 if report() == (True, 2, 2) else 1)
        _, status = os.waitpid(grandchild, 0)
        os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0
print("done")
"""
    assert run_script(tmp_path, text) == "done\n"


def test_a_fork_waits_for_the_job_of_another_thread(tmp_path):
    text = """
set_threads(2)
table = Table()
table.add("dawdle", 200_000_000)
job = threading.Thread(target=lambda: team.run(table.words(), Context()))
job.start()
time.sleep(0.02)
import warnings
warnings.simplefilter("ignore")  # newer Pythons warn of forks beside threads: that is what is tested
child = os.fork()
if child == 0:
    os._exit(0 if report() == (True, 2, 2) else 1)
_, status = os.waitpid(child, 0)
job.join()
print(status, report())
"""
    assert run_script(tmp_path, text) == "0 (True, 2, 2)\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_of_multiprocessing_use_one_thread(tmp_path, method):
    text = f"""
if __name__ == "__main__":
    set_threads(2)
    print(report())
    with multiprocessing.get_context("{method}").Pool(1) as pool:
        print(pool.map(report, [0])[0])
"""
    assert run_script(tmp_path, text) == "(True, 2, 2)\n(True, 1, 1)\n"


def test_worker_processes_of_joblib_use_one_thread(tmp_path):
    joblib = pytest.importorskip("joblib")
    assert joblib
    text = """
if __name__ == "__main__":
    import joblib
    print(joblib.Parallel(2)([joblib.delayed(report)()]))
"""
    assert run_script(tmp_path, text) == "[(True, 1, 1)]\n"


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "threading.Thread(target=squares).start()", "os._exit(0)"])
def test_a_process_ends_cleanly_with_a_team(tmp_path, ending):
    assert run_script(tmp_path, f"set_threads(4)\nprint(report(), flush=True)\n{ending}\n") == "(True, 4, 4)\n"


def test_a_process_ends_while_a_thread_has_the_team(tmp_path):
    text = """
set_threads(2)
table = Table()
table.add("dawdle", 100_000_000)
threading.Thread(target=lambda: team.run(table.words(), Context()), daemon=True).start()
time.sleep(0.02)
print("end")
"""
    assert run_script(tmp_path, text) == "end\n"


def test_the_default_is_at_least_one_thread():
    assert get_threads() >= 1

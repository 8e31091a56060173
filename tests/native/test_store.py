"""The kernel store: bounded, private, and never trusting what is damaged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.native.store import KernelStore, default_directory


@pytest.fixture
def store(tmp_path):
    return KernelStore(tmp_path / "cache" / "kernels")


def modes(store):
    return [oct(path.stat().st_mode & 0o777) for path in (store.directory, *store.directory.iterdir())]


def test_what_is_put_is_got_by_another_process(store):
    store.put("a", b"one")
    store.put("b", b"")
    again = KernelStore(store.directory)
    assert (again.get("a"), again.get("b"), again.get("c")) == (b"one", b"", None)
    assert len(again) == 2
    assert modes(store) == ["0o700", "0o600", "0o600"]


def test_putting_again_replaces(store):
    store.put("a", b"one")
    store.put("a", b"two")
    assert store.get("a") == b"two"
    assert len(store) == 1


def test_an_empty_store_makes_no_directory(store):
    assert store.get("a") is None
    assert (len(store), store.size) == (0, 0)
    store.clear()
    assert not store.directory.exists()


def test_clearing(store):
    for k in range(5):
        store.put(str(k), b"x")
    store.clear()
    assert (len(store), store.size, store.get("1")) == (0, 0, None)
    store.put("a", b"x")
    assert store.get("a") == b"x"


def test_switched_off_it_neither_keeps_nor_gives(store):
    store.put("a", b"one")
    store.enabled = False
    store.put("b", b"two")
    assert (store.get("a"), store.get("b")) == (None, None)
    assert "switched off" in repr(store)
    store.enabled = True
    assert (store.get("a"), store.get("b")) == (b"one", None)


# ---- damage


@pytest.mark.parametrize("cut", [0, 1, 10, 30, 52, -1])
def test_a_truncated_entry_counts_as_missing(store, cut):
    store.put("a", b"some code")
    file = store.directory / "a"
    file.write_bytes(file.read_bytes()[:cut])
    assert store.get("a") is None
    store.put("a", b"new code")
    assert store.get("a") == b"new code"


def test_a_single_changed_bit_is_noticed(store):
    store.put("a", bytes(100))
    file = store.directory / "a"
    content = file.read_bytes()
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 4
        file.write_bytes(changed)
        assert store.get("a") is None


def test_an_entry_under_anothers_name_is_not_that_other(store):
    store.put("a", b"code of a")
    (store.directory / "a").rename(store.directory / "b")
    assert store.get("b") is None


def test_a_directory_in_place_of_an_entry(store):
    store.put("b", b"x")
    (store.directory / "a").mkdir()
    assert store.get("a") is None
    store.put("a", b"code")
    assert store.get("a") is None
    assert [path.name for path in store.directory.iterdir() if path.name.startswith(".")] == []


# ---- whom it trusts


def test_a_symbolic_link_in_place_of_the_directory_is_not_followed(store, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    store.directory.parent.mkdir(parents=True)
    store.directory.symlink_to(elsewhere)
    store.put("a", b"code")
    assert store.get("a") is None
    assert list(elsewhere.iterdir()) == []
    assert store.problem is not None


def test_a_symbolic_link_in_place_of_an_entry_is_not_followed(store, tmp_path):
    store.put("a", b"code")
    real = tmp_path / "real"
    (store.directory / "a").rename(real)
    (store.directory / "a").symlink_to(real)
    assert store.get("a") is None
    store.put("a", b"other")  # replaces the link, and leaves alone what it pointed to
    assert store.get("a") == b"other"
    assert b"code" in real.read_bytes()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o777])
def test_a_directory_open_to_others_is_not_used(store, mode):
    store.put("a", b"code")
    store.directory.chmod(mode)
    assert store.get("a") is None
    store.put("b", b"code")
    assert not (store.directory / "b").exists()
    assert "must belong to you, with mode 700" in store.problem


def test_a_directory_of_another_user_is_not_used(store, monkeypatch):
    store.put("a", b"code")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert store.get("a") is None
    assert store.problem


def test_a_file_in_place_of_the_directory(store):
    store.directory.parent.mkdir(parents=True)
    store.directory.write_text("")
    store.put("a", b"code")
    assert store.get("a") is None
    assert store.problem


def test_a_disk_that_refuses_keeps_nothing(store, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    store.put("a", b"code")
    monkeypatch.setattr(os, "rename", full)
    store.put("b", b"code")
    monkeypatch.undo()
    assert store.get("b") is None
    assert [path.name for path in store.directory.iterdir()] == ["a"]
    assert store.problem is None


# ---- size


def test_what_was_not_used_for_longest_goes_first(store):
    store.limit = 2000
    for k in range(8):
        store.put(str(k), bytes(100))  # with 51 bytes of its own
        os.utime(store.directory / str(k), (k, k))
    for k in range(8, 30):
        assert store.get("0") is not None  # which makes it the youngest
        store.put(str(k), bytes(100))
        assert store.size <= store.limit
    assert store.get("1") is None
    assert store.get("29") is not None


def test_other_processes_objects_count_as_well(store):
    other = KernelStore(store.directory)
    for k in range(10):
        other.put(f"other{k}", bytes(100))
    store.limit = 1000
    store.put("mine", bytes(100))
    assert store.size <= 1000
    assert store.get("mine") is not None


def test_half_written_files_that_nobody_finishes_are_removed(store):
    store.put("a", b"code")
    old, new = store.directory / ".a.0123", store.directory / ".a.4567"
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (0, 0))
    KernelStore(store.directory).put("b", b"code")
    assert not old.exists()
    assert new.exists()


def test_several_processes_write_and_read_at_once(store):
    text = f"""
from pathlib import Path
from chainrule.native.store import KernelStore
store = KernelStore(Path({str(store.directory)!r}), limit=20_000)
for round in range(150):
    for k in range(5):
        store.put(str(k), bytes([k]) * 1000)
        found = store.get(str((k + round) % 5))
        assert found in (None, bytes([(k + round) % 5]) * 1000)
        if round == 75:
            store.clear()
"""
    writers = [subprocess.Popen([sys.executable, "-c", text]) for _ in range(3)]  # noqa: S603 - our own text
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert [path.name for path in store.directory.iterdir() if path.name.startswith(".")] == []
    for k in range(5):
        assert store.get(str(k)) in (None, bytes([k]) * 1000)


# ---- where


def test_the_users_cache_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "chainrule" / "kernels"
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert default_directory().is_relative_to(Path.home())

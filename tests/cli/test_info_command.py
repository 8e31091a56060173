"""``chainrule info``: what it tells, also where something is missing."""

import re
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import chainrule as cr
from chainrule.cli import app
from chainrule.native import cores, entry, target


def told():
    result = CliRunner(env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}).invoke(app, ["info"])
    assert result.exit_code == 0
    return result.stdout


@pytest.fixture
def store(monkeypatch, tmp_path):
    monkeypatch.setattr(cr.kernel_store, "directory", tmp_path / "kernels")
    return cr.kernel_store


def line(name, text):
    return re.search(rf"^{name}\s+(.*?)\s*$", text, re.MULTILINE)[1]


def test_versions_processor_and_threads():
    text = told()
    assert line("chainrule", text) == cr.__version__
    assert line("NumPy", text) == np.__version__
    assert line("Python", text).startswith(".".join(map(str, sys.version_info[:2])))
    assert line("threads", text).startswith(f"{cr.get_threads()} used")
    assert re.fullmatch(r"\d+ \(\d+ hardware threads\) for this process; .*", line("cores", text))


def test_the_native_side():
    text = told()
    host = target.host()
    assert line("native code", text) == f"for {host.cpu} with {host.extension}, vectors of {host.vector_bytes} bytes"
    assert re.fullmatch(r"[\d.]+, LLVM [\d.]+", line("llvmlite", text))
    assert line("calls", text) == "checked natively"


def test_a_chosen_number_of_threads():
    cr.set_threads(7)
    try:
        assert line("threads", told()) == f"7 used, {cores.available_cores()} by default"
    finally:
        cr.set_threads(None)


def test_why_there_is_no_native_code(monkeypatch):
    monkeypatch.setattr(target, "unavailable", lambda: "llvmlite cannot be imported (it is not there)")
    text = told()
    assert "none: llvmlite cannot be imported (it is not there). Compiled functions run with NumPy" in text
    assert "calls" not in text


def test_why_calls_are_checked_in_python(monkeypatch):
    monkeypatch.setattr(entry, "unsupported", lambda: "the interpreter has no lock")
    assert line("calls", told()) == "checked in Python: the interpreter has no lock"


def test_the_store(store):
    assert "0 objects, 0.0 MB of at most 268" in told()
    store.put("name", bytes(1_950_000))
    assert "1 objects, 2.0 MB of at most 268" in told()


def test_a_store_that_cannot_be_used(store):
    store.directory.mkdir(mode=0o755)
    store.directory.chmod(0o755)
    text = " ".join(told().split())
    assert "not used:" in text
    assert "must belong to you, with mode 700" in text

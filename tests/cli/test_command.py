"""The command as a whole: help, version, unknown words."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chainrule.cli import app


def invoke(*arguments):
    return CliRunner(env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}).invoke(app, arguments)


def test_version():
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"chainrule {version('chainrule')}\n")


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_the_commands(arguments):
    result = invoke(*arguments)
    assert result.exit_code == 0
    for command in ("train", "evaluate", "predict", "summary", "diagnose", "explain", "check", "info"):
        assert re.search(rf"\b{command} ", result.stdout)


@pytest.mark.parametrize("command", ["train", "evaluate", "predict", "summary", "diagnose", "explain", "check"])
def test_each_command_has_help_with_examples(command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.count(f"chainrule {command}") >= 3
    assert "For example" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["tran"], "No such command 'tran'. Did you mean 'train'?"), (["--wrong"], "No such option: --wrong")],
)
def test_unknown_words_get_one_line_and_status_2(arguments, message):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert re.fullmatch(rf"chainrule: {re.escape(message)}.*\n", result.stderr)


def test_an_error_of_our_own_keeps_its_traceback(monkeypatch):
    def fail(text):
        raise RuntimeError("a bug")

    monkeypatch.setattr("chainrule.cli.explain.read_values", fail)
    assert isinstance(invoke("explain", "x", "x=1").exception, RuntimeError)


def test_the_installed_script_is_the_command():
    script = Path(sys.executable).with_name("chainrule")
    result = subprocess.run([script, "explain", "x", "x"], capture_output=True, text=True, check=False)  # noqa: S603
    assert result.returncode == 2
    assert result.stderr.startswith("chainrule: values are given as NAME=NUMBER")

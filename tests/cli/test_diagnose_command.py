"""``chainrule diagnose``: what it tells of data sets, tables and runs, and its status."""

import re

import pytest
from typer.testing import CliRunner

from chainrule.cli import app


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def verdicts(result):
    return dict(re.findall(r"^\S (?:fine|look|wrong) +([\w ]+): (.*)$", result.stdout, re.M))


def test_a_net_in_order_gets_status_0(run, tmp_path):
    result = run("diagnose", "moons")
    assert result.exit_code == 0, result.stderr
    assert "a 2-layer net 2-20-2, relu" in result.stdout
    assert {"inputs", "initial loss", "learns 20 examples", "gradient", "layers"} <= set(verdicts(result))
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_told_with_status_1(run):
    result = run("diagnose", "moons", "--hidden", "5,5", "--activation", "none")
    assert result.exit_code == 1
    assert re.search(r"^✗ wrong +layers: ", result.stdout, re.M)
    assert result.stderr.endswith("chainrule: something is wrong with this net on these data: see above\n")


def test_a_table_of_numbers_and_a_run_of_it(run, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "\n".join(f"{k},{k * k + 0.5}" for k in range(60)))
    assert "targets" in verdicts(run("diagnose", "a.csv", "--target", "y"))
    assert run("train", "a.csv", "--target", "y", "--epochs", 1, "--hidden", 7).exit_code == 0
    result = run("diagnose", "runs/a")
    assert result.exit_code in (0, 1)
    assert "a 2-layer net 1-7-1" in result.stdout
    assert len(verdicts(result)) >= 8
    result = run("diagnose", "runs/a", "--hidden", 3)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "runs/a is a run, which has settings of its own: leave out the options" in result.stderr

"""``chainrule train``: what it says, what it writes, what it refuses."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

import chainrule as cr
from chainrule import data, training
from chainrule.cli import app
from chainrule.cli.nets import ACTIVATIONS, build
from chainrule.cli.progress import Table
from chainrule.cli.recipes import Recipe
from chainrule.cli.run_folder import CONTENTS, SavedRun


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, ["train", *map(str, arguments)])


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_digits_are_learned_and_a_folder_is_left(run, tmp_path):
    result = run("digits", "--epochs", 3, "--seed", 4)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert "1438 to learn from, 359 held out" in result.stdout
    assert "a 2-layer net 64-100-10, relu; 110 neurons, 7510 parameters" in result.stdout
    assert re.search(
        r"gradient of the first batch \(16 examples.*\):\n  relative error \S+e-(09|1\d): good", result.stdout
    )
    assert len(re.findall(r"^ +[123]/3 +\d\.\d{4} +\d\d\.\d\d% +\d\.\d{4} +\d\d\.\d\d%$", result.stdout, re.M)) == 3
    folder = tmp_path / "runs" / "digits"
    assert {path.name for path in folder.iterdir()} == set(CONTENTS)
    for path in folder.iterdir():
        assert path.name in result.stdout.partition("written to runs/digits:")[2]

    with (folder / "history.csv").open(newline="") as file:
        epochs = list(csv.DictReader(file))
    losses = [float(epoch["train_loss"]) for epoch in epochs]
    assert len(losses) == 3
    assert losses[2] < losses[0] / 2 < np.log(10) / 2
    assert 0.9 < float(epochs[2]["test_accuracy"]) <= 1
    assert f"test accuracy {float(epochs[2]['test_accuracy']):.2%}" in result.stdout
    page = (folder / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "digits: a 2-layer net 64-100-10" in page


@pytest.mark.parametrize(("options", "told"), [((), "not compiled"), (("--compile",), "compiled")])
def test_how_fast_it_was_is_told(run, options, told):
    result = run("moons", "--epochs", 3, *options)
    assert result.exit_code == 0, result.stderr
    assert re.search(rf"^\d+\.\d\d s of training, up to [\d,]+ steps a second \({told}\)$", result.stdout, re.M)


def test_the_saved_model_predicts_what_the_run_reported(run, tmp_path):
    assert run("digits", "--epochs", 2, "--hidden", 20, "--out", "here").exit_code == 0
    settings = json.loads((tmp_path / "here" / "run.json").read_text())
    net = SavedRun.open(tmp_path / "here").model
    _, held_out = data.split(*data.digits(), held_out=settings["held_out"], seed=settings["seed"])
    score = training.evaluate(net, held_out)
    assert score == {name: settings["result"][f"test_{name}"] for name in ("loss", "accuracy")}
    with (tmp_path / "here" / "history.csv").open(newline="") as file:
        seconds = [float(epoch["seconds"]) for epoch in csv.DictReader(file)]
    assert settings["result"]["seconds_of_last_epoch"] == seconds[-1]
    assert settings["result"]["seconds_in_all"] == pytest.approx(sum(seconds))
    assert seconds[-1] < sum(seconds)
    assert settings["chainrule"] == "0.1.0"
    assert settings["gradient_check"]["relative_error"] < 1e-7


def test_a_run_repeats_with_its_seed(run, tmp_path):
    for seed in (1, 1, 2):
        assert run("moons", "--epochs", 2, "--seed", seed).exit_code == 0
    first, again, other = (
        load_file(tmp_path / "runs" / name / "model.safetensors") for name in ("moons", "moons-2", "moons-3")
    )
    assert all((first[name] == again[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "gelu", "tanh", "sigmoid", "maxout", "none"])
def test_every_activation_but_none_learns_circles(run, activation):
    result = run("circle", "--activation", activation)
    assert result.exit_code == 0, result.stderr
    accuracy = float(re.search(r"test accuracy ([\d.]+)%", result.stdout)[1])
    linear = activation == "none"
    assert ("warning: layers 0 and 1" in result.stderr) == linear
    assert ("equal one linear layer" in result.stderr) == linear
    assert accuracy < 75 if linear else accuracy >= 95


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_makes_a_net(activation):
    net = build((3, 4, 5, 2), Recipe(activation=activation, dropout=0.5), seed=0)
    assert net(np.ones((7, 3), np.float32)).shape == (7, 2)
    assert sum(isinstance(layer, cr.nn.Dropout) for layer in net) == 2


def test_hidden_layers_are_given_in_any_way(run):
    result = run("circle", "--epochs", 1, "--hidden", "16", "--hidden", "8,4")
    assert "a 4-layer net 2-16-8-4-2" in result.stdout


def test_without_hidden_layers_the_net_is_a_linear_classifier(run):
    result = run("spiral", "--hidden", "none", "--epochs", 60)
    assert "a 1-layer net 2-3, linear; 3 neurons, 9 parameters" in result.stdout
    assert result.stderr == ""
    assert float(re.search(r"test accuracy ([\d.]+)%", result.stdout)[1]) < 65
    assert len(re.findall(r"^ +\d+/60 ", result.stdout, re.M)) == 60


def test_of_many_epochs_some_are_printed_and_all_are_kept(run, tmp_path):
    result = run("moons", "--hidden", "2", "--epochs", 205)
    printed = [int(epoch) for epoch in re.findall(r"^ +(\d+)/205 ", result.stdout, re.M)]
    assert printed == [*range(4, 205, 4), 205]
    assert len((tmp_path / "runs/moons/history.csv").read_text().splitlines()) == 206


def test_several_seeds_give_a_mean_and_no_files(run, tmp_path):
    result = run("circle", "--seeds", 3, "--seed", 5, "--epochs", 5)
    assert result.exit_code == 0
    accuracies = [float(x) for x in re.findall(r"^seed \d: test accuracy ([\d.]+)%", result.stdout, re.M)]
    assert re.findall(r"^seed (\d)", result.stdout, re.M) == ["5", "6", "7"]
    mean = float(re.search(r"mean of 3 seeds: test accuracy ([\d.]+)%", result.stdout)[1])
    assert mean == pytest.approx(np.mean(accuracies), abs=0.01)
    assert not any(tmp_path.iterdir())


def test_the_defaults_reach_97_percent_on_digits(run):
    """Five seeds, a fifth held out, in each class alike."""
    begin = time.perf_counter()
    result = run("digits", "--seeds", 5)
    assert float(re.search(r"mean of 5 seeds: test accuracy ([\d.]+)%", result.stdout)[1]) >= 97
    assert (time.perf_counter() - begin) / 5 < 20


def test_the_gradient_is_checked_on_fewer_examples_where_kinks_hide_it(run):
    """Biases begin at 0, so the spiral's points at the origin stand on the kink of every ReLU."""
    result = run("spiral", "--seed", "3", "--batch", "240", "--epochs", 1)
    found = re.search(
        r"first batch \((\d+) of its 240 examples, fewer kinks; .*\n  relative error (\S+): good", result.stdout
    )
    assert int(found[1]) < 240
    assert 0 < float(found[2]) < 1e-7


def test_a_net_that_learned_nothing_is_told_and_what_to_try(run):
    closing = "warning: no better than guessing: {}\n"
    steps_too_large = run("spiral", "--lr", 1000, "--epochs", 5)
    assert steps_too_large.exit_code == 0
    assert "test accuracy 33.33%" in steps_too_large.stdout
    assert steps_too_large.stderr == closing.format("try a smaller --lr")
    assert run("digits", "--lr", 3, "--epochs", 2).stderr == closing.format("try a smaller --lr")
    steps_too_small = run("spiral", "--lr", 1e-9, "--epochs", 1)
    assert steps_too_small.stderr == closing.format(
        "try more --epochs, or the defaults of --lr, --momentum, --l2 and --hidden"
    )
    assert run("spiral", "--epochs", 5).stderr == ""


def test_what_l2_does_to_the_loss_is_told_where_there_is_l2(run):
    told = re.compile(
        r"^ +1/1 .*\n\(loss is the data loss; L2 pulls the weights back, .*\)\n.* a second .*\n\ntest", re.M
    )
    assert told.search(run("moons", "--epochs", 1).stdout)
    assert "L2" not in run("moons", "--epochs", 1, "--l2", 0).stdout


# ---- what stands there is never overwritten


def test_a_second_run_gets_a_folder_of_its_own(run, tmp_path):
    assert "written to runs/moons:" in run("moons", "--epochs", 1).stdout
    before = contents(tmp_path / "runs/moons")
    assert "written to runs/moons-2:" in run("moons", "--epochs", 1, "--seed", 1).stdout
    assert contents(tmp_path / "runs/moons") == before


def test_a_folder_that_holds_something_is_refused_before_training(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    result = run("moons", "--out", "mine")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "chainrule: mine is there already: choose another folder, or leave out --out\n"


def test_an_empty_folder_and_a_new_path_are_taken(run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert run("moons", "--lr", "1e20", "--out", "empty").exit_code == 1
    for out in ("empty", "new/deep"):
        assert run("moons", "--epochs", 1, "--out", out).exit_code == 0
        assert (tmp_path / out / "run.json").exists()


# ---- what cannot be done


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digitz"], "there is no file digitz and no data set of this name: did you mean digits?"),
        ([], "Missing argument 'DATA'"),
        (["moons", "--epochs", "0"], "'--epochs'"),
        (["moons", "--batch", "x"], "'--batch'"),
        (["moons", "--activation", "swish"], "--activation swish is not known: did you mean mish?"),
        (["moons", "--optimizer", "sdg"], "--optimizer sdg is not known: did you mean sgd?"),
        (["moons", "--schedule", "sometimes"], "--schedule sometimes is not known: there are constant"),
        (
            ["moons", "--loss", "mse"],
            "--loss mse is not for classes, which the target holds: take cross_entropy, hinge",
        ),
        (["diabetes", "--loss", "hinge"], "--loss hinge is not for numbers, which the target holds: take mse, mae"),
        (["moons", "--loss", "hindge"], "--loss hindge is not known: did you mean hinge?"),
        (["moons", "--target", "y"], "--target, --task and --drop are for tables in files; moons is a set that is"),
        (["moons", "--dropout", "1"], "a dropout rate is at least 0 and below 1, not 1.0"),
        (["moons", "--l1", "-1"], "-1.0"),
        (["moons", "--max-norm", "-1"], "-1.0"),
        (["moons", "--threads", "0"], "'--threads'"),
        (["moons", "--hidden", "10,x"], "--hidden takes whole numbers separated by commas, or none, not '10,x'"),
        (["moons", "--hidden", "0"], "a hidden layer has 1 to 100,000 neurons, not '0'"),
        (["moons", "--hidden", ""], "--hidden takes whole numbers"),
        (["moons", "--lr", "0"], "lr must be in (0, inf)"),
        (["moons", "--lr", "nan"], "lr must be in (0, inf)"),
        (["moons", "--momentum", "1"], "momentum must be in [0, 1)"),
        (["moons", "--l2", "-1"], "l2 must be in [0, inf)"),
        (["moons", "--seeds", "2", "--out", "x"], "leave out --out, or --seeds"),
        (["moons", "--wrong"], "No such option: --wrong"),
        (["moons", "spiral"], "spiral"),
        (["moons", "--out", "/proc/nowhere/x"], "/proc/nowhere"),
    ],
)
def test_wrong_input_gets_one_line_and_status_2(run, tmp_path, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.fullmatch(r"chainrule: .*\n", result.stderr)
    assert message in result.stderr
    assert list(tmp_path.rglob("*")) == []


def test_a_run_that_diverges_says_where_and_leaves_nothing(run, tmp_path):
    result = run("moons", "--lr", "1e20")
    assert result.exit_code == 1
    assert re.fullmatch(r"chainrule: the loss became \w+ in epoch \d+, step \d+: .*\n", result.stderr)
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_wrong_gradient_stops_the_run(run, monkeypatch):
    class Faulty(cr.Gate):
        def forward(self, x):
            return np.tanh(x)

        def backward(self, dz):
            return [dz]

    class Layer(cr.nn.Module):
        def forward(self, x):
            return Faulty()(x)

    monkeypatch.setitem(ACTIVATIONS, "tanh", Layer)
    result = run("moons", "--activation", "tanh")
    assert result.exit_code == 1
    assert re.fullmatch(r"chainrule: the gradient of the first batch is wrong: .*\n", result.stderr)
    assert "epoch" not in result.stdout


def test_without_scikit_learn_there_are_no_digits(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    result = run("digits")
    assert result.exit_code == 2
    assert "pip install 'chainrule[data]'" in result.stderr


# ---- a run that is interrupted goes on


def interrupt_at(epoch, monkeypatch):
    """Let the next run be interrupted when this epoch is done."""
    on_epoch = Table.on_epoch

    def interrupting(self, run, record):
        on_epoch(self, run, record)
        if run.epoch == epoch:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Table, "on_epoch", interrupting)


@pytest.mark.parametrize("options", [(), ("--compile", "--dropout", 0.3, "--optimizer", "adam", "--patience", 20)])
def test_an_interrupted_run_goes_on_and_ends_with_the_same_bits(run, tmp_path, monkeypatch, options):
    assert run("moons", "--epochs", 6, *options, "--out", "whole").exit_code == 0
    with monkeypatch.context() as patched:
        interrupt_at(4, patched)
        result = run("moons", "--epochs", 6, *options, "--out", "parts")
    assert result.exit_code == 130
    assert result.stderr == "chainrule: interrupted; chainrule train --resume parts goes on\n"
    assert {path.name for path in (tmp_path / "parts").iterdir()} == {"encoder.json", "run.json", "checkpoints"}
    told = CliRunner().invoke(app, ["evaluate", "parts"]).stderr
    assert told == "chainrule: the run parts was interrupted: chainrule train --resume parts goes on\n"

    result = run("--resume", "parts")
    assert result.exit_code == 0, result.stderr
    assert re.findall(r"^ +(\d)/6 ", result.stdout, re.M) == ["5", "6"]
    whole, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert {name: x.tobytes() for name, x in whole.items()} == {name: x.tobytes() for name, x in parts.items()}
    histories = [training.History.read_csv(tmp_path / name / "history.csv") for name in ("whole", "parts")]
    for name in ("loss", "train_accuracy"):
        assert histories[0][name] == histories[1][name]


def test_a_finished_run_is_trained_further(run, tmp_path):
    assert run("moons", "--epochs", 3, "--out", "here").exit_code == 0
    assert run("moons", "--epochs", 5, "--out", "whole").exit_code == 0
    result = run("--resume", "here", "--epochs", 5)
    assert re.findall(r"^ +(\d)/5 ", result.stdout, re.M) == ["4", "5"]
    whole, further = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "here"))
    assert all((whole[name] == further[name]).all() for name in whole)
    assert json.loads((tmp_path / "here" / "run.json").read_text())["epochs"] == 5


def test_a_run_stops_when_the_validation_loss_does_not_fall(run, tmp_path):
    result = run("moons", "--epochs", 200, "--patience", 2, "--lr", 1, "--l2", 0)
    assert result.exit_code == 0, result.stderr
    assert "to learn from, 30 to stop by, 40 held out" in result.stdout
    best = int(re.search(r"the validation loss was lowest after epoch (\d+):", result.stdout)[1])
    history = training.History.read_csv(tmp_path / "runs/moons/history.csv")
    assert len(history) == best + 2
    assert min(history["validation_loss"]) == history["validation_loss"][best - 1]
    assert f" {best + 2}/200 " in result.stdout  # the last line is shown, whichever it is
    result = run("--resume", "runs/moons", "--epochs", 300)
    assert result.exit_code == 2
    assert f"runs/moons ended by itself after {best + 2} of 200 epochs" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "nothing"], "nothing is no folder of a run: it has no run.json"),
        (
            ["--resume", "here", "--lr", "0.1"],
            "--resume goes on with the settings of here: only --epochs and --threads",
        ),
        (["moons", "--resume", "here"], "--resume goes on with the settings of here"),
        (["--resume", "here", "--epochs", "1"], "here is done, after 2 epochs: train it further with more --epochs"),
        (["--resume", "here"], "here is done, after 2 epochs"),
    ],
)
def test_what_cannot_go_on_is_refused(run, tmp_path, arguments, message):
    assert run("moons", "--epochs", 2, "--out", "here").exit_code == 0
    before = contents(tmp_path / "here")
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert contents(tmp_path / "here") == before


def test_a_table_that_has_changed_does_not_go_on(run, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "\n".join(f"{k},{k % 2}" for k in range(40)))
    assert run("a.csv", "--target", "y", "--epochs", 1).exit_code == 0
    (tmp_path / "a.csv").write_text("x,y\n" + "\n".join(f"{k + 1},{k % 2}" for k in range(40)))
    result = run("--resume", "runs/a", "--epochs", 2)
    assert result.exit_code == 2
    assert "a.csv is not what it was when the run began" in result.stderr
    assert "a.csv is not what it was when the net was trained" in CliRunner().invoke(app, ["evaluate", "runs/a"]).stderr


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_a_signal_leaves_what_goes_on(run, tmp_path, sign):
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "chainrule", "train", "moons", "--epochs", "20000"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if "/20000 " in line:
            break
    process.send_signal(sign)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == (130 if sign == signal.SIGINT else -signal.SIGKILL)
    goes_on = "chainrule: interrupted; chainrule train --resume runs/moons goes on\n"
    assert complaint == (goes_on if sign == signal.SIGINT else "")
    saved = [json.loads(path.read_text()) for path in (tmp_path / "runs/moons/checkpoints").glob("*.json")]
    done = max((len(notes["history"]) for notes in saved), default=0)
    result = run("--resume", "runs/moons", "--epochs", done + 2)
    assert result.exit_code == 0, result.stderr
    assert len(training.History.read_csv(tmp_path / "runs/moons/history.csv")) == done + 2

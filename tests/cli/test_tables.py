"""``chainrule train FILE``, ``evaluate``, ``predict`` ``summary``: from a table to predictions, as a newcomer goes."""

import csv
import json
import re

import numpy as np
import polars
import pytest
from typer.testing import CliRunner

from chainrule import data, nn
from chainrule.cli import app, nets
from chainrule.cli.recipes import Recipe
from chainrule.cli.run_folder import SavedRun
from chainrule.cli.sources import Asked
from chainrule.cli.trial import Trial


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def write_flowers(path, rows=150, seed=0):
    """Flowers whose kind shows in a length, where that is known, and in a colour."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, 3, rows)
    length = kind + 0.2 * random.standard_normal(rows)
    colours = np.array(["red", "blue", "white"])
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "length", "colour", "wild", "kind"])
        for k in range(rows):
            known = "" if k % 10 == 0 else f"{length[k]:.4f}"
            writer.writerow([f"f{k}", known, colours[kind[k]], k % 2 == 0, ["iris", "poppy", "rose"][kind[k]]])


def write_houses(path, rows=200):
    """Prices that grow with the size, in a place that adds to them."""
    random = np.random.default_rng(1)
    size, town = random.uniform(50, 200, rows), random.integers(0, 2, rows)
    price = 3000 * size + 100_000 * town + 5000 * random.standard_normal(rows)
    polars.DataFrame({"size": size, "town": np.array(["York", "Bath"])[town], "price": price}).write_parquet(path)


def test_a_table_of_flowers_from_beginning_to_end(run, tmp_path):
    write_flowers(tmp_path / "flowers.csv")
    result = run("train", "flowers.csv", "--target", "kind", "--drop", "id", "--epochs", 30, "--eager")
    assert result.exit_code == 0, result.stderr
    assert "data: flowers; 120 to learn from, 30 held out" in result.stdout
    assert "target: kind, 3 classes; 3 columns make 6 inputs" in result.stdout
    reached = re.search(r"test (accuracy [\d.]+%, loss [\d.]+); written to runs/flowers:", result.stdout)[1]
    assert float(re.search(r"[\d.]+", reached)[0]) >= 95

    result = run("evaluate", "runs/flowers")
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"30 examples held out: {reached}" in result.stdout
    assert sum(map(int, re.findall(r"(?<=│ )\d+(?= )", result.stdout))) == 30

    write_flowers(tmp_path / "more.csv", rows=40, seed=5)
    result = run("evaluate", "runs/flowers", "more.csv")
    accuracy = float(re.search(r"40 examples of more.csv: accuracy ([\d.]+)%", result.stdout)[1])
    assert accuracy >= 90

    result = run("predict", "runs/flowers", "more.csv", "--probabilities")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert list(rows[0]) == ["kind", "probability of iris", "probability of poppy", "probability of rose"]
    truth = data.read_frame(tmp_path / "more.csv")["kind"].to_list()
    assert np.mean([row["kind"] == kind for row, kind in zip(rows, truth, strict=True)]) * 100 == pytest.approx(
        accuracy
    )
    for row in rows:
        shares = {name: float(row[f"probability of {name}"]) for name in ("iris", "poppy", "rose")}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert max(shares, key=shares.get) == row["kind"]


def test_a_table_of_houses_from_beginning_to_end(run, tmp_path):
    write_houses(tmp_path / "houses.parquet")
    result = run("train", "houses.parquet", "--target", "price", "--lr", 0.01, "--epochs", 40, "--out", "houses")
    assert result.exit_code == 0, result.stderr
    assert re.search(
        r"target: price, a number of mean \S+ and standard deviation \S+; 2 columns make 3 inputs", result.stdout
    )
    rmse = float(re.search(r"test rmse (\S+), r2", result.stdout)[1])
    assert rmse < 20_000  # in the unit of the prices, whose deviation is above 100,000
    settings = json.loads((tmp_path / "houses" / "run.json").read_text())
    assert settings["result"]["test_rmse"] == pytest.approx(rmse, rel=1e-3)

    without = polars.read_parquet("houses.parquet").drop("price")
    without.write_csv("new.csv")
    result = run("predict", "houses", "new.csv", "--out", "predicted.csv")
    assert (result.exit_code, result.stdout) == (0, "")
    predicted = data.read_frame("predicted.csv")
    assert predicted.columns == ["price"]
    prices = polars.read_parquet("houses.parquet")["price"].to_numpy()
    assert np.sqrt(np.mean((predicted["price"].to_numpy() - prices) ** 2)) < 1.5 * rmse
    assert "rmse" in run("evaluate", "houses", "houses.parquet").stdout


def test_held_out_rows_teach_the_encoder_nothing(run, tmp_path):
    write_houses(tmp_path / "houses.parquet")
    assert run("train", "houses.parquet", "--target", "price", "--epochs", 1, "--out", "houses").exit_code == 0
    frame = polars.read_parquet("houses.parquet")
    (train, _), _ = data.split(np.arange(200), frame["price"].to_numpy())
    size = SavedRun.open(tmp_path / "houses").encoder.columns[0]
    assert size.mean == pytest.approx(frame["size"].to_numpy()[train].mean())


@pytest.mark.parametrize(("name", "score"), [("diabetes", "rmse"), ("wine", "accuracy")])
def test_known_tables(run, name, score):
    result = run("train", name, "--epochs", 3, "--out", "here")
    assert result.exit_code == 0, result.stderr
    reached = re.search(rf"test ({score} .*); written", result.stdout)[1]
    assert f" examples held out: {reached}" in run("evaluate", "here").stdout


def test_a_row_of_a_known_set_is_predicted_from_its_features(run, tmp_path):
    assert run("train", "iris", "--out", "here").exit_code == 0
    iris = data.iris()
    polars.DataFrame(dict(zip(iris.features, iris.inputs.T, strict=True))).write_csv("flowers.csv")
    rows = run("predict", "here", "flowers.csv").stdout.splitlines()
    assert rows[0] == "class"
    assert np.mean(np.array(rows[1:]) == np.array(iris.classes)[iris.labels]) > 0.9


def test_every_choice_of_learning_is_taken(run, tmp_path):
    options = ["--dropout", 0.2, "--l1", 1e-4, "--max-norm", 3, "--optimizer", "adam", "--loss", "hinge"]
    result = run("train", "moons", "--epochs", 2, *options, "--threads", 1)
    assert result.exit_code == 0, result.stderr
    settings = json.loads((tmp_path / "runs/moons/run.json").read_text())
    assert (settings["dropout"], settings["l1"], settings["max_norm"], settings["loss"]) == (0.2, 1e-4, 3, "hinge")
    assert settings["lr"] is None  # Adam's own, not that of the recipe for SGD
    saved = SavedRun.open(tmp_path / "runs/moons")
    assert any(layer.rate == 0.2 for layer in saved.model if hasattr(layer, "rate"))
    assert max(np.linalg.norm(saved.model[0].weight.value, axis=0)) <= 3.001


@pytest.mark.parametrize("schedule", nets.SCHEDULES)
def test_every_schedule_is_followed(schedule):
    recipe, model = Recipe(schedule=schedule), nets.build((2, 3, 2), Recipe(), seed=0)
    optimizer = nets.optimizer_of(recipe, model, steps=60)
    factors = [1.0 if optimizer.schedule is None else optimizer.schedule(step) for step in range(60)]
    last = {"constant": 1, "plateau": 1, "step": 0.01, "exponential": 0.01, "inverse_time": 0.1}.get(schedule, 0)
    assert max(factors) == pytest.approx(1, abs=0.01)
    assert factors[-1] == pytest.approx(last, abs=0.02)


def test_lbfgs_takes_all_data_at_once(run):
    result = run("train", "iris", "--optimizer", "lbfgs", "--epochs", 30)
    assert result.exit_code == 0, result.stderr
    assert float(re.search(r"test accuracy ([\d.]+)%", result.stdout)[1]) > 85
    for option in (["--lr", 0.1], ["--schedule", "step"], ["--dropout", 0.1]):
        result = run("train", "iris", "--optimizer", "lbfgs", *option)
        assert result.exit_code == 2
        assert re.search(rf"leave out .*{option[0]}", result.stderr)


def test_the_step_size_falls_on_a_plateau(run):
    assert run("train", "moons", "--epochs", 3, "--schedule", "plateau").exit_code == 0
    trial = Trial.prepare(Asked("moons"), Recipe(hidden=(2,), epochs=60, lr=0.5, schedule="plateau"), False)
    trial.train()
    assert trial.optimizer.lr < 0.5


def test_summary_of_a_run_and_of_sizes(run, tmp_path):
    assert run("train", "moons", "--epochs", 1).exit_code == 0
    told = run("summary", "runs/moons").stdout
    assert "0 Linear(2, 20)" in told
    assert re.search(r"^Sequential +22 +102", told, re.M)
    told = run("summary", "784-100-10", "--activation", "maxout", "--dropout", "0.5").stdout
    assert "Maxout(784, 100" in told
    assert "Dropout(0.5)" in told


# ---- what cannot be done


@pytest.fixture
def flowers(run, tmp_path):
    """A run that is there, and the table that it learned."""
    write_flowers(tmp_path / "flowers.csv", rows=30)
    assert run("train", "flowers.csv", "--target", "kind", "--drop", "id", "--epochs", 1).exit_code == 0
    return tmp_path / "runs" / "flowers"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "flowers.csv"], "say by --target which column is to be predicted: id, length, colour, wild, kind"),
        (["train", "flowers.csv", "--target", "knid"], "the table has no column 'knid': did you mean 'kind' or 'id'?"),
        (
            ["train", "flowers.csv", "--target", "kind", "--drop", "cololr"],
            "no column 'cololr': did you mean 'colour'?",
        ),
        (
            ["train", "flowers.csv", "--target", "kind", "--task", "guess"],
            "task is 'classes' or 'numbers', not 'guess'",
        ),
        (["train", "flowers.csv", "--target", "kind", "--task", "numbers"], "column 'kind' holds numbers, and "),
        (["train", "flower.csv", "--target", "kind"], "there is no file flower.csv and no data set of this name"),
        (["train", "broken.csv", "--target", "x"], "broken.csv cannot be read as a table: "),
        (["predict", "flowers", "flowers.csv"], "flowers is no folder of a run: it has no run.json"),
        (["predict", "runs/flowers", "none.csv"], "none.csv: No such file or directory"),
        (["predict", "runs/flowers", "other.csv"], "the table has no column 'length': did you mean 'lenght'?"),
        (["evaluate", "runs/flowers", "kindless.csv"], "the table has no column 'kind'"),
        (["summary", "runs/nothing"], "runs/nothing is no folder of a run"),
        (["summary", "784-0-10"], "a layer has 1 to 100,000 neurons, not 784-0-10"),
        (["summary", "2-3", "--activation", "tahn"], "--activation tahn is not known: did you mean tanh?"),
    ],
)
def test_wrong_input_gets_one_line_and_status_2(run, flowers, tmp_path, arguments, message):
    (tmp_path / "broken.csv").write_text("x,y\n1,2,3\n")
    (tmp_path / "other.csv").write_text("lenght,colour,wild\n1,red,true\n")
    (tmp_path / "kindless.csv").write_text("length,colour,wild\n1,red,true\n")
    result = run(*arguments)
    assert result.exit_code == 2
    assert re.fullmatch(r"chainrule: .*\n", result.stderr)
    assert message in result.stderr


def test_too_many_different_texts_are_named_with_what_leaves_them_out(run, tmp_path):
    write_flowers(tmp_path / "flowers.csv")
    result = run("train", "flowers.csv", "--target", "kind")
    assert result.exit_code == 2
    assert "column 'id' holds 120 different texts: drop 'id': --drop id" in result.stderr


def test_a_table_with_too_few_rows_is_refused(run, tmp_path):
    (tmp_path / "tiny.csv").write_text("x,y\n1,a\n2,b\n")
    result = run("train", "tiny.csv", "--target", "y")
    assert result.exit_code == 2
    assert result.stderr == "chainrule: tiny.csv has 2 rows, too few to hold some out\n"


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("run.json", lambda text: text[:30], "run.json is damaged: "),
        ("run.json", lambda text: "[1]", "run.json is damaged: it holds no settings"),
        ("run.json", lambda text: text.replace('"hidden"', '"hiden"'), "is damaged, or from another version: 'hidden'"),
        ("run.json", lambda text: text.replace('"sizes": [\n    6', '"sizes": [\n    7'), "holds another net"),
        ("encoder.json", lambda text: "{}", "is damaged, or from another version: this is no encoder of tables"),
        ("encoder.json", lambda text: text.replace('"red",', ""), "encoder.json makes 5 inputs, and the net takes 6"),
        ("model.safetensors", lambda text: "nothing", "is damaged, or from another version: "),
    ],
)
def test_a_damaged_run_is_refused(run, flowers, tmp_path, file, change, message):
    before = (flowers / file).read_bytes()
    after = change(before.decode("utf-8", "replace")).encode()
    assert after != before
    (flowers / file).write_bytes(after)
    for command in (["predict", flowers, "flowers.csv"], ["evaluate", flowers], ["summary", flowers]):
        result = run(*command)
        assert result.exit_code == 2
        assert re.fullmatch(r"chainrule: .*\n", result.stderr)
        assert message in result.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda settings: {}, "'data'|no attribute|'hidden'"),
        (lambda settings: settings | {"activation": "foo"}, "'foo'"),
        (lambda settings: settings | {"lr": "x"}, "lr is a number"),
        (lambda settings: settings | {"seed": "x"}, "permutation"),
    ],
    ids=["nothing", "activation", "lr", "seed"],
)
def test_a_run_with_settings_that_make_no_sense_is_not_gone_on_with(run, flowers, change, message):
    settings = json.loads((flowers / "run.json").read_text())
    (flowers / "run.json").write_text(json.dumps(change(settings)))
    for command in (["diagnose", flowers], ["train", "--resume", flowers, "--epochs", 99]):
        result = run(*command)
        assert result.exit_code == 2
        assert re.search(rf"is damaged, or from another version: .*({message})", result.stderr)


def test_rows_are_not_overwritten_by_their_predictions(run, flowers, tmp_path):
    before = (tmp_path / "flowers.csv").read_bytes()
    result = run("predict", flowers, "flowers.csv", "--out", tmp_path / "flowers.csv")
    assert result.exit_code == 2
    assert "would overwrite the rows that are to be predicted" in result.stderr
    assert (tmp_path / "flowers.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--momentum", 0.5], "--optimizer adam has no --momentum: leave it out"),
        (["--optimizer", "lbfgs", "--batch", 5], "--optimizer lbfgs takes all data at once: leave out --batch"),
    ],
)
def test_options_that_would_do_nothing_are_refused(run, tmp_path, options, message):
    write_flowers(tmp_path / "flowers.csv")
    result = run("train", "flowers.csv", "--target", "kind", "--drop", "id", *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_folder_is_no_table(run, tmp_path):
    (tmp_path / "some").mkdir()
    result = run("diagnose", "some")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "some is a folder, and neither a table nor a run" in result.stderr


def test_a_net_that_memory_does_not_hold_is_told_of(run, monkeypatch):
    def build(*_, **options):
        raise MemoryError("Unable to allocate 74.5 GiB")

    monkeypatch.setattr(nets, "build", build)
    result = run("summary", "1-100000-100000-1")
    assert (result.exit_code, result.stderr) == (
        1,
        "chainrule: there is not enough memory: Unable to allocate 74.5 GiB\n",
    )


def test_each_layer_drops_neurons_of_its_own():
    first, second = (
        layer for layer in nets.build((8, 64, 64, 2), Recipe(dropout=0.5), 3) if isinstance(layer, nn.Dropout)
    )
    ones = np.ones((1, 64))
    assert (first(ones) != second(ones)).any()


def test_an_interrupt_of_any_command_is_told_in_one_line(run, monkeypatch):
    def build(*_, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(nets, "build", build)
    result = run("summary", "3-4-2")
    assert (result.exit_code, result.stderr) == (130, "chainrule: interrupted\n")

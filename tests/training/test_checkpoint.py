"""Checkpoints: runs that are killed go on with the same bits; what is damaged, foreign or does not fit is refused."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import training
from chainrule.training.checkpoint_files import newest, read, write
from tests.training import killed_run

SCRIPT = Path(killed_run.__file__)
KILLS = int(os.environ.get("CHAINRULE_KILLS", "3"))
CALLS = (1, 5, 9, 23) if KILLS < 20 else range(1, 80)
both = pytest.mark.parametrize("how", ["eager", "compiled"])


@pytest.fixture(scope="module")
def undisturbed():
    """What a run becomes that nobody kills."""
    return {how: ended(None, how) for how in ("eager", "compiled")}


def ended(folder, how):
    """What a run becomes, perhaps one that goes on."""
    return killed_run.outcome(*killed_run.train(folder, how == "compiled", resume=folder is not None))


def start(*arguments):
    return subprocess.Popen([sys.executable, str(SCRIPT), *map(str, arguments)])  # noqa: S603


@both
def test_a_run_killed_at_random_moments_ends_with_the_same_bits(tmp_path, how, undisturbed):
    folder, out = tmp_path / "checkpoints", tmp_path / "out.json"
    chance, within = np.random.default_rng(len(how)), 0
    for number in range(KILLS):
        process = start(folder, out, how)
        before = latest(folder)
        while latest(folder) == before and process.poll() is None:
            time.sleep(0.001)  # until it trains
        time.sleep(chance.uniform(0, 0.1))
        process.send_signal(signal.SIGINT if number % 3 == 1 else signal.SIGKILL)  # one of three is interrupted
        process.wait(60)
        within += 0 < newest(folder).notes["position"]["done"] < 26
    assert within or how == "compiled"
    assert ended(folder, how) == undisturbed[how]


def latest(folder):
    return max((path.name for path in folder.glob("*.json")), default="")


@pytest.mark.parametrize("call", CALLS)
def test_a_run_killed_while_it_writes_a_checkpoint_ends_with_the_same_bits(tmp_path, call, undisturbed):
    folder = tmp_path / "checkpoints"
    assert start(folder, tmp_path / "out.json", "eager", call).wait(60) == -signal.SIGKILL
    assert ended(folder, "eager") == undisturbed["eager"]
    assert len(list(folder.iterdir())) == 4  # the last and the one before it, nothing else


# ---- files that are no checkpoints, or no longer


def arrays():
    return {"model.weight": np.arange(6.0).reshape(2, 3), "optimizer.steps": np.array(3), "on": np.array([True, False])}


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        write(tmp_path, arrays(), {"number": number, "history": [{"loss": 0.1 + 0.2}, {"loss": float("inf")}]})
    return tmp_path


def test_the_last_two_are_kept_and_read_to_the_bit(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        f"checkpoint-00000{number}.{kind}" for number in (3, 4) for kind in ("json", "safetensors")
    ]
    saved = newest(folder)
    assert saved.notes["number"] == 3
    assert saved.notes["history"] == [{"loss": 0.1 + 0.2}, {"loss": float("inf")}]
    for name, value in arrays().items():
        assert (saved.arrays[name].dtype, saved.arrays[name].shape) == (value.dtype, value.shape)
        assert saved.arrays[name].tobytes() == value.tobytes()


@pytest.mark.parametrize("kind", ["json", "safetensors"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "longer", "other"])
def test_a_damaged_checkpoint_is_told_and_the_one_before_is_used(folder, kind, damage):
    path = folder / f"checkpoint-000004.{kind}"
    content = path.read_bytes()
    damaged = {
        "cut": content[:-7],
        "empty": b"",
        "longer": content + b"\0",
        "other": (folder / f"checkpoint-000003.{kind}").read_bytes()
        if kind == "safetensors"
        else b'{"format": "mine"}',
    }
    if damage == "flip":
        chance = np.random.default_rng(len(kind))
        for _ in range(100):
            where, bit = chance.integers(len(content)), int(chance.integers(8))
            flipped = bytearray(content)
            flipped[where] ^= 1 << bit
            path.write_bytes(flipped)
            with pytest.raises(training.CheckpointError, match=str(folder)):
                read(folder / "checkpoint-000004.json")
    elif damage == "other" and kind == "safetensors":
        write(folder, {"model.weight": np.zeros(3)}, {"number": 9})
        path = folder / "checkpoint-000005.safetensors"
        path.write_bytes(content)
    else:
        path.write_bytes(damaged[damage])
    number = int(path.stem[-1])
    with pytest.warns(
        training.CheckpointWarning, match=rf"000{number}.*Going on from the checkpoint before it, .*{number - 1}.json"
    ):
        assert newest(folder).path.name == f"checkpoint-00000{number - 1}.json"


def test_without_one_that_is_whole_nothing_goes_on(folder):
    for path in folder.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(training.CheckpointError, match=r"no checkpoint that is whole: .*000004.*000003"):
        newest(folder)


def test_one_of_another_version_is_refused(folder, monkeypatch):
    monkeypatch.setattr(training.checkpoint_files, "FORMAT", "chainrule checkpoint, version 2")
    with pytest.raises(
        training.CheckpointError, match="version 1, and this chainrule reads chainrule checkpoint, version 2"
    ):
        read(folder / "checkpoint-000004.json")


# ---- runs and checkpoints that do not fit together


X, Y = np.random.default_rng(0).standard_normal((40, 3)), np.arange(40) % 2


def net(hidden=4):
    return cr.nn.Sequential(cr.nn.Linear(3, hidden, rng=0), cr.nn.Tanh(), cr.nn.Linear(hidden, 2, rng=1))


def fitted(folder, model=None, x=X, y=Y, kind=cr.optim.SGD, **options):
    model = net() if model is None else model
    optimizer = kind(model.parameters(), lr=0.1, **({"momentum": 0.9} if kind is cr.optim.SGD else {}))
    options = {"epochs": 2, "batch": 7, "compiled": False, "checkpoint": folder, **options}
    return model, optimizer, training.fit(model, "cross_entropy", optimizer, (x, y), **options)


def test_a_run_that_is_over_is_not_run_again_and_may_be_extended(tmp_path):
    model, _, history = fitted(tmp_path)
    again, _, same = fitted(tmp_path, net(), resume=True)
    assert list(same) == list(history)
    assert again.state_dict()["layers.0.weight"].tobytes() == model.state_dict()["layers.0.weight"].tobytes()
    extended, _, longer = fitted(tmp_path, epochs=5, resume=True)
    whole, _, expected = fitted(tmp_path / "other", epochs=5)
    assert longer["loss"] == expected["loss"]
    assert killed_run.outcome(extended, _, longer)["states"]["layers.0.weight"] == whole[0].weight.value.tobytes().hex()


def test_a_new_run_does_not_overwrite_another_ones_checkpoints(tmp_path):
    fitted(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError, match="resume=True goes on from them"):
        fitted(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_resume_needs_a_place_and_begins_where_there_is_nothing(tmp_path):
    with pytest.raises(ValueError, match="give checkpoint="):
        fitted(None, resume=True)
    _, _, history = fitted(tmp_path / "new", resume=True)
    assert len(history) == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"batch": 8}, "of a run with batch 7 and not 8"),
        ({"seed": 1}, "of a run with seed 0 and not 1"),
        ({"shuffle": False}, "of a run with shuffle True and not False"),
        ({"x": X[:30], "y": Y[:30]}, "of a run with examples 40 and not 30"),
        ({"model": net(5)}, "of another model or optimiser: the shapes do not fit"),
        ({"kind": cr.optim.Adam}, "of another model or optimiser: "),
        ({"callbacks": [training.EarlyStopping(3, "loss")]}, r"of a run with the callbacks .*and not .*EarlyStopping"),
    ],
    ids=["batch", "seed", "shuffle", "data", "model", "optimiser", "callbacks"],
)
def test_a_checkpoint_of_another_run_is_refused_and_nothing_changes(tmp_path, change, told):
    fitted(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    model = change.pop("model", net())
    states = model.state_dict()
    with pytest.raises(training.CheckpointError, match=told):
        fitted(tmp_path, model, resume=True, **change)
    assert all((value == states[name]).all() for name, value in model.state_dict().items())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_interrupted_run_is_saved_where_it_is(tmp_path):
    class Interrupts(training.Callback):
        armed = True

        def on_steps(self, run, losses):
            if self.armed and run.epoch == 2:
                raise KeyboardInterrupt

    interrupt = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path, epochs=3, callbacks=[interrupt])
    assert newest(tmp_path).notes["position"]["done"] > 0
    interrupt.armed = False
    model, _, history = fitted(tmp_path, epochs=3, callbacks=[interrupt], resume=True)
    expected, _, whole = fitted(tmp_path / "other", epochs=3, callbacks=[interrupt])
    assert history["loss"] == whole["loss"]
    assert model[0].weight.value.tobytes() == expected[0].weight.value.tobytes()


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(tmp_path):
    model = net()
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)

    class Spoils(training.Callback):
        def on_epoch(self, run, record):
            good.append(run.model.state_dict())
            if run.epoch == 2:
                X_spoiled[:] = np.nan

    X_spoiled, good = X.copy(), []
    saving = training.Checkpoint(tmp_path, every=0)
    with pytest.raises(training.DivergedError, match="epoch 3, step 1"):
        training.fit(
            model,
            "cross_entropy",
            optimizer,
            (X_spoiled, Y),
            epochs=4,
            callbacks=[Spoils()],
            checkpoint=saving,
            compiled=False,
        )
    saved = newest(tmp_path)
    assert len(saved.notes["history"]) == 2
    for name, value in good[-1].items():
        assert saved.arrays[f"model.{name}"].tobytes() == value.tobytes() == model.state_dict()[name].tobytes()


def test_early_stopping_goes_on_with_what_it_remembers(tmp_path):
    def stopping():
        return training.EarlyStopping(2, "loss")

    rising = cr.nn.Linear(3, 2, rng=0)
    whole = stopping()
    _, _, history = fitted(None, rising, epochs=40, callbacks=[whole])
    assert whole.best_epoch <= len(history)
    first, second = stopping(), stopping()
    fitted(tmp_path, cr.nn.Linear(3, 2, rng=0), epochs=3, callbacks=[first])
    model, _, again = fitted(tmp_path, cr.nn.Linear(3, 2, rng=0), epochs=40, callbacks=[second], resume=True)
    assert again["loss"] == history["loss"]
    assert (second.best, second.best_epoch) == (whole.best, whole.best_epoch)
    assert model.weight.value.tobytes() == rising.weight.value.tobytes()


def test_partial_files_of_a_killed_process_are_removed(tmp_path):
    fitted(tmp_path)
    (tmp_path / ".partial-x").mkdir()
    (tmp_path / ".partial-x" / "checkpoint-000009.json").write_text("{")
    (tmp_path / "checkpoint-000009.safetensors").write_bytes(b"")
    before = list(tmp_path.glob("checkpoint-000001*"))
    fitted(tmp_path, resume=True)
    assert sorted(tmp_path.iterdir()) == sorted(before)


def test_a_checkpoint_is_made_every_so_often(tmp_path):
    saving = training.Checkpoint(tmp_path, every=1e9)
    fitted(saving, epochs=1)
    assert len(list(tmp_path.glob("*.json"))) == 1  # the end
    shutil.rmtree(tmp_path)
    fitted(training.Checkpoint(tmp_path, every=0), epochs=3)
    assert latest(tmp_path) > "checkpoint-000003.json"
    with pytest.raises(ValueError, match="every is a number of seconds"):
        training.Checkpoint(tmp_path, every=-1)


def test_a_state_that_no_checkpoint_would_hold_is_told(tmp_path):
    noise = cr.random.Generator(0)

    def noisy(outputs, targets):
        return cr.nn.cross_entropy(outputs + noise.normal(outputs.shape), targets)

    model = net()
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(
        training.CheckpointError, match=r"counter.*, a State that neither the model nor the optimiser knows"
    ):
        training.fit(model, noisy, optimizer, (X, Y), epochs=1, checkpoint=tmp_path)
    assert not list(tmp_path.iterdir())

"""What a run leaves behind: weights, history, picture; each file whole or not at all."""

import csv
import os
import struct
import sys

import numpy as np
import pytest
from safetensors import safe_open

import chainrule as cr
from chainrule import training
from chainrule.data.files import written_whole


def net(seed=0, hidden=4):
    return cr.nn.Sequential(cr.nn.Linear(3, hidden, rng=seed), cr.nn.Tanh(), cr.nn.Maxout(hidden, 2, rng=seed))


def history(*losses):
    return training.History(
        {"epoch": i + 1, "loss": x, "val_loss": x + 0.1, "val_accuracy": 0.25} for i, x in enumerate(losses)
    )


def test_a_loaded_net_predicts_the_same_bits(tmp_path):
    original, other = net(0), net(1)
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    training.save(original, tmp_path / "net.safetensors")
    assert (other(x).value != original(x).value).any()
    training.load(other, tmp_path / "net.safetensors")
    assert other(x).value.tobytes() == original(x).value.tobytes()


def test_parameters_of_any_layout_dtype_and_shape_survive(tmp_path):
    class Odd(cr.nn.Module):
        def __init__(self, scale):
            self.transposed = cr.Parameter(scale * np.arange(6.0).reshape(2, 3).T, dtype=np.float64)
            self.number = cr.Parameter(scale * 0.5)
            self.half = cr.Parameter(scale * np.ones(2), dtype=np.float16)
            self.empty = cr.Parameter(np.zeros((0, 2)))

    first, second = Odd(1.0), Odd(3.0)
    training.save(first, tmp_path / "odd")
    training.load(second, tmp_path / "odd")
    for name, p in first.named_parameters().items():
        q = second.named_parameters()[name]
        assert (p.shape, p.dtype) == (q.shape, q.dtype)
        np.testing.assert_array_equal(p.value, q.value)


def test_weights_are_readable_by_name_with_notes(tmp_path):
    training.save(net(), tmp_path / "net.safetensors", {"data": "digits"})
    with safe_open(tmp_path / "net.safetensors", "numpy") as file:
        assert set(file.keys()) == set(net().named_parameters())
        assert file.metadata() == {"data": "digits"}


def test_another_net_is_refused_and_left_as_it_is(tmp_path):
    training.save(net(), tmp_path / "net.safetensors")
    wider, flat = net(hidden=5), cr.nn.Linear(3, 2, rng=0)
    for other in (wider, flat):
        before = [p.value.copy() for p in other.parameters()]
        with pytest.raises(ValueError, match="holds another net"):
            training.load(other, tmp_path / "net.safetensors")
        assert all((p.value == old).all() for p, old in zip(other.parameters(), before, strict=True))


@pytest.mark.parametrize("damage", [b"", b"nonsense", struct.pack("<Q", 2**60), None])
def test_a_damaged_file_is_refused(tmp_path, damage):
    path = tmp_path / "net.safetensors"
    training.save(net(), path)
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        training.load(net(), path)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        training.load(net(), tmp_path / "nowhere")


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail():
        with written_whole(path) as partial:
            partial.write_text("half")
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="full"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_replaces_what_was_there(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with written_whole(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_history_is_written_in_full_precision_and_read_again(tmp_path):
    losses = (0.1 + 0.2, 1 / 3)
    history(*losses).write_csv(tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    assert [float(row["loss"]) for row in rows] == list(losses)
    assert set(rows[0]) == {"epoch", "loss", "val_loss", "val_accuracy"}
    assert training.History.read_csv(tmp_path / "history.csv").records == history(*losses).records


def test_a_history_has_columns_also_where_epochs_differ(tmp_path):
    mixed = training.History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "val_loss": 0.5}])
    assert mixed["loss"] == [0.5, 0.25]
    assert np.isnan(mixed["val_loss"][0])
    mixed.write_csv(tmp_path / "history.csv")
    assert training.History.read_csv(tmp_path / "history.csv").records == mixed.records
    with pytest.raises(KeyError, match="'val_accuracy' was not recorded; there are epoch, loss, val_loss"):
        mixed["val_accuracy"]


def test_what_is_no_history_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("epoch,loss\n1,low\n")
    with pytest.raises(ValueError, match=r"other.csv is not a history"):
        training.History.read_csv(tmp_path / "other.csv")


@pytest.mark.parametrize("losses", [(0.5,), (0.5, 0.25), (0.0, 0.0)])
def test_a_history_is_drawn(tmp_path, losses):
    training.draw_history(history(*losses), tmp_path / "loss.png", "a title")
    picture = (tmp_path / "loss.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    assert (width, height) == (1080, 456)


def test_an_empty_history_cannot_be_drawn(tmp_path):
    with pytest.raises(ValueError, match="no epoch"):
        training.draw_history(training.History(), tmp_path / "loss.png")
    assert not any(tmp_path.iterdir())


def test_a_missing_matplotlib_is_named_with_its_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'chainrule\[plot\]'"):
        training.draw_history(history(0.5), tmp_path / "loss.png")


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda file: flushed.append((os.fstat(file).st_size, (tmp_path / "a").exists())))
    with written_whole(tmp_path / "a") as partial:
        partial.write_bytes(b"123")
    assert flushed == [(3, False)]

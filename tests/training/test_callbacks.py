"""Callbacks: when they are called, and those that come with the house."""

import io
import sys

import numpy as np
import pytest
from rich.console import Console

import chainrule as cr
from chainrule import training
from chainrule.training.callbacks import Monitor

X, Y = np.random.default_rng(0).standard_normal((40, 3)), np.arange(40) % 2


def fitted(*callbacks, epochs=3, lr=0.1, **options):
    model = cr.nn.Linear(3, 2, rng=0)
    optimizer = cr.optim.SGD(model.parameters(), lr=lr)
    options = {"batch": 7, "compiled": False, **options}
    return model, training.fit(model, "cross_entropy", optimizer, (X, Y), epochs=epochs, callbacks=callbacks, **options)


class Diary(training.Callback):
    def __init__(self, name, pages):
        self.name, self.pages = name, pages

    def on_start(self, run):
        self.pages.append((self.name, "start", run.epoch, run.step, run.epochs, run.steps_per_epoch))

    def on_steps(self, run, losses):
        assert losses.ndim == 1
        if run.step == run.steps_per_epoch:
            self.pages.append((self.name, "last steps", run.epoch))

    def on_epoch(self, run, record):
        assert record is run.history.last
        self.pages.append((self.name, "epoch", run.epoch, record["epoch"], len(run.history)))

    def on_end(self, run):
        self.pages.append((self.name, "end", run.epoch, run.error))


@pytest.mark.parametrize("compiled", [False, True])
def test_callbacks_are_called_in_order_and_end_in_reverse(compiled):
    pages = []
    fitted(Diary("a", pages), Diary("b", pages), epochs=2, compiled=compiled)
    expected = [(name, "start", 0, 0, 2, 6) for name in "ab"]
    for epoch in (1, 2):
        expected += [(name, "last steps", epoch) for name in "ab"]
        expected += [(name, "epoch", epoch, epoch, epoch) for name in "ab"]
    assert pages == expected + [(name, "end", 2, None) for name in "ba"]


def test_those_that_have_started_end_whatever_happens():
    pages = []

    class Refuses(training.Callback):
        def on_start(self, run):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fitted(Diary("a", pages), Refuses(), Diary("b", pages))
    assert [page[:2] for page in pages] == [("a", "start"), ("a", "end")]
    assert isinstance(pages[-1][-1], ValueError)


def test_a_stopped_run_completes_its_epoch():
    class Stops(training.Callback):
        def on_steps(self, run, losses):
            if run.epoch == 2:
                run.stop()

    _, history = fitted(Stops(), epochs=9)
    assert history["epoch"] == [1, 2]


@pytest.mark.parametrize(
    ("name", "larger", "up"),
    [
        ("val_loss", None, False), ("loss", None, False), ("val_accuracy", None, True), ("r2", None, True),
        ("test_top_5", None, True), ("val_log_loss", None, False), ("val_balanced_accuracy", None, True),
        ("val_mine", None, False), ("val_mine", True, True), ("val_accuracy", False, False),
    ],
)  # fmt: skip
def test_what_is_better(name, larger, up):
    monitor = Monitor(name, larger)
    assert monitor.is_better(2.0, 1.0) == up
    assert monitor.is_better(1.0, 2.0) != up
    assert not monitor.is_better(1.0, 1.0)
    assert monitor.is_better(1.0, monitor.worst)
    assert not monitor.is_better(float("nan"), monitor.worst)


def test_a_small_difference_may_not_count():
    assert not Monitor("loss", min_delta=0.1).is_better(0.95, 1.0)
    assert Monitor("loss", min_delta=0.1).is_better(0.85, 1.0)
    with pytest.raises(ValueError, match="min_delta is at least 0"):
        Monitor("loss", min_delta=-1)


class Scripted(training.Callback):
    """Records a number of its own, as if it had been measured."""

    def __init__(self, *values):
        self.values, self.states = values, []

    def on_epoch(self, run, record):
        record["val_loss"] = self.values[run.epoch - 1]
        self.states.append(run.model.state_dict())


@pytest.mark.parametrize(
    ("values", "epochs", "best"),
    [
        ((3, 2, 2.5, 2.2, 1, 1), 4, 2),
        ((3, 2, 1, 2, 0.5, 2), 6, 5),
        ((1, float("nan"), 3, 3, 3, 3), 3, 1),
        ((3, 2), 2, 2),
    ],
)
def test_early_stopping_waits_and_takes_the_best(values, epochs, best):
    scripted, stopping = Scripted(*values), training.EarlyStopping(2)
    model, history = fitted(scripted, stopping, epochs=len(values))
    assert len(history) == epochs
    assert (stopping.best_epoch, stopping.best) == (best, values[best - 1])
    assert (model.weight.value == scripted.states[best - 1]["weight"]).all()


def test_early_stopping_may_leave_the_model_and_begins_anew():
    scripted, stopping = Scripted(1, 2, 3, 4), training.EarlyStopping(2, restore_best=False)
    model, history = fitted(scripted, stopping, epochs=4)
    assert (model.weight.value == scripted.states[2]["weight"]).all()
    _, again = fitted(scripted, stopping, epochs=4)
    assert len(again) == len(history) == 3


def test_what_is_watched_must_be_recorded():
    with pytest.raises(ValueError, match="'val_loss' is watched and not recorded: there are epoch, loss, seconds"):
        fitted(training.EarlyStopping(2))
    with pytest.raises(ValueError, match="at least 1, not 0"):
        training.EarlyStopping(0)


def test_progress_prints_lines_and_ends_its_bar():
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100)
    fitted(training.Progress(every=2, console=console), epochs=5, validation=(X, Y))
    printed = [line for line in text.getvalue().splitlines() if "epoch" in line]
    assert [line.split()[1] for line in printed] == ["2/5", "4/5", "5/5"]
    assert "val_loss 0." in printed[0]
    assert "steps" in text.getvalue()


def test_tensorboard_gets_every_number(tmp_path):
    reader = pytest.importorskip("tensorboardX.record_writer")
    assert reader
    _, history = fitted(training.TensorBoard(tmp_path), epochs=2, validation=(X, Y), metrics=["accuracy"])
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    for name in set(history.names) - {"epoch"}:
        assert content.count(bytes([10, len(name)]) + name.encode()) == 2


def test_a_missing_tensorboard_is_named_with_its_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'chainrule\[tensorboard\]'"):
        training.TensorBoard(tmp_path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_ends_a_run_leaves_the_last_weights_and_not_the_best(error):
    """The loss rises from the first epoch on, so that the best weights are those after it."""

    class Fail(training.Callback):
        def on_epoch(self, run, record):
            self.weights = run.model.state_dict()
            if run.epoch == 3:
                raise error

    fail, stopping = Fail(), training.EarlyStopping(monitor="loss", larger=False, min_delta=1e3)
    model = cr.nn.Linear(3, 2, rng=0)
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(error):
        training.fit(model, "cross_entropy", optimizer, (X, Y), epochs=5, callbacks=[stopping, fail], compiled=False)
    assert stopping.best_epoch == 1
    assert all((value == fail.weights[name]).all() for name, value in model.state_dict().items())


def test_a_plateau_goes_with_the_optimiser():
    """What it has seen counts as long as the optimiser is the same, and not for another one."""
    plateau = training.ReduceOnPlateau("loss", factor=0.5, patience=2, threshold=0.9)
    model = cr.nn.Linear(3, 2, rng=0)
    first, second = (cr.optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
    for optimizer, epochs, lr in ((first, 2, 0.1), (first, 2, 0.05), (second, 2, 0.1), (second, 2, 0.05)):
        training.fit(model, "cross_entropy", optimizer, (X, Y), epochs=epochs, callbacks=[plateau], compiled=False)
        assert optimizer.lr == lr
    assert first.lr == 0.05

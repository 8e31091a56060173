"""fit learns, tells what it does, repeats with its seed, and does the same compiled and not."""

import tracemalloc

import numpy as np
import pytest

import chainrule as cr
from chainrule import data, training
from chainrule.program import minibatches
from chainrule.training.position import epoch_order

HERE, THERE = data.split(*data.digits(), seed=0)
both = pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])


def digits_net(seed=0):
    return cr.nn.Sequential(cr.nn.Linear(64, 30, rng=seed), cr.nn.ReLU(), cr.nn.Linear(30, 10, rng=seed + 1))


def small_run(seed=0, lr=0.1, epochs=5, **options):
    net = digits_net(seed)
    optimizer = cr.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    options = {"validation": THERE, "metrics": ["accuracy"], "seed": seed, **options}
    return net, training.fit(net, "cross_entropy", optimizer, HERE, epochs=epochs, **options)


def test_the_loss_falls_and_the_accuracy_is_plausible():
    net, history = small_run()
    assert history["epoch"] == [1, 2, 3, 4, 5]
    assert history["loss"][-1] < history["loss"][0] / 2 < np.log(10) / 2
    assert history.last["val_accuracy"] > 0.9
    assert all(seconds > 0 for seconds in history["seconds"])
    score = training.evaluate(net, THERE, compiled=True)
    assert score == {"loss": history.last["val_loss"], "accuracy": history.last["val_accuracy"]}
    assert not net.training


@both
def test_the_same_seed_gives_the_same_bits(compiled):
    (net, history), (again, repeated) = (small_run(epochs=2, compiled=compiled) for _ in range(2))
    for p, q in zip(net.parameters(), again.parameters(), strict=True):
        assert p.value.tobytes() == q.value.tobytes()
    assert history["val_loss"] == repeated["val_loss"]
    assert small_run(seed=1, epochs=2)[1].last["val_loss"] != history.last["val_loss"]


def test_compiled_steps_learn_the_same():
    (_, eager), (_, compiled) = small_run(epochs=3, compiled=False), small_run(epochs=3)
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(compiled[name], eager[name], rtol=1e-3)


@both
def test_one_step_is_gradient_descent(compiled):
    x, y = np.array([[1.0, 2.0], [3.0, -1.0]], np.float32), np.array([0, 1])
    net = cr.nn.Linear(2, 2, rng=0)
    w, b = net.weight.value.copy(), net.bias.value.copy()
    optimizer = cr.optim.SGD(net.parameters(), lr=0.5)
    history = training.fit(net, cr.nn.cross_entropy, optimizer, (x, y), epochs=1, batch=2, compiled=compiled)
    p = np.exp(x @ w + b)
    p /= p.sum(1, keepdims=True)
    d = (p - np.eye(2)[y]) / 2
    np.testing.assert_allclose(net.weight.value, w - 0.5 * x.T @ d, rtol=1e-5)
    np.testing.assert_allclose(net.bias.value, b - 0.5 * d.sum(0), rtol=1e-5)
    assert history.last["loss"] == pytest.approx(-np.mean(np.log(p[[0, 1], y])), rel=1e-6)
    assert set(history.last) == {"epoch", "loss", "seconds"}


@both
def test_the_loss_of_an_epoch_is_the_mean_over_its_examples(compiled):
    """Batches of 4, 4 and 2; nothing moves, so it is the loss of all."""
    net = cr.nn.Linear(1, 1, rng=0)
    x = np.random.default_rng(0).standard_normal((10, 1)).astype(np.float32)
    weights = np.arange(10.0)
    optimizer = cr.optim.SGD(net.parameters(), lr=1e-30)
    losses = ((net(x).value - 1) ** 2)[:, 0]
    for rows, expected in (((), losses.mean()), ((weights,), np.average(losses, weights=weights))):
        history = training.fit(net, "mse", optimizer, (x, 0 * x + 1, *rows), epochs=1, batch=4, compiled=compiled)
        assert history.last["loss"] == pytest.approx(expected, rel=1e-5)


def eventful():
    """A net and an optimiser with everything that has a memory, and a plateau that reduces the step size."""
    net = cr.nn.Sequential(
        cr.nn.Linear(64, 20, rng=0),
        cr.nn.BatchNorm(20),
        cr.nn.ReLU(),
        cr.nn.Dropout(0.2, rng=1),
        cr.nn.Linear(20, 10, rng=2),
    )
    schedule = cr.optim.schedules.Warmup(30, cr.optim.schedules.Exponential(0.999))
    optimizer = cr.optim.Adam(net.parameters(), lr=0.05, clip_norm=1.0, schedule=schedule)
    return net, optimizer, training.ReduceOnPlateau("loss", factor=0.5, patience=0, threshold=0.3)


@both
def test_n_fits_of_one_epoch_are_one_fit_of_n(compiled):
    options = {"validation": THERE, "compiled": compiled}
    net, optimizer, plateau = eventful()
    history = training.fit(net, "cross_entropy", optimizer, HERE, epochs=4, callbacks=[plateau], **options)
    again, other, plateau = eventful()
    pieced = training.History()
    for _ in range(4):
        training.fit(again, "cross_entropy", other, HERE, epochs=1, callbacks=[plateau], history=pieced, **options)
    assert pieced["loss"] == history["loss"]
    assert pieced["val_loss"] == history["val_loss"]
    assert pieced["epoch"] == [1, 2, 3, 4]
    assert optimizer.lr == other.lr < 0.05
    for one, same in ((net, again), (optimizer, other)):
        for p, q in zip(one.state_dict().values(), same.state_dict().values(), strict=True):
            assert p.tobytes() == q.tobytes()


def test_an_order_is_a_permutation_of_its_own_for_each_epoch():
    orders = [tuple(epoch_order(seed, step, 50)) for seed in (-1, 0, 1) for step in (0, 45)]
    assert len(set(orders)) == 6
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[2] == tuple(epoch_order(0, 0, 50))


@both
def test_without_shuffling_examples_come_as_they_are(compiled):
    class Seen(cr.nn.Module):
        """Keeps the last input."""

        def __init__(self):
            self.weight, self.last = cr.Parameter(1.0), cr.State(0.0)

        def forward(self, x):
            self.last.assign(np.sum(x))
            return self.weight * x

    for shuffle, expected in ((False, {9.0}), (True, set(range(10)))):
        net, last = Seen(), set()
        optimizer = cr.optim.SGD(net.parameters(), lr=1e-6)
        x = np.arange(10.0)
        for _ in range(40 if shuffle else 2):
            training.fit(net, "mse", optimizer, (x, x), epochs=1, batch=1, shuffle=shuffle, compiled=compiled)
            last.add(net.last.item())
        assert last == expected


@both
@pytest.mark.parametrize(("count", "batch", "steps"), [(10, 4, 3), (3, 32, 1), (8, None, 1), (1, 1, 1), (5, 1, 5)])
def test_batches_of_any_length(compiled, count, batch, steps):
    net = cr.nn.Linear(2, 1, rng=0)
    optimizer = cr.optim.SGD(net.parameters(), lr=0.01)
    x = np.ones((count, 2))
    seen = []

    class Count(training.Callback):
        def on_steps(self, run, losses):
            seen.extend(losses)
            assert run.step == len(seen)
            assert run.steps_per_epoch == steps

    training.fit(net, "mse", optimizer, (x, x[:, :1]), epochs=1, batch=batch, compiled=compiled, callbacks=[Count()])
    assert len(seen) == steps == optimizer.steps.item()


@both
def test_a_penalty_is_added_and_told(compiled):
    net = cr.nn.Linear(2, 1, rng=0)
    w = net.weight.value.copy()
    x, y = np.zeros((4, 2)), np.zeros((4, 1))
    optimizer = cr.optim.SGD(net.parameters(), lr=0.5)
    history = training.fit(
        net, "mse", optimizer, (x, y), epochs=1, penalty=lambda model: np.sum(model.weight**2), compiled=compiled
    )
    assert history.last["loss"] == 0
    assert history.last["penalty"] == pytest.approx(np.sum(w**2), rel=1e-6)
    np.testing.assert_allclose(net.weight.value, 0, atol=1e-7)


@both
def test_a_constraint_follows_each_update(compiled):
    class Nonnegative:
        def apply(self, model):
            model.weight.assign(np.maximum(model.weight, 0))

    net = cr.nn.Linear(3, 1, rng=0)
    optimizer = cr.optim.SGD(net.parameters(), lr=0.5)
    x = np.eye(3)
    y = np.array([[1.0], [-1.0], [0.5]])
    training.fit(net, "mse", optimizer, (x, y), epochs=30, batch=3, constraint=Nonnegative(), compiled=compiled)
    assert net.weight.value.min() == 0
    assert net.weight.value.max() > 0.5


@both
def test_inputs_of_any_dtype_just_work(compiled, tmp_path):
    x, y = np.random.default_rng(0).integers(0, 16, (40, 3)), np.arange(40) % 2
    on_disk = np.memmap(tmp_path / "x", np.float32, "w+", shape=x.shape)
    on_disk[:] = x
    results = []
    for inputs in (
        x,
        x.astype(np.float64),
        x.astype(np.uint8),
        x.astype(">f4"),
        np.asfortranarray(x),
        x.tolist(),
        on_disk,
    ):
        net = cr.nn.Linear(3, 2, rng=0)
        optimizer = cr.optim.SGD(net.parameters(), lr=0.01)
        history = training.fit(net, "cross_entropy", optimizer, (inputs, y), epochs=2, batch=7, compiled=compiled)
        results.append(history["loss"])
        assert net.weight.dtype == np.float32
    for losses in results[1:]:
        np.testing.assert_allclose(losses, results[0], rtol=1e-6)


def test_memory_mapped_and_contiguous_arrays_are_not_copied(tmp_path):
    on_disk = np.memmap(tmp_path / "x", np.float32, "w+", shape=(4, 3))
    examples = training.examples.Examples.of((on_disk, np.arange(4)))
    assert np.shares_memory(examples.inputs, on_disk)


def test_a_large_memory_map_of_any_layout_is_never_copied_whole(tmp_path, monkeypatch):
    """8 MB of pixels in Fortran order, of which little is in memory at a time, with validation and all."""
    monkeypatch.setattr(minibatches, "LARGE", 1 << 16)
    pixels = np.memmap(tmp_path / "x", np.uint8, "w+", shape=(16000, 500), order="F")
    pixels[::2] = 200
    labels = np.arange(16000) % 2
    net = cr.nn.Linear(500, 2, rng=0)
    optimizer = cr.optim.SGD(net.parameters(), lr=1e-6)
    trainer = cr.training.Trainer(net, "cross_entropy", optimizer)
    trainer.fit((pixels[:200], labels[:200]), epochs=1, batch=50, validation=(pixels[:200], labels[:200]))
    tracemalloc.start()
    try:
        held_out = pixels[:1000], labels[:1000]
        history = trainer.fit((pixels, labels), epochs=1, batch=50, validation=held_out, metrics=["accuracy"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert history.last["val_accuracy"] == 1
    assert peak < pixels.nbytes / 2


@pytest.mark.parametrize(
    ("examples", "options", "error", "told"),
    [
        ((np.ones((0, 2)), np.ones((0, 1))), {}, ValueError, "there are no examples"),
        ((np.ones((3, 2)), np.ones((2, 1))), {}, ValueError, "3 inputs but 2 targets"),
        ((np.ones((2, 2)),), {}, TypeError, r"data are \(x, y\)"),
        ((np.array([["a", "b"]]), np.ones((1, 1))), {}, TypeError, "inputs are numbers"),
        ((np.ones((2, 2)), np.ones((2, 1)), [1.0]), {}, ValueError, "one weight for each of 2"),
        ((np.ones((2, 2)), np.ones((2, 1)), [1.0, -1.0]), {}, ValueError, "weights are finite and at least 0"),
        ((np.ones((2, 2)), np.ones((2, 1)), [0.0, 0.0]), {}, ValueError, "one of them is above"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"epochs": -1}, ValueError, "a number of epochs, not -1"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"batch": 0}, ValueError, "at least one example, not 0"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"metrics": ["mae"]}, ValueError, "give validation="),
        ((np.ones((2, 2)), np.ones((2, 1))), {"validation": (np.ones(2), np.ones(3))}, ValueError, "2 inputs but 3"),
        (None, {}, TypeError, "not a NoneType"),
        (iter([np.ones((2, 2)), np.ones((2, 1))]), {}, TypeError, "of all examples, not a list_iterator"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"validation": 0.2}, TypeError, "not a float"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"epochs": 1.5}, TypeError, "epochs is a whole number, not 1.5"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"batch": 1.5}, TypeError, "batch is a whole number"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"seed": None}, TypeError, "seed is a whole number"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"callbacks": [print]}, TypeError, "a callback is an object"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"penalty": 0.1}, TypeError, "a penalty is a function"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"constraint": 3.0}, TypeError, r"a method apply\(model\)"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"loss": None}, TypeError, "a loss is a function"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"optimizer": cr.optim.SGD}, TypeError, "an optimizer is made for"),
        ((np.ones((2, 2)), np.ones((2, 1))), {"model": print}, TypeError, "a model is a cr.nn.Module"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_happens(examples, options, error, told):
    net = cr.nn.Linear(2, 1, rng=0)
    before = net.state_dict()
    parts = {"model": net, "loss": "mse", "optimizer": cr.optim.SGD(net.parameters(), lr=0.1)}
    with pytest.raises(error, match=told):
        training.fit(**{**parts, "data": examples, "epochs": 1, **options})
    assert all((value == before[name]).all() for name, value in net.state_dict().items())
    assert net.training


@both
def test_a_loss_that_is_no_function_of_the_outputs_is_refused(compiled):
    net = cr.nn.Linear(2, 1, rng=0)
    optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(TypeError, match="computed from the outputs by functions of NumPy or chainrule"):
        training.fit(net, lambda outputs, y: 3.0, optimizer, (np.ones((2, 2)), np.ones(2)), epochs=1, compiled=compiled)


def test_a_single_callback_needs_no_list():
    net, stopping = cr.nn.Linear(2, 1, rng=0), training.EarlyStopping(monitor="loss")
    optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    training.fit(net, "mse", optimizer, (np.ones((2, 2)), np.ones(2)), epochs=2, callbacks=stopping)
    assert stopping.best_epoch == 2


def test_several_sets_are_measured_under_their_names():
    sets = {"train": HERE, "test": THERE}
    _, history = small_run(epochs=1, validation=sets)
    assert set(history.last) == {
        "epoch", "loss", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "seconds"
    }  # fmt: skip
    assert history.last["train_loss"] < history.last["loss"]


def test_no_epochs_do_nothing():
    net, history = small_run(epochs=0)
    assert len(history) == 0
    assert all((p.value == q.value).all() for p, q in zip(net.parameters(), digits_net().parameters(), strict=True))


# ---- optimisers that look at all data at once


@both
def test_lbfgs_makes_an_iteration_an_epoch(compiled):
    heard = []

    class Hears(training.Callback):
        def on_steps(self, run, losses):
            heard.append((run.epoch, run.step, run.steps_per_epoch))

    net = digits_net()
    optimizer = cr.optim.LBFGS(net.parameters(), l2=1e-3)
    options = {"validation": THERE, "metrics": ["accuracy"], "compiled": compiled}
    history = training.fit(net, "cross_entropy", optimizer, HERE, epochs=15, callbacks=[Hears()], **options)
    assert len(history) == 15 == optimizer.steps.item()
    assert heard == [(epoch, 1, 1) for epoch in range(1, 16)]
    assert all(np.diff(history["loss"]) < 0)
    assert history.last["val_accuracy"] > 0.85
    weights = sum(np.sum(p.value**2) for p in net.parameters() if p.ndim > 1)
    data_loss = training.evaluate(net, HERE)["loss"]
    assert history.last["loss"] == pytest.approx(data_loss + 0.5e-3 * weights, rel=1e-4)


@both
def test_lbfgs_ends_where_it_has_converged_or_is_stopped(compiled):
    x = np.random.default_rng(0).standard_normal((50, 3))
    y = x @ [[1.0], [2.0], [3.0]] + 0.5

    class Stops(training.Callback):
        def on_epoch(self, run, record):
            if run.epoch == 3:
                run.stop()

    for callbacks in ((), (Stops(),)):
        net = cr.nn.Linear(3, 1, rng=0)
        optimizer = cr.optim.LBFGS(net.parameters())
        history = training.fit(net, "mse", optimizer, (x, y), epochs=500, callbacks=callbacks, compiled=compiled)
        assert len(history) == 3 if callbacks else 3 < len(history) < 50
    history = training.fit(net, "mse", optimizer, (x, y), epochs=500, history=history, compiled=compiled)
    np.testing.assert_allclose(net.weight.value, [[1], [2], [3]], rtol=1e-3)


def test_lbfgs_goes_on_from_a_checkpoint(tmp_path):
    def run(epochs):
        net = digits_net()
        optimizer = cr.optim.LBFGS(net.parameters())
        options = {"compiled": False, "checkpoint": tmp_path, "resume": True}
        return training.fit(net, "cross_entropy", optimizer, HERE, epochs=epochs, **options)

    first, more = run(4), run(8)
    assert more["loss"][:4] == first["loss"]
    assert more["epoch"] == list(range(1, 9))
    assert all(np.diff(more["loss"]) < 0)


@both
def test_lbfgs_on_what_is_not_finite(compiled):
    net = cr.nn.Linear(3, 1, rng=0)
    x = np.full((4, 3), np.nan)
    with pytest.raises(
        training.DivergedError, match="the loss is not finite in epoch 1, step 1: in Linear, the value of"
    ):
        training.fit(net, "mse", cr.optim.LBFGS(net.parameters()), (x, x[:, :1]), epochs=3, compiled=compiled)
    assert np.isfinite(net.weight.value).all()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_pass_in_minibatches_goes_where_the_weighted_mean_does(compiled):
    """A light example counts as little among its like as it does beside heavy ones."""
    rng = np.random.default_rng(0)
    x, y, weights = rng.standard_normal((40, 2)), rng.standard_normal((40, 1)), np.exp(3 * rng.standard_normal(40))
    moved = []
    for batch, lr in ((4, 1e-7), (40, 1e-6)):  # ten small steps, or a large one
        net = cr.nn.Linear(2, 1, dtype=float, rng=0)
        before = net.weight.value.copy()
        optimizer = cr.optim.SGD(net.parameters(), lr=lr)
        history = training.fit(net, "mse", optimizer, (x, y, weights), epochs=1, batch=batch, compiled=compiled)
        moved.append((*(net.weight.value - before).ravel(), history.last["loss"]))
    np.testing.assert_allclose(*moved, rtol=1e-4)


@pytest.mark.parametrize(
    ("loss", "targets", "bad", "told"),
    [
        ("binary_cross_entropy", np.zeros((480, 1)), -1.0, "targets from 0 to 1, and here is -1"),
        ("poisson", np.ones((480, 1)), -3.0, "counts, not negative, and here is -3"),
        ("kl_divergence", np.full((480, 1), 1.0), 0.9, "and here is 0.9"),
        ("hinge", np.zeros(480, int), -1, "that of example 200 is -1"),
        ("cross_entropy", np.zeros(480, int), -1, "that of example 200 is -1"),
    ],
)
def test_targets_that_make_no_sense_are_found_wherever_they_are(loss, targets, bad, told):
    targets[200] = bad
    net = cr.nn.Linear(2, 1, rng=0)
    optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=told):
        cr.training.fit(net, loss, optimizer, (np.ones((480, 2)), targets), epochs=1, batch=8)
    assert optimizer.steps == 0

"""How estimators train: the same to the bit, on and on, as long as it helps; and what they say when it goes wrong."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.preprocessing import scale

import chainrule as cr
from chainrule.estimators import NeuralClassifier, NeuralRegressor

SOLVERS = [*cr.optim.OPTIMIZERS, "lbfgs"]
X, Y = load_iris(return_X_y=True)
X = scale(X)


def classifier(**options):
    return NeuralClassifier(
        **{"hidden": 16, "lr": 0.02, "max_iter": 20, "random_state": 0, "warm_start": True, **options}
    )


def bits(net):
    return [p.value.tobytes() for p in net.model_.parameters()]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_same_seed_gives_the_same_net(compiled, dropout):
    options = {"compiled": compiled, "dropout": dropout, "max_iter": 5, "early_stopping": True}
    assert bits(classifier(**options).fit(X, Y)) == bits(classifier(**options).fit(X, Y))
    assert bits(classifier(**options).fit(X, Y)) != bits(classifier(random_state=1, **options).fit(X, Y))


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("compiled", [False, True])
def test_fits_of_one_epoch_are_one_fit_of_as_many(solver, compiled):
    options = {"solver": solver, "dropout": 0.2, "compiled": compiled, "batch_size": 20}
    whole = classifier(max_iter=6, **options).fit(X, Y)
    looped = classifier(max_iter=1, **options)
    parts = classifier(**options)
    for _ in range(6):
        looped.fit(X, Y)
        parts.partial_fit(X, Y, classes=[0, 1, 2])
    assert bits(whole) == bits(looped) == bits(parts)
    assert whole.history_["loss"] == looped.history_["loss"] == parts.history_["loss"]
    assert whole.n_iter_ == looped.n_iter_ == 6


def test_a_fit_begins_anew_without_warm_start():
    net = classifier(warm_start=False, patience=5, tol=0.05, max_iter=1000).fit(X, Y)
    first, epochs = bits(net), net.n_iter_
    assert bits(net.fit(X, Y)) == first
    assert net.n_iter_ == epochs == len(net.history_["loss"])


def test_training_goes_on_with_the_same_net_alone():
    net = classifier().fit(X, Y)
    with pytest.raises(ValueError, match="the same net"):
        net.set_params(hidden=17).fit(X, Y)
    with pytest.raises(ValueError, match="not there at first"):
        net.set_params(hidden=16).fit(X, Y + 1)
    before = net.optimizer_
    assert net.fit(X, Y).optimizer_ is before
    assert net.set_params(lr=0.01).fit(X, Y).optimizer_.lr == 0.01


def test_training_ends_when_it_does_not_help_any_more():
    net = classifier(warm_start=False, tol=0.01, patience=3, max_iter=500).fit(X, Y)
    loss = net.history_["loss"]
    assert 10 < net.n_iter_ < 500
    assert min(loss[:-3]) - min(loss[-3:]) < 0.01 * loss[0]
    with pytest.warns(ConvergenceWarning, match="max_iter=5 epochs"):
        classifier(warm_start=False, max_iter=5).fit(X, Y)


def test_early_stopping_keeps_the_best_weights():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 20))
    y = (x[:, 0] + rng.standard_normal(120) > 0).astype(int)  # noise to over-fit
    net = classifier(warm_start=False, early_stopping=True, validation_fraction=0.25, max_iter=300).fit(x, y)
    curve = net.history_["val_loss"]
    assert len(curve) == len(net.history_["val_accuracy"]) == net.n_iter_ < 300
    assert curve[-1] > min(curve)
    again = classifier(early_stopping=True, validation_fraction=0.25, max_iter=int(np.argmin(curve)) + 1).fit(x, y)
    np.testing.assert_array_equal(net.predict_proba(x), again.predict_proba(x))


def test_the_score_of_what_is_held_out():
    net = classifier(early_stopping=True, validation_fraction=0.2, max_iter=40).fit(X, Y)
    assert 0.8 < max(net.history_["val_accuracy"]) <= 1
    x, y = load_diabetes(return_X_y=True)
    scores = NeuralRegressor(early_stopping=True, random_state=0, warm_start=True).fit(20 * x, y).history_["val_r2"]
    assert 0.2 < max(scores) < 1
    with pytest.raises(ValueError, match="holds nothing out"):
        classifier(early_stopping=True).partial_fit(X, Y, classes=[0, 1, 2])


@pytest.mark.parametrize("solver", SOLVERS)
def test_verbose_tells_of_every_epoch(solver, capsys):
    net = classifier(solver=solver, lr=None, max_iter=4, verbose=True).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"epoch {n}" for n in range(1, net.n_iter_ + 1)]
    assert net.n_iter_ == 4
    assert float(lines[-1].split("loss ")[1].split(",")[0]) == pytest.approx(net.history_["loss"][-1], rel=1e-5)


def test_nothing_is_printed_without_it(capsys):
    classifier().fit(X, Y)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_learns(solver):
    slow = {"lion": 0.005, "sgd": 0.1, "adadelta": 1.0, "lbfgs": None}
    net = classifier(solver=solver, lr=slow.get(solver, 0.02), max_iter=150).fit(X, Y)
    assert net.score(X, Y) > 0.95


def test_a_solver_takes_what_it_has():
    with pytest.raises(TypeError, match="Adam has no momentum"):
        classifier(solver_options={"momentum": 0.5}).fit(X, Y)


def test_l_bfgs_ends_where_nothing_is_left_to_do():
    hooks = Hooks(end=None)
    net = classifier(solver="lbfgs", lr=None, max_iter=2000, warm_start=False).set_callbacks(hooks)
    net.fit(X, Y, sample_weight=np.ones(150))
    assert 10 < net.n_iter_ < 2000
    assert hooks.told.count("begin epoch") == hooks.told.count("end epoch")


def test_a_solver_of_ones_own():
    def made(parameters, lr):
        return cr.optim.SGD(parameters, lr=10 * lr)

    assert classifier(solver=made, max_iter=100).fit(X, Y).score(X, Y) > 0.95
    options = {"momentum": 0.5, "nesterov": False}
    assert classifier(solver="sgd", lr=0.1, solver_options=options).fit(X, Y).optimizer_.momentum == 0.5


@pytest.mark.parametrize("compiled", [False, True])
def test_exploding_weights_are_named(compiled):
    net = NeuralRegressor(solver="sgd", lr=1e200, solver_options={"momentum": 0.0}, random_state=0, compiled=compiled)
    with pytest.raises(cr.training.DivergedError, match=r"in epoch \d, step \d: in .*Linear") as caught:
        net.fit(X, Y)
    assert (caught.value.epoch, caught.value.step) in [(1, 1), (2, 1)]
    assert all(np.isfinite(p.value).all() for p in net.model_.parameters())


def test_sparse_rows_are_rows():
    x = np.where(np.abs(X) < 0.5, 0, X)
    dense = classifier().fit(x, Y)
    for kind in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array):
        net = classifier().fit(kind(x), Y)
        assert bits(net) == bits(dense)
        np.testing.assert_array_equal(net.predict_proba(kind(x)), dense.predict_proba(x))
        assert len(net.activations(kind(x))[0]) == 150


def test_the_monitor_of_scikit_learn_sees_every_epoch():
    monitor = ScoringMonitor(scoring="accuracy")
    net = classifier(max_iter=5).set_callbacks(monitor).fit(X, Y)
    by_epoch = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    expected = classifier(max_iter=1)
    assert by_epoch == [expected.fit(X, Y).score(X, Y) for _ in range(5)]
    assert net.score(X, Y) == by_epoch[-1]


def test_the_progress_bar_of_scikit_learn(capsys):
    classifier().set_callbacks(ProgressBar()).fit(X, Y)
    assert "NeuralClassifier" in capsys.readouterr().out


class Hooks:
    """A callback of scikit-learn that notes what it is told, and ends training with the epoch of that number."""

    def __init__(self, end=2):
        self.told, self.end = [], end

    def setup(self, estimator, context):
        self.told.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.told.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X=None, metadata=None, fitted_estimator=None):
        assert fitted_estimator is not estimator
        assert fitted_estimator.predict(X).shape == (150,)
        assert list(metadata) == ["sample_weight"]
        self.told.append(f"end {context.task_name}")
        return context.task_name == "epoch" and context.task_id == self.end

    def teardown(self, estimator, context):
        self.told.append("teardown")


def test_a_callback_of_scikit_learn_ends_training():
    hooks = Hooks()
    net = classifier(warm_start=False).set_callbacks(hooks).fit(X, Y, sample_weight=np.ones(150))
    assert net.n_iter_ == 3
    epochs = ["begin epoch", "end epoch"] * 3
    assert hooks.told == ["setup", "begin fit", *epochs, "end fit", "teardown"]


def test_callbacks_are_torn_down_when_training_fails():
    hooks = Hooks()
    with pytest.raises(ValueError, match="loss"):
        classifier(loss="mse").set_callbacks(hooks).fit(X, Y)
    net = classifier(max_iter=2, callbacks=[Failing()]).set_callbacks(hooks)
    with pytest.raises(RuntimeError, match="on purpose"):
        net.fit(X, Y, sample_weight=np.ones(150))
    assert hooks.told[-1] == "teardown"


class Failing(cr.training.Callback):
    def on_epoch(self, run, record):
        raise RuntimeError("on purpose")


class Losses(cr.training.Callback):
    def __init__(self):
        self.seen = []

    def on_epoch(self, run, record):
        self.seen.append(record["loss"])


def test_callbacks_of_chainrule():
    losses = Losses()
    net = classifier(callbacks=[losses]).fit(X, Y)
    assert losses.seen == net.history_["loss"]


def test_an_estimator_that_was_not_fitted_says_so():
    for ask in (classifier().predict, classifier().predict_proba, classifier().activations):
        with pytest.raises(NotFittedError, match="not fitted"):
            ask(X)


def test_no_warnings_are_hidden():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        classifier().fit(X, Y).predict(X)
    assert caught == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"solver": "lbfgs", "lr": 0.1}, "finds its step size by itself"),
        ({"solver": "lbfgs", "lr": None, "dropout": 0.5}, "dropout 0 with it, not None and 0.5"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, "leave no row that counts"),
        ({"class_weight": {0: -1}}, "class_weight is at least 0"),
        ({"early_stopping": True, "validation_fraction": 0.01}, "validation_fraction=0.01 of 150 rows"),
    ],
)
def test_what_does_not_go_together_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        classifier(**options).fit(X, Y)


def test_numbers_beyond_the_dtype_of_the_net_are_refused():
    net = classifier().fit(X.astype(np.float32), Y)
    with pytest.raises(ValueError, match="too large for dtype"):
        net.predict(X * 1e300)
    with pytest.raises(ValueError, match="too large for dtype"):
        net.fit(X * 1e300, Y)

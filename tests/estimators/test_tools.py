"""Estimators in scikit-learn's tools: pickle, clone, searches in several processes, pipelines, data frames."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, scale

import chainrule as cr
from chainrule.estimators import NeuralClassifier, NeuralRegressor

X, Y = load_iris(return_X_y=True)
X = scale(X)


def classifier(**options):
    return NeuralClassifier(
        **{"hidden": 16, "lr": 0.02, "max_iter": 20, "random_state": 0, "warm_start": True, **options}
    )


def bits(net):
    return [p.value.tobytes() for p in net.model_.parameters()]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_pickled_net_predicts_and_goes_on_alike(compiled):
    net = classifier(compiled=compiled, dropout=0.1, callbacks=[cr.training.Callback()]).fit(X, Y)
    for _ in range(25):  # past the point where single rows are compiled
        net.predict(X[:1])
    copy = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(copy.predict_proba(X), net.predict_proba(X))
    assert bits(copy.fit(X, Y)) == bits(net.fit(X, Y))
    assert copy.history_["loss"] == net.history_["loss"]


def test_a_clone_has_the_parameters_and_nothing_else():
    monitor = ScoringMonitor(scoring="accuracy")
    net = classifier(callbacks=[cr.training.Callback()], solver_options={"l2": 0.1}).set_callbacks(monitor).fit(X, Y)
    copy = clone(net)
    assert not hasattr(copy, "model_")
    assert copy.get_params().keys() == net.get_params().keys()
    assert copy.solver_options == {"l2": 0.1}
    assert bits(copy.fit(X, Y)) == bits(clone(net).fit(X, Y))


def threads_used(estimator, x, y):
    """A score that tells how many threads the process may use."""
    return float(cr.get_threads())


def test_a_grid_search_in_several_processes():
    grid = {"hidden": [(4,), (8, 8)], "dropout": [0.0, 0.2]}
    alone = GridSearchCV(classifier(), grid, cv=2, n_jobs=1).fit(X, Y)
    both = GridSearchCV(classifier(), grid, cv=2, n_jobs=2).fit(X, Y)
    np.testing.assert_array_equal(alone.cv_results_["mean_test_score"], both.cv_results_["mean_test_score"])
    assert both.best_estimator_.score(X, Y) > 0.8


def test_worker_processes_share_the_cores():
    used = cross_val_score(classifier(compiled=True, max_iter=2), X, Y, cv=2, n_jobs=2, scoring=threads_used)
    np.testing.assert_array_equal(used, [1, 1])


def test_a_randomised_search_of_regressors():
    net = NeuralRegressor(hidden=8, warm_start=True, max_iter=5, random_state=0)
    found = RandomizedSearchCV(
        net, {"lr": [0.001, 0.01, 0.1], "l2": [0, 1e-3]}, n_iter=3, cv=2, n_jobs=2, random_state=0
    )
    found.fit(X, Y)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()


NAMES = ["length", "width", "petal length", "petal width"]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_data_frames_and_their_names(frame):
    table = frame(dict(zip(NAMES, X.T, strict=True)))
    target = frame({"species": np.array(["a", "b", "c"])[Y]})["species"]
    net = classifier().fit(table, target)
    assert list(net.feature_names_in_) == NAMES
    np.testing.assert_array_equal(net.predict(table), classifier().fit(X, np.array(["a", "b", "c"])[Y]).predict(X))
    assert set(net.predict(table)) <= {"a", "b", "c"}
    with pytest.raises(ValueError, match="feature names"):
        net.predict(table[NAMES[::-1]])
    with pytest.warns(UserWarning, match="valid feature names"):
        net.predict(X[:1])


def test_a_pipeline_with_categories():
    table = pd.DataFrame({"size": X[:, 2], "colour": np.where(Y == 1, "red", "blue")})
    columns = make_column_transformer((StandardScaler(), ["size"]), (OneHotEncoder(), ["colour"]), sparse_threshold=1)
    assert make_pipeline(columns, classifier()).fit(table, Y).score(table, Y) > 0.9

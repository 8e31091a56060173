"""scikit-learn's own checks of estimators, all of them."""

import os
import subprocess
import sys

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule.estimators import NeuralClassifier, NeuralRegressor


@pytest.mark.filterwarnings("ignore:the loss was still falling")
@parametrize_with_checks([NeuralClassifier(), NeuralRegressor()])
def test_scikit_learn_finds_no_fault(estimator, check):
    check(estimator)


WITH_ARRAY_API = """
import warnings
from functools import partial
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import check_array_api_input, estimator_checks_generator
from chainrule.estimators import NeuralClassifier, NeuralRegressor

warnings.simplefilter("ignore", ConvergenceWarning)
for estimator in (NeuralClassifier(), NeuralRegressor()):
    for estimator, check in estimator_checks_generator(estimator):
        if isinstance(check, partial) and check.func is check_array_api_input:
            check(estimator)
            print(type(estimator).__name__)
"""


def test_the_check_that_is_skipped_unless_scipy_is_told_to_dispatch_finds_none_either():
    told = {**os.environ, "SCIPY_ARRAY_API": "1"}  # read when SciPy is imported
    run = subprocess.run([sys.executable, "-c", WITH_ARRAY_API], capture_output=True, text=True, check=True, env=told)  # noqa: S603
    assert run.stdout.split() == ["NeuralClassifier", "NeuralRegressor"]

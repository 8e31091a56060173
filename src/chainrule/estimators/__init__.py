"""Neural networks as scikit-learn estimators: for its pipelines, searches and metrics."""

try:
    import sklearn.callback  # noqa: F401  # what came last of all that is needed
except ImportError as error:
    raise ImportError(
        "cr.estimators needs scikit-learn 1.9 or later: pip install 'chainrule[estimators]'", name="sklearn"
    ) from error

from chainrule.estimators.classifier import NeuralClassifier
from chainrule.estimators.regressor import NeuralRegressor

__all__ = ["NeuralClassifier", "NeuralRegressor"]

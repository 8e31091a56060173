"""NeuralClassifier: classes, or several labels at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.callback import with_callbacks
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from chainrule.estimators.base import NeuralEstimator, takes_minibatches
from chainrule.estimators.rows import dense
from chainrule.gates.normalised import log_softmax, softmax
from chainrule.gates.special import log_sigmoid, sigmoid
from chainrule.training import METRICS

LOSSES = ("cross_entropy", "hinge", "binary_cross_entropy", "kl_divergence")
"""Losses for classes. The last two compare every output with 0 or 1, so their targets are one-hot."""
ONE_HOT = LOSSES[2:]
LOSSES_OF_LABELS = ("binary_cross_entropy",)


def _has_probabilities(estimator: NeuralClassifier) -> bool:
    if estimator.loss == "hinge":
        raise AttributeError("the scores of a net learned with loss='hinge' are no probabilities")
    return True


class NeuralClassifier(ClassifierMixin, NeuralEstimator):  # type: ignore[misc]
    """A neural network for classification, with the manners of a scikit-learn estimator.

    The net has one output for each class (or label, if ``y`` is an indicator matrix): fully connected hidden layers, a
    softmax at the end. It is trained by ``chainrule.training.fit``, and ``model_`` is an ordinary ``chainrule.nn``
    module: everything of chainrule can be done with it.

    Args:
        hidden: neurons of each hidden layer; () for a linear classifier.
        activation: of the hidden layers, by its name in ``nn.ACTIVATIONS``, or what makes a module (``nn.ReLU``).
        loss: 'auto' is 'cross_entropy' for classes and 'binary_cross_entropy' for labels. Classes take 'hinge',
            'binary_cross_entropy' (one against the rest) and 'kl_divergence', too; or any function (outputs, targets)
            -> scalar, of class numbers (n,) or indicators (n, labels). If it is to be used with weights, it takes
            ``weights``, (n,), as the losses of ``chainrule.nn`` do.
        init: of the weights, by its name in ``nn.INITIALISERS``, or a function; None for that of ``nn.Linear``.
        dropout: the share of hidden activations that are zeroed at random in training, in [0, 1).
        solver: 'lbfgs' or the name of one in ``optim.OPTIMIZERS`` ('adam', 'sgd', ...), or what makes an optimiser of
            parameters. 'sgd' has a Nesterov momentum of 0.9 unless ``solver_options`` say otherwise.
        lr: the step size; None for the solver's own default. L-BFGS has none.
        solver_options: further arguments of the solver: {'momentum': 0.5, 'schedule': cr.optim.Cosine(1000)}.
        l1, l2: strength of the regularisation ``l1 * sum |w| + l2 / 2 * sum w^2`` of the weights (not biases), which is
            part of the loss with every solver.
        batch_size: rows in a step; 'auto' is 200. L-BFGS takes all rows.
        max_iter: how many epochs (L-BFGS: iterations) at most.
        shuffle: whether rows come in a new order in each epoch.
        tol: training ends when for ``patience`` epochs the loss has not become better by ``tol`` times the loss of the
            first epoch.
        patience: see ``tol``; infinity for never.
        early_stopping: hold a part of the data out, go by its loss instead, and keep the best weights.
        validation_fraction: the part that is held out, with about the same share of every class.
        warm_start: go on with the net when ``fit`` is called again. N fits of one epoch are one fit of N, to the bit.
        compiled: whether a step is one native call. Compiling takes a while: 'auto' does it where it pays.
        callbacks: of ``chainrule.training``. Those of scikit-learn are set with ``set_callbacks``.
        class_weight: how much a row of each class counts: a dict by class (for labels a list of such), 'balanced' for
            weights that make up for how frequent classes are, None for all alike.
        random_state: a seed or RandomState for initial weights, order, dropout and what is held out. The same seed
            gives the same net.
        verbose: whether to print a line for each epoch.

    Attributes:
        classes_: the classes in order, (n_classes,); for labels their numbers.
        model_: the net, a ``nn.Sequential``. Its outputs are scores.
        optimizer_: what trained it.
        history_: a ``training.History``: ``history_['loss']`` is a list with a number for each epoch; 'penalty' is
            that of the regularisation, and with early stopping there are 'val_loss' and 'val_accuracy' of the data
            held out.
        n_iter_: how many epochs the net has been trained.
        n_features_in_, feature_names_in_, n_outputs_: as everywhere in scikit-learn.

    >>> from sklearn.datasets import load_iris
    >>> from chainrule.estimators import NeuralClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = NeuralClassifier(hidden=20, lr=0.01, max_iter=100, patience=float("inf"), random_state=0, warm_start=True)
    >>> net.fit(X, y).score(X, y) > 0.95
    True
    >>> net.predict_proba(X[:2]).round(1)
    array([[1., 0., 0.], [1., 0., 0.]])
    """

    def __init__(
        self,
        hidden: int | Sequence[int] = (100,),
        activation: str | Callable[[], Any] = "relu",
        *,
        loss: str | Callable[..., Any] = "auto",
        init: str | Callable[..., Any] | None = None,
        dropout: float = 0.0,
        solver: str | Callable[..., Any] = "adam",
        lr: float | None = None,
        solver_options: dict[str, Any] | None = None,
        l1: float = 0.0,
        l2: float = 1e-4,
        batch_size: int | str = "auto",
        max_iter: int = 200,
        shuffle: bool = True,
        tol: float = 1e-4,
        patience: float = 20,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        compiled: bool | str = "auto",
        callbacks: Sequence[Any] | None = None,
        class_weight: Any = None,
        random_state: Any = None,
        verbose: bool | int = False,
    ) -> None:
        super().__init__(
            hidden, activation, loss=loss, init=init, dropout=dropout, solver=solver, lr=lr,
            solver_options=solver_options, l1=l1, l2=l2, batch_size=batch_size, max_iter=max_iter, shuffle=shuffle,
            tol=tol, patience=patience, early_stopping=early_stopping, validation_fraction=validation_fraction,
            warm_start=warm_start, compiled=compiled, callbacks=callbacks, random_state=random_state, verbose=verbose,
        )  # fmt: skip
        self.class_weight = class_weight

    @available_if(takes_minibatches)  # type: ignore[untyped-decorator]
    @with_callbacks  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """One epoch on these rows.

        Args:
            X, y, sample_weight: as for ``fit``.
            classes: all classes that will come; needed in the first call, unless ``y`` is an indicator matrix.

        Returns the estimator. Raises ValueError for a class that was not announced.
        """
        fresh = "model_" not in vars(self)
        if fresh and classes is None and not type_of_target(y).startswith("multilabel"):
            raise ValueError("the first call of partial_fit needs all classes: partial_fit(X, y, classes=...)")
        if not fresh and classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes are {self.classes_} since the first call, and now {np.unique(classes)}")
        return self._learn(X, y, sample_weight, fresh, 1, classes=classes, part=True)

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each row, (n,); for labels an indicator matrix (n, labels)."""
        found = self._apply("decision", X)
        return found if self._multilabel else self.classes_.take(found)

    def decision_function(self, X: Any) -> NDArray[Any]:
        """The scores of the classes, (n, classes); of two classes how much larger the second is, (n,)."""
        scores = self._apply("outputs", X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 and not self._multilabel else scores

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of each class, (n, classes), which add to 1; for labels that of each label."""
        return self._apply("probabilities", X)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """The logarithms of ``predict_proba``, also where that is 0 for a float."""
        return self._apply("log_probabilities", X)

    # ---- for the base class

    def _targets(self, y: Any, fresh: bool, classes: Any = None) -> NDArray[Any]:
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise ValueError("several outputs of several classes each are not supported: use MultiOutputClassifier")
        multilabel = kind.startswith("multilabel")
        y = dense(y) if multilabel else column_or_1d(y, warn=True)
        if fresh:
            self._multilabel = multilabel
            self.classes_ = self._all_classes(y, classes)
        elif multilabel != self._multilabel:
            raise ValueError("y is an indicator matrix of labels in some calls and classes in others")
        numbers = self._label_numbers(y) if multilabel else self._class_numbers(y)
        if multilabel or self._loss_name() not in ONE_HOT:
            return numbers
        return np.eye(len(self.classes_))[numbers]

    def _all_classes(self, y: NDArray[Any], announced: Any) -> NDArray[Any]:
        if self._multilabel:
            return np.arange(y.shape[1])
        if announced is None:
            return np.unique(y)
        return np.unique(column_or_1d(announced))

    def _class_numbers(self, y: NDArray[Any]) -> NDArray[np.int64]:
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y has classes that were not there at first: {unknown}, not among {self.classes_}")
        return np.searchsorted(self.classes_, y)

    def _label_numbers(self, y: NDArray[Any]) -> NDArray[np.int64]:
        if y.shape[1] != len(self.classes_):
            raise ValueError(f"y has {y.shape[1]} labels, and there were {len(self.classes_)} at first")
        numbers: NDArray[np.int64] = (y != 0).astype(np.int64)
        return numbers

    def _weights(self, sample_weight: Any, X: Any, y: Any, part: bool) -> NDArray[Any] | None:
        weights = super()._weights(sample_weight, X, y, part)
        if self.class_weight is None:
            return weights
        if part and isinstance(self.class_weight, str):
            raise ValueError(
                "partial_fit sees a part of the data, not how frequent classes are: give weights in a dict"
            )
        by_class: NDArray[Any] = compute_sample_weight(self.class_weight, dense(y))
        if (by_class < 0).any():
            raise ValueError(f"class_weight is at least 0 for each class, not {self.class_weight}")
        return by_class if weights is None else weights * by_class

    def _loss_name(self) -> str | None:
        allowed = LOSSES_OF_LABELS if self._multilabel else LOSSES
        return self._named_loss(allowed, "labels" if self._multilabel else "classes")

    def _output_count(self, targets: NDArray[Any]) -> int:
        return len(self.classes_)

    def _heads(self) -> dict[str, Callable[..., Any]]:
        one_by_one = self._multilabel or self._loss_name() == "binary_cross_entropy"
        decision = _positive if self._multilabel else _largest
        if not one_by_one:
            return {"decision": decision, "probabilities": _softmax, "log_probabilities": _log_softmax}
        if self._multilabel:
            return {"decision": decision, "probabilities": _sigmoid, "log_probabilities": _log_sigmoid}
        return {"decision": decision, "probabilities": _shares, "log_probabilities": _log_shares}

    def _metric(self) -> str | Callable[..., float]:
        return accuracy if not self._multilabel and self._loss_name() in ONE_HOT else "accuracy"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def accuracy(outputs: NDArray[Any], targets: NDArray[Any], weights: Any = None) -> float:
    """The accuracy where targets are one-hot."""
    return METRICS["accuracy"](outputs, targets.argmax(1), weights)


def _largest(net: Any, x: Any) -> Any:
    return np.argmax(net(x), axis=1)


def _positive(net: Any, x: Any) -> Any:
    return (net(x) > 0).astype(np.int64)


def _softmax(net: Any, x: Any) -> Any:
    return softmax(net(x), axis=1)


def _log_softmax(net: Any, x: Any) -> Any:
    return log_softmax(net(x), axis=1)


def _sigmoid(net: Any, x: Any) -> Any:
    return sigmoid(net(x))


def _log_sigmoid(net: Any, x: Any) -> Any:
    return log_sigmoid(net(x))


def _shares(net: Any, x: Any) -> Any:
    """One against the rest: the probabilities of the classes, each for itself, made to add to 1."""
    return np.exp(_log_shares(net, x))


def _log_shares(net: Any, x: Any) -> Any:
    return log_softmax(log_sigmoid(net(x)), axis=1)

"""Training a net: the loop, what it records, and the files it leaves."""

from chainrule.training.gradient_check import check_model
from chainrule.training.history import Epoch, History
from chainrule.training.loop import DivergedError, train
from chainrule.training.metrics import Score, accuracy, evaluate
from chainrule.training.picture import draw_history
from chainrule.training.weights import load, save

__all__ = [
    "DivergedError",
    "Epoch",
    "History",
    "Score",
    "accuracy",
    "check_model",
    "draw_history",
    "evaluate",
    "load",
    "save",
    "train",
]

"""Training a net: fit, what it records, how good the net is, and the files that are left."""

from chainrule.training.callbacks import Callback, EarlyStopping, ReduceOnPlateau
from chainrule.training.checkpoint import Checkpoint
from chainrule.training.checkpoint_files import CheckpointError, CheckpointWarning
from chainrule.training.display import Progress, TensorBoard
from chainrule.training.evaluation import evaluate
from chainrule.training.fit import Trainer, fit
from chainrule.training.gradient_check import check_model
from chainrule.training.history import History
from chainrule.training.metrics import METRICS, accuracy, confusion_matrix
from chainrule.training.picture import draw_history
from chainrule.training.run import DivergedError, Run
from chainrule.training.weights import load, save

__all__ = [
    "METRICS",
    "Callback",
    "Checkpoint",
    "CheckpointError",
    "CheckpointWarning",
    "DivergedError",
    "EarlyStopping",
    "History",
    "Progress",
    "ReduceOnPlateau",
    "Run",
    "TensorBoard",
    "Trainer",
    "accuracy",
    "check_model",
    "confusion_matrix",
    "draw_history",
    "evaluate",
    "fit",
    "load",
    "save",
]

"""chainrule: backpropagation you can see, at native speed."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from chainrule import data, nn, optim, random, training
from chainrule.calculus.check import GradientError, GradientReport, check_grads
from chainrule.calculus.derivative import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from chainrule.compiler import Compiled, compile
from chainrule.gates.activation import (
    elu,
    gelu,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    maxout,
    mish,
    prelu,
    relu,
    selu,
    silu,
    softsign,
)
from chainrule.gates.error_function import erf, erfc
from chainrule.gates.gate import Gate
from chainrule.gates.indexing import scatter_add
from chainrule.gates.normalised import log_softmax, logsumexp, softmax
from chainrule.gates.special import log_sigmoid, sigmoid, softplus
from chainrule.graph.array import Array
from chainrule.graph.edge import Edge, edges
from chainrule.graph.errors import ChainruleError, CompileWarning, GraphError, NonFiniteError
from chainrule.graph.memory import keep_freed_memory
from chainrule.graph.mode import no_grad, nonfinite
from chainrule.graph.state import Parameter, State
from chainrule.inspect.diagnose import diagnose
from chainrule.inspect.diagnosis import Diagnosis
from chainrule.inspect.draw import draw
from chainrule.inspect.explain import explain
from chainrule.inspect.report import report
from chainrule.inspect.why import why
from chainrule.native.cores import get_threads, set_threads
from chainrule.native.store import kernel_store
from chainrule.numpy_protocol.creation import array, constant
from chainrule.program.scan import scan

__all__ = [
    "Array",
    "ChainruleError",
    "CompileWarning",
    "Compiled",
    "Diagnosis",
    "Edge",
    "Gate",
    "GradientError",
    "GradientReport",
    "GraphError",
    "NonFiniteError",
    "Parameter",
    "State",
    "array",
    "check_grads",
    "compile",
    "constant",
    "data",
    "diagnose",
    "draw",
    "edges",
    "elu",
    "erf",
    "erfc",
    "explain",
    "gelu",
    "get_threads",
    "grad",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "kernel_store",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "maxout",
    "mish",
    "nn",
    "no_grad",
    "nonfinite",
    "optim",
    "prelu",
    "random",
    "relu",
    "report",
    "scan",
    "scatter_add",
    "selu",
    "set_threads",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "training",
    "value_and_grad",
    "vjp",
    "why",
]

__version__ = "0.1.0"

keep_freed_memory()

if TYPE_CHECKING:
    from chainrule import estimators as estimators
else:

    def __getattr__(name: str) -> ModuleType:
        """``cr.estimators`` is imported when it is asked for: it brings in scikit-learn, and needs it."""
        if name != "estimators":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module("chainrule.estimators")

"""``cr.diagnose``: the course's sanity checks before and while a net is trained, as one call and one report.

They are those of the course notes (neural networks 3: "babysitting the learning process"), with what often goes wrong
beside them: data that nobody has scaled, layers without a nonlinearity between them, neurons that are dead.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import nn, optim
from chainrule.calculus.check import ACCEPTABLE, GradientError, GradientReport
from chainrule.graph.array import raw
from chainrule.graph.mode import no_grad
from chainrule.inspect.diagnosis import FINE, LOOK, WRONG, Check, Diagnosis
from chainrule.inspect.probe import Neurons, Probe, probed
from chainrule.inspect.updates import RATIO, Updates, by_minibatches, some_rows, updates_of
from chainrule.training.evaluation import Loss, loss_named
from chainrule.training.examples import Examples
from chainrule.training.gradient_check import check_model

FEW = 20
"""Examples that any net can learn by heart."""
AT_ONCE = 1000
"""Examples on which activations are looked at."""


def diagnose(
    model: nn.Module,
    data: Any,
    loss: str | Loss = "cross_entropy",
    *,
    optimizer: Any = None,
    steps: int = 500,
    batch: int = 32,
    seed: int = 0,
) -> Diagnosis:
    """Check a model on data before a long training: what would go wrong is found in seconds.

    Args:
        model: the net as it is to be trained; all is done on copies, and it stays as it is.
        data: ``(x, y)``, ``(x, y, weights)`` or a ``Dataset``: the training data.
        loss: a name of ``nn.LOSSES``, or a function of outputs and targets.
        optimizer: the one that is to be used, over the model's parameters; Adam with lr 0.001 if left out.
        steps: at most so many to learn 20 examples by heart.
        batch: examples in each of the updates that are measured.
        seed: of the examples that are picked.

    Returns a report: print it, or read its ``checks``, each with a verdict ("fine", "look" or "wrong") and a sentence.

    - inputs: of about the size of 1, and alike.
    - targets: likewise, where they are numbers.
    - initial loss: that of outputs of 0, log(classes) for the softmax: the net knows nothing yet.
    - learns 20 examples: by heart, without dropout; a net that cannot do that has an error, or too few neurons.
    - gradient: analytic against numerical, in float64.
    - layers: no two linear ones in a row.
    - activations: that neither grow nor fade from layer to layer, and gradients likewise.
    - updates: about 1/1000 of the weights that they change.
    - neurons: none that is dead or always saturated after these updates.

    Raises what the model and the loss raise for data that do not fit.

    >>> import chainrule as cr
    >>> net = cr.nn.Sequential(cr.nn.Linear(2, 20, rng=0), cr.nn.ReLU(), cr.nn.Linear(20, 3, rng=1))
    >>> report = cr.diagnose(net, cr.data.spiral())
    >>> report["gradient"].verdict, report["layers"].verdict, report.ok
    ('fine', 'fine', True)
    """
    examples, loss_of = Examples.of(data), loss_named(loss)
    order = np.random.default_rng(seed).permutation(examples.size)
    some = some_rows(examples, order[:AT_ONCE])
    before = probed(deepcopy(model).train(), some, loss_of)
    expected = _knowing_nothing(model, some, loss_of)
    heart, learned = _by_heart(model, some_rows(examples, order[:FEW]), loss_of, steps)
    gradient, disagreement = _gradient(model, some_rows(examples, order[:5]), loss_of)
    updates = updates_of(model, examples, order, loss_of, optimizer, batch)
    after = probed(updates.model, some, loss_of)
    checks = [
        *([] if _takes_indices(model) else [_check_inputs(some.inputs)]),
        *([_check_targets(some.targets)] if loss_of in (nn.mse, nn.mae, nn.huber) else []),
        _check_initial_loss(before.loss, expected),
        _check_by_heart(heart, learned, min(FEW, examples.size)),
        _check_gradient(gradient, disagreement),
        _check_layers(model),
        _check_activations(before, model),
        _check_updates(updates, not by_minibatches(optimizer)),
        _check_neurons(after),
    ]
    return Diagnosis(
        model=repr(model),
        examples=examples.size,
        checks=tuple(checks),
        before=before,
        after=after,
        expected_loss=expected,
        by_heart=tuple(heart),
        gradient=gradient,
        updates=updates.ratios,
    )


# ---- the inputs


def _takes_indices(model: nn.Module) -> bool:
    return any(isinstance(part, nn.Embedding) for part in model.named_modules().values())


def _check_inputs(inputs: NDArray[Any]) -> Check:
    columns = inputs.reshape(len(inputs), -1).astype(np.float64)
    if not np.isfinite(columns).all():
        wrong = int(np.count_nonzero(~np.isfinite(columns).all(axis=0)))
        return Check("inputs", WRONG, f"{wrong} columns hold NaN or infinity")
    size = np.sqrt(np.mean(np.square(columns), axis=0))
    used = size[size > 0]
    if not used.size:
        return Check("inputs", WRONG, "all inputs are 0")
    largest, typical = float(used.max()), float(np.median(used))
    said = f"columns are of size {used.min():.2g} to {largest:.2g} (root of the mean square)"
    if largest > 10 or largest > 100 * typical:
        return Check("inputs", WRONG, f"{said}: scale them, with cr.data.Standardiser for example", largest)
    means, deviations = columns.mean(axis=0), columns.std(axis=0)
    offset = float(np.median(np.abs(means[size > 0]) / np.maximum(deviations[size > 0], 1e-12)))
    if offset > 3:
        return Check("inputs", LOOK, f"means are {offset:.2g} times the deviations: subtract them", offset)
    return Check("inputs", FINE, said, largest)


def _check_targets(targets: NDArray[Any]) -> Check:
    size = float(np.sqrt(np.mean(np.square(targets.astype(np.float64)))))
    said = f"they are of size {size:.2g} (root of the mean square)"
    if not np.isfinite(size):
        return Check("targets", WRONG, "some are NaN or infinite")
    if not 0.1 <= size <= 10:
        return Check("targets", LOOK, f"{said}: a net learns numbers of about 1 most easily, so scale them", size)
    return Check("targets", FINE, said, size)


# ---- the loss at the start


def _knowing_nothing(model: nn.Module, examples: Examples, loss: Loss) -> float:
    """The loss of outputs that are 0: log(classes) for the softmax, log 2 for the sigmoid."""
    return _loss_of(np.zeros_like(_outputs(model, examples)), examples, loss)


def _outputs(model: nn.Module, examples: Examples) -> NDArray[Any]:
    with no_grad():
        return np.asarray(raw(deepcopy(model).eval()(examples.inputs)))


def _loss_of(outputs: NDArray[Any], examples: Examples, loss: Loss) -> float:
    with no_grad(), np.errstate(all="ignore"):
        return float(raw(loss(outputs, examples.targets, **examples.options)))


def _check_initial_loss(found: float, expected: float) -> Check:
    said = f"{found:.4g}, and outputs of 0 would have {expected:.4g}"
    if not np.isfinite(found):
        return Check("initial loss", WRONG, f"{said}: not finite", found)
    if found > 3 * expected + 1e-6:
        return Check("initial loss", WRONG, f"{said}: the weights are too large, or the inputs", found)
    if found > 1.5 * expected + 1e-6:
        return Check("initial loss", LOOK, f"{said}: begin with smaller weights in the last layer", found)
    if found < 0.5 * expected:
        return Check("initial loss", LOOK, f"{said}: the net knows something already", found)
    return Check("initial loss", FINE, said, found)


# ---- learning a few examples by heart


def _by_heart(model: nn.Module, few: Examples, loss: Loss, steps: int) -> tuple[list[float], bool]:
    """The losses on the way, by the first learning rate that does it, or else by the last one tried."""
    start, least = _guessing(model, few, loss), _least(few, loss)
    enough = least + 0.05 * (start - least) + 1e-9
    losses: list[float] = []
    for lr in (0.01, 0.001, 0.1):
        learner = _without_dropout(deepcopy(model).train())
        learner.unfreeze()
        optimizer = optim.Adam(learner.parameters(), lr=lr)
        losses = []
        for _ in range(steps):
            with np.errstate(all="ignore"):
                value = loss(learner(few.inputs), few.targets, **few.options)
                losses.append(value.item())
                if losses[-1] <= enough:
                    return losses, True
                if not np.isfinite(losses[-1]):
                    break
                value.backward(keep=False)
                optimizer.step()
    return losses, False


def _without_dropout(model: nn.Module) -> nn.Module:
    for part in model.named_modules().values():
        if isinstance(part, nn.Dropout):
            part.rate = 0.0
    return model


def _guessing(model: nn.Module, few: Examples, loss: Loss) -> float:
    """The loss of the best constant that is easily found: 0, or the mean of the targets."""
    outputs = _outputs(model, few)
    guesses = [np.zeros_like(outputs)]
    if few.targets.dtype.kind == "f" and few.targets.size == outputs.size:
        mean = few.targets.reshape(outputs.shape).mean(axis=0)
        guesses.append(np.broadcast_to(mean, outputs.shape).astype(outputs.dtype))
    return min(_loss_of(guess, few, loss) for guess in guesses)


def _least(few: Examples, loss: Loss) -> float:
    """The smallest possible loss: 0 but for Poisson's, whose rates are at best the targets."""
    if loss is not nn.poisson:
        return 0.0
    counts = few.targets.astype(np.float64)
    return float(np.mean(counts - counts * np.log(np.where(counts > 0, counts, 1.0))))


def _check_by_heart(losses: list[float], learned: bool, count: int) -> Check:
    title, said = "learns 20 examples", f"loss {losses[0]:.4g} to {losses[-1]:.2g} in {len(losses) - 1} steps"
    if learned:
        return Check(title, FINE, said, losses[-1])
    reason = "the net has an error, too few neurons, or examples that are alike but have other targets"
    return Check(title, WRONG, f"cannot learn {count} examples by heart ({said}): {reason}", losses[-1])


# ---- the gradient


def _gradient(model: nn.Module, few: Examples, loss: Loss) -> tuple[GradientReport | None, str]:
    try:
        return check_model(
            _without_dropout(deepcopy(model)).eval(), few.inputs, few.targets, partial(loss, **few.options)
        ), ""
    except GradientError as error:
        return None, str(error)


def _check_gradient(report: GradientReport | None, disagreement: str) -> Check:
    if report is None:
        return Check("gradient", WRONG, disagreement)
    verdict = FINE if report.relative_error <= ACCEPTABLE else WRONG
    return Check("gradient", verdict, f"relative error {report.relative_error:.1e}", report.relative_error)


# ---- layers and what goes through them


def _check_layers(model: nn.Module) -> Check:
    pairs = model.stacked_linear()
    return Check("layers", WRONG, "; ".join(pairs)) if pairs else Check("layers", FINE, "no two linear ones in a row")


def _check_activations(probe: Probe, model: nn.Module) -> Check:
    """The spread of what weights sum up, and of its gradients, from the first hidden layer to the last."""
    weights = [(path, p.value) for path, p in model.named_parameters().items() if p.ndim > 1 and p.size > 1]
    for path, w in weights[:-1]:  # the last layer's neurons differ by their targets
        if np.ptp(w) == 0:
            return Check("activations", WRONG, f"{path} is {w.flat[0]:g} throughout, so its neurons stay equal")
    hidden = [layer for layer in probe.layers if layer.weighs][:-1]
    if not hidden:
        return Check("activations", FINE, "there is no hidden layer")
    forward = [float(layer.activations.std()) for layer in hidden]
    back = [float(np.std(layer.gradients)) for layer in hidden if layer.gradients is not None]
    said = f"deviations of {_span(forward)} forward, gradients of {_span(back)}"
    worst = max((_ratio(values) for values in (forward, back) if values), default=1.0)
    if not np.isfinite(worst) or worst > 100:
        return Check("activations", WRONG, f"{said}: they vanish or explode; see nn.initialisers", worst)
    if worst > 10:
        return Check("activations", LOOK, f"{said}: they grow or fade from layer to layer", worst)
    return Check("activations", FINE, said, worst)


def _span(values: list[float]) -> str:
    return f"{min(values):.2g} to {max(values):.2g}" if len(values) > 1 else "".join(f"{v:.2g}" for v in values)


def _ratio(values: list[float]) -> float:
    return max(values) / min(values) if min(values) > 0 else np.inf


# ---- updates


def _check_updates(updates: Updates, usual: bool) -> Check:
    by = " (by Adam with lr 0.001)" if usual else ""
    if updates.diverged is not None:
        said = f"the loss is not finite after {updates.diverged} updates{by}: a lower learning rate?"
        return Check("updates", WRONG, said)
    ratios = updates.ratios
    if not ratios:
        return Check("updates", FINE, "there are no weights to update")
    low, high = min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__)
    said = f"{ratios[low]:.1e} to {ratios[high]:.1e} of the weights{by}, and about {RATIO:g} is good"
    if ratios[low] == 0:
        return Check("updates", WRONG, f"{low} does not change{by}: no gradient reaches it", 0.0)
    if ratios[high] > 100 * RATIO or ratios[low] < RATIO / 1000:
        where = high if ratios[high] > 100 * RATIO else low
        return Check("updates", WRONG, f"{said}: the learning rate does not suit {where}", ratios[where])
    if ratios[high] > 30 * RATIO or ratios[low] < RATIO / 30:
        where = high if ratios[high] > 30 * RATIO else low
        return Check("updates", LOOK, f"{said}: see {where}", ratios[where])
    return Check("updates", FINE, said, ratios[high])


# ---- neurons


def _check_neurons(probe: Probe) -> Check:
    said = list(_troubles(probe.neurons))
    if said:
        worst = max(share for share, _ in said)
        return Check("neurons", WRONG if worst > 0.4 else LOOK, "; ".join(text for _, text in said), worst)
    count = sum(each.dead.size for each in probe.neurons)
    return Check("neurons", FINE, f"few of {count} hidden ones are dead or saturated" if count else "no hidden ones")


def _troubles(neurons: tuple[Neurons, ...]) -> Iterator[tuple[float, str]]:
    """The share of the neurons of a layer that are in trouble, and what is to be said of it."""
    for each in neurons:
        dead = float(each.dead.mean())
        if dead > 0.1:
            yield dead, f"{dead:.0%} of {each.dead.size} neurons of {each.name} are dead: flat on every example"
        saturated = 0.0 if each.saturated is None else float(each.saturated.mean())
        if saturated > 0.25:
            yield saturated, f"{each.name} is saturated {saturated:.0%} of the time"

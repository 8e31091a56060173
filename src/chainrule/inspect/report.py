"""``cr.report``: a run as one HTML page that needs nothing besides itself."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import nn
from chainrule.data import Dataset
from chainrule.data.files import written_whole
from chainrule.inspect.chart import histogram, line_chart, matrix, pictures, point_chart
from chainrule.inspect.probe import Probe, probed
from chainrule.inspect.svg import escape
from chainrule.inspect.updates import RATIO, some_rows, updates_of
from chainrule.training.evaluation import Forward, Loss, loss_named
from chainrule.training.examples import Examples
from chainrule.training.history import History
from chainrule.training.metrics import accuracy, confusion_matrix, mae, r2, rmse
from chainrule.training.picture import SETS, _panels

MOST_PICTURES, MOST_MISTAKES, MOST_CLASSES, MOST_POINTS, AT_ONCE = 100, 24, 40, 2000, 1000

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1d2733; --soft: #66707c; --rule: #dde2e8; --page: #f4f6f9; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e8edf2; --soft: #98a3b0; --rule: #323b46;
  --page: #0c0f13; } }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font: 15px "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 26px; margin: 8px 0 2px; } h2 { font-size: 18px; margin: 36px 0 8px; } p { margin: 6px 0; }
.soft { color: var(--soft); }
.facts { display: flex; flex-wrap: wrap; gap: 12px; margin: 18px 0; }
.fact { background: var(--paper); border: 1px solid var(--rule); border-radius: 8px; padding: 8px 16px; }
.fact b { display: block; font-size: 20px; } .fact span { color: var(--soft); font-size: 13px; }
.charts { margin: 10px 0; display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
.charts svg, .wide svg { max-width: 100%; height: auto; border: 1px solid var(--rule); border-radius: 8px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; background: var(--paper); font-variant-numeric: tabular-nums; }
th, td { border: 1px solid var(--rule); padding: 4px 12px; text-align: right; } th { font-weight: 600; }
th:first-child, td:first-child { text-align: left; }
""".strip()


def report(
    model: nn.Module,
    history: History,
    data: Any,
    path: str | Path,
    *,
    loss: str | Loss = "cross_entropy",
    optimizer: Any = None,
    title: str = "Training report",
    image: Sequence[int] | None = None,
) -> Path:
    """Write how a run went, and what it led to, into one HTML file: no other file and no network is needed to read it.

    Args:
        model: the trained net; it stays as it is.
        history: what ``training.fit`` returned.
        data: validation data, ``(x, y)`` or a ``Dataset``, to measure the net on.
        path: the file to be written; what stands there is replaced.
        loss: the one that was trained by.
        optimizer: the one that was trained by; with it, the page tells how large its updates are.
        title: the headline.
        image: rows and columns, (and 3 for colours), where inputs are images; a Dataset of images knows by itself.

    The page shows the curves of the history, a confusion matrix or residuals, activations and dead neurons of each
    layer, the size of updates, and the time taken; where inputs are images, the worst mistakes and the first layer's
    weights as pictures. It follows the reader's preference for light or dark. Returns the path. Raises ValueError for
    an empty history and for an image that does not have as many numbers as the inputs.

    >>> import tempfile, chainrule as cr
    >>> net = cr.nn.Sequential(cr.nn.Linear(2, 8, rng=0), cr.nn.Tanh(), cr.nn.Linear(8, 2, rng=1))
    >>> here, there = cr.data.split(*cr.data.moons())
    >>> optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    >>> history = cr.training.fit(net, "cross_entropy", optimizer, here, epochs=3, validation=there)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = cr.report(net, history, there, f"{folder}/report.html").read_text()
    >>> page.startswith("<!DOCTYPE html>"), "http" in page.replace("http://www.w3.org/2000/svg", "")
    (True, False)
    """
    if not len(history):
        raise ValueError("there is no epoch to report")
    examples, loss_of = Examples.of(data), loss_named(loss)
    outputs = Forward(model, compiled=False)(examples.inputs)
    shape = _image_shape(image, data, examples)
    order = np.random.default_rng(0).permutation(examples.size)
    some = some_rows(examples, order[:AT_ONCE])
    probe = probed(deepcopy(model).eval(), some, loss_of)
    sections = [
        ("How it went", _curves(history)),
        ("What it learned", _results(outputs, examples, data)),
        ("What it gets wrong", _mistakes(outputs, examples, data, shape)),
        ("What the first layer looks at", _first_layer(model, examples, shape)),
        ("Layers", _layers(model, examples, probe)),
        ("Updates", "" if optimizer is None else _updates(model, examples, order, loss_of, optimizer)),
        ("Time", _time(history)),
    ]
    body = "".join(f"<section><h2>{escape(name)}</h2>{text}</section>" for name, text in sections if text)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    top = f'<h1>{escape(title)}</h1><p class="soft">{escape(repr(model))}</p>{_facts(model, history, examples)}'
    page = f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head><body><main>{top}{body}</main>'
    with written_whole(path) as partial:
        partial.write_text(f"{page}</body></html>\n", encoding="utf-8")
    return Path(path)


def _facts(model: nn.Module, history: History, examples: Examples) -> str:
    """The numbers that one looks for first."""
    seconds = sum(history["seconds"]) if "seconds" in history.names else None
    facts = {
        "epochs": f"{len(history)}",
        "neurons": f"{model.neuron_count:,}",
        "parameters": f"{model.parameter_count:,}",
        "examples measured on": f"{examples.size:,}",
        **({} if seconds is None else {"of training": _duration(seconds)}),
    }
    last = {name.replace("_", " "): f"{x:.4g}" for name, x in history.last.items() if name not in ("epoch", "seconds")}
    shown = "".join(f'<div class="fact"><b>{escape(x)}</b><span>{escape(n)}</span></div>' for n, x in facts.items())
    ends = "".join(f'<div class="fact"><b>{escape(x)}</b><span>last {escape(n)}</span></div>' for n, x in last.items())
    return f'<div class="facts">{shown}{ends}</div>'


def _curves(history: History) -> str:
    """The gap between the lines of training and validation data is what over-fitting looks like."""
    charts = [
        line_chart(
            history["epoch"],
            {SETS.get(prefix, prefix): history[name] for prefix, name in columns.items()},
            title=label.replace("_", " ").capitalize(),
            log=label == "loss",
        )
        for label, columns in _panels(history).items()
    ]
    return f'<div class="charts">{"".join(charts)}</div>'


# ---- what it learned


def _are_classes(outputs: NDArray[Any], targets: NDArray[Any]) -> bool:
    return targets.dtype.kind in "iu" and targets.ndim == 1 and outputs.ndim == 2 and outputs.shape[1] > 1


def _results(outputs: NDArray[Any], examples: Examples, data: Any) -> str:
    targets = examples.targets
    if _are_classes(outputs, targets):
        return _confusion(outputs, targets, _class_names(data, outputs.shape[1]))
    if _is_yes_or_no(targets):
        return _yes_or_no(outputs.reshape(len(outputs), -1), targets.reshape(len(targets), -1), data)
    return _residuals(outputs, targets.reshape(outputs.shape)) if outputs.size == targets.size else ""


def _class_names(data: Any, count: int) -> list[str]:
    names = list(data.classes) if isinstance(data, Dataset) else []
    return names if len(names) == count else [str(k) for k in range(count)]


def _confusion(outputs: NDArray[Any], labels: NDArray[Any], names: list[str]) -> str:
    table = confusion_matrix(outputs, labels, len(names))
    right = f"{accuracy(outputs, labels):.2%} of {len(labels):,} examples are classified right."
    pairs = [(int(table[i, k]), i, k) for i in range(len(names)) for k in range(len(names)) if i != k and table[i, k]]
    often = [f"{names[i]} for {names[k]} ({count})" for count, i, k in sorted(pairs, key=lambda p: -p[0])[:5]]
    said = f"<p>{right} Taken most often: {escape(', '.join(often))}.</p>" if often else f"<p>{right}</p>"
    if len(names) > MOST_CLASSES:
        return said
    chart = matrix(table, names, names, title="Which class was taken for which", down="true", across="taken for")
    return f'{said}<div class="wide">{chart}</div>'


def _is_yes_or_no(targets: NDArray[Any]) -> bool:
    return targets.dtype.kind == "b" or bool(np.isin(targets, (0, 1)).all())


def _yes_or_no(scores: NDArray[Any], targets: NDArray[Any], data: Any) -> str:
    """For each label how often it is there, and how often the net says so."""
    names = _class_names(data, scores.shape[1]) if scores.shape[1] > 1 else ["yes"]
    said, there = scores > 0, targets > 0.5
    rows = [
        [name, f"{t.mean():.1%}", f"{s.mean():.1%}", f"{(s == t).mean():.2%}", _share(s & t, t), _share(s & t, s)]
        for name, s, t in zip(names, said.T, there.T, strict=True)
    ]
    return _table(["label", "there", "said", "right", "found", "true where said"], rows)


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> str:
    return f"{part.sum() / whole.sum():.1%}" if whole.any() else "-"


def _residuals(outputs: NDArray[Any], targets: NDArray[Any]) -> str:
    numbers = (f"{x:.4g}" for x in (r2(outputs, targets), rmse(outputs, targets), mae(outputs, targets)))
    said = "<p>R² {}, root of the mean square error {}, mean absolute error {}.</p>".format(*numbers)
    left = (targets - outputs).reshape(len(outputs), -1)
    some = slice(None, None, max(1, outputs.size // MOST_POINTS))
    charts = [
        point_chart(
            np.ravel(outputs)[some],
            np.ravel(left)[some],
            title="What is left",
            across="predicted",
            upwards="target - predicted",
        ),
        histogram(left, title="Residuals", width=460, height=300),
    ]
    return f'{said}<div class="charts">{"".join(charts)}</div>'


# ---- inside


def _image_shape(image: Sequence[int] | None, data: Any, examples: Examples) -> tuple[int, ...]:
    """What each input is an image of; () where inputs are no images."""
    shape = tuple(image) if image is not None else data.image if isinstance(data, Dataset) else ()
    pixels = int(np.prod(examples.inputs.shape[1:]))
    if shape and int(np.prod(shape)) != pixels:
        raise ValueError(f"an image of shape {shape} has not the {pixels} numbers of an input")
    return shape[:2] if shape[2:] == (1,) else shape


def _mistakes(outputs: NDArray[Any], examples: Examples, data: Any, image: tuple[int, ...]) -> str:
    """The images whose true class has the smallest share beside the one they were taken for."""
    labels = examples.targets
    if not image or not _are_classes(outputs, labels):
        return ""
    short = outputs.max(axis=1) - np.take_along_axis(outputs, labels[:, None], 1)[:, 0]
    worst = np.argsort(-short, kind="stable")[: min(MOST_MISTAKES, int(np.count_nonzero(short > 0)))]
    if not len(worst):
        return ""
    names = _class_names(data, outputs.shape[1])
    shown = examples.inputs[worst].reshape(-1, *image)
    title = f"The {len(worst)} worst mistakes: the true class, and what the image was taken for"
    captions = [f"{names[labels[k]]}, not {names[outputs[k].argmax()]}" for k in worst]
    return f'<div class="wide">{pictures(shown, title=title, captions=captions, grey=True, width=940)}</div>'


def _first_layer(model: nn.Module, examples: Examples, image: tuple[int, ...]) -> str:
    """Each neuron's weights where the input's pixels lie; nothing where inputs are no images."""
    pixels = int(np.prod(examples.inputs.shape[1:]))
    weights = next((p.value for p in model.parameters() if p.ndim == 2 and len(p.value) == pixels), None)
    if not image or weights is None:
        return ""
    shown = weights.T[:MOST_PICTURES].reshape(-1, *image)
    title = f"The weights of {len(shown)} of {weights.shape[1]} neurons: blue below 0, orange above"
    said = "Smooth patterns are a sign of learning; noise, of too much freedom or too little training."
    return f'<p class="soft">{said}</p><div class="wide">{pictures(shown, title=title, width=940)}</div>'


def _layers(model: nn.Module, examples: Examples, probe: Probe) -> str:
    rows = [
        [
            each.name,
            f"{each.dead.size}",
            f"{each.dead.mean():.0%}",
            "-" if each.saturated is None else f"{each.saturated.mean():.0%}",
        ]
        for each in probe.neurons
    ]
    neurons = _table(["activation function", "neurons", "dead", "saturated"], rows) if rows else ""
    charts = [
        f"{histogram(layer.activations, title=f'{layer.path} {layer.name}'.strip()[:40], width=300)}"
        for layer in probe.layers
        if layer.activations.size
    ]
    said = (
        "A neuron is dead if its slope is 0 on every example, and saturated where its slope is nearly 0. "
        "Below them, what goes out of each layer."
    )
    summary = model.summary(examples.inputs.shape[1:])._repr_html_()
    below = f'<p class="soft">{said}</p>{neurons}<div class="charts">{"".join(charts)}</div>'
    return f'<div class="wide">{summary}</div>{below}'


def _updates(model: nn.Module, examples: Examples, order: NDArray[Any], loss: Loss, optimizer: Any) -> str:
    ratios = updates_of(model, examples, order, loss, optimizer, batch=32).ratios
    said = (
        f"The length of an update beside that of the weights it changes; {RATIO:g} is about right while a net learns."
    )
    table = _table(["weights", "update / weights"], [[path, f"{ratio:.1e}"] for path, ratio in ratios.items()])
    return f'<p class="soft">{said}</p>{table}'


def _time(history: History) -> str:
    if "seconds" not in history.names:
        return ""
    seconds = history["seconds"]
    each = f"{_duration(float(np.median(seconds)))} each (the median; the first one may include compiling the step)"
    chart = line_chart(history["epoch"], {"seconds": seconds}, title="Seconds of each epoch", log=True, height=200)
    return f'<p>{_duration(sum(seconds))} for {len(history)} epochs, {each}.</p><div class="charts">{chart}</div>'


def _duration(seconds: float) -> str:
    """As people say it: ``4.12 ms``, ``2 min 5 s``, ``1 h 2 min``.

    >>> _duration(0.00412), _duration(1.5), _duration(125.0), _duration(3725.0)
    ('4.12 ms', '1.5 s', '2 min 5 s', '1 h 2 min')
    """
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [("th", head), *(("td", row) for row in rows)]
    cells = ("".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in line) for tag, line in lines)
    return f'<div class="wide"><table>{"".join(f"<tr>{line}</tr>" for line in cells)}</table></div>'

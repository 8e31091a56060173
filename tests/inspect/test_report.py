"""cr.report: one page that says what happened, for every kind of task, and needs nothing besides itself."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import chainrule as cr

RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 6))
SPENT = [{"epoch": k, "loss": 1.0 / k, "val_loss": 1.2 / k, "seconds": 0.5} for k in (1, 2, 3)]


def net(outputs, inputs=6, activation=cr.nn.Tanh):
    return cr.nn.Sequential(cr.nn.Linear(inputs, 12, rng=0), activation(), cr.nn.Linear(12, outputs, rng=1))


class Page(HTMLParser):
    """The tags that are open, the text, and what is referred to."""

    EMPTY = ("meta", "br", "rect", "line", "circle", "polyline", "image")

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def page(tmp_path, model, data, **options):
    path = cr.report(model, cr.training.History(SPENT), data, tmp_path / "report.html", **options)
    text = path.read_text()
    found = Page(text)
    assert found.open == []
    assert all(link.startswith("data:image/png;base64,") for link in found.links)
    assert not re.search(r"@import|url\(|<script|<link", text)
    return "\n".join(found.words), text


def test_classes(tmp_path):
    labels = RNG.integers(0, 3, 120)
    data = cr.data.Dataset(X, labels, classes=("a<b", "c", "d"))
    model = net(3)
    words, text = page(tmp_path, model, data, title="Trial & error", optimizer=cr.optim.SGD(model.parameters(), lr=0.1))
    right = np.mean(model(X).value.argmax(axis=1) == labels)
    assert f"{right:.2%} of 120 examples are classified right" in words
    for section in ("How it went", "What it learned", "Layers", "Updates", "Time"):
        assert section in words
    assert words.count("a<b") >= 2
    assert "1.5 s for 3 epochs, 500 ms each" in words
    assert "layers.0.weight" in words
    assert "What the first layer looks at" not in words
    assert "Trial &amp; error" in text


def test_numbers(tmp_path):
    targets = X[:, 0] + 0.1 * RNG.standard_normal(120)
    model = net(1)
    words, _ = page(tmp_path, model, (X, targets), loss="mse")
    outputs = model(X).value[:, 0]
    assert f"R² {cr.training.METRICS['r2'](outputs, targets):.4g}" in words
    assert "target - predicted" in words
    assert "Updates" not in words


@pytest.mark.parametrize("outputs", [1, 3])
def test_yes_or_no(tmp_path, outputs):
    targets = RNG.integers(0, 2, (120, outputs))
    words, _ = page(
        tmp_path, net(outputs), (X, targets[:, 0] if outputs == 1 else targets), loss="binary_cross_entropy"
    )
    assert "true where said" in words
    assert f"{targets[:, 0].mean():.1%}" in words


@pytest.mark.parametrize("image", [(4, 5), (2, 3, 3)])
def test_weights_and_mistakes_as_pictures(tmp_path, image):
    size = int(np.prod(image))
    x, y = RNG.uniform(size=(30, size)), RNG.integers(0, 3, 30)
    model = net(3, inputs=size)
    wrong = np.count_nonzero(model(x).value.argmax(axis=1) != y)
    words, text = page(tmp_path, model, (x, y), image=image)
    assert text.count("<image") == 12 + min(wrong, 24)
    assert "What the first layer looks at" in words
    assert f"The {min(wrong, 24)} worst mistakes" in words
    known = cr.data.Dataset(x, y, image=image)
    assert page(tmp_path, net(3, inputs=size), known)[1].count("<image") == 12 + min(wrong, 24)
    right = model(x).value.argmax(axis=1)
    assert "What it gets wrong" not in page(tmp_path, model, (x, right), image=image)[0]
    with pytest.raises(ValueError, match=r"an image of shape .* has not the 6 numbers"):
        page(tmp_path, net(3), (X, RNG.integers(0, 3, 120)), image=image)


def test_dead_neurons_are_told(tmp_path):
    model = net(3, activation=cr.nn.ReLU)
    model[0].bias.assign(np.where(np.arange(12) < 9, -100, 0).astype(np.float32))
    words, _ = page(tmp_path, model, (X, RNG.integers(0, 3, 120)))
    assert "75%" in words


def test_the_model_stays_as_it_is(tmp_path):
    model = cr.nn.Sequential(
        cr.nn.Linear(6, 9, rng=0), cr.nn.BatchNorm(9), cr.nn.Dropout(0.5, rng=1), cr.nn.Linear(9, 3, rng=2)
    )
    before = model.state_dict()
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)
    page(tmp_path, model, (X, RNG.integers(0, 3, 120)), optimizer=optimizer)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_a_run_without_epochs(tmp_path):
    with pytest.raises(ValueError, match="no epoch to report"):
        cr.report(net(3), cr.training.History(), (X, RNG.integers(0, 3, 120)), tmp_path / "report.html")
    assert not any(tmp_path.iterdir())

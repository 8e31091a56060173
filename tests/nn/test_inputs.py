"""What layers make of their inputs, whichever they are."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import BatchNorm, Dropout, Embedding, LayerNorm, Linear, Maxout, PReLU, Residual

RNG = np.random.default_rng(0)
LAYERS = {
    "linear": lambda: Linear(3, 2, rng=0),
    "maxout": lambda: Maxout(3, 2, rng=0),
    "batch norm": lambda: BatchNorm(3),
    "layer norm": lambda: LayerNorm(3),
    "dropout": lambda: Dropout(0.5, rng=0),
    "prelu": lambda: PReLU(3),
    "residual": lambda: Residual(Linear(3, 3, rng=0)),
    "embedding": lambda: Embedding(9, 2, rng=0),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def numbers(name):
    return RNG.integers(0, 9, (4, 3)) if name == "embedding" else RNG.standard_normal((4, 3))


def both(name):
    """The layer twice, with the same numbers in it."""
    return LAYERS[name](), LAYERS[name]()


@every_layer
def test_data_from_outside_are_held_by_reference(name):
    eager, layer = both(name)
    x = numbers(name)
    compiled = cr.compile(lambda: layer(x))
    for _ in range(4):
        x[...] = numbers(name)
        np.testing.assert_allclose(compiled(), np.asarray(eager(x).tolist()), rtol=1e-5, atol=1e-6)


@every_layer
@pytest.mark.parametrize("compiled", [False, True])
def test_memory_of_any_kind(name, compiled):
    x = numbers(name)
    read_only = x.copy()
    read_only.flags.writeable = False
    misaligned = np.frombuffer(bytearray(x.nbytes + 1), np.uint8)[1:].view(x.dtype).reshape(x.shape)
    misaligned[...] = x
    kinds = [
        x.astype(x.dtype.newbyteorder()),
        np.asfortranarray(x),
        x[::-1].copy()[::-1],
        np.repeat(x, 2, axis=1)[:, ::2],
        read_only,
        misaligned,
    ]
    kinds += [x.astype(np.uint8)] if name == "embedding" else [x.astype(np.float32)]
    expected = np.asarray(LAYERS[name]()(x).tolist())
    for kind in kinds:
        layer = cr.compile(LAYERS[name]()) if compiled else LAYERS[name]()
        np.testing.assert_allclose(np.asarray(layer(kind).tolist()), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("table", ["pandas", "polars"])
def test_columns_and_tables(table):
    frames = pytest.importorskip(table)
    x, y = RNG.standard_normal((4, 3)), np.array([0, 1, 1, 0])
    layer, frame = Linear(3, 2, rng=0), frames.DataFrame(x, **({"columns": list("abc")} if table == "pandas" else {}))
    np.testing.assert_array_equal(layer(frame).value, layer(x).value)
    scores, labels, shares = layer(x), frames.Series(y), frames.Series([1.0, 2.0, 0.5, 0.0])
    plain = np.array(shares)
    for loss, targets in ((cr.nn.cross_entropy, labels), (cr.nn.mse, frames.DataFrame(x[:, :2]))):
        found = loss(scores, targets, weights=shares)
        assert found.item() == loss(scores, np.asarray(targets), weights=plain).item()
    assert isinstance(cr.silu(shares), np.ndarray)

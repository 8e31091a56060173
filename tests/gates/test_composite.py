"""Composites while a function is recorded: what they are composed of is written down, their own rules are kept."""

from collections import Counter

import numpy as np
import pytest

import chainrule as cr
from chainrule.gates.indexing import ScatterAdd
from chainrule.gates.primitive import PRIMITIVES
from tests.gates.test_table import ROWS, everything, projection
from tests.program.test_table_compiled import recordable

SCORES = np.random.default_rng(0).normal(size=(5, 3))
LABELS = np.array([0, 2, 1, 1, 0])


def kinds(program):
    return Counter(type(i.gate).__name__ for i in program.instructions)


def test_programs_hold_no_composites():
    dissolved = {gate.__name__ for gate in PRIMITIVES if hasattr(gate, "dissolved")}
    assert {"Affine", "Einsum", "LogSumExp", "Mean", "Softmax", "SoftmaxCrossEntropy"} <= dissolved
    met = set()
    for row in filter(recordable, ROWS.values()):
        both = cr.compile(cr.value_and_grad(projection(row), everything(row)), backend="source")
        met |= set(kinds(both.program(*row.args)))
    assert met & dissolved == set()


def test_the_gradient_of_cross_entropy_is_the_closed_form_on_what_the_forward_pass_has_computed():
    step = cr.compile(cr.value_and_grad(cr.nn.cross_entropy))
    found = kinds(step.program(SCORES, LABELS))
    assert found["Exp"] == found["Max"] == 1
    assert found["Sum"] == 2
    assert ScatterAdd.__name__ not in found


@pytest.mark.parametrize("label", [3, -1, 2**40, -(2**40)])
def test_labels_out_of_range(label):
    step = cr.compile(cr.nn.cross_entropy)
    for _ in range(2):  # the calls that are recorded, whose labels the loss itself looks at
        step(SCORES, LABELS)
    wrong = LABELS.copy()
    wrong[3] = label
    with pytest.raises(IndexError):
        step(SCORES, wrong)
    np.testing.assert_allclose(step(SCORES, LABELS), cr.nn.cross_entropy(SCORES, LABELS), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint64])
@pytest.mark.parametrize("classes", [3, 300])
def test_labels_of_other_dtypes(dtype, classes):
    scores = np.tile(SCORES, 100)[:, :classes]
    step = cr.compile(cr.value_and_grad(cr.nn.cross_entropy))
    labels = LABELS.astype(dtype)
    step(scores, labels)
    for found, expected in zip(
        step(scores, labels), cr.value_and_grad(cr.nn.cross_entropy)(scores, LABELS), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    labels[0] = {np.int8: -1, np.uint8: 3, np.uint64: 2**64 - 1}[dtype]
    if (dtype, classes) != (np.uint8, 300):
        with pytest.raises(IndexError):
            step(scores, labels)


def test_labels_from_outside_are_held_by_reference():
    labels = LABELS.copy()
    step = cr.compile(cr.value_and_grad(lambda scores: cr.nn.cross_entropy(scores, labels)))
    for shift in range(3):
        labels[:] = (LABELS + shift) % 3
        value, gradient = step(SCORES)
        expected, slope = cr.value_and_grad(cr.nn.cross_entropy)(SCORES, labels)
        np.testing.assert_allclose(value, expected, rtol=1e-12)
        np.testing.assert_allclose(gradient, slope, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("function", [cr.logsumexp, cr.softmax, cr.log_softmax])
def test_extreme_numbers(function):
    def along(x):
        return function(x, axis=1)

    compiled = cr.compile(along)
    for row in ([1000.0, 1000.0, -np.inf], [-np.inf, 0.0, 1.0], [-1e300, 1e300, 0.0], [np.nan, 1.0, 2.0]):
        x = np.array([row, [0.0, 1.0, 2.0]])
        np.testing.assert_allclose(compiled(x), along(x), rtol=1e-12)


def test_the_logarithm_of_a_sum_of_nothing():
    compiled = cr.compile(lambda x: (cr.logsumexp(x), cr.logsumexp(x, axis=0), cr.logsumexp(x, axis=1)))
    for shape in ((2, 0), (0, 2), (2, 3)):
        x = np.full(shape, -np.inf)
        for found, axis in zip(compiled(x), (None, 0, 1), strict=True):
            np.testing.assert_array_equal(found, cr.logsumexp(x, axis=axis))


EINSUMS = [
    "ij,jk->ik",
    "bij,bjk->bik",
    "ij,kj,lj->ikl",
    "i,j,k->kji",
    "ab,cb,ad,dc->",
    "ij->ji",
    ",ij->i",
    "abc,cd,bde->ea",
]


@pytest.mark.parametrize("subscripts", EINSUMS)
def test_einstein_sums_dissolve(subscripts):
    sizes = dict(zip("abcdeijkl", (2, 3, 4, 5, 2, 3, 4, 2, 3), strict=True))
    rng = np.random.default_rng(1)
    xs = [rng.normal(size=[sizes[c] for c in term]) for term in subscripts.partition("->")[0].split(",")]
    compiled = cr.compile(lambda *xs: np.einsum(subscripts, *xs))
    np.testing.assert_allclose(compiled(*xs), np.einsum(subscripts, *xs), rtol=1e-12, atol=1e-13)
    assert "Einsum" not in kinds(compiled.last)

"""The coverage table keeps its promises: each function of NumPy is called with a live Array."""

import importlib
import io
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.testing.overrides import get_overridable_numpy_array_functions, get_overridable_numpy_ufuncs

import chainrule as cr
from chainrule.calculus.trees import leaves
from chainrule.numpy_protocol import coverage
from chainrule.numpy_protocol.dispatch import (
    CONSTANT,
    DIFFERENTIABLE,
    REFUSED,
    REFUSED_MODULES,
    UNSEEN,
    array_function,
    array_ufunc,
    full_name,
)
from tests.numpy_protocol.examples import FUNCTIONS, MATRIX, example

UFUNCS, ARRAY_FUNCTIONS = get_overridable_numpy_ufuncs(), get_overridable_numpy_array_functions()
DOCS = Path(__file__).parents[2] / "docs" / "numpy.md"
MADE_WITH = "2.4"


def short(function):
    return full_name(function).removeprefix("np.")


def named(functions):
    functions = sorted(functions, key=full_name)
    return pytest.mark.parametrize("function", functions, ids=[short(f) for f in functions])


def test_every_function_is_in_exactly_one_class():
    for function in UFUNCS | ARRAY_FUNCTIONS:
        public = coverage._public(function)
        refused = public in REFUSED or coverage._module(public) in REFUSED_MODULES
        classes = [public in DIFFERENTIABLE, public in CONSTANT, refused, public in UNSEEN]
        assert sum(classes) == 1, full_name(function)


def test_the_table_is_total_and_large_enough():
    entries = coverage.table()
    loaded = [f for f in ARRAY_FUNCTIONS if full_name(f).startswith(coverage.LOADED_ON_REQUEST)]
    assert len(entries) == len(UFUNCS) + len(ARRAY_FUNCTIONS) - len(loaded)
    names = {kind: {e.name for e in entries if e.kind == kind and e.status == "differentiable"} for kind in
             ("ufunc", "array function")}  # fmt: skip
    assert len(names["ufunc"]) >= 50
    assert len(names["array function"]) >= 100


def test_nothing_else_is_promised():
    """A name in the dispatch table that NumPy does not dispatch on would never be called."""
    public = {coverage._public(f) for f in UFUNCS | ARRAY_FUNCTIONS}
    promised = {*DIFFERENTIABLE, *CONSTANT, *REFUSED, *UNSEEN}
    assert {full_name(f) for f in promised - public} == set()


def test_what_else_has_been_imported_changes_nothing():
    before = coverage.table()
    for name in ("strings", "char", "fft", "polynomial.polynomial", "rec", "ma"):
        importlib.import_module(f"numpy.{name}")
    assert coverage.table() == before


@pytest.mark.skipif(not np.__version__.startswith(MADE_WITH), reason="the page is made with another NumPy")
def test_the_page_is_up_to_date():
    assert DOCS.read_text() == coverage.page(), "run `make docs`"


def test_counts_and_lists_agree():
    text = coverage.page()
    entries = coverage.table()
    for kind in ("ufunc", "array function"):
        for status, count in coverage.counts(entries, kind).items():
            _, heading, rest = text.partition(f"## {kind.capitalize()}s: {status}\n")
            names = "\n".join(row.split(" | ")[0] for row in rest.partition("\n## ")[0].splitlines())
            listed = re.findall(r"`(np\.[\w.]+)`(?: ×(\d))?", names)
            assert len({name for name, _ in listed}) == len(listed)
            assert sum(int(times or 1) for _, times in listed) == count
            assert bool(heading) == bool(count)
    functions = [e.name for e in entries if e.kind == "array function"]
    twice = len(functions) - len(set(functions))
    assert f"has {len(functions)} entries; {twice} names occur twice\n" in text
    assert "_core" not in DOCS.read_text()


def test_modules_that_are_not_listed_are_refused():
    for name in ("strings", "char", "fft", "polynomial.polynomial"):
        importlib.import_module(f"numpy.{name}")
    everything = get_overridable_numpy_array_functions()
    functions = [f for f in everything if full_name(f).startswith(coverage.LOADED_ON_REQUEST)]
    modules = {full_name(f).rpartition(".")[0] for f in functions}
    assert modules == {"np.strings", "np.char", "np.fft", "np.polynomial.polynomial"}
    assert {coverage.classify(f)[0] for f in functions} == {"refused"}


@pytest.mark.parametrize("ufunc", sorted(UFUNCS - set(REFUSED), key=full_name), ids=short)
def test_outer_works_for_what_is_not_refused(ufunc):
    if (ufunc.nin, ufunc.nout, ufunc.signature) != (2, 1, None):
        with pytest.raises(TypeError, match=r"outer has no rule"):
            array_ufunc(cr.array(MATRIX), ufunc, "outer", MATRIX, MATRIX)
        return
    a, b = (INDICES, INDICES) if short(ufunc) in INTEGER_UFUNCS else (MATRIX[0], INDICES + 1)
    assert ufunc.outer(cr.array(a), cr.array(b)).value == pytest.approx(ufunc.outer(a, b), nan_ok=True)


@named(DIFFERENTIABLE)
def test_differentiable_ones_give_a_gradient(function):
    x = cr.array(MATRIX)
    results = [z for z in leaves(example(function, short(function))(x)) if isinstance(z, cr.Array) and z.live]
    sum((np.sum(np.square(z)) for z in results), start=0.0).backward()
    assert np.isfinite(x.grad).all()
    assert x.grad.any()


def test_no_example_is_left_over():
    assert set(FUNCTIONS) <= {short(f) for f in DIFFERENTIABLE}


@named(REFUSED)
def test_refused_ones_name_the_function_and_an_alternative(function):
    x = cr.array(MATRIX)
    # Through the protocol itself: some of them would reject the number of arguments before they ask.
    ask = partial(array_ufunc, x, function, "__call__", x)
    if not isinstance(function, np.ufunc):
        ask = partial(array_function, x, function, (cr.Array,), (x,), {})
    with pytest.raises(TypeError) as caught:
        ask()
    assert full_name(function) in str(caught.value)
    assert REFUSED[function] in str(caught.value)


CALLS = {
    "unique": lambda x: np.unique(x),
    "frexp": lambda x: np.frexp(x),
    "fill_diagonal": lambda x: np.fill_diagonal(x, 0.0),
    "copyto": lambda x: np.copyto(x, 0.0),
    "put_along_axis": lambda x: np.put_along_axis(x, np.array([[0]]), 0.0, 1),
    "roots": lambda x: np.roots(x[0]),
    "geomspace": lambda x: np.geomspace(x[0], 2.0),
    "emath.sqrt": lambda x: np.emath.sqrt(x),
    "busday_count": lambda x: np.busday_count(x, x),
    "isnat": lambda x: np.isnat(x),
    "nanmedian": lambda x: np.nanmedian(x),
}


@pytest.mark.parametrize("name", CALLS)
def test_refused_ones_as_users_call_them(name):
    with pytest.raises(TypeError, match="differentiable here: "):
        CALLS[name](cr.array(MATRIX))


def test_modules_are_refused_as_a_whole():
    from numpy.lib import recfunctions

    with pytest.raises(TypeError, match=r"np.lib.recfunctions.drop_fields .* keep one Array for each field"):
        recfunctions.drop_fields(cr.array(MATRIX), "a")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a newer NumPy may be about to drop one of them
@named(CONSTANT)
def test_constant_ones_carry_no_gradient(function):
    x = cr.array(MATRIX)
    if isinstance(function, np.ufunc):
        if short(function) in INTEGER_UFUNCS:
            x = cr.array(INDICES)
        result = function(*(x,) * function.nin)
    else:
        result = CONSTANT_CALLS.get(short(function), function)(x)
    for z in leaves(result):
        assert not isinstance(z, cr.Array) or not z.live


INDICES = np.array([2, 0, 1])
INTEGER_UFUNCS = {
    *("gcd", "lcm", "invert", "left_shift", "right_shift"),
    *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_count"),
}
CONSTANT_CALLS = {
    "argpartition": lambda x: np.argpartition(x, 1),
    "array_equal": lambda x: np.array_equal(x, x),
    "array_equiv": lambda x: np.array_equiv(x, x),
    "allclose": lambda x: np.allclose(x, x),
    "isclose": lambda x: np.isclose(x, x),
    "isin": lambda x: np.isin(x, x),
    "shares_memory": lambda x: np.shares_memory(x, x),
    "may_share_memory": lambda x: np.may_share_memory(x, x),
    "searchsorted": lambda x: np.searchsorted(x[0], 0.5),
    "digitize": lambda x: np.digitize(x, np.array([0.1, 0.5])),
    "histogram2d": lambda x: np.histogram2d(x[0], x[1]),
    "histogramdd": lambda x: np.histogramdd(x),
    "ix_": lambda x: np.ix_(cr.array(INDICES), INDICES),
    "unravel_index": lambda x: np.unravel_index(cr.array(INDICES), (2, 2)),
    "ravel_multi_index": lambda x: np.ravel_multi_index((cr.array(INDICES), INDICES), (3, 3)),
    "lexsort": lambda x: np.lexsort(x),
    "can_cast": lambda x: np.can_cast(np.float32, np.float64),
    "einsum_path": lambda x: np.einsum_path("ij,jk", x, x),
    "save": lambda x: np.save(io.BytesIO(), x),
    "savetxt": lambda x: np.savetxt(io.BytesIO(), x),
    "savez": lambda x: np.savez(io.BytesIO(), x),
    "savez_compressed": lambda x: np.savez_compressed(io.BytesIO(), x),
    "packbits": lambda x: np.packbits(cr.array(np.array([0, 1], np.uint8))),
    "unpackbits": lambda x: np.unpackbits(cr.array(np.array([0, 1], np.uint8))),
}


def test_saving_writes_the_values(tmp_path):
    x = cr.array(MATRIX)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x)
    np.savetxt(tmp_path / "x.txt", x)
    assert (np.load(tmp_path / "x.npy") == MATRIX).all()
    assert (np.load(tmp_path / "x.npz")["x"] == MATRIX).all()
    assert np.loadtxt(tmp_path / "x.txt") == pytest.approx(MATRIX)


@pytest.mark.parametrize("make", [np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray])
def test_what_numpy_does_not_ask_about_raises_for_live_arrays(make):
    a, b = cr.array(1.0), cr.array(2.0)
    with pytest.raises(TypeError, match=r"would cut the gradient of .*\.value .*cr\.array\(\[\.\.\.\]\) or np\.stack"):
        make([a, b])
    assert make([cr.constant(1.0), 2.0]).tolist() == [1.0, 2.0]


@named(UNSEEN)
def test_like_is_refused(function):
    with pytest.raises(TypeError, match=r"leave out like= and use cr\.array"):
        array_function(cr.array(1.0), function, (cr.Array,), (), {"like": cr.array(1.0)})


def test_full_of_a_live_array_raises():
    with pytest.raises(TypeError, match="would cut the gradient"):
        np.full(3, cr.array(1.0))


def test_weights_of_a_histogram_are_not_cut_silently():
    x = cr.array(MATRIX)
    with pytest.raises(TypeError, match=r"weights of np.histogram .* np.bincount"):
        np.histogram(MATRIX, weights=x)
    counts, edges = np.histogram(x, bins=2)
    assert counts.value.sum() == 9
    assert not edges.live

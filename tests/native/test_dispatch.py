"""The dispatcher: rows run in order, error codes stop the table where it says so."""

import numpy as np
import pytest

from chainrule.native import dispatch
from chainrule.native.dispatch import CHECK, Context, empty_table, run_alone
from tests.native.kernels import Table


def test_rows_run_in_order():
    a, b, c = np.arange(5.0), np.zeros(5), np.zeros(5)
    table = Table()
    table.add("square", a, b, i=(0, 5))
    table.add("square", b, c, i=(1, 4))
    assert run_alone(table.words(), Context()) == 0
    assert c.tolist() == [0, 1, 16, 81, 0]


def test_a_part_of_the_table():
    outs = np.zeros((4, 1))
    table = Table()
    for out in outs:
        table.add("square", np.array([3.0]), out)
    run_alone(table.words(), Context(), 1, 3)
    assert outs.ravel().tolist() == [0, 9, 9, 0]
    run_alone(table.words(), Context(), -1)
    assert outs.ravel().tolist() == [0, 9, 9, 9]


@pytest.mark.parametrize("checked", [False, True])
def test_an_error_code_stops_the_table_where_it_is_checked(checked):
    out = np.zeros(1)
    table = Table()
    table.add("fail", 3, 17, i=(0, 5), flags=CHECK if checked else 0)
    table.add("square", np.array([3.0]), out)
    table.add("fail", 3, 18, i=(0, 5))
    assert run_alone(table.words(), Context()) == 17
    assert out[0] == (0 if checked else 9)


def test_an_error_is_forgotten_by_the_next_run():
    context, table = Context(), Table()
    args = table.add("fail", 3, 17, i=(0, 5))
    assert run_alone(table.words(), context) == 17
    args[0] = 5
    assert run_alone(table.words(), context) == 0


def test_an_empty_table():
    assert run_alone(empty_table(0), Context()) == 0


def test_scratch_is_there_and_aligned():
    context = Context(1_000_000, thread=3)
    address, size = (int(context.words[k]) for k in (dispatch.SCRATCH, dispatch.SCRATCH_BYTES))
    scratch = np.ctypeslib.as_array((np.ctypeslib.ctypes.c_uint8 * size).from_address(address))
    scratch[:] = 7
    assert address % 64 == 0
    assert size == 1_000_000
    assert scratch.sum() == 7_000_000
    assert context.words[dispatch.THREAD] == 3
    assert context.address % 64 == 0


@pytest.mark.parametrize("wrong", [np.zeros((2, 11), np.int64), np.zeros((2, 12)), np.zeros((2, 24), np.int64)[:, ::2]])
def test_what_is_not_a_table_is_refused(wrong):
    with pytest.raises(ValueError, match="step table"):
        run_alone(wrong, Context())

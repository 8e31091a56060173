"""The entry that Python calls: what it accepts, refuses, checks and writes, natively and in Python alike."""

import gc
import sys
import threading
import time
import tracemalloc
import weakref

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import chainrule as cr
from chainrule.graph.array import next_number
from chainrule.native import entry
from chainrule.native.cores import set_threads
from chainrule.native.dispatch import ALONG_I, CHECK, Context
from chainrule.native.entry import (
    BUSY,
    FINE,
    MISMATCH,
    NO_TEAM,
    REBIND,
    ArrayArgument,
    FloatArgument,
    Held,
    IntArgument,
    PythonEntry,
    SameArgument,
    Step,
    native_entry,
    unsupported,
)
from chainrule.native.team import team
from tests.native.kernels import Table

N = 6
F8 = np.dtype(np.float64)


@pytest.fixture(params=[native_entry, PythonEntry])
def bind(request):
    if request.param is native_entry and unsupported():
        pytest.skip(unsupported())
    return request.param


class Square:
    """A step that squares its first argument into its second."""

    def __init__(self, dtype=F8, shape=(N,), strides=None, **options):
        table = Table()
        self.args = table.add("square", 0, 0, i=(0, N))
        place = self.args.ctypes.data
        options.setdefault("context", Context())
        self.step = Step(
            table.words(),
            arguments=(
                ArrayArgument(dtype, shape, strides, patches=[(place, 0)]),
                ArrayArgument(F8, (N,), writable=True, patches=[(place + 8, 0)]),
            ),
            keep=table.kept,
            **options,
        )


def test_this_interpreter_is_supported():
    assert unsupported() is None


def test_a_step_runs_on_its_arguments(bind):
    call = bind(Square().step)
    for _ in range(3):
        x, out = np.random.default_rng(0).random(N), np.zeros(N)
        assert call(x, out) == FINE
        assert (out == x * x).all()


def test_offsets_are_added_to_pointers(bind):
    square = Square()
    argument = ArrayArgument(F8, (N + 3,), patches=[(square.args.ctypes.data, 24)])
    call = bind(Step(square.step.table, Context(), [argument, square.step.arguments[1]], keep=square))
    x, out = np.arange(N + 3.0), np.zeros(N)
    assert call(x, out) == FINE
    assert out.tolist() == [9, 16, 25, 36, 49, 64]


def read_only(x):
    x.setflags(write=False)
    return x


def misaligned():
    return np.zeros(8 * N + 1, np.uint8)[1:].view(np.float64)


class Sub(np.ndarray):
    pass


class Liar:
    """Says that it is an array, and raises."""

    shape, dtype, ndim, strides = (N,), F8, 1, (8,)

    def __array__(self, *_):
        raise OSError

    def __buffer__(self, _):
        raise OSError

    @property
    def __array_interface__(self):
        raise OSError


WRONG = {
    "int": 3,
    "None": None,
    "a list": [0.0] * N,
    "bytes": bytes(8 * N),
    "a memoryview": memoryview(np.zeros(N)),
    "a liar": Liar(),
    "a type": np.ndarray,
    "a subclass": np.zeros(N).view(Sub),
    "a NumPy number": np.float64(3),
    "an Array": cr.array(np.zeros(N)),
    "float32": np.zeros(N, np.float32),
    "int64": np.zeros(N, np.int64),
    "complex": np.zeros(N, np.complex128),
    "object": np.zeros(N, object),
    "records": np.zeros(N, [("a", np.float64)]),
    "another byte order": np.zeros(N, ">f8"),
    "too long": np.zeros(N + 1),
    "too short": np.zeros(N - 1),
    "empty": np.zeros(0),
    "0-d": np.zeros(()),
    "a row": np.zeros((1, N)),
    "many axes": np.zeros((1,) * 63 + (N,)),
    "every other": np.zeros(2 * N)[::2],
    "backwards": np.zeros(N)[::-1],
    "broadcast": np.broadcast_to(0.0, N),
    "misaligned": misaligned(),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_refused_without_a_trace(bind, wrong):
    square = Square()
    call = bind(square.step)
    x, out = np.ones(N), np.zeros(N)
    references = sys.getrefcount(wrong)
    assert call(wrong, out) == call(x, wrong) == call(wrong, wrong) == MISMATCH
    assert not square.args.any()
    assert not out.any()
    assert wrong is None or sys.getrefcount(wrong) == references
    assert call(x, out) == FINE


def test_a_wrong_number_of_arguments_is_refused(bind):
    call, x = bind(Square().step), np.zeros(N)
    for given in ((), (x,), (x, x, x), (x,) * 1000):
        assert call(*given) == MISMATCH


def test_read_only_arrays_are_inputs_but_not_outputs(bind):
    call = bind(Square().step)
    assert call(read_only(np.ones(N)), np.zeros(N)) == FINE
    assert call(np.ones(N), read_only(np.ones(N))) == MISMATCH


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3), (1, 3, 1), (2,) * 20])
def test_dtypes_and_shapes(bind, dtype, shape):
    place = np.zeros(1, np.int64)
    call = bind(
        Step(Table().words(), Context(), [ArrayArgument(np.dtype(dtype), shape, patches=[(place.ctypes.data, 0)])])
    )
    x = np.zeros(shape, dtype)
    assert call(x) == FINE
    assert place[0] == x.ctypes.data
    assert call(x[None]) == MISMATCH
    other = np.zeros(shape, "f4" if dtype != "f4" else "f8")
    assert call(other) == MISMATCH


def test_strides_are_compared_where_they_matter(bind):
    base = np.zeros((4, 1, 6))
    argument = ArrayArgument(F8, (6, 1, 4), base.T.strides)
    call = bind(Step(Table().words(), Context(), [argument]))
    assert call(base.T) == FINE
    assert call(as_strided(base.T, strides=(8, 12345 * 8, 48))) == FINE
    assert call(np.zeros((6, 1, 4))) == MISMATCH
    assert call(np.zeros((4, 1, 7))[..., :6].T) == MISMATCH


def test_an_equal_dtype_under_another_name_is_made_to_conform(bind):
    argument = ArrayArgument(np.dtype(np.longlong), (3,))
    call = bind(Step(Table().words(), Context(), [argument]))
    x = np.zeros(3, np.longlong)
    assert call(argument.conform(x)) == FINE
    assert call(np.zeros(3, np.int64)) == FINE


@pytest.mark.parametrize("value", [np.arange(6, dtype=">f8")[::-1], misaligned(), [1, 2, 3, 4, 5, 6]])
@pytest.mark.parametrize("strides", [None, (8,), (24,)])
def test_what_does_not_suit_can_be_made_to_conform(bind, value, strides):
    argument = ArrayArgument(F8, (N,), strides, writable=True)
    suitable = argument.conform(value)
    assert suitable.tolist() == list(value)
    assert bind(Step(Table().words(), Context(), [argument]))(suitable) == FINE
    with pytest.raises(ValueError, match="shape"):
        argument.conform(np.zeros(7))


def test_python_numbers(bind):
    place = np.zeros(2, np.int64)
    address = place.ctypes.data
    arguments = [FloatArgument([(address, 0)]), IntArgument([(address + 8, 0)])]
    call = bind(Step(Table().words(), Context(), arguments))
    assert call(-0.1, -7) == FINE
    assert place.view(np.float64)[0] == -0.1
    assert place[1] == -7
    assert call(0.1, 2**63 - 1) == FINE
    assert place[1] == 2**63 - 1
    for wrong in (
        (1, 1),
        (np.float64(1), 1),
        (True, 1),
        (1.0, True),
        (1.0, 1.0),
        (1.0, 2**63),
        (1.0, -(2**64)),
        ("1", 1),
    ):
        assert call(*wrong) == MISMATCH
    assert place[1] == 2**63 - 1


def test_one_particular_object(bind):
    thing = object()
    call = bind(Step(Table().words(), Context(), [SameArgument(thing), SameArgument(None)]))
    assert call(thing, None) == FINE
    assert call(object(), None) == MISMATCH
    assert call(thing, 0) == MISMATCH


def test_the_code_of_a_kernel_is_returned(bind):
    table = Table()
    table.add("fail", 0, 42, flags=CHECK)
    assert bind(Step(table.words(), Context(), keep=table))() == 42


# ---- results


def squares(*results, fail=0, **options):
    """A step of no arguments that squares 0, 1, ... into each of its results, and may fail."""
    table, arguments = Table(), []
    for _ in results:
        args = table.add("square", np.arange(N + 0.0), 0, i=(0, N))
        arguments.append(ArrayArgument(F8, (N,), patches=[(args.ctypes.data + 8, 0)]))
    if fail:
        table.add("fail", 0, fail)
    return Step(table.words(), Context(), results=arguments, keep=table, **options)


def test_one_result_is_returned_as_it_is(bind):
    call = bind(squares(1))
    first, second = call(), call()
    assert first is not second
    assert type(first) is np.ndarray
    assert first.tolist() == second.tolist() == [0, 1, 4, 9, 16, 25]
    references = sys.getrefcount(first)
    assert references == 2
    assert first.flags.owndata
    assert first.flags.writeable


def test_several_results_are_a_tuple(bind):
    call = bind(squares(1, 2, 3))
    results = call()
    assert type(results) is tuple
    assert [x.tolist() for x in results] == [[0, 1, 4, 9, 16, 25]] * 3
    assert len({x.ctypes.data for x in results}) == 3


def test_many_results(bind):
    results = bind(squares(*range(2000)))()
    assert len(results) == 2000
    assert all(x[5] == 25 for x in results)


@pytest.mark.parametrize("count", [1, 3])
def test_no_results_are_kept_when_something_is_wrong(bind, count):
    failing, fine = bind(squares(*range(count), fail=7)), bind(squares(*range(count)))
    exhausted = bind(squares(*range(count), renumbered=[cr.State(0.0)], number=iter(()).__next__))

    def all_wrong():
        assert failing() == 7
        assert fine(1) == MISMATCH
        with pytest.raises(StopIteration):
            exhausted()

    tracemalloc.start()
    for _ in range(200):
        all_wrong()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(1000):
        all_wrong()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 10_000


def test_results_that_memory_does_not_suffice_for(bind):
    huge = ArrayArgument(F8, (2**57,))
    small = ArrayArgument(F8, (N,))
    call = bind(Step(Table().words(), Context(), results=[small, huge]))
    for _ in range(3):
        with pytest.raises(MemoryError):
            call()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "i4", "?", "q"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 4), (1, 1, 2)])
def test_dtypes_and_shapes_of_results(bind, dtype, shape):
    result = bind(Step(Table().words(), Context(), results=[ArrayArgument(np.dtype(dtype), shape)]))()
    assert (result.dtype, result.shape) == (np.dtype(dtype), shape)


# ---- states


def test_numbers_are_renewed_after_a_run(bind):
    states = [cr.State(0.0), cr.Parameter([1.0])]
    call = bind(Step(Table().words(), Context(), renumbered=states))
    before = next_number()
    assert call() == FINE
    assert states[0].number == states[1].number == before + 1
    assert next_number() == before + 2


def test_numbers_stay_when_the_step_fails(bind):
    table = Table()
    table.add("fail", 0, 1)
    state = cr.State(0.0)
    number = state.number
    assert bind(Step(table.words(), Context(), renumbered=[state], keep=table))() == 1
    assert state.number == number


def test_numbers_do_not_leak(bind):
    state = cr.State(0.0)
    numbers = [10**20 + k for k in range(2000)]
    references = sys.getrefcount(numbers[7])
    call = bind(Step(Table().words(), Context(), renumbered=[state], number=iter(numbers).__next__))
    for _ in range(len(numbers) - 1):
        call()
    assert state.number is numbers[-2]
    after, current = sys.getrefcount(numbers[7]), sys.getrefcount(numbers[-2])
    assert (after, current) == (references, references + 1)


def test_an_error_of_the_counter_is_raised(bind):
    call = bind(Step(Table().words(), Context(), renumbered=[cr.State(0.0)], number=iter(()).__next__))
    with pytest.raises(StopIteration):
        call()


def bound_state(bind, value=1.0):
    state = cr.State(np.full(3, value))
    return state, bind(Step(Table().words(), Context(), held=[Held(state._value, state, 1)]))


def test_a_state_with_its_own_buffer_is_fine(bind):
    state, call = bound_state(bind)
    assert call() == FINE
    state.assign(3.0)  # in place
    assert call() == FINE


def test_a_state_whose_buffer_somebody_holds_must_be_bound_again(bind):
    state, call = bound_state(bind)
    view = state.value[1:]
    assert call() == REBIND
    del view
    assert call() == FINE


def test_a_state_with_another_buffer_must_be_bound_again(bind):
    state, call = bound_state(bind)
    former = state._value
    state._value = np.zeros(3)
    assert call() == REBIND
    state._value = former
    del former
    assert call() == FINE
    del state._value
    assert call() == REBIND


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.resize((2,), refcheck=False),
        lambda x: x.resize((30000,), refcheck=False),
        lambda x: setattr(x, "shape", (3, 1)),
        lambda x: x.setflags(write=False),
    ],
    ids=["shrunk", "grown", "another shape", "read-only"],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_buffer_changed_behind_our_back_must_be_bound_again(bind, change):
    state, call = bound_state(bind)
    change(state._value)
    assert call() == REBIND


def test_a_new_buffer_at_the_same_address_is_noticed(bind):
    state, call = bound_state(bind)
    for _ in range(200):
        data = state._value.ctypes.data
        state._value = None
        state._value = np.zeros(3)
        assert (call() == FINE) == (state._value.ctypes.data == data)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_captured_array_is_kept_and_must_stay_as_it_is(bind):
    x = np.zeros(3)
    call = bind(Step(Table().words(), Context(), held=[Held(x)]))
    gone = weakref.ref(x)
    assert call() == FINE
    x.shape = (3, 1)
    assert call() == REBIND
    del x
    assert gone() is not None
    del call
    gc.collect()
    assert gone() is None


def test_a_value_that_is_not_the_owners_cannot_be_bound():
    with pytest.raises(ValueError, match="another value"):
        native_entry(Step(Table().words(), Context(), held=[Held(np.zeros(3), cr.State(1.0), 1)]))


# ---- threads


def slow(bind, count=100_000_000, **options):
    table = Table()
    left = table.add("dawdle", count)
    return left, bind(Step(table.words(), Context(), long=True, keep=table, **options))


def test_a_long_step_lets_others_run_and_refuses_to_run_twice(bind):
    left, call = slow(bind)
    results = []
    worker = threading.Thread(target=lambda: results.append(call()))
    worker.start()
    while left[0] == 100_000_000:
        time.sleep(0)
    meanwhile = call()
    worker.join()
    assert (meanwhile, results) == (BUSY, [FINE])
    left[0] = 1
    assert call() == FINE


def test_a_state_assigned_during_a_long_step_gets_a_new_buffer(bind):
    if bind is PythonEntry:
        pytest.skip("the Python entry does not hold states: its callers do")
    state = cr.State(np.zeros(3))
    left, call = slow(bind, held=[Held(state._value, state, 1)])
    address = state._value.ctypes.data
    worker = threading.Thread(target=call)
    worker.start()
    while left[0] == 100_000_000:
        time.sleep(0)
    state.assign(1.0)
    assert state._value.ctypes.data != address
    worker.join()
    assert call() == REBIND


def test_a_team_is_started_by_the_caller(bind):
    set_threads(2)
    square = Square(team=True, long=True)
    square.step.table[0, 6] = ALONG_I
    call = bind(square.step)
    team.stop()
    x, out = np.arange(N) + 1.0, np.zeros(N)
    assert call(x, out) == NO_TEAM
    team.start()
    assert call(x, out) == FINE
    assert (out == x * x).all()
    set_threads(1)
    assert call(x, out) == NO_TEAM
    team.start()
    assert call(x, out) == FINE
    set_threads(None)


def test_four_python_threads_with_one_context_and_with_their_own(bind):
    shared, counts, wrong = Context(), {}, []

    def work(k):
        square = Square(context=shared if k < 2 else Context(), long=True)
        call, rng, fine = bind(square.step), np.random.default_rng(k), 0
        while fine < 500:
            x, out = rng.random(N), np.zeros(N)
            code = call(x, out)
            fine += code == FINE
            if code not in (FINE, BUSY) or (out != (x * x if code == FINE else 0)).any():
                wrong.append((k, code))
                return
        counts[k] = fine

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    assert counts == dict.fromkeys(range(4), 500)


# ---- memory


def test_a_thousand_entries_leave_nothing_behind(bind):
    def once():
        square = Square()
        state = cr.State(np.zeros(3))
        call = bind(
            Step(
                square.step.table,
                Context(4096),
                [*square.step.arguments, SameArgument(object())],
                [Held(state._value, state, 1), Held(np.zeros(100))],
                [state],
                keep=square,
            )
        )
        assert call(np.zeros(N), np.zeros(N), None) == MISMATCH
        return weakref.ref(state)

    tracemalloc.start()
    states = [once() for _ in range(1000)]
    gc.collect()
    assert all(state() is None for state in states)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(1000):
        once()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 15_000  # bytes, where one entry takes some thousand


def test_an_entry_in_a_cycle_is_collected(bind):
    state = cr.State(0.0)
    holder = {}
    holder["call"] = bind(Step(Table().words(), Context(), renumbered=[state], keep=holder))
    gone = weakref.ref(state)
    del holder, state
    gc.collect()
    assert gone() is None


# ---- what the native entry relies on


def test_slots_are_where_they_are_said_to_be():
    state = cr.Parameter([1.0])
    for name in ("_value", "number"):
        holds = np.ctypeslib.ctypes.c_size_t.from_address(entry.slot_address(state, name)).value
        assert holds == id(getattr(state, name))


def test_a_slot_that_cannot_be_found_is_reported(monkeypatch):
    monkeypatch.setattr(entry, "_find", lambda *_: (_ for _ in ()).throw(LookupError("lost")))
    entry.slot_offset.cache_clear()
    unsupported.cache_clear()
    try:
        assert unsupported() == "lost"
        assert isinstance(entry.bind(Square().step), PythonEntry)
    finally:
        monkeypatch.undo()
        entry.slot_offset.cache_clear()
        unsupported.cache_clear()
    assert unsupported() is None

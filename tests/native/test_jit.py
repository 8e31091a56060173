"""Compiling: addresses, what keeps code loaded, the store, errors that show the line."""

import ctypes
import gc
import threading

import pytest

from chainrule.native import jit, target
from chainrule.native.jit import IRError, Recipe, compile_ir, compile_recipes
from chainrule.native.store import kernel_store

ADD = "define i64 @add(i64 %x) {{\n  %y = add i64 %x, {}\n  ret i64 %y\n}}\n"


@pytest.fixture(autouse=True)
def store(monkeypatch, tmp_path):
    monkeypatch.setattr(kernel_store, "directory", tmp_path / "kernels")
    return kernel_store


@pytest.fixture
def builds(monkeypatch):
    """What is really compiled."""
    texts, build = [], jit.build
    monkeypatch.setattr(jit, "build", lambda text, *rest: texts.append(text) or build(text, *rest))
    return texts


def call(address, *arguments):
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(arguments))(address)(*arguments)


def test_functions_can_be_called():
    text = ADD.format(1001) + ADD.format(2002).replace("@add", "@more")
    addresses, code = compile_ir(text, ["add", "more"])
    assert (call(addresses["add"], 5), call(addresses["more"], 5)) == (1006, 2007)
    del code


@pytest.mark.parametrize("effort", [0, 1, 2])
def test_functions_of_the_c_library_are_found(effort):
    text = "declare double @erf(double)\n"
    text += "define double @f(double %x) {\n  %y = call double @erf(double %x)\n  ret double %y\n}\n"
    addresses, _code = compile_ir(text, ["f"], effort)
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(addresses["f"])(0.5) == pytest.approx(0.5204998778)


def test_the_same_text_is_compiled_once_while_it_is_loaded(builds):
    text = ADD.format(1)
    first, code = compile_ir(text, ["add"])
    second, _ = compile_ir(text, ["add"])
    assert first == second
    assert builds == [text]
    del code


def test_equal_names_in_different_modules_do_not_meet():
    loaded = [compile_ir(ADD.format(k), ["add"]) for k in range(10)]
    assert [call(addresses["add"], 0) for addresses, _ in loaded] == list(range(10))


def test_code_that_is_let_go_comes_back_from_the_store(builds, store):
    text = ADD.format(3)
    _, code = compile_ir(text, ["add"])
    del code
    gc.collect()
    addresses, _code = compile_ir(text, ["add"])
    assert call(addresses["add"], 1) == 4
    assert len(builds) == 1
    assert len(store) == 1


def test_a_damaged_object_is_compiled_again(builds, store):
    text = ADD.format(4)
    compile_ir(text, ["add"])
    (file,) = store.directory.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    addresses, _code = compile_ir(text, ["add"])
    assert call(addresses["add"], 1) == 5
    assert len(builds) == 2


def test_without_the_store_everything_is_compiled(builds, store, monkeypatch):
    monkeypatch.setattr(store, "enabled", False)
    for _ in range(2):
        compile_ir(ADD.format(5), ["add"])
    assert len(builds) == 2


def test_a_recipe_is_made_into_text_only_if_need_be(builds):
    made = []

    def emit():
        made.append(1)
        return ADD.format(6)

    for _ in range(3):
        (code,) = compile_recipes([Recipe("add 6", emit, ["add"])])
        assert call(code.addresses["add"], 1) == 7
        del code
        gc.collect()
    assert len(made) == len(builds) == 1


def adding(*numbers):
    return [Recipe(f"add {n}", lambda n=n: ADD.format(n), ["add"]) for n in numbers]


def test_many_recipes_at_once(builds):
    kept = compile_recipes(adding(1, 2))
    codes = compile_recipes(adding(1, 3, 2, 3, 4, 5))
    assert [call(code.addresses["add"], 0) for code in codes] == [1, 3, 2, 3, 4, 5]
    assert codes[1] is codes[3]
    assert codes[0] is kept[0]
    assert len(builds) == 5
    assert compile_recipes([]) == []


@pytest.mark.parametrize("others", [[], [1], [1, 2, 3]])
def test_an_error_in_one_of_many_is_raised(builds, others):
    bad = Recipe("bad", lambda: "nonsense", ["add"])
    with pytest.raises(IRError, match="expected top-level entity") as caught:
        compile_recipes([*adding(*others), bad, *adding(*others[:1])])
    assert caught.value.ir == "nonsense"
    worse = Recipe("worse", lambda: 1 / 0, ["add"])
    with pytest.raises(ZeroDivisionError):
        compile_recipes([*adding(*others), worse])
    assert [call(code.addresses["add"], 0) for code in compile_recipes(adding(*others))] == others


def test_a_stored_object_that_cannot_be_linked_is_made_anew(builds, store):
    text = "declare void @nowhere_at_all()\ndefine void @add() {\n  call void @nowhere_at_all()\n  ret void\n}"
    compile_ir(ADD.format(11), ["add"])
    (file,) = store.directory.iterdir()
    store.put(file.name, jit.build(text, target.current()))
    addresses, _code = compile_ir(ADD.format(11), ["add"])
    assert call(addresses["add"], 1) == 12


def test_a_recipe_is_read_again_when_the_generators_change(builds, monkeypatch):
    compile_recipes([Recipe("add", lambda: ADD.format(7), ["add"])])
    monkeypatch.setattr(jit, "generators", lambda: "others")
    (code,) = compile_recipes([Recipe("add", lambda: ADD.format(8), ["add"])])
    assert call(code.addresses["add"], 0) == 8


def test_targets_efforts_names_and_versions_do_not_share_objects(builds, monkeypatch):
    text = ADD.format(9)
    compile_ir(text, ["add"])
    with target.use(target.AVX2):
        compile_ir(text, ["add"])
    compile_ir(text, ["add"], effort=0)
    compile_ir(text, [])
    monkeypatch.setattr(jit, "_versions", lambda: ("another llvmlite", "another LLVM"))
    compile_ir(text, ["add"])
    assert len(builds) == 5


def test_alwaysinline_functions_are_inlined():
    text = "define internal i64 @one() alwaysinline {\n ret i64 1 }\n" + ADD.format(0).replace(
        "%y = add i64 %x, 0", "%o = call i64 @one()\n  %y = add i64 %x, %o"
    )
    for effort in (1, 2):
        assert b"one" not in jit.build(text, target.current(), effort)


USED_BEFORE = """define i64 @f() {
  br label %x
x:
  %a = add i64 %b, 1
  br label %y
y:
  %b = add i64 1, 1
  ret i64 %a
}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ADD.format("%z"), "undefined value '%z'"),
        (ADD.format(1).replace("add i64", "oops i64"), "expected instruction opcode"),
        (ADD.format(1).replace("ret i64 %y", "ret void"), "doesn't match function result type"),
        (USED_BEFORE, "does not dominate"),
        ("nonsense", "expected top-level entity"),
    ],
)
def test_what_llvm_refuses_is_an_error_that_shows_the_place(text, message):
    with pytest.raises(IRError, match=message) as caught:
        compile_ir(text, ["add"])
    assert caught.value.ir == text
    assert any(line in str(caught.value) for line in text.splitlines())


def test_functions_that_are_nowhere_are_an_error(capfd, store):
    text = "declare void @nowhere_at_all()\ndefine void @f() {\n  call void @nowhere_at_all()\n  ret void\n}"
    with pytest.raises(IRError, match="linking f") as caught:
        compile_ir(text, ["f"])
    assert caught.value.ir == text
    assert "nowhere_at_all" in capfd.readouterr().err
    assert len(store) == 0  # what cannot be linked is not kept


def test_a_name_that_is_not_defined_is_an_error():
    with pytest.raises(IRError, match=r"linking sub: .*sub"):
        compile_ir(ADD.format(10), ["sub"])


def test_several_python_threads_compile_at_once():
    found = {}

    def work(k):
        loaded = [compile_ir(ADD.format(1000 + n), ["add"]) for n in range(k, k + 10)]
        found[k] = [call(addresses["add"], 0) for addresses, _ in loaded]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(0, 20, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: list(range(1000 + k, 1010 + k)) for k in range(0, 20, 5)}

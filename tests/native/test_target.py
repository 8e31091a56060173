"""The processor that code is made for."""

import sys
import threading

import pytest

from chainrule.native import target
from chainrule.native.jit import build
from chainrule.native.target import AVX2, current, host, unavailable, use

# Sixteen float32 added at once.
WIDE = "define <16 x float> @f(<16 x float> %x) {\n  %y = fadd <16 x float> %x, %x\n  ret <16 x float> %y\n}\n"


@pytest.fixture
def fresh():
    """What is found out once a process is found out again, before and after."""
    host.cache_clear()
    unavailable.cache_clear()
    yield
    host.cache_clear()
    unavailable.cache_clear()


def test_the_host():
    assert unavailable() is None
    assert current() is host()
    assert host().vector_bytes in (32, 64)
    assert host().lanes(4) * 4 == host().vector_bytes
    assert host().extension in ("AVX2", "AVX-512")


def test_the_target_is_restricted_within_a_block_and_a_thread():
    seen = []
    with use(AVX2):
        assert current() is AVX2
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
        with use(host()):
            assert current() is host()
        assert current() is AVX2
    assert current() is host()
    assert seen == [host()]
    with pytest.raises(ZeroDivisionError), use(AVX2):
        _ = 1 / 0
    assert current() is host()


def test_restricted_code_uses_no_wider_vectors():
    import llvmlite.binding as llvm

    texts = {}
    for chosen in (AVX2, host()):
        machine = chosen.machine()
        texts[chosen.vector_bytes] = machine.emit_assembly(llvm.parse_assembly(WIDE))
    assert "zmm" not in texts[32]
    if 64 in texts:
        assert "zmm" in texts[64]
    assert build(WIDE, AVX2).startswith(b"\x7fELF") or sys.platform != "linux"


@pytest.mark.parametrize(("missing", "vector_bytes"), [(set(), 64), ({"avx512bw"}, 32), ({"avx512f", "avx512vl"}, 32)])
def test_wide_vectors_need_all_of_their_features(fresh, monkeypatch, missing, vector_bytes):
    monkeypatch.setattr(target, "_host_features", lambda: (target.WIDE | target.LEAST) - missing)
    assert host().vector_bytes == vector_bytes


def test_a_processor_that_lacks_something(fresh, monkeypatch):
    monkeypatch.setattr(target, "_host_features", lambda: {"avx2"})
    assert unavailable() == "the processor lacks fma"
    with pytest.raises(RuntimeError, match="no native code here: the processor lacks fma"):
        host()


@pytest.mark.parametrize(
    ("what", "value", "reason"),
    [
        ("sys.platform", "win32", "not win32"),
        ("sys.byteorder", "big", "little-endian"),
        ("sys.maxsize", 2**31 - 1, "64-bit"),
    ],
)
def test_machines_without_native_code(fresh, monkeypatch, what, value, reason):
    monkeypatch.setattr(f"chainrule.native.target.{what}", value)
    assert reason in unavailable()


def test_another_kind_of_processor(fresh, monkeypatch):
    monkeypatch.setattr("llvmlite.binding.get_process_triple", lambda: "aarch64-unknown-linux-gnu")
    assert "this is aarch64" in unavailable()


def test_without_llvmlite(fresh, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "llvmlite"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert "llvmlite cannot be imported" in unavailable()


def test_without_executable_memory(fresh, monkeypatch):
    def refuse():
        raise OSError(13, "cannot allocate executable memory")

    monkeypatch.setattr("llvmlite.binding.check_jit_execution", refuse)
    assert "executable memory" in unavailable()

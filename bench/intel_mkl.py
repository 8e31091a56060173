"""Intel's matrix products, on processors that are not Intel's as well.

MKL asks a function of its own whether the processor is Intel's, and if not keeps to code for older processors, at half
the speed or less. Whoever knows this loads another answer first; so a comparison on such a machine must do it, too.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

ENVIRONMENTS = Path(__file__).parent / ".peers"
ANSWER = "int mkl_serv_intel_cpu_true(void) { return 1; }\nint mkl_serv_intel_cpu(void) { return 1; }\n"


def library() -> Path | None:
    """MKL where PyTensor's environment has it."""
    return next((ENVIRONMENTS / "pytensor" / "lib").glob("libmkl_rt.so.*"), None)


@functools.cache
def disguise() -> Path | None:
    """A library to load before MKL; None where it is not needed or there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None or "GenuineIntel" in Path("/proc/cpuinfo").read_text():
        return None
    made = ENVIRONMENTS / "as_intel.so"
    if not made.exists():
        ENVIRONMENTS.mkdir(exist_ok=True)
        command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(made)]
        subprocess.run(command, input=ANSWER, text=True, check=True)  # noqa: S603
    return made

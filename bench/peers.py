"""Makes the peers' virtual environments under ``bench/.peers``: one for each file in ``requirements``.

A peer that cannot be installed is reported and left out; the benchmarks run without it.

Usage: python bench/peers.py [--again]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from intel_mkl import ENVIRONMENTS
from lineup import BENCH


def install(requirements: Path, again: bool) -> str:
    """Make one environment unless it is there and up to date; what became of it."""
    folder = ENVIRONMENTS / requirements.stem
    stamp = folder / ".installed"
    wanted = requirements.read_text()
    if not again and stamp.exists() and stamp.read_text() == wanted:
        return "is there"
    shutil.rmtree(folder, ignore_errors=True)
    base = Path(sys.base_prefix) / "bin" / "python3"
    python = str(base if base.exists() else sys.executable)
    subprocess.run([python, "-m", "venv", str(folder)], check=True)  # noqa: S603
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(requirements)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        shutil.rmtree(folder)
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return "left out: " + (errors or done.stderr.splitlines() or ["pip failed"])[-1]
    stamp.write_text(wanted)
    return "installed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--again", action="store_true", help="make them afresh, with the newest releases")
    options = parser.parse_args()
    ENVIRONMENTS.mkdir(exist_ok=True)
    for requirements in sorted((BENCH / "requirements").glob("*.txt")):
        print(f"{requirements.stem}: {install(requirements, options.again)}", flush=True)


if __name__ == "__main__":
    main()

"""What a result needs to be worth something later: the machine it was measured on. Results are JSON files."""

from __future__ import annotations

import json
import os
import platform
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr

RESULTS = Path(__file__).parent / "results"


def description() -> dict[str, Any]:
    """Processor, cores that may be used, the versions of what measures, and how busy the machine is."""
    import llvmlite

    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "llvmlite": llvmlite.__version__,
        "chainrule": cr.__version__,
        "load": os.getloadavg()[0],
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def processor() -> str:
    """The processor's name, with the widest vectors that it has."""
    text = Path("/proc/cpuinfo").read_text()
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    named = {key.strip(): text.strip() for key, text in fields.items()}
    flags = named.get("flags", "").split()
    vectors = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "")
    return f"{named.get('model name', platform.machine())} (family {named.get('cpu family', '?')}) {vectors}".strip()


def heading(machine: dict[str, Any]) -> str:
    """One line for the head of a table."""
    return f"{machine['processor']}, {machine['cores']} cores, load {machine['load']:.1f}, {machine['date']}"


def save(name: str, machine: dict[str, Any], **results: Any) -> Path:
    """Write the results and the machine to a file of their own in ``results``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{machine['date'].replace(':', '')[:17]}.json"
    path.write_text(json.dumps({"machine": machine, **results}, indent=1) + "\n")
    return path

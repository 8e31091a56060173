"""One contestant in a process of its own: it keeps its step ready, sleeps, and runs when asked.

    python worker.py '{"module": ..., "workload": [...], "threads": ..., "options": {...}}'

It writes one JSON line when it is ready and one for each line of JSON that it reads:
``{"steps": n}`` runs so many steps from the initial weights, after some that are not timed; ``{"growth": n}`` runs so
many and tells the resident memory before and after. Everything else that a library prints goes to standard error.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

BEGIN = time.perf_counter()

from contestants.contestant import Contestant, NotHereError
from problem import CHECKED_STEPS, Problem, Workload

WARM_UP = 0.25  # of the timed steps: the others have had the caches in the meantime


def main() -> None:
    order = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        contestant, report = prepare(order)
    except (ImportError, NotHereError) as e:
        print(json.dumps({"absent": str(e)}), file=answers)
        return
    print(json.dumps(report), file=answers)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        answer = turn(contestant, request["steps"]) if "steps" in request else growth(contestant, request["growth"])
        print(json.dumps(answer), file=answers)


def prepare(order: dict[str, Any]) -> tuple[Contestant, dict[str, Any]]:
    """Import the library, make the step, call it for the first time; seconds for each, and the losses to check."""
    problem = Problem(Workload(tuple(order["workload"][0]), *order["workload"][1:]))
    clock = time.perf_counter
    begin = clock()
    module = importlib.import_module(f"contestants.{order['module']}")
    imported = clock()
    contestant = module.make(problem, order["threads"], **order["options"])
    made = clock()
    losses = [value(contestant.step(contestant.images, contestant.labels))]
    called = clock()
    losses.append(value(contestant.step(contestant.images, contestant.labels)))
    again = clock()
    while len(losses) < max(CHECKED_STEPS):
        losses.append(value(contestant.step(contestant.images, contestant.labels)))
    return contestant, {
        "versions": {"python": sys.version.split()[0], **contestant.versions},
        "losses": [losses[n - 1] for n in CHECKED_STEPS],
        "seconds": {
            "import": imported - begin,
            "make": made - imported,
            "first call": called - made,
            "second call": again - called,
            "third call": (clock() - again) / (len(losses) - 2),
        },
        "gates": contestant.gates() if contestant.gates else None,
    }


def turn(contestant: Contestant, steps: int) -> dict[str, float]:
    """Seconds for the steps, and the last loss."""
    step, images, labels = contestant.step, contestant.images, contestant.labels
    contestant.reset()
    for _ in range(max(2, int(WARM_UP * steps))):
        step(images, labels)
    begin = time.perf_counter()
    for _ in range(steps):
        loss = step(images, labels)
    return {"seconds": time.perf_counter() - begin, "loss": value(loss)}


def growth(contestant: Contestant, steps: int) -> dict[str, int]:
    """Resident bytes before and after the steps, and the most there ever were."""
    step, images, labels = contestant.step, contestant.images, contestant.labels
    for _ in range(max(2, steps // 10)):
        step(images, labels)
    before = resident_bytes()
    for _ in range(steps):
        step(images, labels)
    return {"before": before, "after": resident_bytes(), "peak": peak_bytes()}


def value(loss: Any) -> float:
    return float(loss.item())


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak_bytes() -> int:
    """Not from getrusage, which counts what the process was before it became this program."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()

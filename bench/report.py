"""The newest results of every benchmark as one page of Markdown.

Usage: python bench/report.py > bench/results.md
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from statistics import geometric_mean, median
from typing import Any

from machine import RESULTS, heading
from problem import AIM_OF_ALL, WORKLOADS

Results = dict[str, Any]


def table(*rows: Iterable[object]) -> str:
    """Markdown; the first row is the head."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    columns = lines[0].count("|") - 1
    return "\n".join([lines[0], "|" + "---|" * columns, *lines[1:]])


def steps(results: Results) -> str:
    """Everybody's better way of two, and our ratio to the best peer."""
    best: dict[tuple[str, str], Results] = {}
    for row in results["rows"]:
        key = row["peer"], row["workload"]
        if key not in best or row["median"] < best[key]["median"]:
            best[key] = row
    nets = [w for w in WORKLOADS if w.name in {workload for _, workload in best}]
    peers = list(dict.fromkeys(peer for peer, _ in best))

    def cell(peer: str, net: str) -> str:
        row = best.get((peer, net))
        return f"{row['median']:,.1f} ({row['best']:,.1f})" if row else ""

    ratios = [results["ratios"].get(w.name) for w in nets]
    means = [geometric_mean(r[kind] for r in ratios if r) for kind in ("medians", "bests")] if any(ratios) else []
    return table(
        ["us a step: median (best)", *(w.name for w in nets)],
        *([peer, *(cell(peer, w.name) for w in nets)] for peer in peers),
        [
            "**times faster than the best peer**",
            *(f"**{r['medians']:.2f}** ({r['bests']:.2f}) {r['peer']}" if r else "" for r in ratios),
        ],
        ["aim", *(w.aim for w in nets)],
    ) + (f"\n\nGeometric mean {means[0]:.2f} ({means[1]:.2f}); aim {AIM_OF_ALL} over five nets." if means else "")


def activations(results: Results) -> str:
    rows = {row["workload"]: median(row["us"]) for row in results["rows"]}

    def cells(net: Any) -> Iterable[str]:
        for kind in ("relu", "tanh", "sigmoid"):
            us = rows[net.with_activation(kind).name]
            yield f"{us:,.1f} ({us / rows[net.with_activation('relu').name]:.2f})"

    measured = [w for w in WORKLOADS if w.with_activation("relu").name in rows]
    head = ["us a step (ratio to ReLU)", "relu", "tanh", "sigmoid"]
    return table(head, *([w.net, *cells(w)] for w in measured)) + "\n\nAim: at most 1.25."


def cold(results: Results) -> str:
    parts = []
    if "first" in results:
        rows = {(r["peer"], r["workload"]): f"{r['empty']:.2f} / {r['warm']:.2f}" for r in results["first"]}
        head = ["s: empty / warm store", *(w.name for w in WORKLOADS)]
        peers = dict.fromkeys(peer for peer, _ in rows)
        parts.append(table(head, *([p, *(rows.get((p, w.name), "") for w in WORKLOADS)] for p in peers)))
    if "imports" in results:
        rows = [[r["import"], f"{median(r['seconds']):.3f}"] for r in results["imports"]]
        parts.append(table(["import", "s above NumPy's own"], *rows))
    if "deep" in results:
        rows = [[r["layers"], r["gates"], f"{r['empty']:.2f} / {r['warm']:.2f}"] for r in results["deep"]]
        parts.append(table(["layers of 32", "gates", "s: empty / warm store"], *rows))
    return "\n\n".join(parts)


def memory(results: Results) -> str:
    peaks = table(["peak, widest net", "MB"], *([r["peer"], f"{r['peak'] / 1e6:.0f}"] for r in results["peaks"]))
    rows = ([r["peer"], f"{(r['after'] - r['before']) / 1e6:.2f}", f"{r['steps']:,}"] for r in results["growths"])
    return peaks + "\n\n" + table(["growth, smallest net", "MB", "steps"], *rows)


def cheap_gradient(results: Results) -> str:
    rows = results["rows"]
    sizes = list(dict.fromkeys(r["inputs"] for r in rows))
    ratio = {(r["function"], r["inputs"]): median(r["both"]) / median(r["value"]) for r in rows}
    names = dict.fromkeys(r["function"] for r in rows)
    head = ["value and gradient / value", *(f"{n:,} inputs" for n in sizes)]
    return table(head, *([name, *(f"{ratio[name, n]:.2f}" for n in sizes)] for name in names)) + "\n\nAim: at most 4."


PAGES: dict[str, tuple[str, Callable[[Results], str]]] = {
    "steps": ("Training steps", steps),
    "activations": ("Activation functions", activations),
    "cold": ("First calls", cold),
    "memory": ("Memory", memory),
    "cheap_gradient": ("The cheap-gradient principle", cheap_gradient),
}


def main() -> None:
    print("# Results\n\nMade by `bench/report.py`; `README.md` here says what is measured and how.")
    for name, (title, page) in PAGES.items():
        if files := sorted(RESULTS.glob(f"{name}-2*.json")):
            results = json.loads(files[-1].read_text())
            print(f"\n## {title}\n\n{heading(results['machine'])}\n\n{page(results)}")
            versions = {k: v for row in results.get("rows", []) for k, v in row.get("versions", {}).items()}
            if versions:
                print("\nVersions: " + ", ".join(f"{k} {v}" for k, v in versions.items()) + ".")


if __name__ == "__main__":
    main()

"""`docs/reference/benchmarks.md`: what `make bench` measured, from the reports that are kept in docs/bench."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_HEAD = """\
# Benchmarks

<!-- Generated from docs/bench by `make bench-page`. -->

Each table is one run of `make bench`, as it was: its commit, day and machine stand above it. Later commits may need
less ([changelog](../../CHANGELOG.md)). Absolute figures are those of that machine; run it on yours. What is measured,
and which limits hold: [sizing](../sizing.md).

A new run is kept by `make bench ARGS="--only scale --output docs/bench/scale.json"`, and shown by `make bench-page`.
"""

_TITLES = {
    "scale": "One rendezvous, by its size",
    "told": "A pod is deleted: until every survivor is told",
    "storm": "Nodes join at once, beside torch's c10d",
    "survive": "Survivors keep their processes",
    "hindered": "Losses beside pods that cannot come",
    "signals": "What the cluster says first",
}


def benchmark_page(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """The page.

    Args:
        reports: what `make bench` wrote, by the names of the files.
    """
    order = [*(name for name in _TITLES if name in reports), *sorted(reports.keys() - _TITLES.keys())]
    return _HEAD + "".join(f"\n{line}\n" if line else "" for name in order for line in _section(name, reports[name]))


def _section(name: str, report: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {_TITLES.get(name, name)}"
    machine = report["machine"]
    torch = f", torch {machine['torch']}" if machine["torch"] else ""
    yield (
        f"Commit {report['commit']}, {report['date']}; {machine['cpus']} CPUs, {machine['system']}, "
        f"Python {machine['python']}{torch}."
    )
    sizes = (report.get("scale") or {}).get("sizes") or []
    if sizes:
        yield f"![Each figure against the number of members](../images/bench-{name}.svg)"
        yield _sizes(sizes)
    if report["thresholds"]:
        yield _table(
            ("", "measured", "at most", ""),
            (
                (one["what"], _number(one["measured"]), _number(one["limit"]), "" if one["holds"] else "**exceeded**")
                for one in report["thresholds"]
            ),
        )


def _sizes(sizes: Sequence[Mapping[str, Any]]) -> str:
    figures = list(sizes[0]["medians"])
    heads = [f"{size['nodes']} {'(light)' if size['players'] == 'light watchers' else ''}".strip() for size in sizes]
    rows = ((figure, *(_number(size["medians"][figure]) for size in sizes)) for figure in figures)
    return _table(("members", *heads), rows)


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

"""The page of benchmarks shows each kept run with its commit, day and machine, and hides nothing that did not hold."""

from rendezvous_docs.benchmark_page import benchmark_page

MACHINE = {"cpus": 2, "system": "Linux", "python": "3.11.7", "torch": None}
THRESHOLDS = [
    {"what": "told, median, s", "measured": 0.0468, "limit": 0.2, "holds": True},
    {"what": "storm, s", "measured": 9.0, "limit": 8.0, "holds": False},
]
REPORT = {"commit": "abc1234", "date": "2026-02-02", "machine": MACHINE, "thresholds": THRESHOLDS}


def test_a_run_says_what_ran_when_and_where() -> None:
    page = benchmark_page({"told": REPORT})
    assert "## A pod is deleted: until every survivor is told" in page
    assert "Commit abc1234, 2026-02-02; 2 CPUs, Linux, Python 3.11.7." in page
    assert "| told, median, s | 0.0468 | 0.2 |  |" in page


def test_a_limit_that_did_not_hold_is_shown() -> None:
    assert "| storm, s | 9 | 8 | **exceeded** |" in benchmark_page({"told": REPORT})


def test_sizes_come_as_a_table_and_with_their_curves() -> None:
    sizes = [
        {"nodes": nodes, "players": "real handlers", "medians": {"told, s": 0.05, "RSS": 1234567.0}}
        for nodes in (8, 64)
    ]
    page = benchmark_page({"scale": {**REPORT, "scale": {"sizes": sizes}}})
    assert "| members | 8 | 64 |" in page
    assert "| RSS | 1,234,567 | 1,234,567 |" in page
    assert "../images/bench-scale.svg" in page


def test_a_machine_without_any_kept_run_has_an_empty_page() -> None:
    assert "##" not in benchmark_page({}).replace("# Benchmarks", "", 1)

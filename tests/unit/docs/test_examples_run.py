"""Every example is applied to a real cluster by a test."""

from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
PARTS = ("trainer", "openshift")  # of others: a base and a component
NAMES = sorted(
    file.parent.name
    for file in (TOP / "deploy" / "examples").glob("*/kustomization.yaml")
    if file.parent.name not in PARTS
)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_applied_by_a_test_on_a_real_cluster(name: str) -> None:
    tests = (file.read_text() for file in (TOP / "tests" / "e2e").rglob("test_*.py"))
    assert any(f'"{name}"' in text for text in (*tests, (TOP / "tests" / "e2e" / "job_run.py").read_text()))

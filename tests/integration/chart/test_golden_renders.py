"""What the chart renders changes only on purpose. After a change that is meant, and was read with `git diff`:

GOLDEN=write python -m pytest tests/integration/chart/test_golden_renders.py
"""

import os
from pathlib import Path

import pytest

from rendezvous_chart.plain_manifests import render

FOLDER = Path(__file__).parent / "golden"
# Without the CRDs, which a test of their own keeps equal to crds/.
VALUE_SETS = {
    "default": [],
    "namespaced": [
        "watchNamespaces={team-a,team-b}",
        "topology.enabled=false",
        "trainers.namespaces={team-a}",
        "evictionRequests.enabled=true",
    ],
    "least": [
        "replicaCount=1",
        "memberGuard.enabled=false",
        "flowControl.enabled=false",
        "networkPolicy.enabled=false",
        "metrics.dashboard.enabled=false",
        "rbac.aggregate=false",
        "owners.enabled=false",
        "podGroups.enabled=false",
    ],
}
MONITORING = [
    "--api-versions=monitoring.coreos.com/v1/ServiceMonitor",
    "--api-versions=monitoring.coreos.com/v1/PrometheusRule",
]


@pytest.mark.parametrize("name", [*VALUE_SETS, "monitored"])
def test_the_render_is_the_golden_one(helm: Path, name: str) -> None:
    values = ["crds.install=false", *VALUE_SETS.get(name, [])]
    options = [part for value in values for part in ("--set", value)]
    rendered = render(helm, *options, *(MONITORING if name == "monitored" else []))
    golden = FOLDER / f"{name}.yaml"
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(rendered)
    assert rendered == golden.read_text()
